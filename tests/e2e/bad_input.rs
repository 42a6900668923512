//! Bad input gets one clear error, the right code, and leaves no trace.

use std::fs;

use crate::support::names;
use sealift_testkit::{Fault, Registry, Route, When};

use crate::support::{Product, WorkDir, work_dir_with_bundle};

/// Loading `file` fails with `code`, says `words`, and the registry sees no write.
fn refused_without_a_trace(work_dir: &WorkDir, file: &str, code: i32, words: &str) {
    let destination = Registry::start();
    let run = work_dir.run(&["load", file, &destination.host(), "--quiet"]);
    assert_eq!(run.code, Some(code), "{}", run.stderr);
    assert!(run.stderr.contains(words), "{words:?} in {}", run.stderr);
    assert!(destination.traffic().writes().is_empty(), "{file}");
    assert!(run.stdout.is_empty());
}

#[test]
fn a_file_that_is_no_whole_bundle_is_refused_before_any_write() {
    let (work_dir, _) = work_dir_with_bundle();
    let whole = work_dir.read("product.tar");
    work_dir.write("short.tar", &whole[..whole.len() / 2]);
    refused_without_a_trace(&work_dir, "short.tar", 4, "truncated");
    work_dir.write("blocks.tar", &whole[..whole.len() - 512]);
    refused_without_a_trace(&work_dir, "blocks.tar", 4, "truncated");
    work_dir.write("more.tar", [whole.as_slice(), b"x"].concat());
    refused_without_a_trace(&work_dir, "more.tar", 4, "after the bundle's end");
    work_dir.write("empty.tar", "");
    refused_without_a_trace(&work_dir, "empty.tar", 4, "empty");
    work_dir.write("text.tar", "hello\n".repeat(2000));
    refused_without_a_trace(&work_dir, "text.tar", 4, "text.tar");
    refused_without_a_trace(&work_dir, "missing.tar", 1, "missing.tar");
    refused_without_a_trace(&work_dir, ".", 1, ".");
}

#[test]
fn a_flipped_byte_is_found_named_and_nothing_gets_a_tag() {
    let (work_dir, _) = work_dir_with_bundle();
    let whole = work_dir.read("product.tar");
    let inspection = work_dir.json(&["inspect", "--json", "product.tar"]);
    assert!(inspection["images"].as_array().unwrap().len() == 2);
    for part in [1, 3, 5, 7] {
        let mut damaged = whole.clone();
        let at = whole.len() * part / 8;
        damaged[at] ^= 1;
        work_dir.write("damaged.tar", &damaged);
        let verified = work_dir.run(&["verify", "damaged.tar"]);
        assert_eq!(verified.code, Some(4), "byte {at}: {}", verified.said());
        assert!(verified.said().contains("byte "), "{}", verified.said());
        let destination = Registry::start();
        let loaded = work_dir.run(&["load", "damaged.tar", &destination.host(), "--quiet"]);
        assert_eq!(loaded.code, Some(4), "byte {at}: {}", loaded.stderr);
        for repository in destination.repositories() {
            assert!(destination.tags(&repository).is_empty(), "byte {at}");
        }
        let first = Registry::start();
        let checked = [
            "load",
            "damaged.tar",
            &first.host(),
            "--verify-first",
            "--quiet",
        ];
        assert_eq!(work_dir.run(&checked).code, Some(4));
        assert!(first.traffic().writes().is_empty(), "byte {at}");
    }
}

#[test]
fn a_damaged_archive_or_carried_file_has_the_code_of_damage_and_a_place() {
    let (work_dir, _) = work_dir_with_bundle();
    let content = sealift_testkit::filler("carried", 5000);
    work_dir.write("carried.bin", &content);
    fs::create_dir(work_dir.path("folder")).unwrap();
    work_dir.write("folder/file", &content);
    let carry = ["--carry", "carried.bin", "--carry", "folder"];
    work_dir.ok(&[["bundle", "-o", "c.tar", "-q"].as_slice(), &carry].concat());
    let mut carried = work_dir.read("c.tar");
    let places: Vec<usize> = (0..carried.len() - 100)
        .filter(|at| carried[*at..*at + 100] == content[..100])
        .collect();
    assert_eq!(
        places.len(),
        2,
        "the content is there twice: alone, and in the folder's tar"
    );
    for at in &places {
        carried[at + 50] ^= 1;
    }
    work_dir.write("d.tar", &carried);
    for name in ["carried.bin", "folder"] {
        let run = work_dir.run(&["extract", "d.tar", name, "--to", "out"]);
        assert_eq!(run.code, Some(4), "{name}: {}", run.said());
        assert!(
            run.stderr.contains(name) && run.stderr.contains(" at byte "),
            "{}",
            run.stderr
        );
        assert_eq!(names(&work_dir.path("out")), Vec::<String>::new());
    }
    let whole = work_dir.read("product.tar");
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    for (what, bytes) in [
        ("a flipped byte", damaged.as_slice()),
        ("a truncated file", &whole[..whole.len() * 2 / 3]),
        ("text", b"no archive".as_slice()),
    ] {
        work_dir.write("a.tar", bytes);
        let run = work_dir.run(&["bundle", "--from", "a.tar", "-o", "x.tar"]);
        assert_eq!(run.code, Some(4), "{what}: {}", run.said());
        assert!(run.stderr.contains("a.tar"), "{what}: {}", run.stderr);
        assert!(
            !run.stderr.contains("failed to fill whole buffer"),
            "{}",
            run.stderr
        );
        assert!(!work_dir.path("x.tar").exists());
        let absent = work_dir.run(&["bundle", "--from", "absent.tar", "-o", "x.tar"]);
        assert_ne!(absent.code, Some(4), "{}", absent.stderr);
    }
}

#[test]
fn what_cannot_work_is_refused_before_any_work_with_the_path_or_address_in_the_message() {
    let (work_dir, _) = work_dir_with_bundle();
    work_dir.write("file", "a file");
    let source = Registry::start();
    Product::new(1000).put_into(&source);
    let image = source.reference("product/node", "v1");
    let missing = "No such file or directory";
    for (arguments, words) in [
        (
            ["bundle", &image, "--carry", "absent", "-o", "x.tar"].as_slice(),
            ["absent", missing],
        ),
        (
            &["bundle", &image, "--from", "absent.tar", "-o", "x.tar"],
            ["absent.tar", "no such file or folder"],
        ),
        (
            &["bundle", &image, "-o", "absent/x.tar"],
            ["absent", "does not exist"],
        ),
        (
            &["bundle", &image, "-o", "x.tar", "--state-dir", "file"],
            ["file", "not a folder"],
        ),
        (
            &["export", "product.tar", "-o", "absent/x.tar"],
            ["absent", "does not exist"],
        ),
        (
            &["extract", "product.tar", "--to", "file"],
            ["file", "not a folder"],
        ),
        (
            &["serve", "product.tar", "--listen", "127.0.0.1:70000"],
            ["127.0.0.1:70000", "65535"],
        ),
        (
            &["serve", "product.tar", "--listen", "localhost"],
            ["localhost", "ADDR:PORT"],
        ),
    ] {
        let run = work_dir.run(arguments);
        assert_eq!(run.code, Some(2), "{arguments:?}: {}", run.said());
        for word in words {
            assert!(run.stderr.contains(word), "{arguments:?}: {}", run.said());
        }
        assert_eq!(work_dir.names(), ["file", "images.txt", "product.tar"]);
    }
    assert!(source.traffic().0.is_empty());
}

#[test]
fn a_registry_that_serves_other_bytes_than_asked_makes_no_bundle() {
    let (work_dir, product, source) = (WorkDir::new(), Product::new(1000), Registry::start());
    product.put_into(&source);
    let (repository, image) = &product.names[0];
    let digest = *image.blobs.keys().next().unwrap();
    let size = image.blobs[&digest].len();
    source.put_blob_as(repository, digest, vec![0_u8; size]);
    let run = work_dir.run(&[
        "bundle",
        &source.reference(repository, "v1"),
        "-o",
        "x.tar",
        "--quiet",
    ]);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    for words in [digest.to_string(), source.host(), (*repository).to_owned()] {
        assert!(run.stderr.contains(&words), "{words} in {}", run.stderr);
    }
    assert!(!work_dir.path("x.tar").exists());
}

#[test]
fn all_images_that_cannot_be_had_are_named_together() {
    let (work_dir, source) = (WorkDir::new(), Registry::start());
    Product::new(1000).put_into(&source);
    let good = source.reference("product/node", "v1");
    let missing = [
        source.reference("product/node", "v9"),
        source.reference("nowhere", "v1"),
    ];
    let run = work_dir.run(&[
        "bundle",
        &good,
        &missing[0],
        &missing[1],
        "-o",
        "x.tar",
        "--quiet",
    ]);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(
        missing.iter().all(|name| run.stderr.contains(name)),
        "{}",
        run.stderr
    );
    assert!(!run.stderr.contains(&format!("{good}:")), "{}", run.stderr);
    assert_eq!(work_dir.names(), Vec::<String>::new());
}

#[test]
fn an_unreachable_host_is_named_with_what_to_try() {
    let (work_dir, _) = work_dir_with_bundle();
    // A port that was free a moment ago.
    let address = Registry::start().address();
    let run = work_dir.run(&[
        "load",
        "product.tar",
        &address.to_string(),
        "--retries",
        "0",
        "--quiet",
    ]);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(
        run.stderr.contains(&address.to_string()) && run.stderr.contains("hint:"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_file_in_the_way_is_kept() {
    let (work_dir, source) = (WorkDir::new(), Registry::start());
    Product::new(1000).put_into(&source);
    work_dir.write("mine.tar", "mine");
    let image = source.reference("product/node", "v1");
    let run = work_dir.run(&["bundle", &image, "-o", "mine.tar", "--quiet"]);
    assert_eq!(run.code, Some(5), "{}", run.stderr);
    assert_eq!(work_dir.read("mine.tar"), b"mine");
    work_dir.ok(&["bundle", &image, "-o", "mine.tar", "--force", "--quiet"]);
    work_dir.ok(&["verify", "mine.tar"]);
}

#[test]
fn a_folder_that_cannot_be_written_to_is_said() {
    let (work_dir, source) = (WorkDir::new(), Registry::start());
    Product::new(1000).put_into(&source);
    let image = source.reference("product/node", "v1");
    let run = work_dir.run(&["bundle", &image, "-o", "no/such/folder/x.tar", "--quiet"]);
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(run.stderr.contains("no/such/folder"), "{}", run.stderr);
    // /proc takes no files, whoever asks.
    let run = work_dir.run(&["bundle", &image, "-o", "/proc/x.tar", "--quiet"]);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
}

#[test]
fn a_full_disk_is_found_before_the_first_blob() {
    // A file system of half a megabyte; needs the right to mount one.
    let work_dir = WorkDir::new();
    fs::create_dir(work_dir.path("small")).unwrap();
    let mount = |arguments: &[&str]| {
        let status = std::process::Command::new("mount").args(arguments).status();
        status.is_ok_and(|status| status.success())
    };
    let folder = work_dir.path("small");
    let folder = folder.to_str().unwrap();
    if !mount(&["-t", "tmpfs", "-o", "size=512k", "tmpfs", folder]) {
        sealift_testkit::real::skipped("no file system can be mounted here");
        return;
    }
    let source = Registry::start();
    Product::new(400_000).put_into(&source);
    let image = source.reference("product/node", "v1");
    let run = work_dir.run(&["bundle", &image, "-o", "small/x.tar", "--quiet"]);
    let left = names(&work_dir.path("small"));
    let unmounted = std::process::Command::new("umount").arg(folder).status();
    assert!(unmounted.unwrap().success());
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(run.stderr.contains("free"), "{}", run.stderr);
    assert!(!left.iter().any(|name| name == "x.tar"), "{left:?}");
    assert_eq!(source.traffic().count("GET", Route::Blob), 0);
}

#[test]
fn a_break_while_tags_move_is_told_by_a_code_of_its_own() {
    let (work_dir, product) = work_dir_with_bundle();
    let destination = Registry::start();
    let (repository, _) = &product.names[0];
    let when = When::new("PUT", Route::Manifest)
        .repository(repository)
        .reference("v1")
        .always();
    destination.script(when, Fault::Refuse);
    let arguments = [
        "load",
        "product.tar",
        &destination.host(),
        "--retries",
        "0",
        "--quiet",
    ];
    let run = work_dir.run(&arguments);
    assert_eq!(run.code, Some(3), "{}", run.stderr);
    assert!(
        run.stderr.contains(&format!("{repository}:v1")),
        "{}",
        run.stderr
    );
    destination.clear_script();
    work_dir.ok(&arguments);
    product.assert_in(&destination, "");
}

#[test]
fn used_wrongly_it_says_so_and_tries_nothing() {
    let work_dir = WorkDir::new();
    for arguments in [
        ["bundle"].as_slice(),
        &["bundle", "-o", "x.tar"],
        &["bundle", "UPPER/case:1", "-o", "x.tar"],
        &["bundle", "https://quay.io/x", "-o", "x.tar"],
        &["bundle", "quay.io/x", "--platform", "amd64", "-o", "x.tar"],
        &["bundle", "--from", "nowhere", "-o", "x.tar"],
        &["load", "x.tar"],
        &["load", "x.tar", "https://r.corp"],
        &["load", "x.tar", "r.corp", "--naming", "other"],
        &["nothing"],
    ] {
        let run = work_dir.run(arguments);
        assert_eq!(run.code, Some(2), "{arguments:?}: {}", run.said());
    }
    assert_eq!(work_dir.names(), Vec::<String>::new());
}

#[test]
fn a_receipt_replaces_nothing_but_an_earlier_receipt() {
    let (work_dir, _) = work_dir_with_bundle();
    work_dir.write("notes.txt", "mine");
    let destination = Registry::start();
    let to = destination.host();
    let before = work_dir.read("product.tar");
    for (receipt, code, words) in [
        ("product.tar", 5, "exists and is not a receipt"),
        ("notes.txt", 5, "exists and is not a receipt"),
        (".", 5, "exists and is not a receipt"),
        ("none/receipt.json", 2, "there is no folder none"),
    ] {
        let run = work_dir.run(&["load", "product.tar", &to, "--receipt", receipt]);
        assert_eq!(run.code, Some(code), "{receipt}: {}", run.stderr);
        assert!(run.stderr.contains(words), "{}", run.stderr);
    }
    assert!(destination.traffic().0.is_empty());
    assert!(work_dir.read("product.tar") == before);
    for _ in 0..2 {
        work_dir.ok(&["load", "product.tar", &to, "--receipt", "receipt.json"]);
    }
    let there = ["images.txt", "notes.txt", "product.tar", "receipt.json"];
    assert_eq!(work_dir.names(), there);
}

#[test]
fn a_full_standard_error_is_no_panic() {
    let (work_dir, _) = work_dir_with_bundle();
    let run = |arguments: &[&str]| {
        let full = std::fs::File::options().write(true).open("/dev/full");
        let mut command = work_dir.command(arguments);
        command
            .stderr(full.unwrap())
            .output()
            .unwrap()
            .status
            .code()
    };
    assert_eq!(run(&["verify", "product.tar"]), Some(0));
    assert_eq!(run(&["verify", "none.tar"]), Some(1));
    let destination = Registry::start();
    assert_eq!(run(&["load", "product.tar", &destination.host()]), Some(0));
}

#[test]
fn after_a_network_error_only_a_command_that_keeps_something_is_said_to_resume() {
    let (work_dir, _) = work_dir_with_bundle();
    // Nobody listens on port 1.
    for (arguments, next) in [
        (
            ["bundle", "127.0.0.1:1/a/b:1", "-o", "x.tar"].as_slice(),
            "it resumes",
        ),
        (
            &["bundle", "127.0.0.1:1/a/b:1", "--dry-run"],
            "it starts from the beginning",
        ),
        (&["load", "product.tar", "127.0.0.1:1"], "it resumes"),
        (
            &["load", "product.tar", "127.0.0.1:1", "--dry-run"],
            "it starts from the beginning",
        ),
    ] {
        let run = work_dir.run(arguments);
        assert_eq!(run.code, Some(1), "{arguments:?}: {}", run.stderr);
        let hint = format!("then run the same command again: {next}");
        assert!(run.stderr.contains(&hint), "{arguments:?}: {}", run.stderr);
    }
}

#[test]
fn records_and_unfinished_bundles_are_called_what_they_are() {
    let (work_dir, _) = work_dir_with_bundle();
    work_dir.ok(&["record", "product.tar", "-o", "product.record"]);
    let mut unfinished = work_dir.read("product.tar");
    unfinished[..512].fill(0);
    work_dir.write("product.tar.partial", &unfinished);
    work_dir.write("zeros.tar", &unfinished);
    let destination = Registry::start();
    let host = destination.host();
    for command in [&["verify"][..], &["inspect"], &["load", &host]] {
        for (name, code, words) in [
            ("product.record", 2, ["is the record of a bundle", "--base"]),
            (
                "product.tar.partial",
                4,
                ["is an unfinished bundle", "run the command"],
            ),
            ("zeros.tar", 4, ["is corrupt or not a sealift bundle", ""]),
        ] {
            let mut arguments = command.to_vec();
            arguments.insert(1, name);
            let run = work_dir.run(&arguments);
            assert_eq!(run.code, Some(code), "{arguments:?}: {}", run.stderr);
            for words in words {
                assert!(run.stderr.contains(words), "{arguments:?}: {}", run.stderr);
            }
        }
    }
    assert!(destination.traffic().writes().is_empty());
}

#[test]
fn a_load_of_nothing_and_a_map_of_nothing_are_refused() {
    let (work_dir, _) = work_dir_with_bundle();
    let destination = Registry::start();
    let host = destination.host();
    for (more, words) in [
        (
            &["--map", "docker.io/other/=net/"][..],
            "nothing in the bundle matches the map docker.io/other/=net/",
        ),
        (&["--map", "quay.io/a/b=c"], "matches the map quay.io/a/b=c"),
        (
            &["--only", "*node*", "--skip", "*node*"],
            "the patterns select nothing",
        ),
        (&["--skip", "*"], "the patterns select nothing"),
    ] {
        for more in [more, &[more, &["--dry-run"]].concat()] {
            let run = work_dir.run(&[&["load", "product.tar", &host], more].concat());
            assert_eq!(run.code, Some(2), "{more:?}: {}", run.said());
            assert!(run.stderr.contains(words), "{}", run.stderr);
            assert!(run.stderr.contains("hint: "), "{}", run.stderr);
        }
    }
    assert!(destination.traffic().writes().is_empty());
}

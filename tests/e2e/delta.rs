//! Delta bundles through every command: one release crosses completely, the next ones as what changed.

use sealift_testkit::{Image, ImageMaker, Layer, Registry, Route};

use crate::support::{WorkDir, identity};

/// The images of a release: a layer of all releases, one of which a part stays, and one of the release's own.
pub(crate) fn image(name: &str, release: u32) -> Image {
    ImageMaker::new(&format!("{name}-{release}"))
        .platforms(&["linux/amd64", "linux/arm64"])
        .layer(Layer::gzip("base", 80_000).everywhere())
        .layer(Layer::gzip(&format!("{name}-{release}"), 6_000).file(name, 60_000))
        .make()
}

pub(crate) const NAMES: [&str; 2] = ["product/node", "product/operator"];

/// A source that has three releases, and a folder with a list of each: `1.txt`, `2.txt`, `3.txt`.
pub(crate) fn source() -> (WorkDir, Registry) {
    let (work_dir, registry) = (WorkDir::new(), Registry::start());
    for release in 1..=3 {
        let tag = format!("v{release}");
        let list = NAMES.map(|name| {
            image(name, release).put_into(&registry, name, Some(&tag));
            registry.reference(name, &tag)
        });
        work_dir.write(&format!("{release}.txt"), list.join("\n"));
    }
    (work_dir, registry)
}

/// Bundles the second release on `base` into `output`; what the program printed.
pub(crate) fn second_release(work_dir: &WorkDir, base: &str, output: &str) -> String {
    work_dir.ok(&["bundle", "-f", "2.txt", "--base", base, "-o", output])
}

pub(crate) fn assert_loaded(registry: &Registry, release: u32) {
    for name in NAMES {
        image(name, release).assert_in(registry, name, Some(&format!("v{release}")));
    }
}

fn size(work_dir: &WorkDir, name: &str) -> usize {
    work_dir.read(name).len()
}

#[test]
fn the_second_release_crosses_as_a_delta() {
    let (work_dir, source) = source();
    work_dir.ok(&["bundle", "-f", "1.txt", "-o", "1.tar"]);
    let full = work_dir.ok(&["bundle", "-f", "2.txt", "-o", "2.tar"]);
    source.clear_traffic();
    let plan = work_dir.ok(&["bundle", "-f", "2.txt", "--base", "1.tar", "--dry-run"]);
    assert!(plan.contains("left out: 1 blob"), "{plan}");
    let delta = second_release(&work_dir, "1.tar", "2-delta.tar");
    assert_eq!(identity(&delta), identity(&full));
    let base = source.traffic().of("GET", Route::Blob).len();
    // Of four layers and two configs an image, what release 1 has is not fetched.
    assert_eq!(base, 8, "{:?}", source.traffic().of("GET", Route::Blob));
    assert!(size(&work_dir, "2-delta.tar") * 3 < size(&work_dir, "2.tar"));

    let inspected = work_dir.ok(&["inspect", "2-delta.tar"]);
    let first = identity(&work_dir.ok(&["inspect", "1.tar"]));
    assert!(inspected.contains(&first), "{inspected}");
    assert!(
        inspected.contains("1 delta to a complete bundle"),
        "{inspected}"
    );
    let checked = work_dir.ok(&["verify", "2-delta.tar"]);
    assert!(checked.contains("to rebuild the blobs"), "{checked}");
    let deep = work_dir.ok(&["verify", "2-delta.tar", "--base", "1.tar"]);
    assert!(!deep.contains("to rebuild the blobs"), "{deep}");

    let destination = Registry::start();
    work_dir.ok(&["load", "1.tar", &destination.host()]);
    destination.clear_traffic();
    work_dir.ok(&["load", "2-delta.tar", &destination.host()]);
    assert_loaded(&destination, 2);
    assert_loaded(&destination, 1);
    let shared = work_dir.json(&["load", "2.tar", &destination.host(), "--dry-run", "--json"]);
    assert_eq!(shared["totals"]["blobsToSend"], 0);
}

#[test]
fn a_delta_and_its_base_are_the_complete_bundle_in_both_profiles() {
    let (work_dir, _source) = source();
    work_dir.ok(&["bundle", "-f", "1.txt", "-o", "1.tar"]);
    work_dir.ok(&["bundle", "-f", "2.txt", "-o", "2.tar"]);
    work_dir.ok(&["compact", "2.tar", "-o", "2-compact.tar"]);
    work_dir.ok(&["compact", "2.tar", "--base", "1.tar", "-o", "2-delta.tar"]);
    second_release(&work_dir, "1.tar", "fetched-delta.tar");
    assert!(work_dir.read("fetched-delta.tar") == work_dir.read("2-delta.tar"));
    work_dir.ok(&[
        "export",
        "2-delta.tar",
        "--base",
        "1.tar",
        "-o",
        "plain.tar",
    ]);
    assert!(work_dir.read("plain.tar") == work_dir.read("2.tar"));
    let compact = ["--profile", "compact", "-o", "compact.tar"];
    work_dir.ok(&[&["export", "2-delta.tar", "--base", "1.tar"][..], &compact].concat());
    assert!(work_dir.read("compact.tar") == work_dir.read("2-compact.tar"));
    // Its images are sources of another bundle only with the base.
    let from = ["bundle", "--from", "2-delta.tar", "--profile", "plain"];
    work_dir.ok(&[&from[..], &["--base", "1.tar", "-o", "again.tar"]].concat());
    let alone = work_dir.run(&[&from[..], &["-o", "alone.tar"]].concat());
    assert_eq!(alone.code, Some(1), "{}", alone.said());
}

#[test]
fn a_record_stands_for_a_bundle_that_is_gone() {
    let (work_dir, source) = source();
    work_dir.ok(&["bundle", "-f", "1.txt", "-o", "1.tar"]);
    work_dir.ok(&["record", "1.tar", "-o", "1.record"]);
    let destination = Registry::start();
    work_dir.ok(&["load", "1.tar", &destination.host()]);
    std::fs::remove_file(work_dir.path("1.tar")).unwrap();
    source.clear_traffic();
    let plan = work_dir.ok(&["bundle", "-f", "2.txt", "--base", "1.record", "--dry-run"]);
    assert!(plan.contains("a record"), "{plan}");
    second_release(&work_dir, "1.record", "2-delta.tar");
    work_dir.ok(&["load", "2-delta.tar", &destination.host()]);
    assert_loaded(&destination, 2);
    // A record is not a bundle.
    let loaded = work_dir.run(&["load", "1.record", &destination.host()]);
    assert_eq!(loaded.code, Some(2), "{}", loaded.said());
    let verified = work_dir.run(&["verify", "2-delta.tar", "--base", "1.record"]);
    assert_eq!(verified.code, Some(2), "{}", verified.said());
}

#[test]
fn three_releases_make_a_chain() {
    let (work_dir, _source) = source();
    work_dir.ok(&["bundle", "-f", "1.txt", "-o", "1.tar"]);
    second_release(&work_dir, "1.tar", "2-delta.tar");
    let chain = ["--base", "2-delta.tar", "--base", "1.tar"];
    let third = [&["bundle", "-f", "3.txt", "-o", "3-delta.tar"][..], &chain].concat();
    work_dir.ok(&third);
    let inspected = work_dir.ok(&[&["inspect", "3-delta.tar"][..], &chain].concat());
    assert!(
        inspected.contains("2 deltas to a complete bundle"),
        "{inspected}"
    );
    work_dir.ok(&[&["verify", "3-delta.tar"][..], &chain].concat());
    let broken = work_dir.run(&["verify", "3-delta.tar", "--base", "2-delta.tar"]);
    assert_eq!(broken.code, Some(1), "{}", broken.said());
    let destination = Registry::start();
    for bundle in ["1.tar", "2-delta.tar", "3-delta.tar"] {
        work_dir.ok(&["load", bundle, &destination.host()]);
    }
    for release in 1..=3 {
        assert_loaded(&destination, release);
    }
}

#[test]
fn a_base_that_is_missing_is_named_before_anything_is_written() {
    let (work_dir, _source) = source();
    work_dir.ok(&["bundle", "-f", "1.txt", "-o", "1.tar"]);
    let made = second_release(&work_dir, "1.tar", "2-delta.tar");
    let base = identity(&work_dir.ok(&["inspect", "1.tar"]));
    let destination = Registry::start();
    let host = destination.host();
    for arguments in [
        &["load", "2-delta.tar", &host][..],
        &["load", "2-delta.tar", &host, "--dry-run"],
        &["export", "2-delta.tar", "-o", "plain.tar"],
        &["verify", "2-delta.tar", "--deep"],
        &["serve", "2-delta.tar", "--listen", "127.0.0.1:0"],
        &["compact", "2-delta.tar", "-o", "compact.tar"],
    ] {
        let run = work_dir.run(arguments);
        assert_eq!(run.code, Some(1), "{arguments:?} {}", run.said());
        assert!(run.stderr.contains(&base), "{}", run.stderr);
        assert!(run.stderr.contains("--base"), "{}", run.stderr);
    }
    assert!(destination.traffic().writes().is_empty());
    // With the file, a registry that has nothing gets everything.
    work_dir.ok(&["load", "2-delta.tar", &host, "--base", "1.tar"]);
    assert_loaded(&destination, 2);
    assert_eq!(
        identity(&made),
        identity(&work_dir.ok(&["inspect", "2-delta.tar"]))
    );
    // A base that has nothing to do with it is named, and a complete bundle has no base.
    work_dir.ok(&["bundle", "-f", "3.txt", "-o", "3.tar"]);
    let other = work_dir.run(&[
        "verify",
        "2-delta.tar",
        "--base",
        "3.tar",
        "--base",
        "1.tar",
    ]);
    assert_eq!(other.code, Some(0), "{}", other.said());
    assert!(
        other.stderr.contains("3.tar is not a base"),
        "{}",
        other.stderr
    );
    let complete = work_dir.run(&["verify", "3.tar", "--base", "1.tar"]);
    assert_eq!(complete.code, Some(2), "{}", complete.said());
}

#[test]
fn bases_in_a_circle_are_refused() {
    let (work_dir, _source) = source();
    work_dir.ok(&["bundle", "-f", "1.txt", "-o", "1.tar"]);
    work_dir.ok(&["bundle", "-f", "2.txt", "-o", "2.tar"]);
    for [new, base, delta] in [
        ["1.tar", "2.tar", "1-delta.tar"],
        ["2.tar", "1.tar", "2-delta.tar"],
    ] {
        work_dir.ok(&["compact", new, "--base", base, "-o", delta]);
    }
    let before = work_dir.names();
    let circle = ["--base", "1-delta.tar", "--base", "2-delta.tar"];
    for command in [
        &["verify", "2-delta.tar"][..],
        &["export", "2-delta.tar", "-o", "plain.tar"],
        &["bundle", "-f", "3.txt", "-o", "3-delta.tar"],
    ] {
        let run = work_dir.run(&[command, &circle].concat());
        assert_eq!(run.code, Some(4), "{command:?} {}", run.said());
        assert!(run.stderr.contains("in a circle"), "{}", run.stderr);
    }
    assert_eq!(work_dir.names(), before);
}

#[test]
fn a_base_whose_bytes_differ_from_its_record_is_named_and_nothing_is_made_of_it() {
    let (work_dir, _source) = source();
    work_dir.ok(&["bundle", "-f", "1.txt", "-o", "1.tar"]);
    second_release(&work_dir, "1.tar", "2-delta.tar");
    let mut bytes = work_dir.read("1.tar");
    let new = image("product/node", 2).blobs;
    for (digest, blob) in image("product/node", 1).blobs {
        if !new.contains_key(&digest) {
            let start = bytes.windows(blob.len()).position(|at| *at == *blob);
            bytes[start.unwrap() + blob.len() / 2] ^= 1;
        }
    }
    work_dir.write("damaged.tar", bytes);
    let destination = Registry::start();
    let host = destination.host();
    let before = work_dir.names();
    for command in [
        &["verify", "2-delta.tar"][..],
        &["export", "2-delta.tar", "-o", "plain.tar"],
        &["load", "2-delta.tar", &host],
    ] {
        let run = work_dir.run(&[command, &["--base", "damaged.tar"]].concat());
        assert_eq!(run.code, Some(4), "{command:?} {}", run.said());
        assert!(run.said().contains("damaged.tar"), "{}", run.said());
    }
    assert!(!work_dir.path("plain.tar").exists());
    let left = work_dir
        .names()
        .into_iter()
        .filter(|name| !before.contains(name));
    let left: Vec<String> = left.collect();
    assert!(
        left.iter().all(|name| name.starts_with("plain.tar.")),
        "{left:?}"
    );
    for name in NAMES {
        assert!(destination.tags(name).is_empty(), "{name}");
    }
}

#[test]
fn a_bundle_of_another_profile_is_not_taken_for_the_finished_one() {
    let (work_dir, _source) = source();
    work_dir.ok(&["bundle", "-f", "1.txt", "-o", "1.tar"]);
    let profiles = [
        ("plain", &["--profile", "plain"][..]),
        ("compact", &["--profile", "compact"]),
        ("delta", &["--base", "1.tar"]),
    ];
    let bundle = |name: &str, more: &[&str]| {
        work_dir.run(&[&["bundle", "-f", "2.txt", "-o", name], more].concat())
    };
    for (there, more) in profiles {
        let name = format!("{there}.tar");
        assert_eq!(bundle(&name, more).code, Some(0));
        let before = work_dir.read(&name);
        for (wanted, more) in profiles {
            let run = bundle(&name, more);
            if there == wanted {
                assert_eq!(run.code, Some(0), "{there}: {}", run.said());
                continue;
            }
            assert_eq!(run.code, Some(5), "{there} {wanted}: {}", run.said());
            let words = format!("exists and is a {there} bundle, not a {wanted} bundle");
            assert!(run.stderr.contains(&words), "{}", run.stderr);
            assert!(run.stderr.contains("--force"), "{}", run.stderr);
        }
        assert!(work_dir.read(&name) == before);
    }
}

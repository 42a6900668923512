//! Killed or cut off at any moment, the same command resumes.

use std::thread;
use std::time::Duration;

use sealift_oci::Digest;
use sealift_testkit::{Fault, ImageMaker, Layer, Profile, Registry, Route, When};

use crate::delta::{second_release, source};
use crate::support::{Product, WorkDir, names, work_dir_with_bundle};

/// How many moments are tried; `cargo xtask crash` tries thousands.
const MOMENTS: u64 = 12;

/// Milliseconds until the kill: spread over the run, the same every time.
fn moment(round: u64) -> Duration {
    let seeded = (round + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56;
    Duration::from_millis(20 + seeded * 2)
}

#[test]
fn a_build_that_is_killed_goes_on_and_asks_for_no_whole_blob_again() {
    let (product, source) = (Product::new(400_000), Registry::start());
    product.put_into(&source);
    let whole = WorkDir::new();
    whole.write("images.txt", product.list(&source));
    whole.ok(&["bundle", "-f", "images.txt", "-o", "product.tar", "--quiet"]);
    let expected = whole.read("product.tar");
    // Every answer comes late, so that kills meet all states.
    source.script(
        When::new("GET", Route::Blob).always(),
        Fault::Delay(Duration::from_millis(40)),
    );
    for round in 0..MOMENTS {
        let work_dir = WorkDir::new();
        work_dir.write("images.txt", product.list(&source));
        source.clear_traffic();
        let arguments = [
            "bundle",
            "-f",
            "images.txt",
            "-o",
            "product.tar",
            "--connections",
            "2",
        ];
        let mut child = work_dir.spawn(&arguments);
        thread::sleep(moment(round));
        child.kill().unwrap();
        child.wait().unwrap();
        work_dir.ok(&arguments);
        assert!(work_dir.read("product.tar") == expected, "round {round}");
        assert_eq!(
            work_dir.names(),
            ["images.txt", "product.tar"],
            "round {round}"
        );
        // The last blob may have been whole on the wire and not yet in the journal.
        let again = source
            .traffic()
            .whole_downloads()
            .into_values()
            .filter(|times| *times > 1);
        assert!(again.count() <= 2, "round {round}");
    }
}

#[test]
fn a_delta_build_that_is_killed_is_resumed_with_the_same_bytes() {
    let (work_dir, _source) = source();
    work_dir.ok(&["bundle", "-f", "1.txt", "-o", "1.tar"]);
    second_release(&work_dir, "1.tar", "expected.tar");
    let expected = work_dir.read("expected.tar");
    work_dir.ok(&["bundle", "-f", "2.txt", "-o", "2.tar"]);
    let names = work_dir.names();
    for round in 0..MOMENTS {
        let (list, bundle) = (["bundle", "-f", "2.txt"], ["compact", "2.tar"]);
        let start: &[&str] = if round % 2 == 0 { &list } else { &bundle };
        let arguments = [start, &["--base", "1.tar", "-o", "killed.tar"]].concat();
        let mut child = work_dir.spawn(&arguments);
        thread::sleep(moment(round));
        child.kill().unwrap();
        child.wait().unwrap();
        work_dir.ok(&arguments);
        assert!(work_dir.read("killed.tar") == expected, "round {round}");
        std::fs::remove_file(work_dir.path("killed.tar")).unwrap();
        assert_eq!(work_dir.names(), names, "round {round}");
    }
}

#[test]
fn a_load_that_is_killed_goes_on_and_sends_no_whole_blob_again() {
    let (work_dir, product) = work_dir_with_bundle();
    for round in 0..MOMENTS {
        let destination = Registry::with_profile(Profile::Distribution3);
        destination.script(
            When::new("PUT", Route::Session).always(),
            Fault::Delay(Duration::from_millis(30)),
        );
        let host = destination.host();
        let arguments = ["load", "product.tar", &host, "--connections", "2"];
        let mut child = work_dir.spawn(&arguments);
        thread::sleep(moment(round));
        child.kill().unwrap();
        child.wait().unwrap();
        // What the registry still works on is neither there nor absent: only what it has counts.
        let before = destination.traffic().uploads();
        destination.clear_traffic();
        work_dir.ok(&arguments);
        product.assert_in(&destination, "");
        let after = destination.traffic().uploads();
        let again = before.keys().find(|digest| after.contains_key(digest));
        assert_eq!(again, None, "round {round}");
    }
}

#[test]
fn a_terminated_build_says_how_to_go_on_and_leaves_no_bundle() {
    let (product, source, work_dir) = (Product::new(100_000), Registry::start(), WorkDir::new());
    product.put_into(&source);
    source.script(When::new("GET", Route::Blob).always(), Fault::Stall);
    let image = source.reference("product/node", "v1");
    let child = work_dir
        .command(&["bundle", &image, "-o", "product.tar"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    while source.traffic().count("GET", Route::Blob) == 0 {
        thread::sleep(Duration::from_millis(5));
    }
    let pid = child.id().to_string();
    let killed = std::process::Command::new("kill")
        .args(["-TERM", &pid])
        .status();
    assert!(killed.unwrap().success());
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(stderr.contains("it resumes"), "{stderr}");
    assert!(!work_dir.path("product.tar").exists());
}

#[test]
fn a_load_resumes_inside_a_blob_in_the_next_run() {
    let (work_dir, layer, size) = work_dir_with_large_layer();
    let destination = Registry::with_profile(Profile::Distribution3);
    let patch = || When::new("PATCH", Route::Session);
    let cut = size * 6 / 10;
    destination.script(patch(), Fault::CutRequest(cut));
    let host = destination.host();
    let arguments = ["load", "large.tar", &host, "--retries", "0"];
    let run = work_dir.run(&arguments);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert_eq!(
        work_dir.names(),
        ["images.txt", "large.tar", "large.tar.uploads"]
    );
    destination.clear_traffic();
    work_dir.ok(&arguments);
    let sent = destination.traffic().bytes_uploaded();
    assert!(sent < size - cut + (1 << 20), "{sent} of {size} were sent");
    assert!(destination.has_blob("large", &layer));
    assert_eq!(work_dir.names(), ["images.txt", "large.tar"]);
}

#[test]
fn what_an_interrupted_load_notes_is_kept_where_it_was_told() {
    let (work_dir, layer, size) = work_dir_with_large_layer();
    std::fs::create_dir(work_dir.path("state")).unwrap();
    let destination = Registry::with_profile(Profile::Distribution3);
    destination.script(
        When::new("PATCH", Route::Session),
        Fault::CutRequest(size / 2),
    );
    let host = destination.host();
    let arguments = ["load", "large.tar", &host, "--retries", "0", "--state-dir"];
    let with = |folder| [&arguments[..], &[folder]].concat();
    assert_eq!(work_dir.run(&with("absent")).code, Some(2));
    assert!(destination.traffic().0.is_empty());
    assert_eq!(work_dir.run(&with("state")).code, Some(1));
    assert_eq!(names(&work_dir.path("state")), ["large.tar.uploads"]);
    assert_eq!(work_dir.names(), ["images.txt", "large.tar", "state"]);
    // What the registry forgot is sent again.
    destination.forget_sessions();
    work_dir.ok(&with("state"));
    assert!(destination.has_blob("large", &layer));
    assert_eq!(names(&work_dir.path("state")), [""; 0]);
}

/// A folder with the bundle of an image, the image's large layer, and the size of that.
fn work_dir_with_large_layer() -> (WorkDir, Digest, u64) {
    let (work_dir, source) = (WorkDir::new(), Registry::start());
    let image = ImageMaker::new("large")
        .single()
        .layer(Layer::gzip("large", 8 << 20))
        .make();
    image.put_into(&source, "large", Some("v1"));
    work_dir.write("images.txt", source.reference("large", "v1"));
    work_dir.ok(&["bundle", "-f", "images.txt", "-o", "large.tar", "--quiet"]);
    let sizes = image.blobs.iter();
    let (layer, size) = sizes
        .map(|(digest, bytes)| (*digest, bytes.len() as u64))
        .max_by_key(|(_, size)| *size)
        .unwrap();
    (work_dir, layer, size)
}

#[test]
fn a_file_that_another_process_writes_is_refused_before_anything_is_fetched() {
    let (work_dir, source) = source();
    let partial = std::fs::File::create(work_dir.path("x.tar.partial")).unwrap();
    partial.lock().unwrap();
    let arguments = [
        "bundle",
        "-f",
        "1.txt",
        "-o",
        "x.tar",
        "--profile",
        "compact",
    ];
    let run = work_dir.run(&arguments);
    assert_eq!(run.code, Some(1), "{}", run.said());
    for words in [
        "another process is writing x.tar.partial",
        "hint: wait until the other process has finished",
    ] {
        assert!(run.stderr.contains(words), "{}", run.stderr);
    }
    assert_eq!(source.traffic().count("GET", Route::Blob), 0);
    drop(partial);
    work_dir.ok(&arguments);
    // What an earlier version left beside a complete bundle goes too.
    work_dir.ok(&["export", "x.tar", "-o", "x.tar.fetched"]);
    work_dir.ok(&arguments);
    assert!(!work_dir.path("x.tar.fetched").exists());
}

#[test]
fn what_another_request_left_is_replaced_with_a_note() {
    for profile in ["plain", "compact"] {
        let (work_dir, source) = source();
        let refused = When::new("GET", Route::Blob).skip(2).always();
        source.script(refused, Fault::error(403, "DENIED", "no"));
        let bundle = |list| {
            let arguments = ["bundle", "-f", list, "-o", "x.tar", "--profile", profile];
            work_dir.run(&[&arguments[..], &["--connections", "1"]].concat())
        };
        let note = ": an unfinished file of another plan will be replaced\n";
        for _ in 0..2 {
            let run = bundle("1.txt");
            assert_eq!(run.code, Some(1), "{}", run.said());
            assert!(!run.stderr.contains(note), "{}", run.stderr);
        }
        source.clear_script();
        let run = bundle("2.txt");
        assert_eq!(run.code, Some(0), "{}", run.said());
        assert!(run.stderr.contains(note), "{}", run.stderr);
    }
}

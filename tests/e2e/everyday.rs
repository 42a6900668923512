//! What scripts rely on: pipes, rates, what `--quiet` leaves, and messages as JSON.

use std::time::{Duration, Instant};

use sealift_testkit::Registry;
use serde_json::Value;

use crate::support::{identity, work_dir_with_bundle};

#[test]
fn a_bundle_comes_from_a_pipe_to_verify_and_load() {
    let (work_dir, product) = work_dir_with_bundle();
    let bytes = work_dir.read("product.tar");
    let verified = work_dir.run_with_input(&["verify", "-"], &bytes);
    assert_eq!(verified.code, Some(0), "{}", verified.said());
    let registry = Registry::start();
    let to = format!("{}/mirror", registry.host());
    let loaded = work_dir.run_with_input(&["load", "-", &to], &bytes);
    assert_eq!(loaded.code, Some(0), "{}", loaded.said());
    product.assert_in(&registry, "mirror/");
    assert_eq!(identity(&loaded.stdout), identity(&verified.stdout));

    let cut = work_dir.run_with_input(&["verify", "-"], &bytes[..bytes.len() / 2]);
    assert_eq!(cut.code, Some(4), "{}", cut.said());
    assert!(cut.stderr.contains("standard-input.tar"), "{}", cut.stderr);
    let password = ["load", "-", &to, "--username", "u", "--password-stdin"];
    let both = work_dir.run_with_input(&password, &bytes);
    assert_eq!(both.code, Some(2), "{}", both.said());
}

#[test]
fn a_rate_holds_for_the_whole_load() {
    let (work_dir, product) = work_dir_with_bundle();
    let registry = Registry::start();
    let to = format!("{}/mirror", registry.host());
    let begin = Instant::now();
    work_dir.ok(&["load", "product.tar", &to, "--limit-rate", "100k"]);
    let elapsed = begin.elapsed();
    // Three different layers of 40 kB each, at least, less the first tenth of a second's.
    assert!(elapsed > Duration::from_millis(900), "{elapsed:?}");
    product.assert_in(&registry, "mirror/");
    let wrong = work_dir.run(&["load", "product.tar", &to, "--limit-rate", "fast"]);
    assert_eq!(wrong.code, Some(2));
    assert!(
        wrong.stderr.contains("such as 500k, 10M"),
        "{}",
        wrong.stderr
    );
}

#[test]
fn quiet_leaves_the_result() {
    let (work_dir, _) = work_dir_with_bundle();
    let quiet = work_dir.run(&["verify", "product.tar", "--quiet"]);
    assert_eq!(quiet.stderr, "");
    assert!(quiet.stdout.contains("identity "), "{}", quiet.stdout);
}

#[test]
fn messages_are_json_objects_where_that_was_requested() {
    let (work_dir, _) = work_dir_with_bundle();
    let json = ["--log-format", "json"];
    let good = work_dir.run(&[&["verify", "product.tar"], &json[..]].concat());
    assert_eq!(good.code, Some(0), "{}", good.said());
    let bad = work_dir.run(&[&json[..], &["verify", "missing.tar"]].concat());
    assert_eq!(bad.code, Some(1), "{}", bad.said());
    let lines: Vec<&str> = good.stderr.lines().chain(bad.stderr.lines()).collect();
    let records: Vec<Value> = lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(records.len() >= 2, "{lines:?}");
    let last = records.last().unwrap();
    assert_eq!(last["level"], "error");
    assert!(last["message"].as_str().unwrap().contains("missing.tar"));
    assert!(records.iter().all(|record| record["time"].is_string()));
}

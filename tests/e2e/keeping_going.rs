//! `bundle --keep-going`: an incomplete bundle, and everywhere that it is incomplete.

use sealift_testkit::Registry;

use crate::support::{Product, WorkDir, identity};

/// Bundles what is there of `images.txt`.
const INCOMPLETE: [&str; 6] = ["bundle", "-f", "images.txt", "--keep-going", "-o", "a.tar"];

/// A folder with `images.txt`, which lists one image too many, and the name of that image.
fn one_too_many(registry: &Registry) -> (WorkDir, String) {
    let (work_dir, product) = (WorkDir::new(), Product::new(9_000));
    product.put_into(registry);
    let missing = registry.reference("no/such", "v9");
    work_dir.write("whole.txt", product.list(registry));
    let list = format!("{}\n{missing}\n", product.list(registry));
    work_dir.write("images.txt", list);
    (work_dir, missing)
}

#[test]
fn an_incomplete_bundle_has_an_exit_code_of_its_own_and_lists_what_is_missing() {
    let registry = Registry::start();
    let (work_dir, missing) = one_too_many(&registry);
    let strict = work_dir.run(&["bundle", "-f", "images.txt", "-o", "a.tar", "-q"]);
    assert_eq!(strict.code, Some(1), "{}", strict.stderr);
    assert!(!work_dir.path("a.tar").exists());
    assert!(
        strict.stderr.contains("hint: --keep-going "),
        "{}",
        strict.stderr
    );
    let only = work_dir.run(&["bundle", &missing, "-o", "a.tar", "-q"]);
    assert!(!only.stderr.contains("--keep-going"), "{}", only.stderr);
    let run = work_dir.run(&[&INCOMPLETE[..], &["-q"]].concat());
    assert_eq!(run.code, Some(7), "{}", run.stderr);
    assert!(
        run.stderr.starts_with(
            "error: a.tar is incomplete: 1 image could not be resolved and was omitted:\n"
        ),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr.contains(&format!("\n  {missing}: ")),
        "{}",
        run.stderr
    );
    let whole = work_dir.ok(&["bundle", "-f", "whole.txt", "-o", "b.tar", "-q"]);
    assert_eq!(identity(&run.stdout), identity(&whole));
    assert!(work_dir.read("a.tar") == work_dir.read("b.tar"));
    work_dir.ok(&["verify", "a.tar"]);
}

#[test]
fn plans_and_json_list_what_is_missing() {
    let registry = Registry::start();
    let (work_dir, missing) = one_too_many(&registry);
    let plan = ["bundle", "-f", "images.txt", "--keep-going", "--dry-run"];
    let run = work_dir.run(&plan);
    assert_eq!(run.code, Some(7), "{}", run.stderr);
    assert!(
        run.stdout.contains(&format!("{missing} OMITTED: ")),
        "{}",
        run.stdout
    );
    assert!(run.stderr.contains("would be incomplete"), "{}", run.stderr);
    let json = |run: &str| -> serde_json::Value { serde_json::from_str(run).unwrap() };
    let run = work_dir.run(&[&plan[..], &["--json"]].concat());
    assert_eq!(run.code, Some(7));
    assert_eq!(
        json(&run.stdout)["plan"]["omitted"][0]["reference"],
        missing
    );
    let run = work_dir.run(&[&INCOMPLETE[..], &["--json"]].concat());
    assert_eq!(run.code, Some(7));
    let omitted = &json(&run.stdout)["omitted"];
    assert_eq!(omitted[0]["reference"], missing);
    assert!(
        omitted[0]["reason"].as_str().unwrap().contains("not found"),
        "{omitted}"
    );
    let streamed = [
        "bundle",
        "-f",
        "images.txt",
        "--keep-going",
        "-o",
        "-",
        "-q",
    ];
    let output = work_dir.command(&streamed).output().unwrap();
    assert_eq!(output.status.code(), Some(7));
    assert!(output.stdout == work_dir.read("a.tar"));
    assert!(String::from_utf8_lossy(&output.stderr).contains(&missing));
}

#[test]
fn with_nothing_missing_it_changes_nothing() {
    let registry = Registry::start();
    let (work_dir, _) = one_too_many(&registry);
    work_dir.ok(&["bundle", "-f", "whole.txt", "--keep-going", "-o", "a.tar"]);
    work_dir.ok(&["bundle", "-f", "whole.txt", "-o", "b.tar"]);
    assert!(work_dir.read("a.tar") == work_dir.read("b.tar"));
}

#[test]
fn a_request_file_can_say_it_too() {
    let registry = Registry::start();
    let (work_dir, missing) = one_too_many(&registry);
    work_dir.write(
        "request.yaml",
        "apiVersion: sealift/v1\nkind: Bundle\nlists: [images.txt]\noutput: a.tar\nkeepGoing: true\nchecksums: true\nwithSealift: true\n",
    );
    let run = work_dir.run(&["bundle", "-r", "request.yaml", "--json"]);
    assert_eq!(run.code, Some(7), "{}", run.stderr);
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report["omitted"][0]["reference"], missing);
    assert_eq!(report["programs"].as_array().unwrap().len(), 1);
    assert!(work_dir.path("SHA256SUMS").is_file());
    let printed = work_dir.ok(&["bundle", "-r", "request.yaml", "--print-request"]);
    for field in ["keepGoing: true", "checksums: true", "withSealift: true"] {
        assert!(printed.contains(field), "{printed}");
    }
}

#[test]
fn a_delta_bundle_cannot_be_incomplete() {
    let work_dir = WorkDir::new();
    let run = work_dir.run(&[
        "bundle",
        "registry.invalid/app:v2",
        "--base",
        "1.tar",
        "--keep-going",
        "-o",
        "2.tar",
    ]);
    assert_eq!(run.code, Some(2), "{}", run.said());
    assert!(
        run.stderr
            .contains("--keep-going cannot be used for a delta bundle"),
        "{}",
        run.stderr
    );
}

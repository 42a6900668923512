//! Delta bundles as a reviewer reads them: `diff` and `report` find in the bases what the file leaves to them.

use serde_json::Value;

use crate::delta::{second_release, source};
use crate::support::{WorkDir, identity};

/// `1.tar`, `2.tar`, `3.tar`, and `2-delta.tar` and `3-delta.tar`, each of which builds on the one before.
fn releases() -> WorkDir {
    let (work_dir, _source) = source();
    for release in ["1", "2", "3"] {
        let (list, bundle) = (format!("{release}.txt"), format!("{release}.tar"));
        work_dir.ok(&["bundle", "-f", &list, "-o", &bundle]);
    }
    second_release(&work_dir, "1.tar", "2-delta.tar");
    work_dir.ok(&["compact", "3.tar", "--base", "2.tar", "-o", "3-delta.tar"]);
    work_dir
}

/// A difference without what names the files.
fn diff(work_dir: &WorkDir, arguments: &[&str]) -> Value {
    let mut diff = work_dir.json(&[&["diff", "--json", "--quiet"][..], arguments].concat());
    for side in ["old", "new"] {
        let side = diff[side].as_object_mut().unwrap();
        side.remove("file");
        side.remove("fileBytes");
    }
    diff
}

#[test]
fn the_difference_of_deltas_is_that_of_complete_bundles() {
    let work_dir = releases();
    let expected = diff(&work_dir, &["1.tar", "2.tar"]);
    // The old bundle is the base, and no option is needed.
    assert_eq!(diff(&work_dir, &["1.tar", "2-delta.tar"]), expected);
    let back = diff(&work_dir, &["2.tar", "1.tar"]);
    assert_eq!(diff(&work_dir, &["2-delta.tar", "1.tar"]), back);
    let expected = diff(&work_dir, &["2.tar", "3.tar"]);
    let both = ["2-delta.tar", "3-delta.tar", "--base", "1.tar"];
    assert_eq!(diff(&work_dir, &both), expected);
    assert_eq!(diff(&work_dir, &["2.tar", "3-delta.tar"]), expected);
    assert!(expected["images"][0]["platforms"][0]["files"].is_object());
}

#[test]
fn a_page_about_a_delta_is_that_of_the_complete_bundle_and_names_its_base() {
    let work_dir = releases();
    let facts = |arguments: &[&str]| {
        work_dir.json(&[&["report", "--json", "--quiet"][..], arguments].concat())
    };
    let (complete, delta) = (
        facts(&["2.tar"]),
        facts(&["2-delta.tar", "--base", "1.tar"]),
    );
    for field in ["identity", "images", "contentBytes", "blobs", "files"] {
        assert_eq!(delta[field], complete[field], "{field}");
    }
    let base = identity(&work_dir.ok(&["inspect", "1.tar"]));
    assert_eq!(delta["profile"], "delta");
    assert_eq!(delta["delta"]["bases"][0]["identity"], base);
    assert!(complete.get("delta").is_none());
    let page = ["report", "2-delta.tar", "--base", "1.tar", "-o", "2.html"];
    work_dir.ok(&page);
    let page = String::from_utf8(work_dir.read("2.html")).unwrap();
    assert!(page.contains(&base), "the base is not on the page");
}

#[test]
fn without_the_base_both_name_it_and_end_with_code_1() {
    let work_dir = releases();
    let base = identity(&work_dir.ok(&["inspect", "1.tar"]));
    for arguments in [
        &["report", "2-delta.tar", "-o", "page.html"][..],
        &["report", "2-delta.tar", "--json"],
        &["diff", "2-delta.tar", "3-delta.tar"],
    ] {
        let run = work_dir.run(arguments);
        assert_eq!(run.code, Some(1), "{arguments:?} {}", run.said());
        assert!(run.stderr.contains(&base), "{}", run.stderr);
        assert!(run.stderr.contains("--base"), "{}", run.stderr);
        assert!(run.stdout.is_empty(), "{}", run.stdout);
    }
    assert!(!work_dir.path("page.html").exists());
    // Bases where there is nothing to base on.
    for arguments in [
        &["diff", "1.tar", "2.tar", "--base", "3.tar"][..],
        &["report", "1.tar", "--base", "2.tar", "-o", "page.html"],
    ] {
        let run = work_dir.run(arguments);
        assert_eq!(run.code, Some(2), "{arguments:?} {}", run.said());
    }
    let stranger = work_dir.run(&["diff", "1.tar", "2-delta.tar", "--base", "3.tar"]);
    assert_eq!(stranger.code, Some(0), "{}", stranger.said());
    assert!(
        stranger.stderr.contains("3.tar is not a base"),
        "{}",
        stranger.stderr
    );
}

//! Tags of the release before: `load --prune-plan` lists them, `load --prune` deletes them.

use sealift_testkit::real::{RealRegistry, Skopeo};
use sealift_testkit::{Fault, Registry, Route, When};

use crate::delta::{NAMES, assert_loaded, image, second_release, source};
use crate::support::WorkDir;

/// A folder with `1.tar` and `2-delta.tar`, release 1 being loaded into `host` with the receipt `1.json`.
fn delivered(host: &str) -> (WorkDir, Registry) {
    let (work_dir, source) = source();
    work_dir.ok(&["bundle", "-f", "1.txt", "-o", "1.tar"]);
    second_release(&work_dir, "1.tar", "2-delta.tar");
    work_dir.ok(&["load", "1.tar", host, "--receipt", "1.json"]);
    (work_dir, source)
}

#[test]
fn tags_of_the_base_are_listed_and_deleted_only_by_receipt() {
    let destination = Registry::start();
    let host = destination.host();
    let (work_dir, _source) = delivered(&host);
    destination.clear_traffic();
    let load = ["load", "2-delta.tar", &host];
    let plan = work_dir.ok(&[&load[..], &["--prune-plan"]].concat());
    assert!(plan.contains("product/node:v1  kept: no receipt"), "{plan}");
    assert!(plan.contains("2 tags of the base"), "{plan}");
    let by_receipt = ["--prune", "1.json"];
    let plan = work_dir.ok(&[&load[..], &["--prune-plan"], &by_receipt].concat());
    assert!(plan.contains("product/node:v1  to delete"), "{plan}");
    let both = work_dir.ok(&[&load[..], &["--dry-run"], &by_receipt].concat());
    assert!(both.contains("product/node:v2"), "{both}");
    assert!(both.contains("2 to delete"), "{both}");
    let json = work_dir.json(&[&load[..], &["--dry-run", "--json"], &by_receipt].concat());
    assert_eq!(json["prune"]["tags"][0]["state"], "there");
    assert_eq!(json["prune"]["tags"][0]["inReceipt"], true);
    assert!(json["totals"]["tagsToSet"].as_u64() > Some(0), "{json}");
    assert!(destination.traffic().writes().is_empty());

    // Without the flag nothing is deleted.
    work_dir.ok(&load);
    assert_loaded(&destination, 1);
    let done = work_dir.json(&[&load[..], &["--json"], &by_receipt].concat());
    assert_eq!(
        done["pruned"]["deleted"],
        serde_json::json!(["product/node:v1", "product/operator:v1"])
    );
    for name in NAMES {
        assert_eq!(destination.tags(name), ["v2"]);
    }
    assert_loaded(&destination, 2);
    let again = work_dir.ok(&[&load[..], &["--prune-plan"], &by_receipt].concat());
    assert!(again.contains("2 already gone"), "{again}");
}

#[test]
fn what_somebody_else_put_there_is_kept() {
    let destination = Registry::start();
    let host = destination.host();
    let (work_dir, _source) = delivered(&host);
    image("product/node", 7).put_into(&destination, "product/node", Some("v1"));
    let load = ["load", "2-delta.tar", &host, "--prune", "1.json"];
    let done = work_dir.ok(&load);
    assert!(done.contains("deleted product/operator:v1"), "{done}");
    assert!(!done.contains("deleted product/node"), "{done}");
    assert_eq!(destination.tags("product/node"), ["v1", "v2"]);
    let plan = work_dir.ok(&[&load[..], &["--prune-plan"]].concat());
    assert!(plan.contains("product/node:v1  kept: it points"), "{plan}");
}

#[test]
fn what_another_bundle_needs_is_kept_by_its_receipt() {
    let destination = Registry::start();
    let host = destination.host();
    let (work_dir, source) = delivered(&host);
    let shared = source.reference("product/node", "v1");
    work_dir.ok(&["bundle", &shared, "-o", "other.tar"]);
    work_dir.ok(&["load", "other.tar", &host, "--receipt", "other.json"]);
    let load = ["load", "2-delta.tar", &host, "--prune", "1.json"];
    let keep = ["--prune-keep", "other.json"];
    let plan = work_dir.ok(&[&load[..], &keep, &["--prune-plan"]].concat());
    assert!(
        plan.contains("product/node:v1  kept: the receipt of another"),
        "{plan}"
    );
    work_dir.ok(&[&load[..], &keep].concat());
    assert_eq!(destination.tags("product/node"), ["v1", "v2"]);
    assert_eq!(destination.tags("product/operator"), ["v2"]);
}

#[test]
fn what_cannot_be_pruned_by_is_refused_before_anything_is_written() {
    let destination = Registry::start();
    let host = destination.host();
    let (work_dir, _source) = delivered(&host);
    work_dir.ok(&["bundle", "-f", "2.txt", "-o", "2.tar"]);
    destination.clear_traffic();
    for (bundle, more, words) in [
        ("2.tar", &["--prune-plan"][..], "not a delta bundle"),
        ("2.tar", &["--prune", "1.json"], "not a delta bundle"),
        ("2-delta.tar", &["--prune", "1.txt"], "1.txt"),
        ("2-delta.tar", &["--prune-keep", "1.json"], "--prune-keep"),
        ("2-delta.tar", &["--prune", "none.json"], "none.json"),
        (
            "2-delta.tar",
            &["--prune", "1.json", "--only", "*node*"],
            "--only",
        ),
    ] {
        let run = work_dir.run(&[&["load", bundle, &host][..], more].concat());
        assert_eq!(run.code, Some(2), "{more:?} {}", run.said());
        assert!(run.stderr.contains(words), "{}", run.stderr);
    }
    assert!(destination.traffic().writes().is_empty());
    assert_eq!(destination.traffic().count("DELETE", Route::Manifest), 0);
}

/// The tags of a repository, as skopeo lists them.
fn tags(skopeo: &Skopeo, host: &str, name: &str) -> Vec<String> {
    let name = format!("docker://{host}/{name}");
    let listed = skopeo.run(&["list-tags", "--tls-verify=false", &name]);
    assert!(listed.status.success(), "{name}");
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    let tags = listed["Tags"].as_array().unwrap().iter();
    tags.map(|tag| tag.as_str().unwrap().to_owned()).collect()
}

#[test]
fn real_registries_lose_the_old_tags_and_nothing_else() {
    let Some(skopeo) = Skopeo::find() else { return };
    for registry in [RealRegistry::distribution2(), RealRegistry::distribution3()] {
        let Some(registry) = registry else { continue };
        let host = registry.host();
        let (work_dir, _source) = delivered(&host);
        work_dir.ok(&["load", "2-delta.tar", &host, "--prune", "1.json"]);
        for name in NAMES {
            assert_eq!(tags(&skopeo, &host, name), ["v2"]);
            let there = format!("docker://{host}/{name}:v2");
            let copy = format!("dir:{}", work_dir.path("copy").display());
            skopeo.copy(&there, &copy);
            let manifest = skopeo.raw_manifest(&there);
            assert_eq!(
                sealift_oci::Digest::sha256(&manifest),
                image(name, 2).digest()
            );
        }
    }
}

#[test]
fn a_real_registry_that_deletes_nothing_is_reported_after_the_load() {
    let Some(skopeo) = Skopeo::find() else { return };
    for registry in RealRegistry::without_deletion() {
        let host = registry.host();
        let (work_dir, _source) = delivered(&host);
        let run = work_dir.run(&["load", "2-delta.tar", &host, "--prune", "1.json"]);
        assert_eq!(run.code, Some(1), "{}", run.said());
        for words in [
            "the load is done, but 2 tags could not be deleted",
            "product/node:v1: the registry does not allow deletion",
            "storage.delete.enabled",
        ] {
            assert!(run.stderr.contains(words), "{}", run.stderr);
        }
        for name in NAMES {
            assert_eq!(tags(&skopeo, &host, name), ["v1", "v2"]);
        }
    }
}

#[test]
fn receipts_that_would_mislead_are_refused() {
    let destination = Registry::start();
    let host = destination.host();
    let (work_dir, _source) = delivered(&host);
    destination.clear_traffic();
    let receipt = String::from_utf8(work_dir.read("1.json")).unwrap();
    work_dir.write("elsewhere.json", receipt.replace(&host, "other.corp:5000"));
    let load = ["load", "2-delta.tar", &host];
    for (more, words) in [
        (
            &[
                "--prune-plan",
                "--prune",
                "1.json",
                "--prune-keep",
                "elsewhere.json",
            ][..],
            "is the receipt of a load into other.corp:5000",
        ),
        (
            &["--prune", "elsewhere.json"],
            "is the receipt of a load into other.corp:5000",
        ),
        (
            &["--prune", "1.json", "--receipt", "1.json"],
            "cannot be both the receipt of this load and one of an earlier load",
        ),
    ] {
        let run = work_dir.run(&[&load[..], more].concat());
        assert_eq!(run.code, Some(2), "{more:?} {}", run.said());
        assert!(run.stderr.contains(words), "{more:?} {}", run.stderr);
    }
    assert!(destination.traffic().writes().is_empty());
    assert_eq!(String::from_utf8(work_dir.read("1.json")).unwrap(), receipt);
}

#[test]
fn a_tag_that_was_right_before_the_load_is_not_its_own() {
    let destination = Registry::start();
    let host = destination.host();
    let (work_dir, _source) = delivered(&host);
    // Another load finds everything right and sets nothing.
    work_dir.ok(&["load", "1.tar", &host, "--receipt", "found.json"]);
    let load = ["load", "2-delta.tar", &host, "--prune-plan"];
    let plan = work_dir.ok(&[&load[..], &["--prune", "found.json"]].concat());
    assert!(plan.contains("0 to delete"), "{plan}");
    let plan = work_dir.ok(&[&load[..], &["--prune", "found.json", "--prune", "1.json"]].concat());
    assert!(plan.contains("2 to delete"), "{plan}");
}

#[test]
fn a_load_that_is_run_again_keeps_what_it_set_in_its_receipt() {
    let destination = Registry::start();
    let host = destination.host();
    let (work_dir, _source) = delivered(&host);
    let old = image("product/node", 1).digest();
    assert_eq!(destination.tagged("product/node", "v1"), Some(old));
    let again = work_dir.ok(&["load", "1.tar", &host, "--receipt", "1.json"]);
    assert!(again.contains("0 tags set, 2 unchanged"), "{again}");
    let load = ["load", "2-delta.tar", &host, "--receipt", "2.json"];
    let prune = ["--prune", "1.json"];
    let plan = work_dir.ok(&[&load[..], &prune, &["--prune-plan"]].concat());
    assert!(plan.contains("2 to delete"), "{plan}");

    // A deletion fails, and the same command is run again.
    let refused = When::new("DELETE", Route::Manifest).repository("product/node");
    destination.script(refused.always(), Fault::error(403, "DENIED", "no"));
    let run = work_dir.run(&[&load[..], &prune].concat());
    assert_eq!(run.code, Some(1), "{}", run.said());
    destination.clear_script();
    work_dir.ok(&[&load[..], &prune].concat());
    assert_eq!(destination.tags("product/node"), ["v2"]);
    let receipt: serde_json::Value = serde_json::from_slice(&work_dir.read("2.json")).unwrap();
    for tag in receipt["tags"].as_array().unwrap() {
        assert_eq!(tag["set"], true, "{receipt}");
    }
    assert_eq!(receipt["totals"]["tagsSet"], 0);
}

#[test]
fn tags_that_were_set_before_a_failure_are_in_the_receipt_of_the_next_run() {
    let destination = Registry::start();
    let host = destination.host();
    let (work_dir, _source) = source();
    work_dir.ok(&["bundle", "-f", "1.txt", "-o", "1.tar"]);
    second_release(&work_dir, "1.tar", "2-delta.tar");
    let put = When::new("PUT", Route::Manifest).repository("product/operator");
    destination.script(
        put.reference("v1").always(),
        Fault::error(403, "DENIED", "immutable"),
    );
    let load = ["load", "1.tar", &host, "--receipt", "1.json"];
    let run = work_dir.run(&[&load[..], &["--connections", "1"]].concat());
    assert_eq!(run.code, Some(3), "{}", run.said());
    let receipt: serde_json::Value = serde_json::from_slice(&work_dir.read("1.json")).unwrap();
    assert_eq!(receipt["tags"].as_array().unwrap().len(), 1, "{receipt}");
    assert_eq!(receipt["failed"].as_array().unwrap().len(), 1, "{receipt}");
    destination.clear_script();
    work_dir.ok(&load);
    let plan = ["load", "2-delta.tar", &host, "--prune-plan"];
    let plan = work_dir.ok(&[&plan[..], &["--prune", "1.json"]].concat());
    assert!(plan.contains("2 to delete"), "{plan}");
}

#[test]
fn a_receipt_replaces_only_one_of_the_same_load() {
    let destination = Registry::start();
    let host = destination.host();
    let (work_dir, _source) = delivered(&host);
    let before = work_dir.read("1.json");
    destination.clear_traffic();
    let elsewhere = format!("{host}/elsewhere");
    for (load, words) in [
        (
            &["load", "2-delta.tar", &host][..],
            "1.json exists and is the receipt of bundle",
        ),
        (
            &["load", "1.tar", &elsewhere],
            "1.json exists and is the receipt of a load to",
        ),
        (
            &["load", "1.tar", &host, "--only", "*node*"],
            "1.json exists and is the receipt of a load of other images",
        ),
    ] {
        let run = work_dir.run(&[load, &["--receipt", "1.json"]].concat());
        assert_eq!(run.code, Some(5), "{load:?}: {}", run.said());
        assert!(run.stderr.contains(words), "{}", run.stderr);
        assert!(run.stderr.contains("another name with --receipt"));
    }
    assert!(destination.traffic().writes().is_empty());
    assert_eq!(work_dir.read("1.json"), before);
}

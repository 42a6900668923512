//! `product list`, and suggestions for names that are misspelled.

use sealift_testkit::real::require;

use crate::support::WorkDir;

#[test]
fn every_product_is_listed_with_its_features_and_what_each_adds() {
    let work_dir = WorkDir::new();
    let all = work_dir.ok(&["product", "list"]);
    for words in [
        "calico: Calico (open source), ",
        "  * default ",
        "  + windows ",
        "Windows nodes (2 images)",
        "rke2: RKE2, 5 releases from v1.33.13+rke2r2 to v1.36.4+rke2r1",
    ] {
        assert!(all.contains(words), "{words:?} in {all}");
    }
    let json = work_dir.json(&["product", "list", "--json"]);
    let names: Vec<&str> = json
        .as_array()
        .unwrap()
        .iter()
        .map(|product| product["name"].as_str().unwrap())
        .collect();
    assert_eq!(names[..2], ["calico", "kubeadm"]);
    assert_eq!(names.len(), 8);
}

#[test]
fn one_product_is_listed_with_the_images_of_the_release_that_is_named() {
    let work_dir = WorkDir::new();
    let newest = work_dir.ok(&["product", "list", "calico"]);
    assert!(newest.contains("quay.io/calico/node:v3.32.1"), "{newest}");
    let older = work_dir.ok(&["product", "list", "calico@3.29"]);
    assert!(older.contains("docker.io/calico/node:v3.29.7"), "{older}");
    let json = work_dir.json(&["product", "list", "cilium@v1.19.6", "--json"]);
    assert_eq!(json[0]["release"], "v1.19.6");
    let features = json[0]["features"].as_array().unwrap();
    let hubble = features.iter().find(|feature| feature["name"] == "hubble");
    assert_eq!(hubble.unwrap()["default"], false);
    assert!(!hubble.unwrap()["images"].as_array().unwrap().is_empty());
}

#[test]
fn a_shell_completes_products_releases_and_features() {
    let Some(bash) = require("bash") else { return };
    let work_dir = WorkDir::new();
    work_dir.write("script", work_dir.ok(&["completions", "bash"]));
    let complete = |words: &[&str]| {
        let line = format!(
            "source ./script; COMP_WORDS=({}); COMP_CWORD={}; _sealift sealift '{}' '{}'; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            words.join(" "),
            words.len() - 1,
            words[words.len() - 1],
            words[words.len() - 2],
        );
        let output = std::process::Command::new(&bash)
            .args(["--norc", "-c", &line])
            .current_dir(work_dir.folder())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let releases = complete(&["sealift", "bundle", "--product", "calico@v3.32"]);
    assert!(
        releases.contains(&"calico@v3.32.1".to_owned()),
        "{releases:?}"
    );
    assert!(releases.iter().all(|name| name.starts_with("calico@v3.32")));
    let features = complete(&["sealift", "images", "--with", "win"]);
    assert_eq!(features, ["windows"]);
    let products = complete(&["sealift", "product", "list", "kub"]);
    assert_eq!(products[0], "kubeadm");
    let help = work_dir.ok(&["bundle", "--help"]);
    assert!(!help.contains("calico@v3.31"), "{help}");
}

#[test]
fn a_misspelled_name_has_a_suggestion() {
    let work_dir = WorkDir::new();
    for (arguments, words) in [
        (
            &["images", "--product", "calcio@3.32"][..],
            "did you mean \"calico\"?",
        ),
        (
            &["product", "list", "kubeadmin"],
            "did you mean \"kubeadm\"?",
        ),
        (
            &[
                "bundle",
                "--product",
                "calico@3.32",
                "--with",
                "window",
                "--dry-run",
            ],
            "did you mean \"windows\"?",
        ),
        (&["product", "list", "calico@3.99"], "--product-data"),
        (&["product", "lst"], "'list'"),
    ] {
        let run = work_dir.run(arguments);
        assert_eq!(run.code, Some(2), "{arguments:?}: {}", run.said());
        assert!(run.stderr.contains(words), "{words:?} in {}", run.stderr);
        assert_eq!(run.stdout, "");
    }
}

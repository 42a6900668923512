//! Which images a release needs, and what is said of it.

use std::fs;

use sealift_testkit::real::shared_data;
use sealift_testkit::{ImageMaker, Registry};

use crate::calico::publish;
use crate::support::WorkDir;

#[test]
fn a_series_is_its_newest_known_release_and_that_is_said() {
    let work_dir = WorkDir::new();
    let series = work_dir.run(&["images", "--product", "calico@3.30"]);
    assert_eq!(series.code, Some(0), "{}", series.stderr);
    let said = "calico v3.30.7: the newest known release of its series";
    assert!(series.stderr.contains(said), "{}", series.stderr);
    let exact = work_dir.run(&["images", "--product", "calico@v3.30.7"]);
    assert_eq!(series.stdout, exact.stdout);
    assert!(!exact.stderr.contains("newest"), "{}", exact.stderr);
}

#[test]
fn the_plan_says_of_each_image_who_names_it_and_who_does_not() {
    let (work_dir, source) = (WorkDir::new(), Registry::start());
    let product = ["--product", "calico@v3.32.1"];
    publish(&work_dir, &source, &product);
    let mirror = source.host();
    let plan = [
        ["bundle"].as_slice(),
        &product,
        &["--product-mirror", &mirror, "--dry-run"],
    ]
    .concat();
    let typha = "quay.io/calico/typha:v3.32.1";
    let run = work_dir.run(&plan);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let line = format!(
        "{typha} from {mirror}/calico/typha:v3.32.1: named by operator, manifests; omitted by chart, documentation"
    );
    assert!(run.stdout.contains(&line), "{}", run.stdout);
    let warning = format!("{typha} is pulled by a default install; documentation omits it");
    assert!(run.stderr.contains(&warning), "{}", run.stderr);
    let json = work_dir.json(&[plan.as_slice(), &["--json"]].concat());
    let images = json["products"][0]["images"].as_array().unwrap();
    assert_eq!(images.len(), 12);
    let row = images
        .iter()
        .find(|image| image["reference"] == typha)
        .unwrap();
    assert_eq!(row["namedBy"], serde_json::json!(["operator", "manifests"]));
    assert_eq!(
        row["omittedBy"],
        serde_json::json!(["chart", "documentation"])
    );
}

/// A release whose manifests take `calico/node` from another registry than its operator does.
fn divided(own: &str, other: &str) -> String {
    format!(
        "product: calico
releases:
  - version: v3.99.0
    operator: v1.99.0
    registry: {own}
    sources: [operator, manifests]
    images:
      - {{image: calico/node, in: [operator], differs: {{manifests: \"{other}/calico/node:v3.99.0\"}}}}
      - {{image: calico/cni, in: [operator], differs: {{manifests: \"{other}/calico/cni:v3.99.0\"}}}}
"
    )
}

#[test]
fn a_digest_that_differs_between_the_operators_registry_and_the_manifests_is_reported() {
    let (work_dir, own, other) = (WorkDir::new(), Registry::start(), Registry::start());
    let put = |registry: &Registry, seed: &str, repository: &str| {
        let image = ImageMaker::new(seed).make();
        image.put_into(registry, repository, Some("v3.99.0"));
        image.digest().to_string()
    };
    let taken = put(&own, "node", "calico/node");
    let there = put(&other, "node made again", "calico/node");
    put(&own, "cni", "calico/cni");
    put(&other, "cni", "calico/cni");
    work_dir.write("data.yaml", divided(&own.host(), &other.host()));
    let bundle = [
        "bundle",
        "--product",
        "calico@v3.99.0",
        "--product-data",
        "data.yaml",
        "--dry-run",
    ];
    let run = work_dir.run(&bundle);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let warned = run.stdout.lines().find(|line| line.contains(&there));
    let warned = warned.unwrap_or_else(|| panic!("{}", run.stdout));
    assert!(
        warned.contains(&taken) && warned.contains("calico/node"),
        "{warned}"
    );
    assert!(
        !run.said().contains("calico/cni:v3.99.0 has the digest"),
        "{}",
        run.stdout
    );
    // A registry that does not respond is reported once, and nothing fails because of it.
    let gone = Registry::start().host();
    work_dir.write("data.yaml", divided(&own.host(), &gone));
    let run = work_dir.run(&bundle);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert_eq!(
        run.stdout.matches("could not be compared").count(),
        1,
        "{}",
        run.stdout
    );
}

#[test]
fn the_releases_whose_registry_changed_take_the_operators_and_say_so() {
    let work_dir = WorkDir::new();
    for (version, quay) in [("v3.30.3", false), ("v3.30.4", true), ("v3.30.7", true)] {
        let run = work_dir.run(&["images", "--product", &format!("calico@{version}")]);
        let node = format!("quay.io/calico/node:{version}");
        assert_eq!(
            run.stdout.lines().any(|line| line == node),
            quay,
            "{}",
            run.stdout
        );
        let said = run
            .stderr
            .contains("manifests pull 7 images from docker.io");
        assert_eq!(said, quay, "{version}: {}", run.stderr);
    }
}

#[test]
fn the_upgrade_manifest_of_openshift_gets_its_images_and_the_pull_secret() {
    let Some(shared) = shared_data() else { return };
    for (version, ctl) in [("v3.30.7", "docker.io"), ("v3.32.1", "quay.io")] {
        let (work_dir, source) = (WorkDir::new(), Registry::start());
        let product = format!("calico@{version}");
        let chosen = ["--product", &product, "--with", "openshift"];
        publish(&work_dir, &source, &chosen);
        let mirror = source.host();
        let out = ["--product-mirror", &mirror, "-o", "calico.tar", "--quiet"];
        work_dir.ok(&[["bundle"].as_slice(), &chosen, &out].concat());
        let name = "tigera-operator-ocp-upgrade.yaml";
        let path = shared
            .join("data/calico/manifests")
            .join(version)
            .join(name);
        fs::copy(path, work_dir.path(name)).unwrap();
        let before = String::from_utf8(work_dir.read(name)).unwrap();
        assert!(before.contains(&format!("image: {ctl}/calico/ctl:{version}")));
        work_dir.ok(&[
            "product",
            "calico",
            "calico.tar",
            "r.corp:5000/a/b",
            "--naming",
            "flat",
            "--install",
            "openshift",
            "--patch",
            "--pull-secret",
            "corp",
            "--manifest",
            name,
            "--out-dir",
            "apply",
        ]);
        let after = String::from_utf8(work_dir.read(&format!("apply/{name}"))).unwrap();
        let secret = "      imagePullSecrets:\n      - name: corp\n";
        assert_eq!(after.matches(secret).count(), 1);
        let without = after.replace(secret, "");
        assert_eq!(without.lines().count(), before.lines().count());
        let changed: Vec<(&str, &str)> = before
            .lines()
            .zip(without.lines())
            .filter(|(old, new)| old != new)
            .collect();
        assert_eq!(changed.len(), 3, "{changed:?}");
        for (old, new) in changed {
            let image = old.split_once('/').unwrap().1.rsplit('/').next().unwrap();
            assert_eq!(new.trim(), format!("image: r.corp:5000/a/b/{image}"));
        }
        let readme = String::from_utf8(work_dir.read("apply/README.md")).unwrap();
        assert!(readme.contains(&format!("-f {name}")), "{readme}");
    }
}

//! Of an image of which platforms were selected, a registry gets the publisher's index if it accepts that.

use sealift_testkit::real::RealRegistry;
use sealift_testkit::{Image, ImageMaker, Layer, Registry, cosign, cosign_tag};
use serde_json::Value;

use crate::support::WorkDir;

/// A folder with the bundle of one platform of a signed image, and the image.
fn work_dir() -> (WorkDir, Image) {
    let (work_dir, source) = (WorkDir::new(), Registry::start());
    let app = ImageMaker::new("app")
        .platforms(&["linux/amd64", "linux/arm64", "linux/s390x"])
        .layer(Layer::gzip("app", 20_000))
        .make();
    let app = app.clone().with(cosign(&app.root, "sig"));
    app.put_into(&source, "team/app", Some("v1"));
    let image = source.reference("team/app", "v1");
    work_dir.ok(&[
        "bundle",
        &image,
        "--platform",
        "linux/arm64",
        "-o",
        "app.tar",
    ]);
    work_dir.write(
        "pods.yaml",
        format!(
            "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: {image}@{}\n",
            app.digest()
        ),
    );
    (work_dir, app)
}

/// Loads, and what the receipt says of the image.
fn load(work_dir: &WorkDir, host: &str, more: &[&str]) -> Value {
    let arguments = ["load", "app.tar", host, "--receipt", "receipt.json"];
    work_dir.ok(&[&arguments[..], more].concat());
    let receipt: Value = serde_json::from_slice(&work_dir.read("receipt.json")).unwrap();
    receipt["names"][0].clone()
}

/// The digest that the pod's image is pinned to by the receipt.
fn pinned(work_dir: &WorkDir) -> String {
    work_dir.ok(&[
        "rewrite",
        "pods.yaml",
        "--receipt",
        "receipt.json",
        "--pin",
        "receipt.json",
        "--out-dir",
        "out",
        "--overwrite",
    ]);
    let text = String::from_utf8(work_dir.read("out/pods.yaml")).unwrap();
    let (_, digest) = text.trim_end().rsplit_once('@').unwrap();
    digest.to_owned()
}

fn stays(work_dir: &WorkDir, app: &Image, host: &str) {
    let name = load(work_dir, host, &[]);
    assert_eq!(name["digest"], app.digest().to_string());
    assert_eq!(name["original"], Value::Null);
    assert_eq!(pinned(work_dir), app.digest().to_string());
    let again = load(work_dir, host, &["--publisher-index", "required"]);
    assert_eq!(again, name);
    work_dir.ok(&["check", "app.tar", host]);
    work_dir.ok(&["check", "receipt.json"]);
}

#[test]
fn where_it_is_accepted_digest_and_signature_stay_the_publishers() {
    let (work_dir, app) = work_dir();
    let registry = Registry::builder()
        .behaviour(|behaviour| behaviour.complete_manifests = false)
        .start();
    stays(&work_dir, &app, &registry.host());
    assert_eq!(registry.tagged("team/app", "v1"), Some(app.digest()));
    let signature = cosign_tag(&app.digest(), "sig");
    assert!(registry.tagged("team/app", &signature).is_some());
}

#[test]
fn distribution_3_that_validates_no_platforms_gets_the_publishers_index() {
    let Some(found) = RealRegistry::distribution3_with(
        "validation:\n  manifests:\n    indexes:\n      platforms: none",
    ) else {
        return;
    };
    let (work_dir, app) = work_dir();
    stays(&work_dir, &app, &found.host());
}

#[test]
fn where_it_is_refused_the_new_index_is_what_is_pinned() {
    let (work_dir, app) = work_dir();
    let registry = Registry::start();
    let host = registry.host();
    let required = ["load", "app.tar", &host, "--publisher-index", "required"];
    let refused = work_dir.run(&required);
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(registry.tags("team/app").is_empty());
    let run = work_dir.run(&["load", "app.tar", &host]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stderr.contains("missing platforms"), "{}", run.stderr);
    assert!(run.stderr.contains("omitted"), "{}", run.stderr);
    let name = load(&work_dir, &host, &[]);
    let new = registry.tagged("team/app", "v1").unwrap().to_string();
    assert_ne!(new, app.digest().to_string());
    assert_eq!(
        (&name["digest"], &name["original"]),
        (&new.clone().into(), &app.digest().to_string().into())
    );
    assert_eq!(pinned(&work_dir), new);
    assert_eq!(
        registry.tags("team/app"),
        ["v1"],
        "no signature of another index"
    );
    work_dir.ok(&["check", "app.tar", &host]);
}

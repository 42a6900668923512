//! The whole way, as a person goes it.

use std::process::Stdio;

use sealift_testkit::{Registry, Route, real};

use crate::support::{Product, Shore, identity, shore_with_bundle};

#[test]
fn images_cross_the_gap_with_every_digest_unchanged() {
    let (shore, product) = shore_with_bundle();
    let destination = Registry::start();
    shore.ok(&["load", "product.tar", &destination.host()]);
    product.assert_in(&destination, "");
}

#[test]
fn every_command_prints_the_same_identity() {
    let (shore, product, source) = (Shore::new(), Product::new(20_000), Registry::start());
    product.put_into(&source);
    shore.write("images.txt", product.list(&source));
    let planned = shore.ok(&["bundle", "-f", "images.txt", "--dry-run"]);
    let built = shore.ok(&["bundle", "-f", "images.txt", "-o", "product.tar"]);
    let destination = Registry::start();
    let said = [
        built,
        shore.ok(&["verify", "product.tar"]),
        shore.ok(&["inspect", "product.tar"]),
        shore.ok(&["load", "product.tar", &destination.host(), "--dry-run"]),
        shore.ok(&[
            "load",
            "product.tar",
            &destination.host(),
            "--receipt",
            "receipt.json",
        ]),
    ];
    let expected = identity(&planned);
    for text in said {
        assert_eq!(identity(&text), expected);
    }
    let receipt: serde_json::Value = serde_json::from_slice(&shore.read("receipt.json")).unwrap();
    assert_eq!(receipt["bundle"], expected);
}

#[test]
fn a_dry_run_writes_nothing_on_either_shore() {
    let (shore, _) = shore_with_bundle();
    let before = shore.names();
    let destination = Registry::start();
    let source = Registry::start();
    Product::new(20_000).put_into(&source);
    let image = source.reference("product/node", "v1");
    shore.ok(&["bundle", &image, "-o", "other.tar", "--dry-run"]);
    shore.ok(&["load", "product.tar", &destination.host(), "--dry-run"]);
    assert_eq!(shore.names(), before);
    assert!(destination.traffic().writes().is_empty());
}

#[test]
fn each_digest_goes_up_once_and_a_second_load_writes_nothing() {
    let (shore, product) = shore_with_bundle();
    let destination = Registry::start();
    let to = format!("{}/mirror", destination.host());
    shore.ok(&["load", "product.tar", &to]);
    let uploads = destination.traffic().uploads();
    assert!(uploads.values().all(|count| *count == 1), "{uploads:?}");
    destination.clear_traffic();
    shore.ok(&["load", "product.tar", &to]);
    assert!(destination.traffic().writes().is_empty());
    product.assert_in(&destination, "mirror/");
}

#[test]
fn the_same_request_gives_the_same_file_for_any_number_of_threads_and_into_a_pipe() {
    let (shore, product, source) = (Shore::new(), Product::new(300_000), Registry::start());
    product.put_into(&source);
    shore.write("images.txt", product.list(&source));
    let bundle = |connections: &str, output: &str| {
        let arguments = ["bundle", "-f", "images.txt", "--connections", connections];
        shore
            .command(&[arguments.as_slice(), &["-o", output, "--quiet"]].concat())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    };
    assert!(bundle("1", "one.tar").status.success());
    assert!(bundle("16", "many.tar").status.success());
    let piped = bundle("5", "-");
    assert!(piped.status.success());
    assert!(shore.read("one.tar") == shore.read("many.tar"));
    assert!(shore.read("one.tar") == piped.stdout);
}

#[test]
fn a_bundle_that_is_there_already_is_checked_and_kept() {
    let (shore, product, source) = (Shore::new(), Product::new(20_000), Registry::start());
    product.put_into(&source);
    let image = source.reference("product/node", "v1");
    let arguments = ["bundle", &image, "-o", "product.tar"];
    let first = shore.ok(&arguments);
    source.clear_traffic();
    let second = shore.ok(&arguments);
    assert_eq!(identity(&first), identity(&second));
    assert_eq!(source.traffic().count("GET", Route::Blob), 0);
    // Damaged, it is no bundle of that identity any more: it is neither kept nor overwritten.
    let mut damaged = shore.read("product.tar");
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    shore.write("product.tar", &damaged);
    assert_eq!(shore.run(&arguments).code, Some(5));
    assert!(shore.read("product.tar") == damaged);
}

#[test]
fn a_tag_that_points_elsewhere_is_moved_only_when_told() {
    let (shore, product) = shore_with_bundle();
    let destination = Registry::start();
    let other = Product::new(30_000);
    other.put_into(&destination);
    let before = destination.snapshot();
    let refused = shore.run(&["load", "product.tar", &destination.host()]);
    assert_eq!(refused.code, Some(5), "{}", refused.stderr);
    assert!(refused.stderr.contains("--overwrite"), "{}", refused.stderr);
    assert!(destination.snapshot() == before);
    shore.ok(&["load", "product.tar", &destination.host(), "--overwrite"]);
    product.assert_in(&destination, "");
}

#[test]
fn two_images_that_would_get_one_name_are_found_before_any_write() {
    let (shore, source, destination) = (Shore::new(), Registry::start(), Registry::start());
    let product = Product::new(10_000);
    for (repository, (_, image)) in ["a/app", "b/app"].into_iter().zip(&product.names) {
        image.put_into(&source, repository, Some("v1"));
        shore.write("images.txt", "");
    }
    let images = ["a/app", "b/app"].map(|repository| source.reference(repository, "v1"));
    shore.ok(&["bundle", &images[0], &images[1], "-o", "two.tar", "--quiet"]);
    let refused = shore.run(&["load", "two.tar", &destination.host(), "--naming", "flat"]);
    assert_eq!(refused.code, Some(5), "{}", refused.stderr);
    assert!(refused.stderr.contains("app:v1"), "{}", refused.stderr);
    assert!(destination.traffic().writes().is_empty());
    shore.ok(&["load", "two.tar", &destination.host(), "--naming", "host"]);
}

#[test]
fn files_ride_along_and_come_out_as_they_went_in() {
    use std::os::unix::fs::PermissionsExt;
    let shore = Shore::new();
    shore.write("install.sh", "#!/bin/sh\necho hello\n");
    std::fs::set_permissions(shore.path("install.sh"), PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::create_dir_all(shore.path("manifests/crds")).unwrap();
    shore.write("manifests/crds/a.yaml", "kind: A\n");
    shore.write("manifests/b.yaml", "kind: B\n");
    let carry = [
        "--carry",
        "install.sh",
        "--carry",
        "manifests=product-manifests",
    ];
    shore.ok(&[["bundle"].as_slice(), &carry, &["-o", "files.tar"]].concat());
    let destination = Registry::start();
    shore.ok(&[
        "load",
        "files.tar",
        &format!("{}/files", destination.host()),
    ]);
    assert!(!destination.repositories().is_empty());

    shore.ok(&["extract", "files.tar", "--to", "out"]);
    assert_eq!(shore.read("out/install.sh"), shore.read("install.sh"));
    let mode = std::fs::metadata(shore.path("out/install.sh"))
        .unwrap()
        .permissions();
    assert_eq!(mode.mode() & 0o777, 0o755);
    let crd = shore.read("out/product-manifests/crds/a.yaml");
    assert_eq!(crd, b"kind: A\n");

    shore.write("out/install.sh", "mine");
    let refused = shore.run(&["extract", "files.tar", "install.sh", "--to", "out"]);
    assert_eq!(refused.code, Some(5), "{}", refused.stderr);
    assert_eq!(shore.read("out/install.sh"), b"mine");
}

#[test]
fn load_needs_no_network_but_the_registry() {
    let (Some(registry), Some(unshare)) =
        (real::require("docker-registry"), real::require("unshare"))
    else {
        return;
    };
    let (shore, _) = shore_with_bundle();
    shore.write(
        "registry.yml",
        "version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: data}}\nhttp: {addr: '127.0.0.1:5000'}\n",
    );
    let script = format!(
        "ip link set lo up && {{ {} serve registry.yml & }} && \
         for i in $(seq 100); do \"$0\" load product.tar 127.0.0.1:5000 --retries 0 --quiet && break; sleep 0.1; done && \
         \"$0\" load product.tar 127.0.0.1:5000 --quiet; code=$?; kill $!; exit $code",
        registry.display()
    );
    let output = std::process::Command::new(unshare)
        .args(["--net", "--map-root-user", "sh", "-c", &script])
        .arg(env!("CARGO_BIN_EXE_sealift"))
        .current_dir(shore.folder())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert!(
        shore
            .path("data/docker/registry/v2/repositories/product/node")
            .is_dir()
    );
}

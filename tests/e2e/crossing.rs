//! The whole way, as a person goes it.

use std::process::Stdio;

use sealift_testkit::{Fault, Registry, Route, When, real};

use crate::support::{Product, WorkDir, identity, work_dir_with_bundle};

#[test]
fn images_cross_the_gap_with_every_digest_unchanged() {
    let (work_dir, product) = work_dir_with_bundle();
    let destination = Registry::start();
    work_dir.ok(&["load", "product.tar", &destination.host()]);
    product.assert_in(&destination, "");
}

#[test]
fn every_command_prints_the_same_identity() {
    let (work_dir, product, source) = (WorkDir::new(), Product::new(20_000), Registry::start());
    product.put_into(&source);
    work_dir.write("images.txt", product.list(&source));
    let planned = work_dir.ok(&["bundle", "-f", "images.txt", "--dry-run"]);
    let built = work_dir.ok(&["bundle", "-f", "images.txt", "-o", "product.tar"]);
    let destination = Registry::start();
    let said = [
        built,
        work_dir.ok(&["verify", "product.tar"]),
        work_dir.ok(&["inspect", "product.tar"]),
        work_dir.ok(&["load", "product.tar", &destination.host(), "--dry-run"]),
        work_dir.ok(&[
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
    let receipt: serde_json::Value =
        serde_json::from_slice(&work_dir.read("receipt.json")).unwrap();
    assert_eq!(receipt["bundle"], expected);
}

#[test]
fn a_dry_run_writes_nothing_on_either_side() {
    let (work_dir, _) = work_dir_with_bundle();
    let before = work_dir.names();
    let destination = Registry::start();
    let source = Registry::start();
    Product::new(20_000).put_into(&source);
    let image = source.reference("product/node", "v1");
    work_dir.ok(&["bundle", &image, "-o", "other.tar", "--dry-run"]);
    work_dir.ok(&["load", "product.tar", &destination.host(), "--dry-run"]);
    assert_eq!(work_dir.names(), before);
    assert!(destination.traffic().writes().is_empty());
}

#[test]
fn each_digest_goes_up_once_and_a_second_load_writes_nothing() {
    let (work_dir, product) = work_dir_with_bundle();
    let destination = Registry::start();
    let to = format!("{}/mirror", destination.host());
    work_dir.ok(&["load", "product.tar", &to]);
    let uploads = destination.traffic().uploads();
    assert!(uploads.values().all(|count| *count == 1), "{uploads:?}");
    destination.clear_traffic();
    work_dir.ok(&["load", "product.tar", &to]);
    assert!(destination.traffic().writes().is_empty());
    product.assert_in(&destination, "mirror/");
}

#[test]
fn the_same_request_gives_the_same_file_for_any_number_of_threads_and_into_a_pipe() {
    let (work_dir, product, source) = (WorkDir::new(), Product::new(300_000), Registry::start());
    product.put_into(&source);
    work_dir.write("images.txt", product.list(&source));
    let bundle = |connections: &str, output: &str| {
        let arguments = ["bundle", "-f", "images.txt", "--connections", connections];
        work_dir
            .command(&[arguments.as_slice(), &["-o", output, "--quiet"]].concat())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    };
    assert!(bundle("1", "one.tar").status.success());
    assert!(bundle("16", "many.tar").status.success());
    let piped = bundle("5", "-");
    assert!(piped.status.success());
    assert!(work_dir.read("one.tar") == work_dir.read("many.tar"));
    assert!(work_dir.read("one.tar") == piped.stdout);
}

#[test]
fn a_bundle_that_is_there_already_is_checked_and_kept() {
    let (work_dir, product, source) = (WorkDir::new(), Product::new(20_000), Registry::start());
    product.put_into(&source);
    let image = source.reference("product/node", "v1");
    let arguments = ["bundle", &image, "-o", "product.tar"];
    let first = work_dir.ok(&arguments);
    source.clear_traffic();
    let second = work_dir.ok(&arguments);
    assert_eq!(identity(&first), identity(&second));
    assert_eq!(source.traffic().count("GET", Route::Blob), 0);
    // Damaged, it is no bundle of that identity any more: it is neither kept nor overwritten.
    let mut damaged = work_dir.read("product.tar");
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    work_dir.write("product.tar", &damaged);
    assert_eq!(work_dir.run(&arguments).code, Some(5));
    assert!(work_dir.read("product.tar") == damaged);
}

#[test]
fn a_tag_that_points_elsewhere_is_moved_only_when_told() {
    let (work_dir, product) = work_dir_with_bundle();
    let destination = Registry::start();
    let other = Product::new(30_000);
    other.put_into(&destination);
    let before = destination.snapshot();
    let refused = work_dir.run(&["load", "product.tar", &destination.host()]);
    assert_eq!(refused.code, Some(5), "{}", refused.stderr);
    assert!(refused.stderr.contains("--overwrite"), "{}", refused.stderr);
    assert!(destination.snapshot() == before);
    work_dir.ok(&["load", "product.tar", &destination.host(), "--overwrite"]);
    product.assert_in(&destination, "");
}

#[test]
fn two_images_that_would_get_one_name_are_found_before_any_write() {
    let (work_dir, source, destination) = (WorkDir::new(), Registry::start(), Registry::start());
    let product = Product::new(10_000);
    for (repository, (_, image)) in ["a/app", "b/app"].into_iter().zip(&product.names) {
        image.put_into(&source, repository, Some("v1"));
        work_dir.write("images.txt", "");
    }
    let images = ["a/app", "b/app"].map(|repository| source.reference(repository, "v1"));
    work_dir.ok(&["bundle", &images[0], &images[1], "-o", "two.tar", "--quiet"]);
    let refused = work_dir.run(&["load", "two.tar", &destination.host(), "--naming", "flat"]);
    assert_eq!(refused.code, Some(5), "{}", refused.stderr);
    assert!(refused.stderr.contains("app:v1"), "{}", refused.stderr);
    assert!(destination.traffic().writes().is_empty());
    work_dir.ok(&["load", "two.tar", &destination.host(), "--naming", "host"]);
}

#[test]
fn files_ride_along_and_come_out_as_they_went_in() {
    use std::os::unix::fs::PermissionsExt;
    let work_dir = WorkDir::new();
    work_dir.write("install.sh", "#!/bin/sh\necho hello\n");
    std::fs::set_permissions(
        work_dir.path("install.sh"),
        PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    std::fs::create_dir_all(work_dir.path("manifests/crds")).unwrap();
    work_dir.write("manifests/crds/a.yaml", "kind: A\n");
    work_dir.write("manifests/b.yaml", "kind: B\n");
    let carry = [
        "--carry",
        "install.sh",
        "--carry",
        "manifests=product-manifests",
    ];
    work_dir.ok(&[["bundle"].as_slice(), &carry, &["-o", "files.tar"]].concat());
    let destination = Registry::start();
    work_dir.ok(&[
        "load",
        "files.tar",
        &format!("{}/files", destination.host()),
    ]);
    assert!(!destination.repositories().is_empty());

    work_dir.ok(&["extract", "files.tar", "--to", "out"]);
    assert_eq!(work_dir.read("out/install.sh"), work_dir.read("install.sh"));
    let mode = std::fs::metadata(work_dir.path("out/install.sh"))
        .unwrap()
        .permissions();
    assert_eq!(mode.mode() & 0o777, 0o755);
    let crd = work_dir.read("out/product-manifests/crds/a.yaml");
    assert_eq!(crd, b"kind: A\n");

    // As after an interruption: what is complete is skipped.
    std::fs::remove_file(work_dir.path("out/install.sh")).unwrap();
    let again = work_dir.ok(&["extract", "files.tar", "--to", "out"]);
    assert!(
        again.starts_with("out/install.sh\n1 file extracted, 21 B, 1 already there"),
        "{again}"
    );
    work_dir.write("out/product-manifests/more", "");
    let refused = work_dir.run(&["extract", "files.tar", "--to", "out"]);
    assert_eq!(refused.code, Some(5), "{}", refused.stderr);

    work_dir.write("out/install.sh", "mine");
    let refused = work_dir.run(&["extract", "files.tar", "install.sh", "--to", "out"]);
    assert_eq!(refused.code, Some(5), "{}", refused.stderr);
    assert_eq!(work_dir.read("out/install.sh"), b"mine");
}

#[test]
fn load_needs_no_network_but_the_registry() {
    let (Some(registry), Some(unshare)) =
        (real::require("docker-registry"), real::require("unshare"))
    else {
        return;
    };
    let (work_dir, _) = work_dir_with_bundle();
    work_dir.write(
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
        .current_dir(work_dir.folder())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert!(
        work_dir
            .path("data/docker/registry/v2/repositories/product/node")
            .is_dir()
    );
}

#[test]
fn an_incomplete_load_lists_the_tags_that_were_set_and_the_names_that_failed() {
    let (work_dir, _) = work_dir_with_bundle();
    let destination = Registry::start();
    let post = When::new("POST", Route::Uploads).repository("product/deep/er/operator");
    destination.script(post.always(), Fault::error(403, "DENIED", "read only"));
    let run = work_dir.run(&["load", "product.tar", &destination.host(), "--keep-going"]);
    assert_eq!(run.code, Some(3), "{}", run.said());
    assert!(
        run.stdout.contains("\nset product/node:v1\n"),
        "{}",
        run.stdout
    );
    assert!(!run.stdout.contains("set product/deep"), "{}", run.stdout);
    assert!(
        run.stderr.contains("1 name could not be loaded:\n  ") && run.stderr.contains("operator"),
        "{}",
        run.stderr
    );
}

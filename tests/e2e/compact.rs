//! Compact bundles through every command: less on the disk, and the same bytes at the end.

use std::fs;
use std::path::Path;

use sealift_testkit::real::{RealRegistry, Skopeo, require, run_ok};
use sealift_testkit::{Registry, Route};

use crate::support::{Product, WorkDir, identity};

/// A plain bundle `plain.tar` and a compact bundle `compact.tar` of the same product.
fn both() -> (WorkDir, Product, Registry) {
    let (work_dir, product, source) = (WorkDir::new(), Product::new(60_000), Registry::start());
    product.put_into(&source);
    work_dir.write("images.txt", product.list(&source));
    let plain = work_dir.ok(&["bundle", "-f", "images.txt", "-o", "plain.tar"]);
    let compact = work_dir.ok(&[
        "bundle",
        "-f",
        "images.txt",
        "-o",
        "compact.tar",
        "--profile",
        "compact",
    ]);
    assert_eq!(identity(&plain), identity(&compact));
    (work_dir, product, source)
}

#[test]
fn both_profiles_have_one_identity_and_load_the_same() {
    let (work_dir, product, _) = both();
    let named = ["compact.tar", "images.txt", "plain.tar"];
    assert_eq!(work_dir.names(), named, "nothing else is left");
    let expected = identity(&work_dir.ok(&["inspect", "plain.tar"]));
    for arguments in [
        &["inspect", "compact.tar"][..],
        &["verify", "compact.tar"],
        &["verify", "compact.tar", "--deep"],
    ] {
        assert_eq!(identity(&work_dir.ok(arguments)), expected);
    }
    let destination = Registry::start();
    work_dir.ok(&["load", "compact.tar", &destination.host()]);
    product.assert_in(&destination, "");
    destination.clear_traffic();
    work_dir.ok(&["load", "plain.tar", &destination.host()]);
    assert!(destination.traffic().writes().is_empty());
}

#[test]
fn exporting_and_making_compact_again_give_the_same_files() {
    let (work_dir, _, _) = both();
    work_dir.ok(&["export", "compact.tar", "-o", "exported.tar"]);
    assert!(work_dir.read("exported.tar") == work_dir.read("plain.tar"));
    work_dir.ok(&["compact", "plain.tar", "-o", "again.tar"]);
    assert!(work_dir.read("again.tar") == work_dir.read("compact.tar"));
    let piped = work_dir
        .command(&["export", "compact.tar", "-o", "-", "--quiet"])
        .output()
        .unwrap();
    assert!(piped.status.success());
    assert!(piped.stdout == work_dir.read("plain.tar"));
}

#[test]
fn images_of_a_compact_bundle_are_bundled_again_without_their_registry() {
    let (work_dir, _, source) = both();
    source.clear_traffic();
    work_dir.ok(&["bundle", "--from", "compact.tar", "-o", "again.tar"]);
    assert!(source.traffic().0.is_empty());
    let destination = Registry::start();
    work_dir.ok(&["load", "again.tar", &destination.host()]);
    assert!(destination.traffic().count("PUT", Route::Manifest) > 0);
}

#[test]
fn a_damaged_compact_bundle_is_found_and_nothing_of_it_is_published() {
    let (work_dir, _, _) = both();
    let mut bytes = work_dir.read("compact.tar");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    work_dir.write("damaged.tar", bytes);
    let verified = work_dir.run(&["verify", "damaged.tar"]);
    assert_eq!(verified.code, Some(4), "{}", verified.stderr);
    let destination = Registry::start();
    let loaded = work_dir.run(&["load", "damaged.tar", &destination.host()]);
    assert_eq!(loaded.code, Some(4), "{}", loaded.stderr);
    let exported = work_dir.run(&["export", "damaged.tar", "-o", "exported.tar"]);
    assert_eq!(exported.code, Some(4), "{}", exported.stderr);
    assert!(!work_dir.path("exported.tar").exists());
}

/// A compact bundle is an ordinary artifact: any tool takes it through a registry and back.
#[test]
fn skopeo_takes_a_compact_bundle_through_real_registries_and_back() {
    let Some(skopeo) = Skopeo::find() else { return };
    let (work_dir, _, _) = both();
    let expected = identity(&work_dir.ok(&["inspect", "plain.tar"]));
    for (number, registry) in [RealRegistry::distribution2(), RealRegistry::distribution3()]
        .into_iter()
        .enumerate()
    {
        let Some(registry) = registry else { continue };
        let there = format!("docker://{}/carried:v1", registry.host());
        let from = format!("oci-archive:{}", work_dir.path("compact.tar").display());
        skopeo.copy(&from, &there);
        let name = format!("back-{number}.tar");
        let back = format!("oci-archive:{}", work_dir.path(&name).display());
        skopeo.copy(&there, &back);
        assert_eq!(
            identity(&work_dir.ok(&["verify", &name, "--deep"])),
            expected
        );
        let exported = format!("exported-{number}.tar");
        work_dir.ok(&["export", &name, "-o", &exported]);
        assert!(work_dir.read(&exported) == work_dir.read("plain.tar"));
        fs::remove_file(work_dir.path(&name)).unwrap();
    }
}

/// oras writes folders, which are one file again after `tar`.
#[test]
fn oras_takes_a_compact_bundle_through_a_real_registry_and_back() {
    let Some(oras) = require("oras") else { return };
    let Some(registry) = RealRegistry::distribution3() else {
        return;
    };
    let (work_dir, _, _) = both();
    let expected = identity(&work_dir.ok(&["inspect", "plain.tar"]));
    let there = format!("{}/carried:v1", registry.host());
    let from = format!("{}:bundle", work_dir.path("compact.tar").display());
    run_ok(
        &oras,
        &["cp", "--from-oci-layout", &from, "--to-plain-http", &there],
    );
    let back = format!("{}:v1", work_dir.path("back").display());
    run_ok(
        &oras,
        &["cp", "--from-plain-http", &there, "--to-oci-layout", &back],
    );
    let refused = work_dir.run(&["verify", "back"]);
    assert_eq!(refused.code, Some(1));
    let command = "tar -cf bundle.tar -C back .";
    assert!(refused.stderr.contains(command), "{}", refused.stderr);
    let folder = work_dir.path("back");
    let file = work_dir.path("back.tar");
    let tar = [
        "-cf",
        file.to_str().unwrap(),
        "-C",
        folder.to_str().unwrap(),
        ".",
    ];
    run_ok(Path::new("tar"), &tar);
    assert_eq!(
        identity(&work_dir.ok(&["verify", "back.tar", "--deep"])),
        expected
    );
    work_dir.ok(&["export", "back.tar", "-o", "exported.tar"]);
    assert!(work_dir.read("exported.tar") == work_dir.read("plain.tar"));
}

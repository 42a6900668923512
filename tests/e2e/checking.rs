//! `check` at a later date, and commands that read the receipt of a load.

use sealift_testkit::{Image, Registry};

use crate::support::{Product, WorkDir, work_dir_with_bundle};

/// A loaded product: `product.tar`, `receipt.json`, and the registry that it is in.
fn loaded() -> (WorkDir, Product, Registry) {
    let (work_dir, product) = work_dir_with_bundle();
    let registry = Registry::start();
    let to = format!("{}/mirror", registry.host());
    let receipt = ["--naming", "flat", "--receipt", "receipt.json"];
    work_dir.ok(&[&["load", "product.tar", &to, "--quiet"], &receipt[..]].concat());
    registry.clear_traffic();
    (work_dir, product, registry)
}

fn node(product: &Product) -> &Image {
    &product.names[0].1
}

#[test]
fn bundle_and_receipt_both_say_whether_all_is_there() {
    let (work_dir, product, registry) = loaded();
    let to = format!("{}/mirror", registry.host());
    let by_bundle = ["check", "product.tar", &to, "--naming", "flat", "--quiet"];
    let said = work_dir.ok(&by_bundle);
    assert!(said.contains("3 names, 3 tags"), "{said}");
    let by_receipt = ["check", "receipt.json", "--deep", "--json", "--quiet"];
    let report = work_dir.json(&by_receipt);
    assert_eq!(report["problems"].as_array().unwrap().len(), 0, "{report}");
    assert!(report["totals"]["blobsRead"].as_u64().unwrap() > 0);
    assert!(registry.traffic().writes().is_empty());

    let (layer, _) = node(&product).blobs.first_key_value().unwrap();
    registry.forget_blob(layer);
    for arguments in [&by_bundle[..], &by_receipt] {
        let run = work_dir.run(arguments);
        assert_eq!(run.code, Some(6), "{}", run.said());
        assert!(run.stdout.contains(&layer.to_string()), "{}", run.stdout);
        assert!(run.stdout.contains("product/node:v1"), "{}", run.stdout);
        assert!(run.stderr.contains("sealift load --deep"), "{}", run.stderr);
    }
    assert!(registry.traffic().writes().is_empty());
}

#[test]
fn what_a_receipt_contains_cannot_be_said_again() {
    let (work_dir, _, registry) = loaded();
    for (arguments, words) in [
        (
            &["check", "receipt.json", "--naming", "host"][..],
            "--naming",
        ),
        (&["check", "product.tar"], "REGISTRY[/PATH]"),
    ] {
        let run = work_dir.run(arguments);
        assert_eq!(run.code, Some(2), "{}", run.said());
        assert!(run.stderr.contains(words), "{}", run.stderr);
    }
    work_dir.write("other.json", "{}");
    let run = work_dir.run(&["check", "other.json"]);
    assert_eq!(run.code, Some(2), "{}", run.said());
    assert!(run.stderr.contains("other.json: "), "{}", run.stderr);
    assert!(registry.traffic().writes().is_empty());
}

#[test]
fn mirror_and_rewrite_take_names_and_digests_from_a_receipt() {
    let (work_dir, product, registry) = loaded();
    let bundle = work_dir.json(&["inspect", "product.tar", "--json"]);
    let images = bundle["images"].as_array().unwrap();
    let names: Vec<&str> = images
        .iter()
        .map(|image| image["reference"].as_str().unwrap())
        .collect();
    work_dir.write("list.txt", names.join("\n"));
    let receipt = ["--receipt", "receipt.json"];
    work_dir.ok(&[
        &["rewrite", "list.txt", "--pin", "receipt.json"],
        &receipt[..],
    ]
    .concat());
    let written = String::from_utf8(work_dir.read("list.txt")).unwrap();
    let digest = node(&product).digest();
    let expected = format!("{}/mirror/node:v1@{digest}", registry.host());
    assert!(written.contains(&expected), "{written}");

    let host = registry.host();
    let by_bundle = work_dir.run(&[
        "mirror",
        "registries-conf",
        "product.tar",
        &format!("{host}/mirror"),
        "--naming",
        "flat",
    ]);
    let by_receipt = work_dir.run(&[&["mirror", "registries-conf"], &receipt[..]].concat());
    assert_eq!(by_receipt.code, by_bundle.code, "{}", by_receipt.said());
    assert_eq!(by_receipt.stdout, by_bundle.stdout);
    let both = work_dir.run(&["mirror", "k3s", "product.tar", "--receipt", "receipt.json"]);
    assert_eq!(both.code, Some(2));
}

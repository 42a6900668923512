//! `docs/products.md` as a person follows it: every command in it is run on the side that it is written for.
//!
//! As in Calico's document, the host of `REGISTRY` is another here, and `bundle` gets a mirror.

use std::fs;

use sealift_testkit::Registry;

use crate::calico::publish;
use crate::calico_docs::{Side, blocks, commands, has_extension};
use crate::other_products::CONTROLLER;

const DOCUMENT: &str = include_str!("../../docs/products.md");

/// The images of Argo CD's `install.yaml`, the way that it names them.
const INSTALL: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: argocd}
spec:
  template:
    spec:
      initContainers:
        - {name: copyutil, image: 'quay.io/argoproj/argocd:v2.13.9'}
      containers:
        - {name: dex, image: 'ghcr.io/dexidp/dex:v2.41.1'}
        - {name: redis, image: 'redis:7.0.15-alpine'}
";

/// What istiod's values have of images, as they are released.
const ISTIOD: &str = "\
_internal_defaults_do_not_set:
  hub: \"\"
  tag: \"\"
  image: pilot
  global:
    # Default hub for Istio images.
    hub: registry.istio.io/release
    tag: 1.30.3
    variant: \"\"
    proxy:
      image: proxyv2
";

/// Files that are carried, and how many different images each names.
const CARRIED: [(&str, &str, usize); 3] = [
    ("cert-manager.yaml", CONTROLLER, 2),
    ("install.yaml", INSTALL, 3),
    ("istiod-values.yaml", ISTIOD, 2),
];

/// Runs a line of the connected side; `bundle` finds the product's images at `mirror`.
fn connected(side: &Side, mirror: &Registry, line: &str) -> usize {
    if !line.starts_with("sealift bundle ") {
        side.run(line);
        return 0;
    }
    let mut words = line.split_whitespace();
    let product = words.find(|word| *word == "--product").and(words.next());
    publish(&side.work_dir, mirror, &["--product", product.unwrap()]);
    side.run(&format!("{line} --product-mirror {}", mirror.host()));
    1
}

/// Nothing but bundles gets over.
fn carry(from: &Side, to: &Side) {
    let names = from.work_dir.names().into_iter();
    for name in names.filter(|name| has_extension(name, "tar")) {
        to.work_dir.write(&name, from.work_dir.read(&name));
    }
}

#[test]
fn every_command_of_the_document_runs_and_what_it_rewrote_is_in_the_registry() {
    let (mirror, destination) = (Registry::start(), Registry::start());
    let (mut out, mut inside) = (Side::new(), Side::new());
    for (name, text, _) in CARRIED {
        out.work_dir.write(name, text);
    }
    let mut bundles = 0;
    for block in blocks(DOCUMENT) {
        let lines = commands(&block.text);
        match block.words.as_slice() {
            ["sh"] => {
                assert_eq!(lines, ["REGISTRY=registry.corp:5000"]);
                for side in [&mut out, &mut inside] {
                    let host = destination.host();
                    side.variables.insert("REGISTRY".to_owned(), host);
                }
            }
            ["sh", "connected"] => {
                for line in lines {
                    bundles += connected(&out, &mirror, &line);
                }
                carry(&out, &inside);
            }
            ["sh", "isolated"] => lines.iter().for_each(|line| inside.run(line)),
            other => panic!("nobody knows what to do with a block of {other:?}"),
        }
    }
    assert_eq!(bundles, 6);
    for (name, before, count) in CARRIED {
        assert_ne!(inside.work_dir.read(name), before.as_bytes(), "{name}");
        let list = inside.work_dir.ok(&["images", "-f", name]);
        assert_eq!(list.lines().count(), count, "{list}");
        for image in list.lines() {
            let below = image.strip_prefix(&format!("{}/mirror/", destination.host()));
            let below = below.unwrap_or_else(|| panic!("{name}: {image}"));
            let (below, digest) = below.split_once('@').unwrap_or((below, ""));
            let (repository, tag) = below.rsplit_once(':').unwrap();
            let there = destination.tagged(&format!("mirror/{repository}"), tag);
            let there = there.unwrap_or_else(|| panic!("{image} is not there"));
            assert!(digest.is_empty() || digest == there.to_string(), "{image}");
        }
    }
    assert!(destination.tagged("k8s/coredns", "v1.14.2").is_some());
    let registries = inside.work_dir.path("rke2/registries.yaml");
    let registries = fs::read_to_string(registries).unwrap();
    assert!(registries.contains(&destination.host()), "{registries}");
}

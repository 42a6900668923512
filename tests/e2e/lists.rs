//! Image lists and manifests in, references out.

use std::fs;
use std::path::Path;

use sealift_testkit::real::shared_data;

use crate::support::Shore;

/// How many references the published lists have, by their origin's own count.
const COUNTS: [(&str, usize); 15] = [
    ("k3s/image-list.2021.txt", 8),
    ("k3s/image-list.2025-12.txt", 8),
    ("kubeadm/v1.26.0.txt", 7),
    ("kubeadm/v1.26.0.custom-imageRepository.txt", 7),
    ("kubeadm/v1.28.5.txt", 7),
    ("kubeadm/v1.36.5.txt", 7),
    ("rke2/images-calico.txt", 16),
    ("rke2/images-canal.txt", 2),
    ("rke2/images-cilium.txt", 11),
    ("rke2/images-core.txt", 15),
    ("rke2/images-flannel.txt", 2),
    ("rke2/images-harvester.txt", 8),
    ("rke2/images-ingress-nginx.txt", 2),
    ("rke2/images-multus.txt", 6),
    ("rke2/images-vsphere.txt", 9),
];

#[test]
fn published_lists_have_as_many_references_as_their_publishers_count() {
    let Some(shared) = shared_data() else { return };
    let shore = Shore::new();
    for (list, count) in COUNTS {
        let path = shared.join("data/image-lists").join(list);
        let said = shore.json(&["images", "--json", "-f", path.to_str().unwrap()]);
        let places: usize = said["images"]
            .as_array()
            .unwrap()
            .iter()
            .map(|image| image["places"].as_array().unwrap().len())
            .sum();
        assert_eq!(places, count, "{list}");
    }
}

#[test]
fn references_are_printed_sorted_and_once() {
    let shore = Shore::new();
    shore.write("a.txt", "# two\nquay.io/b/b:1\n\nquay.io/a/a:1\n");
    shore.write(
        "b.yaml",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n  - image: nginx\n",
    );
    let said = shore.ok(&["images", "-f", "a.txt", "-f", "b.yaml", "quay.io/a/a:1"]);
    assert_eq!(
        said,
        "docker.io/library/nginx:latest\nquay.io/a/a:1\nquay.io/b/b:1\n"
    );
}

#[test]
fn standard_input_is_a_file_named_minus() {
    let run = Shore::new().run_with_input(&["images", "-f", "-"], b"quay.io/a/a:1\n");
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (Some(0), "quay.io/a/a:1\n")
    );
}

#[test]
fn what_is_no_list_is_refused_with_its_place() {
    let shore = Shore::new();
    shore.write("bad.txt", "quay.io/a/a:1\nhttps://quay.io/b\n");
    let run = shore.run(&["images", "-f", "bad.txt"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("bad.txt:2:1"), "{}", run.stderr);
    assert!(run.stdout.is_empty());
    let missing = shore.run(&["images", "-f", "nowhere.txt"]);
    assert_eq!(missing.code, Some(2));
    assert!(missing.stderr.contains("nowhere.txt"), "{}", missing.stderr);
}

#[test]
fn every_manifest_of_calico_gives_its_images() {
    let Some(shared) = shared_data() else { return };
    let shore = Shore::new();
    for version in fs::read_dir(shared.join("data/calico/manifests")).unwrap() {
        let operator = version.unwrap().path().join("tigera-operator.yaml");
        if operator.is_file() {
            let said = shore.ok(&["images", "-f", text(&operator)]);
            assert!(said.starts_with("quay.io/tigera/operator:v"), "{said}");
            assert_eq!(said.lines().count(), 1, "{said}");
        }
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

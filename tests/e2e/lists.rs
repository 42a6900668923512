//! Image lists and manifests in, references out.

use std::fs;
use std::path::Path;

use sealift_testkit::real::shared_data;

use crate::support::WorkDir;

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
    let work_dir = WorkDir::new();
    for (list, count) in COUNTS {
        let path = shared.join("data/image-lists").join(list);
        let said = work_dir.json(&["images", "--json", "-f", path.to_str().unwrap()]);
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
    let work_dir = WorkDir::new();
    work_dir.write("a.txt", "# two\nquay.io/b/b:1\n\nquay.io/a/a:1\n");
    work_dir.write(
        "b.yaml",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n  - image: nginx\n",
    );
    let said = work_dir.ok(&["images", "-f", "a.txt", "-f", "b.yaml", "quay.io/a/a:1"]);
    assert_eq!(
        said,
        "docker.io/library/nginx:latest\nquay.io/a/a:1\nquay.io/b/b:1\n"
    );
}

#[test]
fn standard_input_is_a_file_named_minus() {
    let run = WorkDir::new().run_with_input(&["images", "-f", "-"], b"quay.io/a/a:1\n");
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (Some(0), "quay.io/a/a:1\n")
    );
}

#[test]
fn what_is_no_list_is_refused_with_its_place() {
    let work_dir = WorkDir::new();
    work_dir.write("bad.txt", "quay.io/a/a:1\nhttps://quay.io/b\n");
    let run = work_dir.run(&["images", "-f", "bad.txt"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("bad.txt:2:1"), "{}", run.stderr);
    assert!(run.stdout.is_empty());
    let missing = work_dir.run(&["images", "-f", "nowhere.txt"]);
    assert_eq!(missing.code, Some(2));
    assert!(missing.stderr.contains("nowhere.txt"), "{}", missing.stderr);
}

#[test]
fn every_manifest_of_calico_gives_its_images() {
    let Some(shared) = shared_data() else { return };
    let work_dir = WorkDir::new();
    for version in fs::read_dir(shared.join("data/calico/manifests")).unwrap() {
        let operator = version.unwrap().path().join("tigera-operator.yaml");
        if operator.is_file() {
            let said = work_dir.ok(&["images", "-f", text(&operator)]);
            assert!(said.starts_with("quay.io/tigera/operator:v"), "{said}");
            assert_eq!(said.lines().count(), 1, "{said}");
        }
    }
}

#[test]
fn a_file_without_images_is_named_with_what_it_was_recognized_as() {
    let work_dir = WorkDir::new();
    work_dir.write(
        "ns.yaml",
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: n}\n",
    );
    work_dir.write("empty.txt", "");
    let run = work_dir.run(&["images", "-f", "ns.yaml", "-f", "empty.txt", "--strict"]);
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (Some(0), ""),
        "{}",
        run.stderr
    );
    assert_eq!(
        run.stderr,
        "ns.yaml: no images (recognized as Kubernetes manifests)\nempty.txt: no images (recognized as a list of references)\n"
    );
    let json = work_dir.json(&["images", "--json", "-f", "ns.yaml"]);
    assert_eq!(json["files"][0]["form"], "manifests");
}

#[test]
fn what_is_not_understood_is_a_warning_and_with_strict_an_error() {
    let work_dir = WorkDir::new();
    let undecided = "image: {repository: quay.io/t, name: a, tag: v1}\n";
    let incomplete = "a: {image: quay.io/t/a}\nb: {image: 'quay.io/t/b:v1'}\n";
    for (text, at) in [
        (undecided, "f.yaml:1:21: .image.repository:"),
        (incomplete, "f.yaml:1:12: quay.io/t/a is not included"),
        (
            "servers: [a, b]\n",
            "f.yaml:1:1: no image found, and the form",
        ),
        (
            "redis:\n  port: 6379\n",
            "f.yaml:1:1: no image found, and the form",
        ),
    ] {
        work_dir.write("f.yaml", text);
        let lenient = work_dir.run(&["images", "-f", "f.yaml"]);
        assert_eq!(lenient.code, Some(0), "{text}");
        assert!(
            lenient.stderr.contains(&format!("warning: {at}")),
            "{}",
            lenient.stderr
        );
        for arguments in [
            &["images", "-f", "f.yaml", "--strict"][..],
            &["rewrite", "f.yaml", "--to", "r.corp", "--strict"],
            &["bundle", "-f", "f.yaml", "--strict", "-o", "x.tar"],
        ] {
            work_dir.write("f.yaml", text);
            // A name without a tag can be rewritten.
            let incomplete = arguments[0] == "rewrite" && text == incomplete;
            let run = work_dir.run(arguments);
            let code = if incomplete { 0 } else { 2 };
            assert_eq!(run.code, Some(code), "{arguments:?}: {}", run.stderr);
            assert!(incomplete || run.stderr.contains(at), "{}", run.stderr);
            assert!(run.stdout.is_empty() || incomplete);
        }
        assert!(!work_dir.path("x.tar").exists());
    }
}

#[test]
fn a_file_whose_images_all_lack_a_tag_is_refused_unless_that_is_allowed() {
    let work_dir = WorkDir::new();
    work_dir.write(
        "values.yaml",
        "a: {image: {repository: quay.io/t/a, tag: ''}}\nb: {image: {repository: quay.io/t/b}}\n",
    );
    let refused = work_dir.run(&["images", "-f", "values.yaml"]);
    assert_eq!(refused.code, Some(2));
    assert!(
        refused
            .stderr
            .contains("values.yaml: no image has a tag (quay.io/t/a, quay.io/t/b)"),
        "{}",
        refused.stderr
    );
    let allowed = work_dir.run(&["images", "-f", "values.yaml", "--allow-incomplete"]);
    assert_eq!((allowed.code, allowed.stdout.as_str()), (Some(0), ""));
    assert_eq!(allowed.stderr.matches("no tag specified").count(), 2);
}

#[test]
fn one_tag_with_two_digests_is_two_references() {
    let work_dir = WorkDir::new();
    let lines = ["1", "2"].map(|digit| format!("quay.io/t/a:v1@sha256:{}\n", digit.repeat(64)));
    work_dir.write("l.txt", lines.concat());
    assert_eq!(work_dir.ok(&["images", "-f", "l.txt"]), lines.concat());
}

#[test]
fn a_list_in_utf_16_is_read() {
    let work_dir = WorkDir::new();
    let text = "\u{feff}docker.io/a/b:v1\r\nquay.io/x/y:v2\r\n";
    let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    fs::write(work_dir.path("images.txt"), bytes).unwrap();
    let printed = work_dir.ok(&["images", "-f", "images.txt"]);
    assert_eq!(printed, "docker.io/a/b:v1\nquay.io/x/y:v2\n");
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

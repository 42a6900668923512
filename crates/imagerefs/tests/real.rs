//! The published lists and manifests of real products.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;
use std::fs;

use common::{data, yaml_files};
use sealift_imagerefs::{Findings, InputKind, find};

fn read(path: &std::path::Path) -> Findings {
    let bytes = fs::read(path).unwrap();
    find(&path.display().to_string(), &bytes).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn published_lists_have_the_counts_that_their_sources_give() {
    let Some(data) = data() else { return };
    let expected = [
        ("k3s/image-list.2021.txt", 8),
        ("k3s/image-list.2025-12.txt", 8),
        ("kubeadm/v1.26.0.custom-imageRepository.txt", 7),
        ("kubeadm/v1.26.0.txt", 7),
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
        ("argo-cd/v2.13.9/images.txt", 3),
        ("cert-manager/v1.21.1/images.txt", 5),
        ("cilium/third-party-pinned.txt", 8),
    ];
    for (name, count) in expected {
        let found = read(&data.join("image-lists").join(name));
        assert_eq!(found.input, InputKind::List, "{name}");
        assert_eq!(found.occurrences.len(), count, "{name}");
        assert!(found.not_understood.is_empty(), "{name}");
    }
}

/// The `image:` lines of a manifest, by a reader that knows no YAML.
fn image_lines(text: &str) -> Vec<(usize, String)> {
    let line = |(number, line): (usize, &str)| {
        let value = line
            .trim_start()
            .trim_start_matches("- ")
            .strip_prefix("image:")?
            .trim();
        (!value.is_empty()).then(|| (number + 1, value.to_owned()))
    };
    text.lines().enumerate().filter_map(line).collect()
}

#[test]
fn every_image_line_of_calicos_manifests_is_found_and_nothing_else() {
    let Some(data) = data() else { return };
    let files = yaml_files(&data.join("calico/manifests"));
    assert!(files.len() > 60, "only {} manifests", files.len());
    let mut total = 0;
    for path in files {
        let name = path.display();
        let found = read(&path);
        let ours: Vec<_> = found
            .occurrences
            .iter()
            .map(|occurrence| (occurrence.line, occurrence.text.clone()))
            .collect();
        let left = found
            .not_understood
            .iter()
            .map(|left| (left.line, left.text.clone()));
        let mut all: Vec<_> = ours.iter().cloned().chain(left).collect();
        all.sort();
        assert_eq!(
            all,
            image_lines(&fs::read_to_string(&path).unwrap()),
            "{name}"
        );
        assert!(found.incomplete.is_empty(), "{name}");
        total += ours.len();
    }
    assert!(total > 90, "only {total} images");
}

#[test]
fn the_images_of_each_calico_version_are_those_of_its_list() {
    let Some(data) = data() else { return };
    let mut versions = 0;
    for version in fs::read_dir(data.join("calico/lists")).unwrap() {
        let version = version.unwrap();
        let manifests = data.join("calico/manifests").join(version.file_name());
        let Ok(list) = fs::read_to_string(version.path().join("manifest-images.tsv")) else {
            continue;
        };
        if !manifests.is_dir() {
            continue;
        }
        let rows: Vec<_> = list
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .collect();
        let files: BTreeSet<_> = rows.iter().map(|(file, _)| *file).collect();
        for file in files {
            let images = rows.iter().filter(|(of, _)| *of == file);
            let expected: BTreeSet<_> = images.map(|(_, image)| (*image).to_owned()).collect();
            let found = read(&manifests.join(file));
            let texts = found
                .occurrences
                .into_iter()
                .map(|occurrence| occurrence.text);
            assert_eq!(texts.collect::<BTreeSet<_>>(), expected, "{file}");
            assert!(found.not_understood.is_empty(), "{file}");
        }
        versions += 1;
    }
    assert!(versions >= 4, "only {versions} versions have manifests");
}

#[test]
fn definitions_of_resources_have_no_images() {
    let Some(data) = data() else { return };
    let found = read(&data.join("calico/manifests/v3.32.1/operator-crds.yaml"));
    assert_eq!(found.occurrences, []);
    assert_eq!(found.not_understood, []);
}

#[test]
fn calicos_image_set_is_listed_and_left() {
    let Some(data) = data() else { return };
    let found = read(&data.join("calico/imageset/operator_v1_imageset.yaml"));
    assert_eq!(found.occurrences, []);
    assert_eq!(found.not_understood.len(), 5);
}

fn references(found: &Findings) -> Vec<String> {
    found
        .occurrences
        .iter()
        .map(|occurrence| occurrence.reference.to_string())
        .collect()
}

#[test]
fn values_files_of_real_charts_are_read() {
    let Some(data) = data() else { return };
    let calico = read(&data.join("calico/charts/v3.32.1/values.yaml"));
    assert_eq!(
        references(&calico),
        [
            "quay.io/tigera/operator:v1.42.3",
            "quay.io/calico/ctl:v3.32.1"
        ]
    );
    assert_eq!(calico.input, InputKind::Values);

    let lists = data.join("image-lists");
    for (version, expected) in [
        (
            "v1.12.3",
            ["controller", "webhook", "cainjector", "acmesolver", "ctl"],
        ),
        (
            "v1.21.1",
            [
                "controller",
                "webhook",
                "cainjector",
                "acmesolver",
                "startupapicheck",
            ],
        ),
    ] {
        let found = read(&lists.join("cert-manager").join(version).join("values.yaml"));
        let names: Vec<_> = found
            .incomplete
            .iter()
            .map(|occurrence| occurrence.reference.name())
            .collect();
        let expected = expected.map(|name| format!("quay.io/jetstack/cert-manager-{name}"));
        assert_eq!(names, expected, "{version}");
        assert_eq!(
            found.occurrences,
            [],
            "{version}: the chart's version is the tag"
        );
    }

    let charts = lists.join("istio/1.30.3/manifests/charts");
    let found = read(&charts.join("ztunnel/values.yaml"));
    assert_eq!(
        references(&found),
        ["registry.istio.io/testing/ztunnel:latest"]
    );
    let found = read(&charts.join("istio-cni/values.yaml"));
    assert_eq!(
        references(&found),
        ["registry.istio.io/testing/install-cni:latest"]
    );
    let found = read(&charts.join("istio-control/istio-discovery/values.yaml"));
    let expected = ["pilot", "proxyv2", "proxyv2"]
        .map(|name| format!("registry.istio.io/testing/{name}:latest"));
    assert_eq!(references(&found), expected);

    let found = read(&lists.join("istio/1.30.3/manifests/profiles/default.yaml"));
    assert_eq!(found.occurrences, []);
    assert_eq!(found.not_understood.len(), 1, "{:?}", found.not_understood);
}

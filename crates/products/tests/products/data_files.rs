//! The data files as such: none is forgotten, and what is made of upstream's texts reads back.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use sealift_products::import::{MergeError, Part, data_file, gather, image_list};
use sealift_products::{Catalogue, ImageRow, Release, Selection};

use crate::shared::{catalogue, images, references, release, upstream};

/// Paths of all data files, below `data`.
fn paths(folder: &Path, below: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            found.extend(paths(&path, &format!("{below}{name}/")));
        } else if Path::new(name).extension().is_some_and(|e| e == "yaml") {
            found.push(format!("{below}{name}"));
        }
    }
    found
}

#[test]
fn every_data_file_is_compiled_in() {
    let catalogue = catalogue();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    let files = paths(&folder, "");
    assert!(files.len() >= 21, "{files:?}");
    for file in files {
        let value = sealift_yaml::document(&file, &fs::read(folder.join(&file)).unwrap()).unwrap();
        let name = value["product"].as_str().unwrap();
        let product = catalogue.product(name);
        let product = product.unwrap_or_else(|| panic!("{file} is not in built_in.rs"));
        for release in value["releases"].as_array().unwrap_or(&Vec::new()) {
            let version = release["version"].as_str().unwrap();
            let known = product
                .releases
                .iter()
                .find(|r| r.version.as_str() == version);
            let known = known.unwrap_or_else(|| panic!("{file} is not in built_in.rs"));
            assert_eq!(known.origin, file, "{name} {version}");
        }
    }
}

#[test]
fn every_product_has_a_default_set_and_an_image_for_each_feature_of_it() {
    let catalogue = catalogue();
    for product in catalogue.products() {
        assert!(!product.releases.is_empty(), "{}", product.name);
        // Calico's test-signer is in metadata.yaml alone, which no data file was made of.
        let features = product.features.iter().filter(|f| f.name != "test-signer");
        for feature in features {
            let mut rows = product.releases.iter().flat_map(|r| &r.images);
            let used = rows.any(|row| row.features.contains(&feature.name));
            assert!(used, "{}: {}", product.name, feature.name);
        }
        for release in &product.releases {
            let images = release.select(product, &Selection::default()).unwrap();
            assert!(!images.images.is_empty(), "{}", release.version);
        }
    }
}

#[test]
fn an_unknown_product_is_refused_with_all_that_are_known() {
    let catalogue = catalogue();
    let error = catalogue.resolve(&"istoi@1.30.3".parse().unwrap());
    let error = error.unwrap_err().to_string();
    let names = [
        "calico",
        "kubeadm",
        "k3s",
        "rke2",
        "cert-manager",
        "argo-cd",
        "cilium",
        "istio",
    ];
    assert!(error.contains(&names.join(", ")), "{error}");
    for (spec, known) in [
        ("kubeadm@v1.36.9", "v1.36.5"),
        ("k3s@1.19", "v1.19.12-rc1+k3s2"),
        ("istio@2.0", "1.24.0 to 1.24.6"),
        ("cilium@v1.16.99", "v1.16.5"),
    ] {
        let error = catalogue.resolve(&spec.parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains(known), "{spec}: {error}");
    }
}

fn part(feature: Option<&str>, text: &str) -> Part {
    Part {
        source: "list".to_owned(),
        feature: feature.map(str::to_owned),
        import: image_list("list.txt", text.as_bytes()).unwrap(),
    }
}

/// The release that the data file made of `parts` gives.
fn made(product: &str, version: &str, parts: &[Part]) -> Release {
    let known = catalogue();
    let known = known.product(product).unwrap();
    let merged = gather(known, &version.parse().unwrap(), None, parts).unwrap();
    let text = data_file(known, &[merged]);
    let catalogue = catalogue().with_file("made.yaml", text.as_bytes()).unwrap();
    let made = release(&catalogue, &format!("{product}@{version}"));
    assert_eq!(made.origin, "made.yaml");
    made.clone()
}

#[test]
fn what_is_made_of_upstreams_lists_is_what_is_compiled_in() {
    let lists = |paths: &[(&'static str, &str)]| -> Option<Vec<Part>> {
        let mut parts = Vec::new();
        for (feature, path) in paths {
            let bytes = upstream(&format!("image-lists/{path}"))?;
            let feature = (!feature.is_empty()).then_some(*feature);
            parts.push(part(feature, &String::from_utf8(bytes).unwrap()));
        }
        Some(parts)
    };
    let rke2 = [
        ("core", "rke2/images-core.txt"),
        ("canal", "rke2/images-canal.txt"),
        ("calico", "rke2/images-calico.txt"),
        ("cilium", "rke2/images-cilium.txt"),
        ("flannel", "rke2/images-flannel.txt"),
        ("multus", "rke2/images-multus.txt"),
        ("ingress-nginx", "rke2/images-ingress-nginx.txt"),
        ("vsphere", "rke2/images-vsphere.txt"),
        ("harvester", "rke2/images-harvester.txt"),
    ];
    let all: [(&str, &str, &[_]); 3] = [
        ("kubeadm", "v1.36.5", &[("", "kubeadm/v1.36.5.txt")]),
        ("k3s", "v1.35.0+k3s1", &[("", "k3s/image-list.2025-12.txt")]),
        ("rke2", "v1.36.4+rke2r1", &rke2),
    ];
    for (product, version, paths) in all {
        let Some(parts) = lists(paths) else { return };
        let rows = |release: &Release| -> Vec<_> {
            let row = |row: &ImageRow| {
                (
                    row.reference.clone(),
                    row.features.clone(),
                    row.default_registry,
                )
            };
            release.images.iter().map(row).collect()
        };
        let made = made(product, version, &parts);
        let catalogue = catalogue();
        let compiled_in = release(&catalogue, &format!("{product}@{version}"));
        assert_eq!(rows(&made), rows(compiled_in), "{product}");
    }
}

#[test]
fn an_image_of_two_lists_belongs_to_both_features() {
    let parts = [
        part(
            Some("canal"),
            "docker.io/rancher/a:1\ndocker.io/rancher/b:1\n",
        ),
        part(
            Some("flannel"),
            "docker.io/rancher/b:1\ndocker.io/rancher/b:2\n",
        ),
    ];
    let made = made("rke2", "v9.0.0+rke2r1", &parts);
    let features: Vec<&[String]> = made.images.iter().map(|r| r.features.as_slice()).collect();
    assert_eq!(
        features,
        [&["canal"][..], &["canal", "flannel"], &["flannel"]]
    );
}

#[test]
fn a_digest_a_registry_and_a_tag_survive_the_data_file() {
    let digest = format!("sha256:{}", "ab".repeat(32));
    let list = [
        format!("quay.io/cilium/cilium:v9.0.0@{digest}"),
        "ghcr.io/spiffe/spire-agent:1.9.6".to_owned(),
        "docker.io/library/busybox:1.37.0".to_owned(),
    ];
    let made = made("cilium", "v9.0.0", &[part(None, &list.join("\n"))]);
    let references: BTreeSet<String> = made
        .images
        .iter()
        .map(|r| r.reference.to_string())
        .collect();
    assert_eq!(references, list.into());
    assert_eq!(made.registry, "quay.io");
    assert!(made.images[0].default_registry && !made.images[1].default_registry);
    assert_eq!(made.images[1].features, ["spire"]);
}

#[test]
fn a_registry_with_a_path_stands_before_all_names_and_is_not_repeated_in_them() {
    let known = catalogue();
    let known = known.product("istio").unwrap();
    let list = "r.corp/hub/pilot:9.0.0\nr.corp/hub/install-cni:9.0.0\n";
    let parts = [part(None, list)];
    let version = "9.0.0".parse().unwrap();
    let merged = gather(known, &version, Some("r.corp/hub"), &parts).unwrap();
    let text = data_file(known, &[merged]);
    assert!(text.contains("registry: r.corp/hub\n"), "{text}");
    assert!(text.contains("- {image: pilot}\n"), "{text}");
    let read = catalogue().with_file("made.yaml", text.as_bytes()).unwrap();
    let images = images(&read, "istio@9.0.0", &["cni"]);
    assert_eq!(references(&images).join("\n") + "\n", list);
}

#[test]
fn an_image_that_no_feature_is_known_for_is_an_error_that_names_it() {
    let known = catalogue();
    let known = known.product("cilium").unwrap();
    let parts = [part(None, "quay.io/cilium/newcomer:v9.0.0\n")];
    let error = gather(known, &"v9.0.0".parse().unwrap(), None, &parts).unwrap_err();
    assert!(matches!(error, MergeError::Unassigned { .. }));
    let text = error.to_string();
    assert!(
        text.contains("cilium/newcomer") && text.contains("assign"),
        "{text}"
    );
}

#[test]
fn a_file_of_the_users_adds_a_release_of_plain_references_and_a_whole_product() {
    let text = "product: k3s\nreleases:\n- version: v1.36.4+k3s1\n  images:\n  - docker.io/rancher/mirrored-pause:3.10.2\n";
    let added = catalogue().with_file("k3s.yaml", text.as_bytes()).unwrap();
    let newest = images(&added, "k3s@1.36", &[]);
    assert_eq!(
        references(&newest),
        ["docker.io/rancher/mirrored-pause:3.10.2"]
    );
    assert_eq!(newest.warnings, []);
    let text = "product: ninth\ntitle: Ninth\nfeatures:\n- {name: default, about: all of it, default: true}\nreleases:\n- version: 1.0.0\n  images: [ghcr.io/ninth/ninth:1.0.0]\n";
    let added = catalogue()
        .with_file("ninth.yaml", text.as_bytes())
        .unwrap();
    let only = images(&added, "ninth@1.0", &[]);
    assert_eq!(references(&only), ["ghcr.io/ninth/ninth:1.0.0"]);
}

#[test]
fn an_image_of_which_nothing_is_said_is_named_by_every_source() {
    let text = "product: rke2\nreleases:\n- version: v9.0.0+rke2r1\n  sources: [list, other]\n  images:\n  - {image: rancher/a, tag: v1, features: [core]}\n  - {image: rancher/b, tag: v1, features: [core], in: [other]}\n  - {image: rancher/c, tag: v1, features: [core], in: []}\n";
    let added = catalogue().with_file("rke2.yaml", text.as_bytes()).unwrap();
    let images = images(&added, "rke2@v9.0.0+rke2r1", &[]);
    let named: Vec<usize> = images.images.iter().map(|i| i.named_by.len()).collect();
    assert_eq!(named, [2, 1, 0]);
    let omitted: Vec<usize> = images.images.iter().map(|i| i.omitted_by.len()).collect();
    assert_eq!(omitted, [0, 1, 2]);
}

/// The table of `docs/products.md`, between its two marks.
fn table(catalogue: &Catalogue) -> String {
    let mut text =
        "| product | releases | default images | features |\n|---|---|---|---|\n".to_owned();
    for product in catalogue.products().iter().filter(|p| p.name != "calico") {
        let (first, last) = (
            product.releases.first().unwrap(),
            product.releases.last().unwrap(),
        );
        let images = last.select(product, &Selection::default()).unwrap().images;
        let features: Vec<String> = product
            .features
            .iter()
            .filter(|feature| feature.name != "default")
            .map(|feature| format!("`{}`", feature.name))
            .collect();
        writeln!(
            text,
            "| `{}` ({}) | {}: {} to {} | {} | {} |",
            product.name,
            product.title,
            product.releases.len(),
            first.version,
            last.version,
            images.len(),
            features.join(" ")
        )
        .unwrap();
    }
    text
}

#[test]
fn the_documented_table_is_what_the_data_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/products.md");
    let text = fs::read_to_string(&path).unwrap();
    let (_, rest) = text.split_once("<!-- coverage -->\n").unwrap();
    let (documented, _) = rest.split_once("<!-- end of coverage -->").unwrap();
    let path = path.display();
    assert_eq!(documented, table(&catalogue()), "put this into {path}");
}

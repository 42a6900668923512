//! The other products' image sets against the lists and values that upstream publishes.

use std::collections::BTreeSet;

use sealift_oci::{Naming, NamingRule};
use sealift_products::import::{Import, cert_manager_values, image_list, istio_values};
use sealift_products::{Catalogue, ProductImage, RegistryChoice, Selection, Warning};

use crate::shared::{catalogue, images, references, upstream};

/// Releases without anything to choose, and the list that each of them is.
const LISTS: &[(&str, &str, usize)] = &[
    ("kubeadm@v1.26.0", "kubeadm/v1.26.0.txt", 7),
    ("kubeadm@v1.28.5", "kubeadm/v1.28.5.txt", 7),
    ("kubeadm@v1.36.5", "kubeadm/v1.36.5.txt", 7),
    ("k3s@v1.19.12-rc1+k3s2", "k3s/image-list.2021.txt", 8),
    ("k3s@v1.19.13-rc1+k3s1", "k3s/image-list.2021.txt", 8),
    ("k3s@v1.32.11+k3s1", "k3s/image-list.2025-12.txt", 8),
    ("k3s@v1.33.7+k3s1", "k3s/image-list.2025-12.txt", 8),
    ("k3s@v1.35.0+k3s1", "k3s/image-list.2025-12.txt", 8),
    ("cert-manager@v1.21.1", "cert-manager/v1.21.1/images.txt", 5),
    ("argo-cd@v2.13.9", "argo-cd/v2.13.9/images.txt", 3),
];

/// RKE2's sets of v1.36.4+rke2r1.
const RKE2: &[(&str, usize)] = &[
    ("core", 15),
    ("canal", 2),
    ("calico", 16),
    ("cilium", 11),
    ("flannel", 2),
    ("multus", 6),
    ("ingress-nginx", 2),
    ("vsphere", 9),
    ("harvester", 8),
];

fn list(path: &str) -> Option<Import> {
    let path = format!("image-lists/{path}");
    let import = image_list(&path, &upstream(&path)?).unwrap();
    assert_eq!(import.refused, [], "{path}");
    Some(import)
}

fn set(import: &Import) -> BTreeSet<String> {
    import.images.iter().map(ToString::to_string).collect()
}

/// The set of a release with these features and no others.
fn only(catalogue: &Catalogue, spec: &str, features: &[&str]) -> BTreeSet<String> {
    let resolved = catalogue.resolve(&spec.parse().unwrap()).unwrap();
    let chosen = |name: &str| features.contains(&name);
    let defaults = resolved.product.features.iter().filter(|f| f.default);
    let selection = Selection {
        with: features.iter().map(|name| (*name).to_owned()).collect(),
        without: defaults
            .filter(|feature| !chosen(&feature.name))
            .map(|feature| feature.name.clone())
            .collect(),
        registry: RegistryChoice::Release,
    };
    let release = resolved.release;
    let images = release.select(resolved.product, &selection).unwrap();
    references(&images).into_iter().collect()
}

fn default_set(catalogue: &Catalogue, spec: &str) -> BTreeSet<String> {
    references(&images(catalogue, spec, &[]))
        .into_iter()
        .collect()
}

#[test]
fn the_set_is_the_published_list() {
    let catalogue = catalogue();
    for (spec, path, count) in LISTS {
        let Some(published) = list(path) else { return };
        assert_eq!(published.images.len(), *count, "{path}");
        assert_eq!(default_set(&catalogue, spec), set(&published), "{spec}");
        assert_eq!(images(&catalogue, spec, &[]).warnings, [], "{spec}");
    }
}

#[test]
fn each_feature_of_rke2_is_the_published_list_of_that_name() {
    let (catalogue, spec) = (catalogue(), "rke2@v1.36.4+rke2r1");
    let mut all = BTreeSet::new();
    for (feature, count) in RKE2 {
        let Some(published) = list(&format!("rke2/images-{feature}.txt")) else {
            return;
        };
        assert_eq!(published.images.len(), *count, "{feature}");
        let ours = only(&catalogue, spec, &[feature]);
        assert_eq!(ours, set(&published), "{feature}");
        all.extend(ours);
    }
    let default = default_set(&catalogue, spec);
    assert_eq!(default, only(&catalogue, spec, &["core", "canal"]));
    let everything: Vec<&str> = RKE2.iter().map(|(feature, _)| *feature).collect();
    assert_eq!(only(&catalogue, spec, &everything), all);
}

#[test]
fn where_the_release_branch_of_rke2_differs_from_the_published_list_a_warning_says_so() {
    let catalogue = catalogue();
    let warnings = images(&catalogue, "rke2@v1.36.4+rke2r1", &[]).warnings;
    let [Warning::Differs { image, other, .. }] = warnings.as_slice() else {
        panic!("{warnings:?}");
    };
    assert_eq!(image.repository(), "rancher/rke2-cloud-provider");
    assert_ne!(image.tag(), other.tag());
    for known in ["v1.33.13+rke2r2", "v1.34.10+rke2r1", "v1.35.7+rke2r1"] {
        let images = images(&catalogue, &format!("rke2@{known}"), &[]);
        assert_eq!(images.warnings, [], "{known}");
        let runtime = format!("docker.io/rancher/rke2-runtime:{}", known.replace('+', "-"));
        assert!(references(&images).contains(&runtime), "{known}");
    }
}

#[test]
fn flat_below_an_image_repository_is_where_kubeadm_looks() {
    let catalogue = catalogue();
    let naming = catalogue.product("kubeadm").unwrap().naming.clone();
    let rule = naming.unwrap().rule;
    assert_eq!(rule, NamingRule::Flat);
    let Some(custom) = list("kubeadm/v1.26.0.custom-imageRepository.txt") else {
        return;
    };
    let place = |rule| -> BTreeSet<String> {
        let destination = "my.customrepository.io/subpath".parse().unwrap();
        let images = images(&catalogue, "kubeadm@v1.26.0", &[]).images;
        images
            .iter()
            .map(|image| Naming::new(rule).reference_at(&image.reference, &destination))
            .map(|placed| placed.unwrap().to_string())
            .collect()
    };
    assert_eq!(place(rule), set(&custom));
    assert_ne!(place(NamingRule::Keep), set(&custom));
}

#[test]
fn cert_managers_set_is_what_its_charts_values_compose() {
    let catalogue = catalogue();
    for (version, startup) in [("v1.12.3", "ctl"), ("v1.21.1", "startupapicheck")] {
        let path = format!("image-lists/cert-manager/{version}/values.yaml");
        let Some(bytes) = upstream(&path) else { return };
        let composed = cert_manager_values(&path, &bytes, version).unwrap();
        let ours = default_set(&catalogue, &format!("cert-manager@{version}"));
        assert_eq!(ours, set(&composed), "{version}");
        for name in ["acmesolver", startup] {
            let image = format!("quay.io/jetstack/cert-manager-{name}:{version}");
            assert!(ours.contains(&image), "{image}");
        }
    }
}

#[test]
fn istios_set_is_what_its_charts_values_compose() {
    let (catalogue, spec) = (catalogue(), "istio@1.30.3");
    let hub = "registry.istio.io/release";
    let mut composed = Vec::new();
    for chart in ["istio-control/istio-discovery", "istio-cni", "ztunnel"] {
        let path = format!("image-lists/istio/1.30.3/manifests/charts/{chart}/values.yaml");
        let Some(bytes) = upstream(&path) else { return };
        composed.push(set(&istio_values(&path, &bytes, hub, "1.30.3").unwrap()));
    }
    let istiod: BTreeSet<String> = ["pilot", "proxyv2"]
        .map(|name| format!("{hub}/{name}:1.30.3"))
        .into();
    assert_eq!(composed[0], istiod);
    assert_eq!(default_set(&catalogue, spec), istiod);
    assert_eq!(only(&catalogue, spec, &["cni"]), composed[1]);
    let ambient: BTreeSet<String> = composed[1].union(&composed[2]).cloned().collect();
    assert_eq!(only(&catalogue, spec, &["ambient"]), ambient);
    let all: BTreeSet<String> = composed.into_iter().flatten().collect();
    assert_eq!(only(&catalogue, spec, &["default", "ambient"]), all);
}

#[test]
fn istios_images_are_below_another_hub_where_one_is_chosen() {
    let catalogue = catalogue();
    for (spec, hub) in [
        ("istio@1.24.0", "docker.io/istio"),
        ("istio@1.29.6", "docker.io/istio"),
        ("istio@1.30.0", "registry.istio.io/release"),
    ] {
        let tag = spec.split('@').nth(1).unwrap();
        let named = |hub: &str| -> BTreeSet<String> {
            ["pilot", "proxyv2"]
                .map(|name| format!("{hub}/{name}:{tag}"))
                .into()
        };
        assert_eq!(default_set(&catalogue, spec), named(hub), "{spec}");
        let resolved = catalogue.resolve(&spec.parse().unwrap()).unwrap();
        let select = |registry: RegistryChoice| {
            let selection = Selection {
                registry,
                ..Selection::default()
            };
            let images = resolved.release.select(resolved.product, &selection);
            images.unwrap()
        };
        let other = "gcr.io/istio-release";
        let published = select(RegistryChoice::Published(other.parse().unwrap()));
        let ours: BTreeSet<String> = references(&published).into_iter().collect();
        assert_eq!(ours, named(other), "{spec}");
        // A mirror has them under the whole of their names, and they are carried under those.
        let path = hub.split_once('/').unwrap().1;
        let mirrored = select(RegistryChoice::Mirror("r.corp/m".parse().unwrap()));
        let pulled = mirrored.images.iter().map(ProductImage::pulled_from);
        let pulled: BTreeSet<String> = pulled.map(ToString::to_string).collect();
        assert_eq!(pulled, named(&format!("r.corp/m/{path}")), "{spec}");
        let carried: BTreeSet<String> = references(&mirrored).into_iter().collect();
        assert_eq!(carried, named(hub), "{spec}");
    }
}

#[test]
fn a_release_whose_chart_is_broken_says_what_to_take_instead() {
    let spec = "cert-manager@v1.14.0".parse().unwrap();
    let error = catalogue().resolve(&spec).unwrap_err().to_string();
    assert!(
        error.contains("cainjector") && error.contains("v1.14.1"),
        "{error}"
    );
}

#[test]
fn argo_cds_redis_is_another_image_where_it_is_highly_available() {
    let catalogue = catalogue();
    let spec = "argo-cd@v2.13.9";
    let default = default_set(&catalogue, spec);
    let ha = only(&catalogue, spec, &["ha"]);
    assert_eq!((default.len(), ha.len()), (3, 4));
    let both: Vec<&String> = default.intersection(&ha).collect();
    assert_eq!(
        both,
        [
            "ghcr.io/dexidp/dex:v2.41.1",
            "quay.io/argoproj/argocd:v2.13.9"
        ]
    );
    assert!(ha.contains("public.ecr.aws/docker/library/redis:7.0.15-alpine"));
}

#[test]
fn a_default_cilium_is_agent_envoy_and_operator_by_tag_and_digest() {
    let catalogue = catalogue();
    let product = catalogue.product("cilium").unwrap();
    assert!(product.releases.len() >= 59);
    for release in &product.releases {
        let version = release.version.as_str();
        let images = release.select(product, &Selection::default()).unwrap();
        let mut names = Vec::new();
        for image in &images.images {
            let reference = &image.reference;
            assert!(reference.digest().is_some(), "{reference}");
            assert_eq!(reference.registry(), "quay.io");
            let ours = !reference.repository().ends_with("-envoy");
            assert_eq!(reference.tag() == Some(version), ours, "{reference}");
            names.push(reference.repository());
        }
        names.sort_unstable();
        let expected = [
            "cilium/cilium",
            "cilium/cilium-envoy",
            "cilium/operator-generic",
        ];
        assert_eq!(names, expected, "{version}");
    }
}

/// RKE2 mirrors Cilium under its own names and says the tags itself.
#[test]
fn ciliums_tags_are_those_that_rke2_mirrors() {
    let Some(mirrored) = list("rke2/images-cilium.txt") else {
        return;
    };
    let catalogue = catalogue();
    let features = [
        "default",
        "hubble",
        "certgen",
        "clustermesh",
        "aws",
        "azure",
    ];
    let ours: BTreeSet<String> = only(&catalogue, "cilium@v1.19.6", &features)
        .iter()
        .map(|reference| reference.split('@').next().unwrap().to_owned())
        .collect();
    let theirs: BTreeSet<String> = set(&mirrored)
        .iter()
        .filter_map(|reference| reference.strip_prefix("docker.io/rancher/mirrored-cilium-"))
        .map(|rest| format!("quay.io/cilium/{rest}"))
        .collect();
    assert_eq!(theirs.len(), 10);
    assert_eq!(ours, theirs);
}

#[test]
fn ciliums_third_party_images_have_the_digests_that_upstream_pinned() {
    let Some(pinned) = list("cilium/third-party-pinned.txt") else {
        return;
    };
    let catalogue = catalogue();
    let features = ["default", "hubble", "certgen", "nodeinit", "spire"];
    let ours = only(&catalogue, "cilium@v1.16.5", &features);
    let pinned = set(&pinned);
    let others: Vec<&String> = pinned.difference(&ours).collect();
    // The list was made when Envoy was a build older.
    let [envoy] = others.as_slice() else {
        panic!("{others:?}");
    };
    assert!(envoy.starts_with("quay.io/cilium/cilium-envoy:v1.30.7-"));
    assert_eq!(pinned.intersection(&ours).count(), 7);
}

//! Calico's image sets against what operators print, manifests name and the documentation shows.

use std::collections::BTreeSet;

use sealift_products::import::{
    calico_versions, image_list, print_images, release_metadata, releases_json,
    tigera_operator_values, versions_yml,
};
use sealift_products::{RegistryChoice, Selection, Source, Warning};

use crate::shared::{catalogue, images, references, release, upstream};

/// Release, operator, and how many open source images the operator prints, `-fips` ones not counted.
const LISTS: &[(&str, &str, usize)] = &[
    ("v3.20.0", "v1.20.0", 8),
    ("v3.25.0", "v1.29.0", 11),
    ("v3.28.5", "v1.34.13", 12),
    ("v3.29.7", "v1.36.16", 12),
    ("v3.30.7", "v1.38.13", 19),
    ("v3.32.1", "v1.42.3", 24),
];

#[test]
fn another_registry_gives_the_images_and_not_the_operator() {
    let catalogue = catalogue();
    let release = release(&catalogue, "calico@v3.32.1");
    let selection = Selection {
        registry: RegistryChoice::Published("docker.io".parse().unwrap()),
        ..Selection::default()
    };
    let product = catalogue.product("calico").unwrap();
    let chosen = release.select(product, &selection).unwrap();
    for image in chosen.images {
        let operator = image.reference.repository() == "tigera/operator";
        let registry = if operator { "quay.io" } else { "docker.io" };
        assert_eq!(image.reference.registry(), registry, "{}", image.reference);
    }
}

#[test]
fn the_set_is_what_the_operator_prints_and_nothing_of_it_is_missing() {
    let catalogue = catalogue();
    for (version, operator, count) in LISTS {
        let path = format!("calico/lists/{version}/operator-{operator}.print-images-list.txt");
        let Some(bytes) = upstream(&path) else { return };
        let printed = print_images(&path, &bytes).unwrap();
        assert!(printed.enterprise > 30, "{version}: {}", printed.enterprise);
        assert_eq!(printed.import.operator, Some(operator.parse().unwrap()));
        let release = release(&catalogue, &format!("calico@{version}"));
        let operators = |row: &&sealift_products::ImageRow| {
            row.named_by.contains(&Source(Source::OPERATOR.to_owned()))
        };
        let ours: BTreeSet<String> = release
            .images
            .iter()
            .filter(operators)
            .map(|row| row.reference.to_string())
            .collect();
        let theirs: BTreeSet<String> = printed
            .import
            .images
            .iter()
            .map(ToString::to_string)
            .collect();
        // The registry that some operators name for one FIPS image is upstream's internal one.
        assert_eq!(
            ours.difference(&theirs)
                .filter(|r| !r.ends_with("-fips"))
                .count(),
            0,
            "{version}"
        );
        let missing: Vec<_> = theirs.difference(&ours).collect();
        assert_eq!(missing, Vec::<&String>::new(), "{version}");
        assert_eq!(
            theirs.iter().filter(|r| !r.ends_with("-fips")).count(),
            *count,
            "{version}"
        );
    }
}

#[test]
fn every_image_of_every_manifest_is_in_the_set_or_refused_with_a_reason() {
    let catalogue = catalogue();
    for version in ["v3.25.0", "v3.28.5", "v3.29.7", "v3.30.7", "v3.32.1"] {
        let Some(bytes) = upstream(&format!("calico/lists/{version}/manifest-images.tsv")) else {
            return;
        };
        let release = release(&catalogue, &format!("calico@{version}"));
        let mut checked = 0;
        for line in String::from_utf8(bytes).unwrap().lines() {
            let (file, text) = line.split_once('\t').unwrap();
            let refused = release
                .refused
                .iter()
                .any(|refused| refused.reference.ends_with(text));
            let known = text
                .parse::<sealift_oci::Reference>()
                .is_ok_and(|reference| {
                    release.images.iter().any(|row| {
                        row.reference == reference
                            || row.differs.values().any(|other| *other == reference)
                    })
                });
            assert!(known || refused, "{version} {file}: {text}");
            checked += 1;
        }
        assert!(checked >= 15, "{version}: {checked}");
    }
}

#[test]
fn the_default_set_is_what_a_default_install_pulls() {
    let catalogue = catalogue();
    let names = |spec: &str| -> BTreeSet<String> {
        let images = images(&catalogue, spec, &[]);
        images
            .images
            .iter()
            .map(|image| {
                image
                    .reference
                    .repository()
                    .replace("calico/", "")
                    .replace("tigera/", "")
            })
            .collect()
    };
    let set = |text: &str| -> BTreeSet<String> { text.split(' ').map(str::to_owned).collect() };
    // As clusters reported them.
    assert_eq!(
        names("calico@v3.29.3"),
        set(
            "apiserver cni csi kube-controllers node-driver-registrar node pod2daemon-flexvol typha operator"
        )
    );
    let twelve = set(
        "apiserver cni csi kube-controllers node-driver-registrar node pod2daemon-flexvol typha operator goldmane whisker whisker-backend",
    );
    assert_eq!(names("calico@v3.30.3"), twelve);
    assert_eq!(names("calico@v3.32.0"), twelve);
    assert_eq!(
        names("calico@v3.20.0"),
        set("apiserver cni kube-controllers node pod2daemon-flexvol typha operator")
    );
}

#[test]
fn each_feature_adds_its_images_and_no_others() {
    let catalogue = catalogue();
    let base = references(&images(&catalogue, "calico@v3.32.1", &[]));
    let added = |feature: &str| -> Vec<String> {
        let all = references(&images(&catalogue, "calico@v3.32.1", &[feature]));
        all.into_iter()
            .filter(|reference| !base.contains(reference))
            .collect()
    };
    let quay = |names: &[&str]| -> Vec<String> {
        names
            .iter()
            .map(|name| format!("quay.io/calico/{name}:v3.32.1"))
            .collect()
    };
    assert_eq!(added("windows"), quay(&["cni-windows", "node-windows"]));
    assert_eq!(
        added("gateway-api"),
        quay(&["envoy-gateway", "envoy-proxy", "envoy-ratelimit"])
    );
    assert_eq!(
        added("istio"),
        quay(&[
            "istio-install-cni",
            "istio-pilot",
            "istio-proxyv2",
            "istio-ztunnel"
        ])
    );
    assert_eq!(added("application-layer"), quay(&["dikastes"]));
    assert_eq!(added("openshift"), quay(&["ctl"]));
    assert_eq!(added("ctl"), quay(&["ctl"]));
    assert_eq!(
        added("certificate-management"),
        quay(&["key-cert-provisioner"])
    );
    assert_eq!(added("fips").len(), 7);
    assert_eq!(added("canal"), ["docker.io/flannel/flannel:v0.24.4"]);
}

#[test]
fn what_a_default_install_pulls_and_the_documentation_omits_is_a_warning() {
    let catalogue = catalogue();
    let omitted = |spec: &str| -> Vec<String> {
        let warnings = images(&catalogue, spec, &[]).warnings;
        let names = warnings.iter().filter_map(|warning| match warning {
            Warning::Omitted { image, sources } => {
                Some(format!("{} {sources}", image.repository()))
            }
            _ => None,
        });
        names.collect()
    };
    let three = [
        "calico/csi documentation",
        "calico/node-driver-registrar documentation",
        "calico/typha documentation",
    ];
    for spec in ["calico@v3.30.7", "calico@v3.31.7", "calico@v3.32.1"] {
        assert_eq!(omitted(spec), three, "{spec}");
    }
    assert_eq!(
        omitted("calico@v3.24.5"),
        ["calico/node-driver-registrar documentation"]
    );
    assert_eq!(omitted("calico@v3.25.0"), Vec::<String>::new());
}

#[test]
fn the_documentation_page_is_read_as_it_shows_itself() {
    let catalogue = catalogue();
    for version in ["v3.25.0", "v3.29.7", "v3.30.7", "v3.32.1"] {
        let Some(bytes) = upstream(&format!("calico/lists/{version}/docs-page.images.txt")) else {
            return;
        };
        let shown = image_list("docs-page", &bytes).unwrap().images;
        let release = release(&catalogue, &format!("calico@{version}"));
        let named = |row: &&sealift_products::ImageRow| {
            row.named_by
                .iter()
                .any(|source| source.as_str() == "documentation")
        };
        let ours: BTreeSet<&str> = release
            .images
            .iter()
            .filter(named)
            .map(|row| row.reference.repository())
            .collect();
        let theirs: BTreeSet<&str> = shown
            .iter()
            .map(sealift_oci::Reference::repository)
            .collect();
        assert_eq!(ours, theirs, "{version}");
    }
}

#[test]
fn the_operator_wins_where_manifests_name_another_registry_and_it_is_said() {
    let catalogue = catalogue();
    for (spec, registry) in [
        ("calico@v3.30.3", "docker.io"),
        ("calico@v3.30.4", "quay.io"),
        ("calico@v3.30.7", "quay.io"),
        ("calico@v3.31.0", "quay.io"),
    ] {
        let set = images(&catalogue, spec, &[]);
        let node = set
            .images
            .iter()
            .find(|image| image.reference.repository() == "calico/node")
            .unwrap();
        assert_eq!(node.reference.registry(), registry, "{spec}");
        let other = set.warnings.iter().find_map(|warning| match warning {
            Warning::OtherRegistry {
                origin,
                registry,
                images,
                ..
            } if origin.as_str() == "manifests" => Some((registry.clone(), images.clone())),
            _ => None,
        });
        let disagrees = spec.starts_with("calico@v3.30.") && registry == "quay.io";
        assert_eq!(other.is_some(), disagrees, "{spec}");
        if let Some((registry, images)) = other {
            assert_eq!(registry, "docker.io");
            assert!(
                images.contains("calico/node") && images.contains("calico/typha"),
                "{images}"
            );
        }
    }
}

#[test]
fn an_operator_that_was_built_for_another_release_is_said() {
    let catalogue = catalogue();
    let set = images(&catalogue, "calico@v3.26.2", &[]);
    assert!(
        set.warnings
            .iter()
            .any(|warning| warning.to_string().contains("built for v3.26.1"))
    );
    assert!(references(&set).contains(&"docker.io/calico/node:v3.26.1".to_owned()));
    // Who applies calico.yaml without the operator needs the manifests' own.
    let with = references(&images(&catalogue, "calico@v3.26.2", &["manifests"]));
    assert!(with.contains(&"docker.io/calico/node:v3.26.2".to_owned()));
}

#[test]
fn a_series_means_its_newest_known_release() {
    let catalogue = catalogue();
    let resolved = catalogue.resolve(&"calico@3.30".parse().unwrap()).unwrap();
    assert!(resolved.newest_of_series);
    assert_eq!(resolved.release.version.as_str(), "v3.30.7");
    let exact = catalogue
        .resolve(&"calico@3.30.2".parse().unwrap())
        .unwrap();
    assert!(!exact.newest_of_series);
    assert_eq!(exact.release.version.as_str(), "v3.30.2");
}

#[test]
fn another_registry_applies_to_images_of_the_default_one_and_a_mirror_to_all() {
    let catalogue = catalogue();
    let resolved = catalogue
        .resolve(&"calico@v3.29.7".parse().unwrap())
        .unwrap();
    let with = |registry| {
        let selection = Selection {
            registry,
            ..Selection::default()
        };
        resolved
            .release
            .select(resolved.product, &selection)
            .unwrap()
    };
    let published = references(&with(RegistryChoice::Published("quay.io".parse().unwrap())));
    assert!(published.contains(&"quay.io/calico/node:v3.29.7".to_owned()));
    assert!(published.contains(&"quay.io/tigera/operator:v1.36.16".to_owned()));
    let mirrored = with(RegistryChoice::Mirror("mirror.corp/hub".parse().unwrap()));
    for image in &mirrored.images {
        assert_eq!(image.reference, image.published);
        let pulled = image.pulled_from().to_string();
        let own = image.reference.to_string();
        let (_, below) = own.split_once('/').unwrap();
        assert_eq!(pulled, format!("mirror.corp/hub/{below}"));
    }
    assert_eq!(
        references(&mirrored),
        references(&with(RegistryChoice::Release))
    );
}

#[test]
fn enterprise_images_are_never_asked_for() {
    let catalogue = catalogue();
    let product = catalogue.product("calico").unwrap();
    for release in &product.releases {
        for row in &release.images {
            let repository = row.reference.repository();
            let open = !repository.starts_with("tigera/")
                || ["tigera/operator", "tigera/key-cert-provisioner"].contains(&repository);
            assert!(open, "{}: {}", release.version, row.reference);
            assert!(
                !row.reference.to_string().contains("unique-caldron"),
                "{}",
                row.reference
            );
        }
    }
}

#[test]
fn published_files_of_every_kind_are_read() {
    let Some(bytes) = upstream("calico/docs-versions/v3.25.0/versions.yml") else {
        return;
    };
    let releases = versions_yml("versions.yml", &bytes, None).unwrap();
    assert_eq!(releases[0].version, Some("v3.25.0".parse().unwrap()));
    assert_eq!(releases[0].operator, Some("v1.29.0".parse().unwrap()));
    assert_eq!(releases[0].images.len(), 13);
    let Some(bytes) = upstream("calico/releases/3.30/releases.json") else {
        return;
    };
    let releases = releases_json("releases.json", &bytes, None).unwrap();
    assert_eq!(releases.len(), 8);
    assert!(
        releases[0]
            .images
            .iter()
            .any(|image| image.to_string() == "quay.io/calico/typha:v3.30.7")
    );
    let Some(bytes) = upstream("calico/operator-versions/v1.42.3/calico_versions.yml") else {
        return;
    };
    let import = calico_versions("calico_versions.yml", &bytes, "quay.io").unwrap();
    assert_eq!((import.images.len(), import.unknown.len()), (23, 0));
    for (version, count) in [("v3.28.5", 14), ("v3.29.7", 15)] {
        let Some(bytes) = upstream(&format!(
            "calico/lists/{version}/release-metadata.reconstructed.yaml"
        )) else {
            return;
        };
        let import = release_metadata("metadata.yaml", &bytes).unwrap();
        assert_eq!(import.version, Some(version.parse().unwrap()));
        assert_eq!(import.images.len(), count, "{version}");
    }
    let Some(bytes) = upstream("calico/charts/v3.32.1/values.yaml") else {
        return;
    };
    let import = tigera_operator_values("values.yaml", &bytes).unwrap();
    let texts: Vec<String> = import.images.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "quay.io/tigera/operator:v1.42.3",
            "quay.io/calico/ctl:v3.32.1"
        ]
    );
}

#[test]
fn an_image_that_every_image_set_needs_and_nobody_chose_is_said() {
    let catalogue = catalogue();
    let needs = |spec: &str, with: &[&str]| -> Vec<String> {
        let warnings = images(&catalogue, spec, with).warnings;
        let needs = warnings
            .iter()
            .filter(|warning| matches!(warning, Warning::ImageSetNeeds { .. }));
        needs.map(ToString::to_string).collect()
    };
    let said = needs("calico@v3.25.0", &[]);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains("docker.io/calico/windows-upgrade:v3.25.0"),
        "{said:?}"
    );
    assert!(said[0].contains("\"windows\""), "{said:?}");
    assert_eq!(needs("calico@v3.25.0", &["windows"]), Vec::<String>::new());
    assert_eq!(needs("calico@v3.32.1", &[]), Vec::<String>::new());
}

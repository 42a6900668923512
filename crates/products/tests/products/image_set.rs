//! The `ImageSet`: what is in it, when it is refused, and what is said of it.

use sealift_products::calico::{Install, InstallationKind, image_set_names};

use crate::case::{Case, made, value};
use crate::shared::{catalogue, release};

#[test]
fn the_image_set_has_the_names_that_its_operator_accepts() {
    let catalogue = catalogue();
    let names = |spec: &str| {
        image_set_names(release(&catalogue, spec))
            .unwrap()
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    for (spec, own) in [
        ("calico@v3.20.0", true),
        ("calico@v3.28.5", true),
        ("calico@v3.29.0", false),
        ("calico@v3.32.1", false),
    ] {
        assert_eq!(
            names(spec).contains(&"tigera/operator".to_owned()),
            own,
            "{spec}"
        );
    }
    for (spec, name) in [
        ("calico@v3.25.0", "tigera/key-cert-provisioner"),
        ("calico@v3.28.0", "calico/key-cert-provisioner"),
    ] {
        let found: Vec<String> = names(spec)
            .into_iter()
            .filter(|name| name.ends_with("key-cert-provisioner"))
            .collect();
        assert_eq!(found, [name], "{spec}");
    }
    let set = value(&made(&Case::default()).unwrap(), "imageset.yaml");
    assert_eq!(set["metadata"]["name"], "calico-v3.32.1");
    let listed: Vec<&str> = set["spec"]["images"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["image"].as_str().unwrap())
        .collect();
    assert_eq!(listed.len(), 11, "{listed:?}");
    for name in [
        "calico/csi",
        "calico/node-driver-registrar",
        "calico/typha",
        "calico/goldmane",
        "calico/whisker",
        "calico/whisker-backend",
    ] {
        assert!(listed.contains(&name), "{name}");
    }
}

#[test]
fn an_operator_built_for_another_release_gets_a_set_of_that_name() {
    let case = Case {
        spec: "calico@v3.26.2",
        features: &["windows"],
        ..Case::default()
    };
    assert_eq!(
        value(&made(&case).unwrap(), "imageset.yaml")["metadata"]["name"],
        "calico-v3.26.1"
    );
}

#[test]
fn an_image_set_that_the_operator_would_refuse_is_not_written() {
    let error = made(&Case {
        spec: "calico@v3.25.0",
        ..Case::default()
    })
    .unwrap_err();
    assert!(
        error.to_string().contains("calico/windows-upgrade"),
        "{error}"
    );
    assert!(
        error.to_string().contains("with or without Windows nodes"),
        "{error}"
    );
    assert!(
        made(&Case {
            spec: "calico@v3.25.0",
            digests: false,
            ..Case::default()
        })
        .is_ok()
    );
    assert!(
        made(&Case {
            spec: "calico@v3.25.0",
            features: &["windows"],
            ..Case::default()
        })
        .is_ok()
    );
}

#[test]
fn an_older_set_that_would_block_is_warned_of() {
    let warnings = made(&Case::default()).unwrap().warnings.join("\n");
    assert!(
        warnings.contains("named exactly calico-v3.32.1"),
        "{warnings}"
    );
    assert!(warnings.contains("calico/istio-pilot"), "{warnings}");
}

#[test]
fn what_an_image_set_does_on_openshift_is_said_there_alone() {
    let warned = |spec, install| {
        let made = made(&Case {
            spec,
            install,
            ..Case::default()
        });
        let warnings = made.unwrap().warnings.join("\n");
        warnings.contains("OpenShift on AWS")
    };
    let fresh = InstallationKind::Fresh;
    assert!(warned("calico@v3.32.1", Install::OpenShift(fresh)));
    assert!(!warned("calico@v3.28.5", Install::OpenShift(fresh)));
    assert!(!warned("calico@v3.32.1", Install::Operator(fresh)));
}

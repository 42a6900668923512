//! The files to apply: their content, and that Kubernetes accepts them.

use sealift_oci::NamingRule;
use sealift_products::calico::{Install, InstallationKind, PullSecret};

use crate::case::{Case, from_file, made, text, value};
use crate::schema::{faults, schema};

#[test]
fn the_installation_says_where_the_images_are() {
    let made = made(&Case {
        secret: PullSecret::Named("pull".to_owned()),
        ..Case::default()
    })
    .unwrap();
    assert_eq!(
        text(&made, "installation.yaml"),
        "apiVersion: operator.tigera.io/v1\nkind: Installation\nmetadata:\n  name: default\nspec:\n  variant: Calico\n  registry: registry.corp:5000/mirror/\n  imagePullSecrets:\n  - name: pull\n"
            .replace("registry.corp:5000/mirror/", "\"registry.corp:5000/mirror/\"")
    );
}

#[test]
fn a_patch_clears_what_an_older_setting_may_have_left() {
    let install = Install::Operator(InstallationKind::Patch);
    let flat = made(&Case {
        rule: NamingRule::Flat,
        install,
        ..Case::default()
    })
    .unwrap();
    let patch = value(&flat, "installation-patch.yaml");
    assert_eq!(patch["spec"]["registry"], "registry.corp:5000/");
    assert_eq!(patch["spec"]["imagePath"], "mirror");
    assert_eq!(patch["spec"]["imagePrefix"], "");
    let keep = made(&Case {
        install,
        ..Case::default()
    })
    .unwrap();
    assert_eq!(
        value(&keep, "installation-patch.yaml")["spec"]["imagePath"],
        ""
    );
}

#[test]
fn the_resources_fit_the_definitions_of_their_release() {
    let manifests = [
        (
            "calico@v3.25.0",
            "calico/manifests/v3.25.0/tigera-operator.yaml",
            &["windows"][..],
        ),
        (
            "calico@v3.28.5",
            "calico/manifests/v3.28.5/tigera-operator.yaml",
            &[][..],
        ),
        (
            "calico@v3.32.1",
            "calico/manifests/v3.32.1/operator-crds.yaml",
            &["istio", "gateway-api"][..],
        ),
    ];
    for (spec, path, features) in manifests {
        let (Some(installation), Some(image_set)) =
            (schema(path, "Installation"), schema(path, "ImageSet"))
        else {
            return;
        };
        for rule in [NamingRule::Keep, NamingRule::Flat] {
            let case = |kind| Case {
                spec,
                features,
                rule,
                secret: PullSecret::Named("pull".to_owned()),
                install: Install::Operator(kind),
                ..Case::default()
            };
            let fresh = made(&case(InstallationKind::Fresh)).unwrap();
            assert_eq!(
                faults(&installation, &value(&fresh, "installation.yaml"), false),
                Vec::<String>::new(),
                "{spec}"
            );
            assert_eq!(
                faults(&image_set, &value(&fresh, "imageset.yaml"), false),
                Vec::<String>::new(),
                "{spec}"
            );
            let patch = made(&case(InstallationKind::Patch)).unwrap();
            assert_eq!(
                faults(
                    &installation,
                    &value(&patch, "installation-patch.yaml"),
                    true
                ),
                Vec::<String>::new(),
                "{spec}"
            );
        }
    }
}

#[test]
fn the_checklist_names_every_image_with_its_digest() {
    let made = made(&Case::default()).unwrap();
    let checklist = text(&made, "CHECKLIST.md");
    assert_eq!(checklist.matches("| [ ] |").count(), 12);
    assert!(checklist.contains("| quay.io/calico/typha:v3.32.1 | registry.corp:5000/mirror/calico/typha:v3.32.1 | the operator | sha256:"));
    assert!(checklist.contains("prints the bundle's identity `sha256:1234`"));
}

#[test]
fn the_same_request_gives_the_same_bytes() {
    let case = Case {
        secret: from_file(),
        ..Case::default()
    };
    assert_eq!(made(&case).unwrap(), made(&case).unwrap());
}

//! The release that a bundle's images belong to, and what of it is missing.

use sealift_oci::Reference;
use sealift_products::calico::{Install, InstallationKind, contents, release_of};

use crate::shared::{catalogue, images, references, release};

fn bundled(spec: &str, with: &[&str]) -> Vec<Reference> {
    let names = references(&images(&catalogue(), spec, with));
    names.iter().map(|name| name.parse().unwrap()).collect()
}

#[test]
fn a_release_is_known_by_its_operator_or_else_by_its_node() {
    let catalogue = catalogue();
    let calico = catalogue.product("calico").unwrap();
    let version = |images: &[Reference]| {
        release_of(calico, images).map(|release| release.version.as_str().to_owned())
    };
    let mut images = bundled("calico@v3.30.7", &["fips"]);
    assert_eq!(version(&images), Some("v3.30.7".to_owned()));
    images.reverse();
    assert_eq!(version(&images), Some("v3.30.7".to_owned()));
    images.retain(|image| image.repository() != "tigera/operator");
    assert_eq!(version(&images), Some("v3.30.7".to_owned()));
    images.retain(|image| image.repository() != "calico/node");
    assert_eq!(version(&images), None);
}

#[test]
fn each_way_to_install_needs_its_own_images() {
    let catalogue = catalogue();
    let product = catalogue.product("calico").unwrap();
    let fresh = InstallationKind::Fresh;
    let missing = |spec: &str, images: &[Reference], install| -> Vec<String> {
        let contents = contents(product, release(&catalogue, spec), images, install).unwrap();
        let missing = contents.missing.iter();
        missing.map(|image| image.repository().to_owned()).collect()
    };
    let spec = "calico@v3.32.1";
    let all = bundled(spec, &[]);
    assert_eq!(missing(spec, &all, Install::Operator(fresh)), [""; 0]);
    assert_eq!(
        missing(spec, &all, Install::OpenShift(fresh)),
        ["calico/ctl"]
    );
    let with = bundled(spec, &["openshift"]);
    assert_eq!(missing(spec, &with, Install::OpenShift(fresh)), [""; 0]);
    let few = &all[..2];
    assert_eq!(missing(spec, few, Install::Helm).len(), all.len() - 2);
    assert_eq!(missing(spec, few, Install::Manifests), [""; 0]);
}

#[test]
fn an_image_from_another_registry_is_the_same_image() {
    let catalogue = catalogue();
    let product = catalogue.product("calico").unwrap();
    let elsewhere: Vec<Reference> = bundled("calico@v3.32.1", &[])
        .iter()
        .map(|image| {
            image
                .to_string()
                .replacen("quay.io", "mirror.corp", 1)
                .parse()
                .unwrap()
        })
        .collect();
    let release = release(&catalogue, "calico@v3.32.1");
    let contents = contents(product, release, &elsewhere, Install::Helm).unwrap();
    assert_eq!(contents.missing, []);
    assert_eq!(contents.images[0].reference.registry(), "mirror.corp");
    assert_eq!(contents.images[0].published.registry(), "quay.io");
}

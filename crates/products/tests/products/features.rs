//! What each feature of a product adds, and names that are misspelled.

use sealift_products::{Release, Selection};

use crate::shared::catalogue;

fn added(release: &Release, product: &str, feature: &str) -> Vec<String> {
    let catalogue = catalogue();
    let features = release.features(catalogue.product(product).unwrap());
    let own = features.iter().find(|own| own.feature.name == feature);
    let images = own.unwrap().images.iter();
    images.map(|image| image.repository().to_owned()).collect()
}

#[test]
fn a_feature_adds_what_no_default_install_has() {
    let catalogue = catalogue();
    let calico = catalogue.product("calico").unwrap();
    let newest = calico.newest().unwrap();
    assert_eq!(newest.version.as_str(), "v3.32.1");
    assert_eq!(added(newest, "calico", "default").len(), 12);
    assert_eq!(added(newest, "calico", "openshift"), ["calico/ctl"]);
    assert_eq!(
        added(newest, "calico", "windows"),
        ["calico/cni-windows", "calico/node-windows"]
    );
}

#[test]
fn every_feature_adds_what_selecting_it_adds() {
    let catalogue = catalogue();
    for product in catalogue.products() {
        let release = product.newest().unwrap();
        let default = release.select(product, &Selection::default()).unwrap();
        for added in release.features(product) {
            if added.feature.default || added.images.is_empty() {
                continue;
            }
            let selection = Selection {
                with: [added.feature.name.clone()].into(),
                ..Selection::default()
            };
            let with = release.select(product, &selection).unwrap();
            assert_eq!(
                with.images.len() - default.images.len(),
                added.images.len(),
                "{} {}",
                product.name,
                added.feature.name
            );
        }
    }
}

#[test]
fn a_misspelled_product_or_feature_has_a_suggestion() {
    let catalogue = catalogue();
    let product = |text: &str| catalogue.resolve(&text.parse().unwrap()).unwrap_err();
    let error = product("calcio@3.32").to_string();
    assert!(error.contains("; did you mean \"calico\"?"), "{error}");
    let error = product("postgres@3.32").to_string();
    assert!(!error.contains("did you mean"), "{error}");
    let calico = catalogue.product("calico").unwrap();
    let selection = Selection {
        with: ["windws".to_owned()].into(),
        ..Selection::default()
    };
    let release = calico.newest().unwrap();
    let error = release.select(calico, &selection).unwrap_err().to_string();
    assert!(error.contains("; did you mean \"windows\"?"), "{error}");
    assert!(error.contains("known: default, windows, "), "{error}");
}

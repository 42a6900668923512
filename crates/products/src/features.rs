//! The features of a product and what each of them adds.

use std::collections::BTreeSet;

use sealift_oci::Reference;

use crate::data::{Feature, Product, Release};

/// A feature with the images that it adds in one release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureImages<'r> {
    /// The feature.
    pub feature: &'r Feature,
    /// The images of a default feature; for any other feature, those that no default feature has.
    pub images: Vec<&'r Reference>,
}

impl Release {
    /// The features of `product`, the release's own, each with the images that it adds in this release.
    pub fn features<'r>(&'r self, product: &'r Product) -> Vec<FeatureImages<'r>> {
        let default = product.features.iter().filter(|feature| feature.default);
        let default: BTreeSet<&str> = default.map(|feature| feature.name.as_str()).collect();
        let features = product.features.iter();
        features
            .map(|feature| FeatureImages {
                feature,
                images: self.added_by(feature, &default),
            })
            .collect()
    }

    fn added_by(&self, feature: &Feature, default: &BTreeSet<&str>) -> Vec<&Reference> {
        let in_default = |features: &[String]| {
            let mut features = features.iter();
            features.any(|own| default.contains(own.as_str()))
        };
        let rows = self.images.iter().filter(|row| {
            row.features.contains(&feature.name) && (feature.default || !in_default(&row.features))
        });
        rows.map(|row| &row.reference).collect()
    }
}

impl Product {
    /// The newest release that is not a pre-release, or else the newest of all.
    pub fn newest(&self) -> Option<&Release> {
        let mut releases = self.releases.iter().rev();
        let newest = releases.find(|release| !release.version.is_pre());
        newest.or(self.releases.last())
    }
}

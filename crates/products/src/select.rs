//! The images of a release under the user's choice of features and registries.

use std::collections::{BTreeMap, BTreeSet};

use sealift_oci::{Destination, Naming, NamingError, Reference};

use crate::data::{DEFAULT, Feature, ImageRow, Product, Refused, Release, Source};
use crate::suggest::{closest, did_you_mean};

/// What the user chose for one release.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Selection {
    /// Features in addition to the default ones.
    pub with: BTreeSet<String>,
    /// Default features that are excluded.
    pub without: BTreeSet<String>,
    /// Where the images are pulled from.
    pub registry: RegistryChoice,
}

/// Where the images are pulled from.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum RegistryChoice {
    /// The release's own registries.
    #[default]
    Release,
    /// Another public registry for the images of the release's default registry, such as `quay.io` for
    /// a Calico release on Docker Hub; images with a registry of their own keep it, and so does the operator.
    Published(Destination),
    /// A mirror that serves all of them below its path. They are pulled from there and keep the names that
    /// the release gives them.
    Mirror(Destination),
}

/// The images of a release under one selection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductImages {
    /// The selected images, in the order of the data.
    pub images: Vec<ProductImage>,
    /// The others, with the features that would select them.
    pub left_out: Vec<ProductImage>,
    /// References in upstream's files that nobody should pull.
    pub refused: Vec<Refused>,
    /// Differences between the sources that matter for the selected images.
    pub warnings: Vec<Warning>,
}

/// An image and the sources that name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductImage {
    /// The name under which it is bundled.
    pub reference: Reference,
    /// The image as the release itself names it; the same unless another public registry was selected.
    pub published: Reference,
    /// Its name at the mirror, if it is pulled from one.
    pub mirror: Option<Reference>,
    /// The same image in other registries that some of upstream's sources pull it from.
    pub elsewhere: Vec<Reference>,
    /// The features that need it.
    pub features: Vec<String>,
    /// The sources that name it.
    pub named_by: Vec<Source>,
    /// The sources that were read and omit it.
    pub omitted_by: Vec<Source>,
}

impl ProductImage {
    /// The reference that it is pulled from.
    pub fn pulled_from(&self) -> &Reference {
        self.mirror.as_ref().unwrap_or(&self.reference)
    }
}

/// Something about the sources that a person should know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// An image of a default install is missing from a list that claims to be complete.
    #[error("{image} is pulled by a default install; {sources} {verb} it", verb = if sources.contains(',') { "omit" } else { "omits" })]
    Omitted {
        /// The image.
        image: Reference,
        /// The sources, by name.
        sources: String,
    },
    /// A source names an image under another tag.
    #[error("{image} is selected, though {origin} names {other}")]
    Differs {
        /// The selected image.
        image: Reference,
        /// The source that differs.
        origin: Source,
        /// The reference in that source.
        other: Reference,
    },
    /// A source pulls images from another registry. Upstream pushes each image to all of its registries, but
    /// creates their indexes separately, so that digests can differ.
    #[error(
        "{origin} {verb} {count} images from {registry} ({images}); they are pulled from {taken}, as the operator does; digests can differ between the two", verb = if origin.as_str().ends_with('s') { "pull" } else { "pulls" }
    )]
    OtherRegistry {
        /// The source that differs.
        origin: Source,
        /// Its registry.
        registry: String,
        /// The operator's registry.
        taken: String,
        /// How many images that is.
        count: usize,
        /// Their names.
        images: String,
    },
    /// The operator was built for another release, so that it installs that one's images.
    #[error(
        "the operator of {version}, {operator}, was built for {built_for}, whose images and ImageSet it uses"
    )]
    OperatorRelease {
        /// The release.
        version: String,
        /// Its operator.
        operator: String,
        /// What the operator was built for.
        built_for: String,
    },
    /// The operator requires an image in every `ImageSet` that was not selected.
    #[error(
        "an ImageSet for this operator needs {image} as well, used or not: include the feature {feature:?}, or install by tag"
    )]
    ImageSetNeeds {
        /// The image.
        image: Reference,
        /// The feature that selects it.
        feature: String,
    },
    /// The images may not exist.
    #[error(
        "{image} is named by the operator but may never have been published; if it cannot be pulled, exclude the feature {feature:?}"
    )]
    MaybeUnpublished {
        /// The image.
        image: Reference,
        /// The feature that selected it.
        feature: String,
    },
}

/// Why a selection is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// The product has no such feature.
    #[error("{product} has no feature {feature:?}{} (known: {known})", did_you_mean(suggestion.as_deref()))]
    Feature {
        /// The product.
        product: String,
        /// What was requested.
        feature: String,
        /// The feature that was probably meant.
        suggestion: Option<String>,
        /// The product's features.
        known: String,
    },
    /// The release has no image for a requested feature.
    #[error("{product} {version} has no image for the feature {feature:?}")]
    Absent {
        /// The product.
        product: String,
        /// The release.
        version: String,
        /// What was requested.
        feature: String,
    },
    /// Nothing is left.
    #[error("{product} {version}: the excluded features leave no image")]
    Empty {
        /// The product.
        product: String,
        /// The release.
        version: String,
    },
    /// The other registry's path gives a name that registries refuse.
    #[error(transparent)]
    Naming(#[from] NamingError),
}

/// Sources that claim to list all images and that people copy from. Manifests and charts name only what
/// they contain themselves, so that an omission there means nothing.
const COMPLETE: &[&str] = &["operator", "documentation", "metadata"];

/// The feature whose images are named but not always published.
const FIPS: &str = "fips";

impl Release {
    /// The images of this release under `selection`; `product` is the release's own.
    ///
    /// # Errors
    /// If the selection names a feature that the product or this release does not have.
    pub fn select(
        &self,
        product: &Product,
        selection: &Selection,
    ) -> Result<ProductImages, SelectError> {
        let chosen = self.chosen(product, selection)?;
        let naming = Naming::default();
        let mut result = ProductImages {
            images: Vec::new(),
            left_out: Vec::new(),
            refused: self.refused.clone(),
            warnings: Vec::new(),
        };
        for row in &self.images {
            let image = self.image(row, &selection.registry, &naming)?;
            if row
                .features
                .iter()
                .any(|feature| chosen.contains(feature.as_str()))
            {
                warn(row, &image, &mut result.warnings);
                result.images.push(image);
            } else {
                result.left_out.push(image);
            }
        }
        result.warnings.extend(self.other_registries(&chosen));
        result.warnings.extend(self.other_operator());
        let needed = result
            .left_out
            .iter()
            .filter(|image| self.needs(image))
            .map(|image| Warning::ImageSetNeeds {
                image: image.reference.clone(),
                feature: image.features.first().cloned().unwrap_or_default(),
            });
        result.warnings.extend(needed);
        if result.images.is_empty() {
            return Err(SelectError::Empty {
                product: self.product.clone(),
                version: self.version.to_string(),
            });
        }
        Ok(result)
    }

    /// Whether every `ImageSet` has to contain the image.
    fn needs(&self, image: &ProductImage) -> bool {
        let names = &self.imageset_needs;
        names
            .iter()
            .any(|name| name == image.published.repository())
    }

    /// One warning for all selected images that a source pulls from the same other registry.
    fn other_registries(&self, chosen: &BTreeSet<&str>) -> Vec<Warning> {
        let mut groups: BTreeMap<(&Source, &str, &str), Vec<&str>> = BTreeMap::new();
        for row in &self.images {
            if !row
                .features
                .iter()
                .any(|feature| chosen.contains(feature.as_str()))
            {
                continue;
            }
            for (origin, other) in &row.differs {
                if other.registry() != row.reference.registry() {
                    let key = (origin, other.registry(), row.reference.registry());
                    groups
                        .entry(key)
                        .or_default()
                        .push(row.reference.repository());
                }
            }
        }
        let warning = |((origin, registry, taken), images): ((&Source, &str, &str), Vec<&str>)| {
            Warning::OtherRegistry {
                origin: origin.clone(),
                registry: registry.to_owned(),
                taken: taken.to_owned(),
                count: images.len(),
                images: images.join(", "),
            }
        };
        groups.into_iter().map(warning).collect()
    }

    fn other_operator(&self) -> Option<Warning> {
        Some(Warning::OperatorRelease {
            version: self.version.to_string(),
            operator: self.operator.as_ref()?.to_string(),
            built_for: self.operator_release.as_ref()?.to_string(),
        })
    }

    fn chosen<'a>(
        &self,
        product: &'a Product,
        selection: &'a Selection,
    ) -> Result<BTreeSet<&'a str>, SelectError> {
        for feature in selection.with.iter().chain(&selection.without) {
            product.feature(feature)?;
        }
        for feature in &selection.with {
            if !self.images.iter().any(|row| row.features.contains(feature)) {
                return Err(SelectError::Absent {
                    product: product.name.clone(),
                    version: self.version.to_string(),
                    feature: feature.clone(),
                });
            }
        }
        let default = product.features.iter().filter(|feature| feature.default);
        let mut chosen: BTreeSet<&str> = default.map(|feature| feature.name.as_str()).collect();
        chosen.extend(selection.with.iter().map(String::as_str));
        chosen.retain(|feature| !selection.without.contains(*feature));
        Ok(chosen)
    }

    fn image(
        &self,
        row: &ImageRow,
        registry: &RegistryChoice,
        naming: &Naming,
    ) -> Result<ProductImage, SelectError> {
        let reference = match registry {
            RegistryChoice::Published(other) if row.default_registry && !self.is_operator(row) => {
                self.published_at(row, other)?
            }
            _ => row.reference.clone(),
        };
        let mirror = match registry {
            RegistryChoice::Mirror(mirror) => Some(naming.reference_at(&row.reference, mirror)?),
            _ => None,
        };
        let same_image = |other: &&Reference| {
            other.registry() != reference.registry()
                && other.repository() == reference.repository()
                && other.tag() == reference.tag()
        };
        let mut elsewhere: Vec<Reference> =
            row.differs.values().filter(same_image).cloned().collect();
        elsewhere.sort();
        elsewhere.dedup();
        let omitted = self.sources.iter().filter(|s| !row.named_by.contains(s));
        Ok(ProductImage {
            reference,
            published: row.reference.clone(),
            mirror,
            elsewhere,
            features: row.features.clone(),
            named_by: row.named_by.clone(),
            omitted_by: omitted.cloned().collect(),
        })
    }

    /// Whether it is the operator's own image, which has a version of its own and is published only at one
    /// registry.
    fn is_operator(&self, row: &ImageRow) -> bool {
        let operator = self.operator.as_ref();
        operator.is_some_and(|version| row.reference.tag() == Some(version.as_str()))
    }

    /// An image of the release's registry at another one: the name below it stays.
    fn published_at(&self, row: &ImageRow, other: &Destination) -> Result<Reference, NamingError> {
        let name = row.reference.name();
        let below = name.strip_prefix(&self.registry);
        let below = below.and_then(|rest| rest.strip_prefix('/'));
        let map = below.map(|below| format!("{name}={below}").parse());
        Naming::default()
            .with_maps(map.transpose()?)
            .reference_at(&row.reference, other)
    }
}

impl Product {
    /// The feature `name`.
    ///
    /// # Errors
    /// If the product does not have it; the error lists those it has.
    pub fn feature(&self, name: &str) -> Result<&Feature, SelectError> {
        let names = || self.features.iter().map(|feature| feature.name.as_str());
        let mut features = self.features.iter();
        features
            .find(|feature| feature.name == name)
            .ok_or_else(|| SelectError::Feature {
                product: self.name.clone(),
                feature: name.to_owned(),
                suggestion: closest(name, names()).map(str::to_owned),
                known: names().collect::<Vec<_>>().join(", "),
            })
    }
}

fn warn(row: &ImageRow, image: &ProductImage, warnings: &mut Vec<Warning>) {
    let complete = |source: &&Source| COMPLETE.contains(&source.as_str());
    if row.features.iter().any(|feature| feature == DEFAULT) {
        let omitted: Vec<&str> = image
            .omitted_by
            .iter()
            .filter(complete)
            .map(Source::as_str)
            .collect();
        if !omitted.is_empty() {
            warnings.push(Warning::Omitted {
                image: row.reference.clone(),
                sources: omitted.join(", "),
            });
        }
    }
    for (origin, other) in &row.differs {
        if other.tag() != row.reference.tag() || other.repository() != row.reference.repository() {
            warnings.push(Warning::Differs {
                image: row.reference.clone(),
                origin: origin.clone(),
                other: other.clone(),
            });
        }
    }
    if row.features.iter().all(|feature| feature == FIPS) {
        warnings.push(Warning::MaybeUnpublished {
            image: row.reference.clone(),
            feature: FIPS.to_owned(),
        });
    }
}

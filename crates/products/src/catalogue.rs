//! The products and releases that are known.

use sealift_oci::NamingRule;

use crate::data::{DataError, Gap, Product, RawFile, Release, SetNaming, read, release};
use crate::spec::{ProductSpec, Wanted};
use crate::suggest::{closest, did_you_mean};
use crate::version::Version;

mod built_in;

/// All products and releases that are known: the built-in ones, and those of files that were added.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Catalogue {
    products: Vec<Product>,
}

/// The release that a spec names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved<'c> {
    /// The product.
    pub product: &'c Product,
    /// The release.
    pub release: &'c Release,
    /// Whether only the series was requested and this is its newest known release; to be reported.
    pub newest_of_series: bool,
}

/// Why a spec names no release.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueError {
    /// No product has this name.
    #[error("no product is named {name:?}{} (known: {known})", did_you_mean(suggestion.as_deref()))]
    Product {
        /// The name.
        name: String,
        /// The product that was probably meant.
        suggestion: Option<String>,
        /// The known products.
        known: String,
    },
    /// The product has no such release.
    #[error("{product} {wanted} is not known (known: {known})")]
    Version {
        /// The product.
        product: String,
        /// What was requested.
        wanted: String,
        /// The known releases, or those of the series.
        known: String,
    },
    /// Upstream has the tag, but published no release under it.
    #[error("{product} {version} cannot be bundled: {reason}")]
    Gap {
        /// The product.
        product: String,
        /// The tag.
        version: String,
        /// Why.
        reason: String,
    },
}

impl Catalogue {
    /// The products that are compiled in.
    ///
    /// # Errors
    /// Never in a program whose tests pass: they read every data file.
    pub fn built_in() -> Result<Self, DataError> {
        let mut catalogue = Self::default();
        for (name, text) in built_in::FILES {
            catalogue.add(name, text.as_bytes())?;
        }
        Ok(catalogue)
    }

    /// The same with a data file of the user. It replaces a release that is known already; the `origin` of
    /// its releases is the file's name.
    ///
    /// # Errors
    /// If the file is not a data file, has releases of an unknown product or names a floating tag.
    pub fn with_file(mut self, name: &str, bytes: &[u8]) -> Result<Self, DataError> {
        self.add(name, bytes)?;
        Ok(self)
    }

    /// The products, in the order they were added.
    pub fn products(&self) -> &[Product] {
        &self.products
    }

    /// The product of this name.
    pub fn product(&self, name: &str) -> Option<&Product> {
        self.products.iter().find(|product| product.name == name)
    }

    /// The product of this name.
    ///
    /// # Errors
    /// If it is not known; the error lists the products that are.
    pub fn named(&self, name: &str) -> Result<&Product, CatalogueError> {
        self.product(name).ok_or_else(|| CatalogueError::Product {
            name: name.chars().take(60).collect(),
            suggestion: closest(name, self.names()).map(str::to_owned),
            known: join(self.names()),
        })
    }

    /// The release that `spec` names; for a series, the newest one that is not a pre-release.
    ///
    /// # Errors
    /// If the product or the release is not known; the error lists those that are.
    pub fn resolve(&self, spec: &ProductSpec) -> Result<Resolved<'_>, CatalogueError> {
        let product = self.named(&spec.product)?;
        let (release, newest_of_series) = match &spec.wanted {
            Wanted::Exact(version) => (exact(product, version)?, false),
            Wanted::Series(major, minor) => (newest(product, (*major, *minor)), true),
        };
        let release = release.ok_or_else(|| unknown(product, &spec.wanted))?;
        Ok(Resolved {
            product,
            release,
            newest_of_series,
        })
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.products.iter().map(|product| product.name.as_str())
    }

    fn add(&mut self, name: &str, bytes: &[u8]) -> Result<(), DataError> {
        let file = read(name, bytes)?;
        let index = self.describe(name, &file)?;
        let product = &mut self.products[index];
        for gap in file.gaps {
            let version = gap
                .version
                .parse()
                .map_err(|reason: &str| DataError::Release {
                    name: name.to_owned(),
                    product: product.name.clone(),
                    version: gap.version.clone(),
                    reason: reason.to_owned(),
                })?;
            product.gaps.push(Gap {
                version,
                reason: gap.reason,
            });
        }
        for raw in file.releases {
            let new = release(name, &product.name, &product.features, raw)?;
            product.gaps.retain(|gap| !gap.version.same(&new.version));
            product
                .releases
                .retain(|old| !old.version.same(&new.version));
            product.releases.push(new);
        }
        product.releases.sort_by(|a, b| a.version.cmp(&b.version));
        Ok(())
    }

    /// The index of the file's product, updated with what the file says about the product itself.
    fn describe(&mut self, name: &str, file: &RawFile) -> Result<usize, DataError> {
        let index = self.products.iter().position(|p| p.name == file.product);
        let index = match (index, &file.title) {
            (Some(index), _) => index,
            (None, Some(title)) => {
                self.products.push(Product {
                    name: file.product.clone(),
                    title: title.clone(),
                    features: Vec::new(),
                    releases: Vec::new(),
                    gaps: Vec::new(),
                    naming: None,
                    assign: std::collections::BTreeMap::new(),
                });
                self.products.len() - 1
            }
            (None, None) => {
                return Err(DataError::NoProduct {
                    name: name.to_owned(),
                    product: file.product.clone(),
                });
            }
        };
        let product = &mut self.products[index];
        for feature in &file.features {
            product.features.retain(|old| old.name != feature.name);
            product.features.push(feature.clone());
        }
        let assign = file
            .assign
            .iter()
            .map(|(image, features)| (image.clone(), features.clone()));
        product.assign.extend(assign);
        if let Some(naming) = &file.naming {
            let rule: NamingRule =
                naming
                    .rule
                    .parse()
                    .map_err(|error: sealift_oci::NamingError| DataError::Shape {
                        name: name.to_owned(),
                        reason: error.to_string(),
                    })?;
            product.naming = Some(SetNaming {
                rule,
                because: naming.because.clone(),
            });
        }
        Ok(index)
    }
}

fn exact<'p>(
    product: &'p Product,
    version: &Version,
) -> Result<Option<&'p Release>, CatalogueError> {
    if let Some(gap) = product.gaps.iter().find(|gap| gap.version.same(version)) {
        return Err(CatalogueError::Gap {
            product: product.name.clone(),
            version: gap.version.to_string(),
            reason: gap.reason.clone(),
        });
    }
    Ok(product
        .releases
        .iter()
        .find(|release| release.version.same(version)))
}

fn newest(product: &Product, series: (u32, u32)) -> Option<&Release> {
    let mut releases = product.releases.iter().rev();
    releases.find(|release| release.version.series() == series && !release.version.is_pre())
}

fn unknown(product: &Product, wanted: &Wanted) -> CatalogueError {
    let (text, series) = match wanted {
        Wanted::Exact(version) => (version.to_string(), version.series()),
        Wanted::Series(major, minor) => (format!("{major}.{minor}"), (*major, *minor)),
    };
    let of_series: Vec<&str> = product
        .releases
        .iter()
        .filter(|release| release.version.series() == series)
        .map(|release| release.version.as_str())
        .collect();
    let known = if of_series.is_empty() {
        all_series(product)
    } else {
        of_series.join(", ")
    };
    CatalogueError::Version {
        product: product.name.clone(),
        wanted: text,
        known,
    }
}

/// `3.20.0 to 3.20.6, …`: every series with its first and last release.
fn all_series(product: &Product) -> String {
    let mut ranges: Vec<((u32, u32), String, String)> = Vec::new();
    for release in &product.releases {
        let series = release.version.series();
        match ranges.last_mut() {
            Some((last, _, to)) if *last == series => *to = release.version.to_string(),
            _ => ranges.push((
                series,
                release.version.to_string(),
                release.version.to_string(),
            )),
        }
    }
    join(ranges.iter().map(|(_, from, to)| {
        if from == to {
            from.clone()
        } else {
            format!("{from} to {to}")
        }
    }))
}

fn join(items: impl IntoIterator<Item = impl Into<String>>) -> String {
    let items: Vec<String> = items.into_iter().map(Into::into).collect();
    items.join(", ")
}

//! A destination as the operator understands it, and the proof that the operator asks for the names that
//! `load` writes.

use std::collections::BTreeMap;

use sealift_oci::{Destination, Naming, NamingRule, Reference};

use super::compose::{Composition, Fields, compose};
use super::error::CalicoError;
use super::release::operator;
use crate::data::{Release, Source};
use crate::select::ProductImage;
use crate::version::Version;

/// A destination with a naming that operators can follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    destination: Destination,
    rule: NamingRule,
    prefix: Option<String>,
    naming: Naming,
}

impl Target {
    /// A target; `prefix` goes before the last component of every name (`imagePrefix`).
    ///
    /// # Errors
    /// If no Installation resource leads to such names.
    pub fn new(
        destination: Destination,
        rule: NamingRule,
        prefix: Option<&str>,
    ) -> Result<Self, CalicoError> {
        destination.check_nameable()?;
        match (rule, destination.path()) {
            (NamingRule::Host, _) => {
                return Err(CalicoError::Rule {
                    rule: rule.to_string(),
                });
            }
            (NamingRule::Flat, None) => {
                return Err(CalicoError::FlatWithoutPath {
                    destination: destination.to_string(),
                });
            }
            (NamingRule::Flat | NamingRule::Keep, _) => {}
        }
        let prefix = prefix.filter(|prefix| !prefix.is_empty());
        let mut naming = Naming::new(rule);
        if let Some(prefix) = prefix {
            naming = naming.with_prefix(prefix)?;
        }
        Ok(Self {
            destination,
            rule,
            prefix: prefix.map(str::to_owned),
            naming,
        })
    }

    /// The naming for `load`.
    pub fn naming(&self) -> &Naming {
        &self.naming
    }

    /// The registry, and the path below which everything is.
    pub fn destination(&self) -> &Destination {
        &self.destination
    }

    /// The naming rule.
    pub fn rule(&self) -> NamingRule {
        self.rule
    }

    /// The fields of the Installation resource: `keep` puts the destination's path into `registry`,
    /// `flat` into `imagePath`, which replaces `calico`.
    pub fn fields(&self) -> Fields {
        let registry = self.destination.registry();
        let (registry, image_path) = match (self.rule, self.destination.path()) {
            (NamingRule::Flat, Some(path)) => (format!("{registry}/"), Some(path.to_owned())),
            (_, Some(path)) => (format!("{registry}/{path}/"), None),
            (_, None) => (format!("{registry}/"), None),
        };
        Fields {
            registry,
            image_path,
            image_prefix: self.prefix.clone(),
        }
    }

    /// The full reference of an image at the destination.
    ///
    /// # Errors
    /// If registries would refuse the name.
    pub fn reference(&self, image: &Reference) -> Result<Reference, CalicoError> {
        Ok(self.naming.reference_at(image, &self.destination)?)
    }
}

/// Who will ask for an image by its name at the destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProvedBy {
    /// The operator composes the name; it was composed here by the same rule and is equal.
    Operator,
    /// A manifest or values file names it, in which `rewrite` writes the name that load writes.
    Manifest,
}

/// One image of a proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofRow {
    /// The image at its source.
    pub image: Reference,
    /// Its name at the destination.
    pub loaded: Reference,
    /// Who will ask for it.
    pub by: ProvedBy,
}

/// The proof that everything that will be asked for is what `load` writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The fields of the Installation resource for which it holds.
    pub fields: Fields,
    /// Every image of the set.
    pub rows: Vec<ProofRow>,
}

impl Proof {
    /// The name at the destination of the image with this repository at its source.
    pub(super) fn destination_of(&self, repository: &str) -> Option<&Reference> {
        let mut rows = self.rows.iter();
        let row = rows.find(|row| row.image.repository() == repository)?;
        Some(&row.loaded)
    }
}

/// Proves for every image that the operator of `release` composes the name that `load` writes under `naming`
/// (which may have maps of its own) at the target's destination.
///
/// # Errors
/// The first image for which that does not hold, and images that collide.
pub fn prove(
    release: &Release,
    images: &[ProductImage],
    target: &Target,
    naming: &Naming,
) -> Result<Proof, CalicoError> {
    let operator = operator(release)?;
    let fields = target.fields();
    let mut names: BTreeMap<String, &Reference> = BTreeMap::new();
    let mut rows = Vec::with_capacity(images.len());
    for image in images {
        let loaded = naming.reference_at(&image.reference, &target.destination)?;
        if let Some(first) = names.insert(loaded.to_string(), &image.reference) {
            return Err(CalicoError::Collision {
                first: first.to_string(),
                second: image.reference.to_string(),
                name: loaded.to_string(),
            });
        }
        rows.push(proof_row(image, loaded, operator, &fields)?);
    }
    distinct_repositories(images, target, naming)?;
    Ok(Proof { fields, rows })
}

fn proof_row(
    image: &ProductImage,
    loaded: Reference,
    operator: &Version,
    fields: &Fields,
) -> Result<ProofRow, CalicoError> {
    let mut sources = image.named_by.iter();
    let by = if sources.any(|source| source.as_str() == Source::OPERATOR) {
        let composed = compose(Composition::of(operator), fields, &image.published, None);
        if composed != loaded.to_string() {
            return Err(CalicoError::Mismatch {
                image: image.reference.to_string(),
                loaded: loaded.to_string(),
                composed,
                operator: operator.to_string(),
            });
        }
        ProvedBy::Operator
    } else {
        ProvedBy::Manifest
    };
    Ok(ProofRow {
        image: image.reference.clone(),
        loaded,
        by,
    })
}

/// Checks that no two repositories share a name: those collide even if their tags differ today, since the
/// next release's may not. Tags of one image (`-fips`) are not a collision.
fn distinct_repositories(
    images: &[ProductImage],
    target: &Target,
    naming: &Naming,
) -> Result<(), CalicoError> {
    let mut seen: BTreeMap<String, &Reference> = BTreeMap::new();
    for image in images {
        let name = naming.repository_at(&image.reference, &target.destination);
        match seen.get(&name) {
            Some(first) if first.repository() != image.reference.repository() => {
                return Err(CalicoError::Collision {
                    first: first.to_string(),
                    second: image.reference.to_string(),
                    name: format!("{}/{name}", target.destination.registry()),
                });
            }
            Some(_) => {}
            None => {
                seen.insert(name, &image.reference);
            }
        }
    }
    Ok(())
}

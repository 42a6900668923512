//! The `ImageSet` resource: digests instead of tags.
//!
//! Rules of `pkg/controller/utils/imageset/imageset.go`: the name is `calico-<release>`; keys are the
//! images' default names whatever the Installation says; a name that the operator does not know, or a
//! rendered image that is missing, makes it refuse the whole set. From v1.36.0 the operator no longer
//! counts its own image among the known ones.

use std::collections::BTreeMap;

use sealift_oci::{Algorithm, Digest, Reference};

use super::{CalicoError, operator};
use crate::data::DEFAULT;
use crate::emit::{Node, document, list, map};
use crate::{OutputFile, ProductImage, Release, Source};

const OPERATOR_IMAGE: &str = "tigera/operator";

/// An `ImageSet` and what to know about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageSet {
    /// The resource.
    pub file: OutputFile,
    /// Its name.
    pub name: String,
    /// Sentences for the person who applies it.
    pub warnings: Vec<String>,
}

/// The names that the operator of this release accepts in an `ImageSet`.
///
/// # Errors
/// Where the release has no operator.
pub fn image_set_names(release: &Release) -> Result<Vec<&str>, CalicoError> {
    let own = operator(release)?.series() < (1, 36);
    let mut names = Vec::new();
    for row in &release.images {
        let name = row.reference.repository();
        let operators = row
            .named_by
            .iter()
            .any(|source| source.as_str() == Source::OPERATOR);
        // With and without -fips an image has the same name.
        if operators && (own || name != OPERATOR_IMAGE) && !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

/// The `ImageSet` for a bundle: `digests` by the references in it (the digest of the index, or of the
/// new index where platforms were chosen).
///
/// # Errors
/// Where the operator would refuse it: an image that a default install renders, or that this operator
/// always asks for, has no digest.
pub fn image_set(
    release: &Release,
    images: &[ProductImage],
    digests: &BTreeMap<Reference, Digest>,
) -> Result<ImageSet, CalicoError> {
    let accepted = image_set_names(release)?;
    let mut rows: Vec<(String, Digest)> = Vec::new();
    for image in images {
        let name = image.published.repository();
        if !accepted.contains(&name) || is_fips(image) {
            continue;
        }
        match digests.get(&image.reference) {
            Some(digest) if digest.algorithm() != Algorithm::Sha256 => {
                return Err(CalicoError::DigestAlgorithm {
                    image: image.reference.to_string(),
                    digest: digest.to_string(),
                });
            }
            Some(digest) => rows.push((name.to_owned(), *digest)),
            None => {}
        }
    }
    complete(release, &accepted, &rows)?;
    let named_for = release
        .operator_release
        .as_ref()
        .unwrap_or(&release.version);
    let name = format!("calico-{named_for}");
    let entries = rows.iter().map(|(image, digest)| {
        map([
            ("image", Node::from(image.as_str())),
            ("digest", Node::from(digest.to_string())),
        ])
    });
    let document = document(&map([
        ("apiVersion", "operator.tigera.io/v1".into()),
        ("kind", "ImageSet".into()),
        ("metadata", map([("name", Node::from(name.as_str()))])),
        ("spec", map([("images", list(entries))])),
    ]));
    Ok(ImageSet {
        warnings: warnings(&accepted, &rows, &name),
        file: OutputFile::text("imageset.yaml", document),
        name,
    })
}

fn is_fips(image: &ProductImage) -> bool {
    image
        .published
        .tag()
        .is_some_and(|tag| tag.ends_with("-fips"))
}

/// Every image that a default install renders must be there, and those that this operator asks for
/// whether they are used or not.
fn complete(
    release: &Release,
    accepted: &[&str],
    rows: &[(String, Digest)],
) -> Result<(), CalicoError> {
    let default = release
        .images
        .iter()
        .filter(|row| row.features.iter().any(|feature| feature == DEFAULT));
    let default = default.map(|row| (row.reference.repository(), ""));
    let needs = release.imageset_needs.iter().map(|name| {
        (
            name.as_str(),
            " (this operator asks every ImageSet for it, with or without Windows nodes)",
        )
    });
    for (name, hint) in default.chain(needs) {
        if accepted.contains(&name) && !rows.iter().any(|(row, _)| row == name) {
            return Err(CalicoError::NoDigest {
                image: name.to_owned(),
                hint,
            });
        }
    }
    Ok(())
}

fn warnings(accepted: &[&str], rows: &[(String, Digest)], name: &str) -> Vec<String> {
    let mut warnings = vec![format!(
        "once any calico ImageSet exists, the operator stops until one called exactly {name} exists: apply it before the operator is upgraded, and the next release's before the next upgrade"
    )];
    let absent: Vec<&str> = accepted
        .iter()
        .copied()
        .filter(|name| !rows.iter().any(|(row, _)| row == name))
        .collect();
    if !absent.is_empty() {
        warnings.push(format!(
            "not in the ImageSet, since the bundle does not have them: {}; a feature that needs one of them stays degraded until it is added",
            absent.join(", ")
        ));
    }
    warnings
}

/// What is to be known of an `ImageSet` on `OpenShift` besides.
pub(crate) fn image_set_on_openshift(release: &Release) -> Option<String> {
    let operator = release.operator.as_ref()?;
    (operator.series() >= (1, 36)).then(|| "on OpenShift on AWS this operator looks its own image up in the ImageSet and refuses it there: do without an ImageSet on that platform (--no-imageset)".to_owned())
}

//! The `ImageSet` resource: digests instead of tags.
//!
//! Rules of `pkg/controller/utils/imageset/imageset.go`: the name is `calico-<release>`; keys are the
//! images' default names whatever the Installation says; an unknown name, or a missing image that the
//! operator renders, makes it refuse the whole set. From v1.36.0 the operator's own image is not among the
//! known ones.

use std::collections::BTreeMap;

use sealift_oci::{Algorithm, Digest, Reference};

use super::error::CalicoError;
use super::release::{OPERATOR_IMAGE, operator};
use crate::data::{DEFAULT, Release, Source};
use crate::emit::{Node, document, list, map};
use crate::file::OutputFile;
use crate::select::ProductImage;

/// An `ImageSet` and notes about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageSet {
    /// The resource.
    pub file: OutputFile,
    /// Its name.
    pub name: String,
    /// Notes for the person who applies it.
    pub warnings: Vec<String>,
}

/// The names that the operator of this release accepts in an `ImageSet`.
///
/// # Errors
/// If the release has no operator.
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

/// The `ImageSet` for a bundle: `digests` by the references in it (of the index, or of the new
/// index if platforms were selected).
///
/// # Errors
/// If the operator would refuse it: an image that a default install renders, or that this operator
/// always requires, has no digest.
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

/// Checks that every image is there that a default install renders, and those that this operator requires
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
            " (this operator requires it in every ImageSet, with or without Windows nodes)",
        )
    });
    for (name, reason) in default.chain(needs) {
        if accepted.contains(&name) && !rows.iter().any(|(row, _)| row == name) {
            return Err(CalicoError::NoDigest {
                image: name.to_owned(),
                reason,
            });
        }
    }
    Ok(())
}

fn warnings(accepted: &[&str], rows: &[(String, Digest)], name: &str) -> Vec<String> {
    let mut warnings = vec![format!(
        "if any Calico ImageSet exists, the operator waits for one named exactly {name}: apply this one before you upgrade the operator, and the next release's before the next upgrade"
    )];
    let absent: Vec<&str> = accepted
        .iter()
        .copied()
        .filter(|name| !rows.iter().any(|(row, _)| row == name))
        .collect();
    if !absent.is_empty() {
        warnings.push(format!(
            "not in the ImageSet, because they are not in the bundle: {}; a feature that needs one of them stays degraded until it is added",
            absent.join(", ")
        ));
    }
    warnings
}

/// A note about the `ImageSet` on `OpenShift`.
pub(super) fn image_set_on_openshift(release: &Release) -> Option<String> {
    let operator = release.operator.as_ref()?;
    (operator.series() >= (1, 36)).then(|| "on OpenShift on AWS this operator looks up its own image in the ImageSet but refuses an ImageSet that lists it: install without an ImageSet on that platform".to_owned())
}

//! Which release a bundle's images belong to, and which of the release's images it contains.

use sealift_oci::Reference;

use super::error::CalicoError;
use super::install::Install;
use crate::data::{Product, Release};
use crate::select::{ProductImage, SelectError, Selection};
use crate::version::Version;

/// The repository of the operator's image.
pub(super) const OPERATOR_IMAGE: &str = "tigera/operator";

/// The image whose tag is the release, for bundles without the operator.
const NODE_IMAGE: &str = "calico/node";

/// The feature with what `OpenShift`'s manifests start besides a default install.
const OPENSHIFT: &str = "openshift";

/// The operator's version.
///
/// # Errors
/// If the release has no operator.
pub(super) fn operator(release: &Release) -> Result<&Version, CalicoError> {
    release
        .operator
        .as_ref()
        .ok_or_else(|| CalicoError::NoOperator {
            product: release.product.clone(),
            version: release.version.to_string(),
        })
}

/// The release that the images of a bundle belong to: by the tag of the operator's image or, without one, of
/// `calico/node`. `None` if neither is there or its tag is not of a known release.
pub fn release_of<'p>(product: &'p Product, bundled: &[Reference]) -> Option<&'p Release> {
    let tags = |repository: &str| -> Vec<&str> {
        let images = bundled.iter();
        let images = images.filter(|image| image.repository() == repository);
        images.filter_map(Reference::tag).collect()
    };
    let (operators, nodes) = (tags(OPERATOR_IMAGE), tags(NODE_IMAGE));
    product.releases.iter().find(|release| {
        let operator = release.operator.as_ref().map(Version::as_str);
        if operators.is_empty() {
            nodes.contains(&release.version.as_str())
        } else {
            operator.is_some_and(|operator| operators.contains(&operator))
        }
    })
}

/// The images of a release in one bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// The release's images that the bundle contains.
    pub images: Vec<ProductImage>,
    /// Images that the install pulls and the bundle does not contain.
    pub missing: Vec<Reference>,
}

/// The images of `release` among `bundled`. An install with the operator needs every image that a default
/// install pulls, on `OpenShift` calicoctl as well; which images an install without the operator needs depends
/// on its manifests.
///
/// # Errors
/// If the release's data cannot be used.
pub fn contents(
    product: &Product,
    release: &Release,
    bundled: &[Reference],
    install: Install,
) -> Result<Contents, SelectError> {
    let all = release.select(product, &selection(release, install))?;
    let needed = !matches!(install, Install::Manifests);
    let mut contents = Contents {
        images: Vec::new(),
        missing: Vec::new(),
    };
    for image in &all.images {
        match bundled_as(image, bundled) {
            Some(image) => contents.images.push(image),
            None if needed => contents.missing.push(image.reference.clone()),
            None => {}
        }
    }
    let optional = all.left_out.iter();
    contents
        .images
        .extend(optional.filter_map(|image| bundled_as(image, bundled)));
    Ok(contents)
}

fn selection(release: &Release, install: Install) -> Selection {
    let mut selection = Selection::default();
    let named = |feature: &str| {
        let mut rows = release.images.iter();
        rows.any(|row| row.features.iter().any(|own| own == feature))
    };
    if matches!(install, Install::OpenShift(_)) && named(OPENSHIFT) {
        selection.with.insert(OPENSHIFT.to_owned());
    }
    selection
}

/// The image under the name that the bundle gives it: its own, or that of a registry with the same
/// repository.
fn bundled_as(image: &ProductImage, bundled: &[Reference]) -> Option<ProductImage> {
    let same_image = |other: &&Reference| {
        other.repository() == image.reference.repository() && other.tag() == image.reference.tag()
    };
    let exact = bundled.iter().find(|other| **other == image.reference);
    let reference = exact.or_else(|| bundled.iter().find(same_image))?.clone();
    Some(ProductImage {
        reference,
        ..image.clone()
    })
}

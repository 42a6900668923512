//! Calico behind a private registry: where its operator will look for images, the proof that they are
//! there, and the files to apply.

mod compose;
mod helm;
mod imageset;
mod installation;
mod instructions;
mod plan;
mod pull_secret;
mod target;

pub use compose::{Composition, Fields, compose};
pub use helm::{HelmEra, HelmValues, helm_values};
pub(crate) use imageset::image_set_on_openshift;
pub use imageset::{ImageSet, image_set, image_set_names};
pub use installation::{InstallationKind, installation};
pub use plan::{ApplyFiles, ApplyRequest, Install, Manifest, apply_files};
pub use pull_secret::{CredentialsError, PullSecret, pull_secret_manifest};
pub use target::{Proof, ProofRow, ProvedBy, Target, prove};

use sealift_oci::NamingError;

use crate::Release;

/// Why nothing can be written for this bundle, destination and operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CalicoError {
    /// The release has no operator.
    #[error("{product} {version} has no operator (expected a release of calico)")]
    NoOperator {
        /// The product.
        product: String,
        /// Its release.
        version: String,
    },
    /// The operator understands `keep` and `flat` only.
    #[error(
        "Calico's operator cannot find images under the naming rule {rule:?} (expected keep, or flat with a path at the destination)"
    )]
    Rule {
        /// The rule.
        rule: String,
    },
    /// Flat names need a path.
    #[error(
        "the naming rule flat needs a path at the destination, such as {destination}/calico: Calico's operator takes an empty imagePath for its default"
    )]
    FlatWithoutPath {
        /// The destination.
        destination: String,
    },
    /// A text that the operator takes for "use the default".
    #[error(
        "{text:?} in the destination or the prefix means \"use the default\" to Calico's operator; choose another"
    )]
    Reserved {
        /// The text.
        text: String,
    },
    /// The naming rules refuse a name.
    #[error(transparent)]
    Naming(#[from] NamingError),
    /// Two images would get the same name at the destination.
    #[error("{first} and {second} would both be {name}; choose the naming rule keep")]
    Collision {
        /// One image.
        first: String,
        /// The other.
        second: String,
        /// The name.
        name: String,
    },
    /// The operator will ask for another name than the one that is written.
    #[error(
        "{image} is loaded as {loaded}, but operator {operator} will ask for {composed}; load with the naming that the destination was given with"
    )]
    Mismatch {
        /// The image at its source.
        image: String,
        /// The name that load writes.
        loaded: String,
        /// What the operator will ask for.
        composed: String,
        /// The operator's version.
        operator: String,
    },
    /// The bundle has no digest for an image that the operator will look up in the `ImageSet`.
    #[error(
        "the ImageSet needs {image}, which the bundle does not have{hint}; bundle it, or do without an ImageSet (--no-imageset)"
    )]
    NoDigest {
        /// The image's name in the `ImageSet`.
        image: String,
        /// Why it is needed, where that is no matter of course.
        hint: &'static str,
    },
    /// An algorithm that the operator refuses.
    #[error("{image} has the digest {digest}; an ImageSet takes sha256 only")]
    DigestAlgorithm {
        /// The image.
        image: String,
        /// Its digest.
        digest: String,
    },
    /// The credentials file is none.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// A name that no Kubernetes object can have.
    #[error(
        "{text:?} is no name of a Secret (expected lower-case letters, digits, - and ., at most 253)"
    )]
    SecretName {
        /// The name, shortened.
        text: String,
    },
}

pub(crate) fn operator(release: &Release) -> Result<&crate::Version, CalicoError> {
    release
        .operator
        .as_ref()
        .ok_or_else(|| CalicoError::NoOperator {
            product: release.product.clone(),
            version: release.version.to_string(),
        })
}

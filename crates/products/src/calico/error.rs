//! Why no files can be written for a bundle, a destination and an operator.

use sealift_oci::NamingError;

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
    /// The bundle contains no image of the release.
    #[error("the bundle contains no image of {product} {version}")]
    NoImage {
        /// The product.
        product: String,
        /// Its release.
        version: String,
    },
    /// The operator supports only `keep` and `flat`.
    #[error(
        "Calico's operator cannot find images under the naming rule {rule:?} (expected keep, or flat with a path at the destination)"
    )]
    Rule {
        /// The rule.
        rule: String,
    },
    /// Flat names need a path.
    #[error(
        "the naming rule flat needs a path at the destination, such as {destination}/calico: to Calico's operator an empty imagePath means its default"
    )]
    FlatWithoutPath {
        /// The destination.
        destination: String,
    },
    /// The naming rules refuse a name.
    #[error(transparent)]
    Naming(#[from] NamingError),
    /// Two images would get the same name at the destination.
    #[error("{first} and {second} would both be named {name}; choose the naming rule keep")]
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
        "{image} is loaded as {loaded}, but operator {operator} will ask for {composed} (expected the same naming for load and for the Installation)"
    )]
    Mismatch {
        /// The image at its source.
        image: String,
        /// The name that `load` writes.
        loaded: String,
        /// The name that the operator will ask for.
        composed: String,
        /// The operator's version.
        operator: String,
    },
    /// The bundle has no digest for an image that the operator will look up in the `ImageSet`.
    #[error("the ImageSet needs {image}, which is not in the bundle{reason}")]
    NoDigest {
        /// The image's name in the `ImageSet`.
        image: String,
        /// Why it is needed, if that is not obvious.
        reason: &'static str,
    },
    /// An algorithm that the operator refuses.
    #[error("{image} has the digest {digest} (expected sha256: an ImageSet accepts no other)")]
    DigestAlgorithm {
        /// The image.
        image: String,
        /// Its digest.
        digest: String,
    },
    /// The credentials file cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// A name that no Kubernetes object can have.
    #[error(
        "{text:?} is not a valid name of a Secret (expected lower-case letters, digits, - and ., at most 253)"
    )]
    SecretName {
        /// The name, shortened.
        text: String,
    },
}

/// Why a file is not a credentials file that a kubelet can use. Its content is never repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{file}: {reason} (expected a Docker config.json with \"auths\", as docker login or podman login writes)"
)]
pub struct CredentialsError {
    /// The file's name.
    pub(super) file: String,
    /// What is wrong with it.
    pub(super) reason: String,
}

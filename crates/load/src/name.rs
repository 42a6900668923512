//! What is loaded, with its name at the destination.

use sealift_oci::Digest;
use serde::Serialize;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NameKind {
    /// An image.
    Image,
    /// A carried file, folder or chart.
    File,
    /// A signature, an attestation, an SBOM.
    Referrer,
}

/// An image, file or referrer with its name at the destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedName {
    /// What it is.
    pub kind: NameKind,
    /// What it is called in the bundle.
    pub source: String,
    /// Its full name at the destination: by tag, or by digest where it has none.
    pub destination: String,
    /// The manifest that it stands for.
    pub digest: Digest,
    /// The publisher's index, where `digest` is a new one with a choice of its platforms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original: Option<Digest>,
    /// The manifest's position in [`crate::Plan::manifests`].
    #[serde(skip)]
    pub(crate) site: usize,
}

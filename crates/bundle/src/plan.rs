//! What a bundle will be, before a byte of it is written.

use sealift_archive::{Identity, Layout};
use sealift_oci::{Digest, Reference};
use serde::{Deserialize, Serialize};

/// What is about to be made: the whole file's layout, where each blob comes from, and what a person
/// should know of it. Serialised, it is its [`Summary`].
#[derive(Clone, Debug)]
pub struct Plan {
    layout: Layout,
    summary: Summary,
}

/// The plan for people and scripts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// The bundle's identity.
    pub identity: Identity,
    /// The images, by reference.
    pub images: Vec<PlannedImage>,
    /// Signatures, attestations, SBOMs.
    pub referrers: Vec<PlannedReferrer>,
    /// Carried files.
    pub files: Vec<PlannedFile>,
    /// How many manifests.
    pub manifests: u64,
    /// How many blobs, manifests not counted.
    pub blobs: u64,
    /// Bytes of manifests and blobs, each counted once.
    pub content_bytes: u64,
    /// Bytes that are needed more than once and carried once.
    pub shared_bytes: u64,
    /// The size of the finished file in bytes.
    pub total_bytes: u64,
    /// What a person should know: whole sentences.
    pub warnings: Vec<String>,
}

/// One image of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedImage {
    /// Its name.
    pub reference: Reference,
    /// The digest that the name stands for in the bundle.
    pub digest: Digest,
    /// Its platforms; empty where it names none.
    pub platforms: Vec<String>,
    /// What the publisher's index has and the bundle will not have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    /// The publisher's index, where `digest` is a new one, of the chosen platforms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original: Option<Digest>,
    /// Whether the digest was made here, since the source had no manifest.
    pub new_digest: bool,
    /// Signatures and other referrers of `original`: they do not cover `digest` and are not carried.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub no_longer_covered_by: Vec<String>,
    /// Bytes of all that it needs, shared or not.
    pub bytes: u64,
}

/// A platform that is not carried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeftOut {
    /// The platform, or what stands for it.
    pub platform: String,
    /// The manifest.
    pub digest: Digest,
    /// Why.
    pub reason: String,
}

/// A signature, attestation or SBOM of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedReferrer {
    /// The repository that it was found in.
    pub repository: String,
    /// What it belongs to.
    pub subject: Digest,
    /// Its manifest.
    pub digest: Digest,
    /// What it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The tag that it was found under, for cosign's convention.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
}

/// A carried file of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedFile {
    /// The name that it is written out under.
    pub name: String,
    /// The name that it is pushed under.
    pub reference: Reference,
    /// The artifact's manifest.
    pub digest: Digest,
    /// Its size in bytes.
    pub bytes: u64,
}

impl Plan {
    /// What a person should know of it.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// The whole file: record and offsets.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }
}

impl Serialize for Plan {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.summary.serialize(serializer)
    }
}

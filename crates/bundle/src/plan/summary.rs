//! What a plan contains, in numbers and names, for people and as JSON.

use std::collections::BTreeMap;

use sealift_archive::{Identity, ImageEntry};
use sealift_oci::{ArtifactKind, Digest, Reference};
use serde::{Deserialize, Serialize};

use crate::plan::Planned;

/// The plan for people and scripts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// The bundle's identity.
    pub identity: Identity,
    /// The images, by reference.
    pub images: Vec<PlannedImage>,
    /// Images that were requested and will not be in the bundle, since they could not be resolved.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub omitted: Vec<OmittedImage>,
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedImage {
    /// Its name.
    pub reference: Reference,
    /// The digest that the name stands for in the bundle.
    pub digest: Digest,
    /// The mirror's repository that it is pulled from, if that is not where its name says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pulled_from: Option<String>,
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
    /// Signatures and other referrers of `original`: they do not cover `digest`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub no_longer_covered_by: Vec<String>,
    /// Bytes of all that it needs, shared or not.
    pub bytes: u64,
}

/// An image that was requested and is not bundled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OmittedImage {
    /// Its name.
    pub reference: Reference,
    /// Why.
    pub reason: String,
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedReferrer {
    /// What it is: a signature, an attestation, an SBOM.
    pub kind: ArtifactKind,
    /// The repository that it was found in.
    pub repository: String,
    /// What it belongs to.
    pub subject: Digest,
    /// The name of what it belongs to.
    pub subject_name: String,
    /// Its manifest.
    pub digest: Digest,
    /// The artifact type that its manifest states.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The tag that it was found under, for cosign's convention.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
}

/// A carried file of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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

impl Summary {
    pub(crate) fn of(planned: &Planned, omitted: &[OmittedImage]) -> Self {
        let record = planned.contents.record();
        let bytes: BTreeMap<&str, u64> = planned
            .needs
            .iter()
            .map(|need| (need.name.as_str(), need.bytes))
            .collect();
        let bytes_of = |name: &str| bytes.get(name).copied().unwrap_or(0);
        let content_bytes: u64 = planned.items.values().map(|item| item.size).sum();
        let needed: u64 = planned.needs.iter().map(|need| need.bytes).sum();
        let manifests = record.manifests.len() as u64;
        let names = record.names();
        let referrers = record.referrers.iter().map(|referrer| PlannedReferrer {
            kind: referrer.kind(),
            repository: referrer.repository.clone(),
            subject: referrer.subject,
            subject_name: names.subject(&referrer.repository, &referrer.subject),
            digest: referrer.descriptor.digest,
            artifact_type: referrer.artifact_type.clone(),
            tag: referrer.tag().map(str::to_owned),
        });
        let files = record.files.iter().map(|file| PlannedFile {
            name: file.name.clone(),
            reference: file.reference.clone(),
            digest: file.descriptor.digest,
            bytes: bytes_of(&file.name),
        });
        Self {
            identity: planned.contents.identity(),
            images: record
                .images
                .iter()
                .map(|image| planned_image(image, planned, &bytes_of))
                .collect(),
            omitted: omitted.to_vec(),
            referrers: referrers.collect(),
            files: files.collect(),
            manifests,
            blobs: planned.items.len() as u64 - manifests,
            content_bytes,
            shared_bytes: needed.saturating_sub(content_bytes),
            total_bytes: planned.total_bytes,
            warnings: planned.warnings.clone(),
        }
    }
}

fn planned_image(
    image: &ImageEntry,
    planned: &Planned,
    bytes_of: &dyn Fn(&str) -> u64,
) -> PlannedImage {
    let name = image.reference.to_string();
    let platforms = image.platforms.iter();
    PlannedImage {
        digest: image.descriptor.digest,
        pulled_from: planned.pulled_from.get(&name).cloned(),
        platforms: platforms
            .filter_map(|entry| Some(entry.platform.as_ref()?.to_string()))
            .collect(),
        left_out: planned.left_out.get(&name).cloned().unwrap_or_default(),
        original: image.original.as_ref().map(|original| original.digest),
        new_digest: image.new_digest,
        no_longer_covered_by: planned.not_covered.get(&name).cloned().unwrap_or_default(),
        bytes: bytes_of(&name),
        reference: image.reference.clone(),
    }
}

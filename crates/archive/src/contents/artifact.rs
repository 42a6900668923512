//! The OCI artifact that a compact bundle is: what any OCI tool copies, and what names every part of the
//! file by its digest.

use std::collections::BTreeMap;

use sealift_oci::{Descriptor, Digest, MAX_MANIFEST_BYTES, Manifest, annotation, media_type};
use serde::Serialize;

use crate::contents::index_json::RECORD;
use crate::contents::record::Identity;

/// The artifact type of a compact bundle.
pub(crate) const BUNDLE_TYPE: &str = "application/vnd.sealift.bundle.v1";
/// The artifact type of a delta bundle.
const DELTA_TYPE: &str = "application/vnd.sealift.delta.v1";
/// The artifact type of the record of a bundle without its blobs.
const RECORD_FILE_TYPE: &str = "application/vnd.sealift.record.v1";
/// What the types of all artifacts of this program begin with.
const OWN_TYPES: &str = "application/vnd.sealift.";
/// The media type of the record.
const RECORD_TYPE: &str = "application/vnd.sealift.record.v1+json";
/// The media type of the manifests, one after the other in the record's order.
const MANIFESTS_TYPE: &str = "application/vnd.sealift.manifests.v1";
/// The media type of a pack.
const PACK_TYPE: &str = "application/vnd.sealift.pack.v1";
/// The media type of a pack of a delta, which may need blobs of the bases.
const DELTA_PACK_TYPE: &str = "application/vnd.sealift.pack.v2";
/// The media type of the record of a base.
const BASE_RECORD_TYPE: &str = "application/vnd.sealift.base-record.v1+json";
/// The media type of the manifests of a base.
const BASE_MANIFESTS_TYPE: &str = "application/vnd.sealift.base-manifests.v1";
/// The media type of what is known of the blobs of a bundle that are not there.
const SUMMARY_TYPE: &str = "application/vnd.sealift.summary.v1";
/// The media type of a blob that is kept as it is.
const KEPT_TYPE: &str = "application/octet-stream";
/// The config of an artifact that has none (image-spec, "Guidance for an Empty Descriptor").
pub(crate) const EMPTY_CONFIG: &[u8] = b"{}";
/// The name of the artifact in the file's index.
const NAME: &str = "bundle";

/// A part of the file: its digest and its size in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
}

/// A record and the manifests that it lists: all that is known of a bundle without its blobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Metadata {
    pub(crate) record: Part,
    pub(crate) manifests: Part,
}

impl Metadata {
    /// The identity of the bundle.
    pub(crate) fn identity(&self) -> Identity {
        Identity(self.record.digest)
    }
}

/// What an artifact has besides the metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ArtifactKind {
    /// Every blob is in a pack or kept as it is.
    Compact {
        /// Packs, each complete in itself.
        packs: Vec<Part>,
        /// Blobs that are kept as they are.
        kept: Vec<Part>,
    },
    /// As a compact bundle, but blobs of the bases are left out, and packs may need blobs of the bases.
    Delta {
        /// What is known of each base.
        bases: Vec<Metadata>,
        /// Packs that may need blobs of the bases.
        packs: Vec<Part>,
        /// Blobs that are kept as they are.
        kept: Vec<Part>,
    },
    /// No blob, but what a delta needs to know of each.
    Record {
        /// The summary of the blobs.
        summary: Part,
    },
}

/// What a file in the form of an artifact consists of, in the order in which its parts are in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Artifact {
    pub(crate) metadata: Metadata,
    pub(crate) kind: ArtifactKind,
}

/// Why a manifest is not an artifact that is understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ArtifactError {
    /// Another version of this program wrote it.
    #[error("it is of type {found:?}; this version of sealift does not read that type")]
    Type {
        /// Its type.
        found: String,
    },
    /// Something else.
    #[error("it is not the artifact of a bundle")]
    Foreign,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactManifest {
    schema_version: u8,
    media_type: &'static str,
    artifact_type: &'static str,
    config: Descriptor,
    layers: Vec<Descriptor>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u8,
    media_type: &'static str,
    manifests: [Descriptor; 1],
    annotations: BTreeMap<&'static str, String>,
}

impl Artifact {
    /// The bytes of its manifest; `None` if it has more parts than a manifest can list.
    pub(crate) fn manifest(&self) -> Option<Vec<u8>> {
        let layer =
            |media_type: &str, part: &Part| Descriptor::new(media_type, part.digest, part.size);
        let manifest = ArtifactManifest {
            schema_version: 2,
            media_type: media_type::OCI_MANIFEST,
            artifact_type: self.artifact_type(),
            config: Descriptor::of(media_type::OCI_EMPTY, EMPTY_CONFIG),
            layers: self
                .layers()
                .into_iter()
                .map(|(media_type, part)| layer(media_type, part))
                .collect(),
        };
        let bytes =
            serde_json::to_vec(&manifest).expect("a manifest has no map with other keys than text");
        (bytes.len() <= MAX_MANIFEST_BYTES).then_some(bytes)
    }

    fn artifact_type(&self) -> &'static str {
        match &self.kind {
            ArtifactKind::Compact { .. } => BUNDLE_TYPE,
            ArtifactKind::Delta { .. } => DELTA_TYPE,
            ArtifactKind::Record { .. } => RECORD_FILE_TYPE,
        }
    }

    /// Every part with its media type.
    fn layers(&self) -> Vec<(&'static str, &Part)> {
        let mut layers = vec![
            (RECORD_TYPE, &self.metadata.record),
            (MANIFESTS_TYPE, &self.metadata.manifests),
        ];
        match &self.kind {
            ArtifactKind::Compact { packs, kept } => {
                layers.extend(packs.iter().map(|part| (PACK_TYPE, part)));
                layers.extend(kept.iter().map(|part| (KEPT_TYPE, part)));
            }
            ArtifactKind::Delta { bases, packs, kept } => {
                for base in bases {
                    layers.push((BASE_RECORD_TYPE, &base.record));
                    layers.push((BASE_MANIFESTS_TYPE, &base.manifests));
                }
                layers.extend(packs.iter().map(|part| (DELTA_PACK_TYPE, part)));
                layers.extend(kept.iter().map(|part| (KEPT_TYPE, part)));
            }
            ArtifactKind::Record { summary } => layers.push((SUMMARY_TYPE, summary)),
        }
        layers
    }

    /// Reads what [`Artifact::manifest`] wrote, and no other manifest.
    pub(crate) fn parse(manifest: &Manifest) -> Result<Self, ArtifactError> {
        let mut layers = manifest.layers().iter().peekable();
        let mut next = |media_type: &str| {
            let layer = layers.next_if(|layer| layer.media_type == media_type)?;
            Some(Part {
                digest: layer.digest,
                size: layer.size,
            })
        };
        let metadata =
            |record: &str, manifests: &str, next: &mut dyn FnMut(&str) -> Option<Part>| {
                Some(Metadata {
                    record: next(record)?,
                    manifests: next(manifests)?,
                })
            };
        let own = metadata(RECORD_TYPE, MANIFESTS_TYPE, &mut next);
        let kind = match manifest.artifact_type() {
            Some(BUNDLE_TYPE) => Some(ArtifactKind::Compact {
                packs: std::iter::from_fn(|| next(PACK_TYPE)).collect(),
                kept: std::iter::from_fn(|| next(KEPT_TYPE)).collect(),
            }),
            Some(DELTA_TYPE) => Some(ArtifactKind::Delta {
                bases: std::iter::from_fn(|| {
                    metadata(BASE_RECORD_TYPE, BASE_MANIFESTS_TYPE, &mut next)
                })
                .collect(),
                packs: std::iter::from_fn(|| next(DELTA_PACK_TYPE)).collect(),
                kept: std::iter::from_fn(|| next(KEPT_TYPE)).collect(),
            }),
            Some(RECORD_FILE_TYPE) => {
                next(SUMMARY_TYPE).map(|summary| ArtifactKind::Record { summary })
            }
            Some(other) if other.starts_with(OWN_TYPES) => {
                return Err(ArtifactError::Type {
                    found: other.chars().take(120).collect(),
                });
            }
            _ => None,
        };
        let artifact = own
            .zip(kind)
            .map(|(metadata, kind)| Self { metadata, kind })
            .ok_or(ArtifactError::Foreign)?;
        match artifact.manifest() {
            Some(bytes) if bytes == **manifest.bytes() => Ok(artifact),
            _ => Err(ArtifactError::Foreign),
        }
    }

    /// Whether `artifact_type` is that of a file whose images can be read.
    pub(crate) fn is_bundle_type(artifact_type: &str) -> bool {
        [BUNDLE_TYPE, DELTA_TYPE].contains(&artifact_type)
    }

    /// The identity of the bundle.
    pub(crate) fn identity(&self) -> Identity {
        self.metadata.identity()
    }

    /// Every part, in the order in which they are in the file. Equal parts are there once.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &Part> {
        self.layers().into_iter().map(|(_, part)| part)
    }
}

/// The `index.json` of a file with the artifact whose manifest is `manifest`.
pub(crate) fn artifact_index(manifest: &Part, artifact: &Artifact) -> Vec<u8> {
    let mut descriptor = Descriptor::new(media_type::OCI_MANIFEST, manifest.digest, manifest.size)
        .with_annotation(annotation::REF_NAME, NAME);
    descriptor.artifact_type = Some(artifact.artifact_type().to_owned());
    let index = Index {
        schema_version: 2,
        media_type: media_type::OCI_INDEX,
        manifests: [descriptor],
        annotations: BTreeMap::from([(RECORD, artifact.identity().to_string())]),
    };
    serde_json::to_vec(&index).expect("an index has no map with other keys than text")
}

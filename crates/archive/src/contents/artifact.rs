//! The OCI artifact that a compact bundle is: what any OCI tool copies, and what names every part of the
//! file by its digest.

use std::collections::BTreeMap;

use sealift_oci::{Descriptor, Digest, MAX_MANIFEST_BYTES, Manifest, annotation, media_type};
use serde::Serialize;

use crate::contents::index_json::RECORD;
use crate::contents::record::Identity;

/// The artifact type of a compact bundle.
pub(crate) const BUNDLE_TYPE: &str = "application/vnd.sealift.bundle.v1";
/// The media type of the record.
const RECORD_TYPE: &str = "application/vnd.sealift.record.v1+json";
/// The media type of the manifests, one after the other in the record's order.
const MANIFESTS_TYPE: &str = "application/vnd.sealift.manifests.v1";
/// The media type of a pack.
const PACK_TYPE: &str = "application/vnd.sealift.pack.v1";
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

/// The parts of a compact bundle, in the order in which they are in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Artifact {
    pub(crate) record: Part,
    pub(crate) manifests: Part,
    pub(crate) packs: Vec<Part>,
    /// Blobs that are kept as they are.
    pub(crate) kept: Vec<Part>,
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
        let mut layers = vec![
            layer(RECORD_TYPE, &self.record),
            layer(MANIFESTS_TYPE, &self.manifests),
        ];
        layers.extend(self.packs.iter().map(|part| layer(PACK_TYPE, part)));
        layers.extend(self.kept.iter().map(|part| layer(KEPT_TYPE, part)));
        let manifest = ArtifactManifest {
            schema_version: 2,
            media_type: media_type::OCI_MANIFEST,
            artifact_type: BUNDLE_TYPE,
            config: Descriptor::of(media_type::OCI_EMPTY, EMPTY_CONFIG),
            layers,
        };
        let bytes =
            serde_json::to_vec(&manifest).expect("a manifest has no map with other keys than text");
        (bytes.len() <= MAX_MANIFEST_BYTES).then_some(bytes)
    }

    /// Reads what [`Artifact::manifest`] wrote; `None` for any other manifest.
    pub(crate) fn parse(manifest: &Manifest) -> Option<Self> {
        let mut layers = manifest.layers().iter().peekable();
        let mut next = |media_type: &str| {
            let layer = layers.next_if(|layer| layer.media_type == media_type)?;
            Some(Part {
                digest: layer.digest,
                size: layer.size,
            })
        };
        let (record, manifests) = (next(RECORD_TYPE)?, next(MANIFESTS_TYPE)?);
        let packs = std::iter::from_fn(|| next(PACK_TYPE)).collect();
        let kept = std::iter::from_fn(|| next(KEPT_TYPE)).collect();
        let artifact = Self {
            record,
            manifests,
            packs,
            kept,
        };
        (artifact.manifest()? == **manifest.bytes()).then_some(artifact)
    }

    /// The identity of the bundle.
    pub(crate) fn identity(&self) -> Identity {
        Identity(self.record.digest)
    }

    /// Every part, in the order in which they are in the file.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &Part> {
        [&self.record, &self.manifests]
            .into_iter()
            .chain(&self.packs)
            .chain(&self.kept)
    }
}

/// The `index.json` of a file with the artifact whose manifest is `manifest`.
pub(crate) fn artifact_index(manifest: &Part, identity: Identity) -> Vec<u8> {
    let mut descriptor = Descriptor::new(media_type::OCI_MANIFEST, manifest.digest, manifest.size)
        .with_annotation(annotation::REF_NAME, NAME);
    descriptor.artifact_type = Some(BUNDLE_TYPE.to_owned());
    let index = Index {
        schema_version: 2,
        media_type: media_type::OCI_INDEX,
        manifests: [descriptor],
        annotations: BTreeMap::from([(RECORD, identity.to_string())]),
    };
    serde_json::to_vec(&index).expect("an index has no map with other keys than text")
}

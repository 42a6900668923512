//! Descriptors: media type, digest and size of a blob (OCI image specification, `descriptor.md`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Digest, Platform};

/// Points at content: its media type, digest and size (image-spec, `descriptor.md`).
///
/// Fields serialise in this order and annotations by key, so that equal descriptors are equal bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What the content is.
    pub media_type: String,
    /// The digest of its bytes.
    pub digest: Digest,
    /// How many bytes it has.
    pub size: u64,
    /// Where else it may be found. Never fetched from; see [`crate::media_type::is_nondistributable`].
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "crate::json::null_as_default"
    )]
    pub urls: Vec<String>,
    /// Free annotations.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "crate::json::null_as_default"
    )]
    pub annotations: BTreeMap<String, String>,
    /// The content itself, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// What the content runs on, for a child of an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// What kind of artifact the content is, for a manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
}

impl Descriptor {
    /// A descriptor with the three fields that every descriptor has.
    pub fn new(media_type: impl Into<String>, digest: Digest, size: u64) -> Self {
        Self {
            media_type: media_type.into(),
            digest,
            size,
            urls: Vec::new(),
            annotations: BTreeMap::new(),
            data: None,
            platform: None,
            artifact_type: None,
        }
    }

    /// The descriptor of `bytes`, by SHA-256.
    pub fn of(media_type: impl Into<String>, bytes: &[u8]) -> Self {
        Self::new(media_type, Digest::sha256(bytes), bytes.len() as u64)
    }

    /// The same with one annotation more.
    pub fn with_annotation(mut self, key: &str, value: impl Into<String>) -> Self {
        self.annotations.insert(key.to_owned(), value.into());
        self
    }

    /// The content, if the descriptor embeds it and size and digest are right; registries may not have it
    /// beside (image-spec, `descriptor.md`, "Embedded Content").
    pub fn embedded(&self) -> Option<Vec<u8>> {
        use base64::Engine as _;
        let data = self.data.as_deref()?;
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(data)
            .ok()?;
        let right = bytes.len() as u64 == self.size
            && Digest::of(self.digest.algorithm(), &bytes) == self.digest;
        right.then_some(bytes)
    }

    /// Whether it points at the attestation of one of its siblings in an index; the sibling's digest.
    /// `BuildKit` marks them so and gives them the platform `unknown/unknown`.
    pub fn attestation_of(&self) -> Option<Digest> {
        use crate::annotation::{
            ATTESTATION_MANIFEST, DOCKER_REFERENCE_DIGEST, DOCKER_REFERENCE_TYPE,
        };
        let kind = self.annotations.get(DOCKER_REFERENCE_TYPE)?;
        (kind == ATTESTATION_MANIFEST)
            .then(|| self.annotations.get(DOCKER_REFERENCE_DIGEST)?.parse().ok())
            .flatten()
    }
}

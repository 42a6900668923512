//! What is known of the manifests that were read: who points at what, without the bytes.

use std::collections::BTreeMap;

use sealift_archive::PlainDescriptor;
use sealift_oci::{Digest, Kind, Manifest, Platform, media_type};

use crate::error::ResolveError;

/// How deep indexes may be nested; the reader of bundles accepts no more.
pub(crate) const MAX_DEPTH: usize = 8;
/// How many manifests one image may have.
pub(crate) const MAX_MANIFESTS: usize = 20_000;
/// No config that is read while planning is larger.
pub(crate) const MAX_CONFIG_BYTES: u64 = 4 << 20;

/// An image whose indexes are nested too deep.
pub(crate) const TOO_DEEP: ResolveError = ResolveError::TooMuch {
    what: "indexes nested too deep",
    limit: MAX_DEPTH,
};
/// An image with too many manifests.
pub(crate) const TOO_MANY: ResolveError = ResolveError::TooMuch {
    what: "too many manifests",
    limit: MAX_MANIFESTS,
};

/// A manifest that was read and checked.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) descriptor: PlainDescriptor,
    pub(crate) kind: Kind,
    /// What an index lists, in its order.
    pub(crate) children: Vec<Child>,
    /// What an image manifest needs, config first.
    pub(crate) blobs: Vec<BlobRef>,
    pub(crate) subject: Option<Digest>,
    pub(crate) artifact_type: Option<String>,
}

/// A child of an index.
#[derive(Clone, Debug)]
pub(crate) struct Child {
    pub(crate) descriptor: PlainDescriptor,
    pub(crate) platform: Option<Platform>,
    /// The sibling that it is the attestation of.
    pub(crate) attests: Option<Digest>,
}

/// A blob that a manifest needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlobRef {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    pub(crate) role: Role,
    /// Whether its descriptor names other places to have it from.
    pub(crate) elsewhere: bool,
}

/// What a blob is to its manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The config of an image for some platform.
    ImageConfig,
    /// Another config.
    Config,
    /// A layer.
    Layer,
    /// A layer that its publisher forbids to redistribute.
    Foreign,
}

/// Every manifest that was read, by digest.
pub(crate) type Forest = BTreeMap<Digest, Node>;

impl Node {
    /// What there is to know of `manifest` without its bytes.
    pub(crate) fn of(manifest: &Manifest) -> Self {
        let config = manifest.config().map(|config| BlobRef {
            digest: config.digest,
            size: config.size,
            role: match config.media_type.as_str() {
                media_type::OCI_CONFIG | media_type::DOCKER_CONFIG => Role::ImageConfig,
                _ => Role::Config,
            },
            elsewhere: false,
        });
        let layers = manifest.layers().iter().map(|layer| BlobRef {
            digest: layer.digest,
            size: layer.size,
            role: if media_type::is_nondistributable(&layer.media_type) {
                Role::Foreign
            } else {
                Role::Layer
            },
            elsewhere: !layer.urls.is_empty(),
        });
        let children = manifest.children().iter().map(|child| Child {
            descriptor: PlainDescriptor::from(child),
            platform: child.platform.clone(),
            attests: child.attestation_of(),
        });
        Self {
            descriptor: PlainDescriptor::from(&manifest.descriptor()),
            kind: manifest.kind(),
            children: children.collect(),
            blobs: config.into_iter().chain(layers).collect(),
            subject: manifest.subject().map(|subject| subject.digest),
            artifact_type: manifest.artifact_type().map(str::to_owned),
        }
    }

    /// The config of an image for a platform, where it is small enough to be read while planning.
    pub(crate) fn image_config(&self) -> Option<&BlobRef> {
        self.blobs
            .first()
            .filter(|blob| blob.role == Role::ImageConfig && blob.size <= MAX_CONFIG_BYTES)
    }
}

//! The manifests of an image that are images: one for each platform. Attestations in its index are not.

use std::collections::BTreeMap;

use sealift_archive::{Bundle, InspectedImage, Role};
use sealift_oci::Digest;

/// A layer of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layer {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    /// Whether the bundle contains it: layers that may not be redistributed may be missing.
    pub(crate) present: bool,
}

/// One platform of an image.
#[derive(Clone, Debug)]
pub(crate) struct PlatformImage {
    /// The platform, as text; empty for an image that names none.
    pub(crate) platform: String,
    pub(crate) manifest: Digest,
    /// The config, if it is an image's and small enough to be read.
    pub(crate) config: Option<Digest>,
    /// The layers, base first; empty for an artifact that is not an image.
    pub(crate) layers: Vec<Layer>,
    /// The size of the manifest and all that it needs, in bytes.
    pub(crate) bytes: u64,
}

/// The platforms of an image, in the order of its index.
pub(crate) fn platforms(bundle: &Bundle, image: &InspectedImage) -> Vec<PlatformImage> {
    let platforms = image.platforms.iter().filter_map(|platform| {
        let node = bundle.graph().get(&platform.digest)?;
        let is_image = node
            .blobs
            .first()
            .is_some_and(|blob| blob.role == Role::ImageConfig);
        let layers = node.blobs.iter().skip(1).map(|blob| Layer {
            digest: blob.digest,
            size: blob.size,
            present: bundle.size(&blob.digest).is_some(),
        });
        Some(PlatformImage {
            platform: platform
                .platform
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            manifest: platform.digest,
            config: node.image_config().map(|blob| blob.digest),
            layers: if is_image {
                layers.collect()
            } else {
                Vec::new()
            },
            bytes: platform.bytes,
        })
    });
    platforms.collect()
}

/// The platforms of an image by name. Of two with one name, as broken indexes have them, the first counts, as for
/// container runtimes.
pub(crate) fn by_name(platforms: Vec<PlatformImage>) -> BTreeMap<String, PlatformImage> {
    let mut named = BTreeMap::new();
    for platform in platforms {
        named.entry(platform.platform.clone()).or_insert(platform);
    }
    named
}

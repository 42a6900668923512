//! What one bundle contains, for the report: the same facts for the page and for scripts.

use std::collections::BTreeMap;
use std::path::Path;

use sealift_archive::{
    Bundle, Identity, InspectedDelta, InspectedFile, InspectedImage, InspectedReferrer, Profile,
    Work, checksum, inspect,
};
use sealift_inventory::Inventory;
use sealift_oci::Digest;
use serde::Serialize;

use crate::config::{self, Publisher};
use crate::error::ReportError;
use crate::layers::{Layers, UnreadLayer};
use crate::platforms::{PlatformImage, platforms};

/// How many images are looked at together: enough that threads are not idle while one layer is read.
const AT_ONCE: usize = 16;

/// What a bundle contains.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    /// The name of its file, without folders.
    pub file: String,
    /// The size of its file in bytes.
    pub bytes: u64,
    /// The SHA-256 checksum of its file, in hex.
    pub sha256: String,
    /// Its identity.
    pub identity: Identity,
    /// How its blobs are stored: `plain`, `compact` or `delta`.
    pub profile: &'static str,
    /// What a delta bundle leaves to its bases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delta: Option<InspectedDelta>,
    /// The size of all content in bytes, each blob once.
    pub content_bytes: u64,
    /// How many bytes more there would be if nothing were shared.
    pub shared_bytes: u64,
    /// How many manifests and blobs it contains.
    pub blobs: u64,
    /// Its images, by name.
    pub images: Vec<ImageFacts>,
    /// Carried files, by name.
    pub files: Vec<InspectedFile>,
    /// What publishers offer with these images and the bundle does not contain.
    pub omitted: Vec<OmittedFact>,
}

/// One image.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageFacts {
    /// Its name.
    pub reference: String,
    /// Its digest.
    pub digest: Digest,
    /// Where it came from.
    pub source: &'static str,
    /// The publisher's index, if platforms were selected and `digest` is a new one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original: Option<Digest>,
    /// Whether the bundle contains that index too, for registries that accept it without all its platforms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original_included: Option<bool>,
    /// Whether the digest was made when the bundle was built, since the source had none.
    pub new_digest: bool,
    /// All that it needs, in bytes.
    pub bytes: u64,
    /// What no other image needs, in bytes.
    pub unique_bytes: u64,
    /// Its platforms.
    pub platforms: Vec<PlatformFacts>,
    /// Its signatures, attestations and SBOMs.
    pub attached: Vec<InspectedReferrer>,
}

/// One platform of an image.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlatformFacts {
    /// The platform; empty for an image that names none.
    pub platform: String,
    /// Its manifest.
    pub digest: Digest,
    /// Its size in bytes.
    pub bytes: u64,
    /// What its publisher says.
    pub publisher: Publisher,
    /// Its layers, base first.
    pub layers: Vec<LayerFacts>,
    /// What is installed in it.
    pub inventory: Inventory,
    /// Layers that were not read: what is in them is missing in the inventory.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<UnreadLayer>,
}

/// A layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LayerFacts {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub bytes: u64,
    /// How many images need it.
    pub images: u64,
}

/// Something that a publisher offers and the bundle does not contain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OmittedFact {
    /// What it belongs to.
    pub image: String,
    /// What it is.
    pub what: String,
    /// Why it is not there.
    pub why: &'static str,
    /// Its digest.
    pub digest: Digest,
}

impl Facts {
    /// Reads `bundle`, which is the file at `path`.
    ///
    /// # Errors
    /// If blobs of a delta's bases are absent, a blob does not have its digest, the file cannot be read, or the work is stopped.
    pub fn gather(bundle: &Bundle, path: &Path, work: &Work<'_>) -> Result<Self, ReportError> {
        let inspection = inspect(bundle);
        let all: Vec<Vec<PlatformImage>> = inspection
            .images
            .iter()
            .map(|image| platforms(bundle, image))
            .collect();
        let uses = uses(&all);
        bundle.check_readable(bundle.sizes().map(|(digest, _)| digest))?;
        let mut layers = Layers::new(vec![bundle], all.iter().flatten(), false, work)?;
        let mut found = Vec::new();
        for some in all.iter().flatten().collect::<Vec<_>>().chunks(AT_ONCE) {
            let contents = layers.contents(some)?.into_iter();
            found.extend(contents.map(|contents| (contents.inventory, contents.unread)));
        }
        let mut found = found.into_iter();
        let mut images = Vec::with_capacity(all.len());
        for (image, platforms) in inspection.images.iter().zip(&all) {
            let found = found.by_ref().take(platforms.len());
            images.push(image_facts(bundle, image, platforms, &uses, found)?);
        }
        let name = path.file_name().unwrap_or_default();
        Ok(Self {
            file: name.to_string_lossy().into_owned(),
            bytes: bundle.total_bytes(),
            sha256: checksum(path, work.cancel, &**work.observer)?.hex(),
            identity: bundle.identity(),
            profile: match bundle.profile() {
                Profile::Plain => "plain",
                Profile::Compact => "compact",
                Profile::Delta => "delta",
            },
            delta: inspection.delta.clone(),
            content_bytes: bundle.sizes().map(|(_, size)| size).sum(),
            shared_bytes: inspection.shared_bytes,
            blobs: inspection.blobs,
            omitted: omitted(&inspection.images, &all, &images),
            images,
            files: inspection.files,
        })
    }

    /// What was found in images and not understood, by image and platform.
    pub fn notes(&self) -> impl Iterator<Item = (&ImageFacts, &PlatformFacts, String)> {
        self.images.iter().flat_map(|image| {
            image.platforms.iter().flat_map(move |platform| {
                let unread = platform.unread.iter();
                let unread = unread
                    .map(|layer| format!("layer {} was not read: {}", layer.digest, layer.why));
                let notes = platform.inventory.notes.iter().map(|note| {
                    if note.path.is_empty() {
                        note.what.clone()
                    } else {
                        format!("/{}: {}", note.path, note.what)
                    }
                });
                let problem = platform.publisher.problem.iter();
                let problem =
                    problem.map(|problem| format!("its config was not understood: {problem}"));
                unread
                    .chain(notes)
                    .chain(problem)
                    .map(move |what| (image, platform, what))
            })
        })
    }
}

/// How many images need each layer.
fn uses(images: &[Vec<PlatformImage>]) -> BTreeMap<Digest, u64> {
    let mut uses = BTreeMap::new();
    for image in images {
        let mut layers: Vec<Digest> = image
            .iter()
            .flat_map(|platform| platform.layers.iter().map(|layer| layer.digest))
            .collect();
        layers.sort();
        layers.dedup();
        for layer in layers {
            *uses.entry(layer).or_default() += 1;
        }
    }
    uses
}

fn image_facts(
    bundle: &Bundle,
    image: &InspectedImage,
    platforms: &[PlatformImage],
    uses: &BTreeMap<Digest, u64>,
    found: impl Iterator<Item = (Inventory, Vec<UnreadLayer>)>,
) -> Result<ImageFacts, ReportError> {
    let mut facts = Vec::with_capacity(platforms.len());
    for (platform, (inventory, unread)) in platforms.iter().zip(found) {
        facts.push(PlatformFacts {
            platform: platform.platform.clone(),
            digest: platform.manifest,
            bytes: platform.bytes,
            publisher: config::publisher(bundle, &platform.manifest, platform.config.as_ref())?,
            layers: platform
                .layers
                .iter()
                .map(|layer| LayerFacts {
                    digest: layer.digest,
                    bytes: layer.size,
                    images: uses.get(&layer.digest).copied().unwrap_or(1),
                })
                .collect(),
            inventory,
            unread,
        });
    }
    Ok(ImageFacts {
        reference: image.reference.clone(),
        digest: image.digest,
        source: match image.source {
            sealift_archive::ImageSource::Registry => "registry",
            sealift_archive::ImageSource::Layout => "OCI layout",
            sealift_archive::ImageSource::DockerArchive => "docker save archive",
        },
        original: image.original,
        original_included: image
            .original
            .map(|original| bundle.size(&original).is_some()),
        new_digest: image.new_digest,
        bytes: image.bytes,
        unique_bytes: image.own_bytes,
        platforms: facts,
        attached: image.referrers.clone(),
    })
}

fn omitted(
    images: &[InspectedImage],
    all: &[Vec<PlatformImage>],
    facts: &[ImageFacts],
) -> Vec<OmittedFact> {
    let mut omitted = Vec::new();
    for ((image, platforms), facts) in images.iter().zip(all).zip(facts) {
        omitted.extend(image.left_out.iter().map(|entry| OmittedFact {
            image: image.reference.clone(),
            what: entry.platform.as_ref().map_or_else(
                || "an entry without a platform".to_owned(),
                |platform| format!("platform {platform}"),
            ),
            why: "not among the selected platforms, or not in the source",
            digest: entry.digest,
        }));
        if let (Some(original), Some(false)) = (image.original, facts.original_included) {
            omitted.push(OmittedFact {
                image: image.reference.clone(),
                what: "the publisher's index, and signatures that cover it".to_owned(),
                why: "platforms were selected, and the index was not available or too large to be bundled beside the new one",
                digest: original,
            });
        }
        for platform in platforms {
            let missing = platform.layers.iter().filter(|layer| !layer.present);
            omitted.extend(missing.map(|layer| OmittedFact {
                image: image.reference.clone(),
                what: format!("a layer of {} bytes", layer.size),
                why: "its publisher does not permit redistribution",
                digest: layer.digest,
            }));
        }
    }
    omitted
}

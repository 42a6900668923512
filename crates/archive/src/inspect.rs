use std::collections::{BTreeMap, BTreeSet};

use sealift_oci::{Digest, Kind, Manifest, Platform};
use serde::Serialize;

use crate::bundle::Bundle;
use crate::error::Fault;
use crate::record::{FileKind, Found, Identity, ImageEntry, ImageSource, PlatformEntry};

/// What is inside a bundle, from its record and its manifests; no blob is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inspection {
    /// The bundle's identity.
    pub identity: Identity,
    /// The file's size in bytes.
    pub bytes: u64,
    /// How many blobs there are, manifests included.
    pub blobs: u64,
    /// How many bytes of blobs would be there more if nothing were shared.
    pub shared_bytes: u64,
    /// The images, by reference.
    pub images: Vec<InspectedImage>,
    /// The carried files, by name.
    pub files: Vec<InspectedFile>,
}

/// One image of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InspectedImage {
    /// Its name, as asked for.
    pub reference: String,
    /// What the name stands for here.
    pub digest: Digest,
    /// The media type of its index or manifest.
    pub media_type: String,
    /// Where it was taken from.
    pub source: ImageSource,
    /// The publisher's index, where platforms were chosen and `digest` is a new one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original: Option<Digest>,
    /// Whether the digest was made at build time, since the source had none.
    pub new_digest: bool,
    /// All that the image needs, in bytes.
    pub bytes: u64,
    /// What no other image needs, in bytes.
    pub own_bytes: u64,
    /// What it runs on.
    pub platforms: Vec<InspectedPlatform>,
    /// What its index has and the bundle has not.
    pub left_out: Vec<PlatformEntry>,
    /// Its signatures, attestations and SBOMs.
    pub referrers: Vec<InspectedReferrer>,
}

/// One manifest of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InspectedPlatform {
    /// The platform, where the index names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Its manifest.
    pub digest: Digest,
    /// How many layers it has.
    pub layers: usize,
    /// Manifest, config and layers, in bytes.
    pub bytes: u64,
}

/// A manifest that belongs to an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InspectedReferrer {
    /// What it belongs to: the image, one of its platforms, or another referrer.
    pub subject: Digest,
    /// Its manifest.
    pub digest: Digest,
    /// What kind of artifact it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The tag it is found by, for cosign's convention.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// All that it needs, in bytes.
    pub bytes: u64,
}

/// A carried file or folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InspectedFile {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: FileKind,
    /// The name that it is pushed under.
    pub reference: String,
    /// The artifact's manifest.
    pub digest: Digest,
    /// All that it needs, in bytes.
    pub bytes: u64,
}

/// Says what is inside `bundle`. Reads each of its manifests, which [`Bundle::open`] has checked.
pub fn inspect(bundle: &Bundle) -> Result<Inspection, Fault> {
    let record = bundle.record();
    let mut reach = Vec::with_capacity(record.images.len());
    for image in &record.images {
        reach.push(reached(bundle, &image.descriptor.digest)?);
    }
    let mut uses: BTreeMap<Digest, u64> = BTreeMap::new();
    for digest in reach.iter().flatten() {
        *uses.entry(*digest).or_default() += 1;
    }
    let mut images = Vec::with_capacity(record.images.len());
    for (image, reach) in record.images.iter().zip(&reach) {
        images.push(inspect_image(bundle, image, reach, &uses)?);
    }
    let shared_bytes = uses
        .iter()
        .map(|(digest, uses)| size(bundle, digest) * (uses - 1))
        .sum();
    Ok(Inspection {
        identity: bundle.identity(),
        bytes: bundle.total_bytes(),
        blobs: bundle.extents().count() as u64,
        shared_bytes,
        images,
        files: inspect_files(bundle)?,
    })
}

fn inspect_image(
    bundle: &Bundle,
    image: &ImageEntry,
    reach: &BTreeSet<Digest>,
    uses: &BTreeMap<Digest, u64>,
) -> Result<InspectedImage, Fault> {
    let own = reach.iter().filter(|digest| uses.get(digest) == Some(&1));
    Ok(InspectedImage {
        reference: image.reference.to_string(),
        digest: image.descriptor.digest,
        media_type: image.descriptor.media_type.clone(),
        source: image.source,
        original: image.original.as_ref().map(|original| original.digest),
        new_digest: image.new_digest,
        bytes: reach.iter().map(|digest| size(bundle, digest)).sum(),
        own_bytes: own.map(|digest| size(bundle, digest)).sum(),
        platforms: platforms(bundle, image)?,
        left_out: image.left_out.clone(),
        referrers: referrers(bundle, image, reach)?,
    })
}

fn platforms(bundle: &Bundle, image: &ImageEntry) -> Result<Vec<InspectedPlatform>, Fault> {
    let named = image
        .platforms
        .iter()
        .map(|entry| (entry.platform.clone(), entry.digest));
    let mut pairs: Vec<_> = named.collect();
    if pairs.is_empty() {
        pairs.push((None, image.descriptor.digest));
    }
    let mut found = Vec::with_capacity(pairs.len());
    for (platform, digest) in pairs {
        let Some(manifest) = bundle.manifest(&digest)? else {
            continue;
        };
        if manifest.kind() == Kind::Image {
            found.push(InspectedPlatform {
                platform,
                digest,
                layers: manifest.layers().len(),
                bytes: weight(bundle, &manifest),
            });
        }
    }
    Ok(found)
}

/// The referrers of everything in `reach`, and theirs.
fn referrers(
    bundle: &Bundle,
    image: &ImageEntry,
    reach: &BTreeSet<Digest>,
) -> Result<Vec<InspectedReferrer>, Fault> {
    let repository = image.reference.name();
    let mut subjects = reach.clone();
    let mut found = Vec::new();
    let candidates: Vec<_> = bundle
        .record()
        .referrers
        .iter()
        .filter(|referrer| referrer.repository == repository)
        .collect();
    loop {
        let before = found.len();
        for referrer in &candidates {
            let digest = referrer.descriptor.digest;
            let known = found
                .iter()
                .any(|found: &InspectedReferrer| found.digest == digest);
            if known || !subjects.contains(&referrer.subject) {
                continue;
            }
            let needs = reached(bundle, &digest)?;
            found.push(InspectedReferrer {
                subject: referrer.subject,
                digest,
                artifact_type: referrer.artifact_type.clone(),
                tag: match &referrer.found {
                    Found::Tag(tag) => Some(tag.clone()),
                    Found::Subject => None,
                },
                bytes: needs.iter().map(|digest| size(bundle, digest)).sum(),
            });
            subjects.insert(digest);
        }
        if found.len() == before {
            return Ok(found);
        }
    }
}

fn inspect_files(bundle: &Bundle) -> Result<Vec<InspectedFile>, Fault> {
    let files = bundle.record().files.iter();
    files
        .map(|file| {
            let needs = reached(bundle, &file.descriptor.digest)?;
            Ok(InspectedFile {
                name: file.name.clone(),
                kind: file.kind,
                reference: file.reference.to_string(),
                digest: file.descriptor.digest,
                bytes: needs.iter().map(|digest| size(bundle, digest)).sum(),
            })
        })
        .collect()
}

/// Everything in the bundle that `root` needs, itself included.
fn reached(bundle: &Bundle, root: &Digest) -> Result<BTreeSet<Digest>, Fault> {
    let (mut reached, mut open) = (BTreeSet::new(), vec![*root]);
    while let Some(digest) = open.pop() {
        if bundle.extent(&digest).is_none() || !reached.insert(digest) {
            continue;
        }
        if let Some(manifest) = bundle.manifest(&digest)? {
            open.extend(manifest.children().iter().map(|child| child.digest));
            open.extend(manifest.blobs().map(|blob| blob.digest));
        }
    }
    Ok(reached)
}

fn weight(bundle: &Bundle, manifest: &Manifest) -> u64 {
    let blobs: BTreeSet<Digest> = manifest.blobs().map(|blob| blob.digest).collect();
    let blobs: u64 = blobs.iter().map(|digest| size(bundle, digest)).sum();
    manifest.size() + blobs
}

fn size(bundle: &Bundle, digest: &Digest) -> u64 {
    bundle.extent(digest).map_or(0, |extent| extent.size)
}

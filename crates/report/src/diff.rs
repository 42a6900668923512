//! What differs between two bundles.

mod images;

use std::collections::{BTreeMap, BTreeSet};

use sealift_archive::{Bundle, Identity, InspectedFile, InspectedImage, Work, inspect};
use sealift_inventory::{FileChanges, PackageChanges};
use sealift_oci::Digest;
use serde::Serialize;

use crate::error::ReportError;
use crate::layers::{Layers, UnreadLayer};
use crate::platforms::{PlatformImage, by_name, platforms};
use images::Pair;

/// How something differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// Only in the new bundle.
    Added,
    /// Only in the old bundle.
    Removed,
    /// In both, with another digest.
    Changed,
    /// In both, with the same digest.
    Unchanged,
}

/// One of the two bundles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Side {
    /// Its file.
    pub file: String,
    /// Its identity.
    pub identity: Identity,
    /// The size of its file in bytes.
    pub file_bytes: u64,
    /// The size of all content in bytes, each blob once.
    pub content_bytes: u64,
    /// How many images it contains.
    pub images: u64,
    /// How many signatures, attestations, SBOMs and other artifacts belong to them.
    pub attached: u64,
}

/// What differs between two bundles.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BundleDiff {
    /// The old bundle.
    pub old: Side,
    /// The new bundle.
    pub new: Side,
    /// Content that only the new bundle has, in bytes.
    pub added_bytes: u64,
    /// Content that only the old bundle has, in bytes.
    pub removed_bytes: u64,
    /// The images, by name.
    pub images: Vec<ImageDiff>,
    /// The carried files, by name.
    pub files: Vec<CarriedChange>,
}

/// An image in one of the bundles or in both.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageDiff {
    /// How it differs.
    pub change: Change,
    /// Its name: the new one, if there is one.
    pub reference: String,
    /// Its name in the old bundle, if that is another: an image of the same repository under another tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_reference: Option<String>,
    /// Its digest in the old bundle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_digest: Option<Digest>,
    /// Its digest in the new bundle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_digest: Option<Digest>,
    /// All that it needs in the old bundle, in bytes.
    pub old_bytes: u64,
    /// All that it needs in the new bundle, in bytes.
    pub new_bytes: u64,
    /// Its signatures, attestations and SBOMs.
    pub attached: Attached,
    /// Its platforms, if the image changed.
    pub platforms: Vec<PlatformDiff>,
}

/// What belongs to an image: `signature (cosign)`, and how many there are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Attached {
    /// In the old bundle.
    pub old: BTreeMap<String, u64>,
    /// In the new bundle.
    pub new: BTreeMap<String, u64>,
}

/// One platform of an image that changed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlatformDiff {
    /// The platform; empty for an image that names none.
    pub platform: String,
    /// How it differs.
    pub change: Change,
    /// Its layers.
    pub layers: LayerChanges,
    /// Its files, if both bundles have the platform.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<FileChanges>,
    /// Its packages, if both bundles have the platform.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packages: Option<PackageChanges>,
    /// Layers of either that were not read: what is in them is missing in files and packages.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<UnreadLayer>,
    /// What was found in either and not understood.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<sealift_inventory::Note>,
}

/// The layers of an image, compared by digest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LayerChanges {
    /// How many are in both.
    pub kept: u64,
    /// Their size in bytes.
    pub kept_bytes: u64,
    /// How many are new.
    pub added: u64,
    /// Their size in bytes.
    pub added_bytes: u64,
    /// How many are gone.
    pub removed: u64,
    /// Their size in bytes.
    pub removed_bytes: u64,
}

/// A carried file that is in one of the bundles or in both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CarriedChange {
    /// Its name.
    pub name: String,
    /// How it differs.
    pub change: Change,
    /// Its size in the old bundle, in bytes.
    pub old_bytes: u64,
    /// Its size in the new bundle, in bytes.
    pub new_bytes: u64,
}

/// Compares two bundles. Nothing is unpacked; layers of images that changed are read.
///
/// # Errors
/// If blobs of a delta's bases are absent, a blob does not have its digest, or the work is stopped.
pub fn diff(old: &Bundle, new: &Bundle, work: &Work<'_>) -> Result<BundleDiff, ReportError> {
    let (old_inspection, new_inspection) = (inspect(old), inspect(new));
    let pairs = images::pair(&old_inspection.images, &new_inspection.images);
    let mut tasks: Vec<(&Pair<'_>, Vec<PlatformPair>)> = Vec::new();
    for pair in &pairs {
        tasks.push((pair, platform_pairs(old, new, pair)));
    }
    let read = tasks.iter().flat_map(|(_, platforms)| platforms);
    let read = read.filter_map(PlatformPair::both).flatten();
    let mut layers = Layers::new(vec![old, new], read, true, work)?;
    let mut images = Vec::with_capacity(tasks.len());
    for (pair, platforms) in tasks {
        let platforms = platforms
            .iter()
            .map(|platform| platform.compare(&mut layers))
            .collect::<Result<_, _>>()?;
        images.push(pair.diff(platforms));
    }
    let (old_sizes, new_sizes): (BTreeMap<_, _>, BTreeMap<_, _>) =
        (old.sizes().collect(), new.sizes().collect());
    Ok(BundleDiff {
        added_bytes: only_in(&new_sizes, &old_sizes),
        removed_bytes: only_in(&old_sizes, &new_sizes),
        old: side(old, &old_inspection.images, &old_sizes),
        new: side(new, &new_inspection.images, &new_sizes),
        images,
        files: carried(&old_inspection.files, &new_inspection.files),
    })
}

fn only_in(one: &BTreeMap<Digest, u64>, other: &BTreeMap<Digest, u64>) -> u64 {
    let only = one.iter().filter(|(digest, _)| !other.contains_key(digest));
    only.map(|(_, size)| size).sum()
}

fn side(bundle: &Bundle, images: &[InspectedImage], sizes: &BTreeMap<Digest, u64>) -> Side {
    let attached: BTreeSet<Digest> = images
        .iter()
        .flat_map(|image| image.referrers.iter().map(|referrer| referrer.digest))
        .collect();
    Side {
        file: bundle.name().to_owned(),
        identity: bundle.identity(),
        file_bytes: bundle.total_bytes(),
        content_bytes: sizes.values().sum(),
        images: images.len() as u64,
        attached: attached.len() as u64,
    }
}

fn carried(old: &[InspectedFile], new: &[InspectedFile]) -> Vec<CarriedChange> {
    let by_name = |files: &[InspectedFile]| -> BTreeMap<String, (Digest, u64)> {
        let files = files.iter();
        files
            .map(|file| (file.name.clone(), (file.digest, file.bytes)))
            .collect()
    };
    let (old, new) = (by_name(old), by_name(new));
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let changes = names.into_iter().map(|name| {
        let (old, new) = (old.get(name), new.get(name));
        CarriedChange {
            name: name.clone(),
            change: change(old.map(|(digest, _)| digest), new.map(|(digest, _)| digest)),
            old_bytes: old.map_or(0, |(_, bytes)| *bytes),
            new_bytes: new.map_or(0, |(_, bytes)| *bytes),
        }
    });
    changes.collect()
}

/// How what has these digests differs.
fn change(old: Option<&Digest>, new: Option<&Digest>) -> Change {
    match (old, new) {
        (Some(old), Some(new)) if old == new => Change::Unchanged,
        (Some(_), None) => Change::Removed,
        (None, _) => Change::Added,
        _ => Change::Changed,
    }
}

/// One platform in either bundle.
struct PlatformPair {
    platform: String,
    old: Option<PlatformImage>,
    new: Option<PlatformImage>,
}

/// The platforms of an image that is in both bundles and changed.
fn platform_pairs(old: &Bundle, new: &Bundle, pair: &Pair<'_>) -> Vec<PlatformPair> {
    let (Some(old_image), Some(new_image)) = (pair.old, pair.new) else {
        return Vec::new();
    };
    if old_image.digest == new_image.digest {
        return Vec::new();
    }
    let mut old = by_name(platforms(old, old_image));
    let mut new = by_name(platforms(new, new_image));
    // An image with one platform and one that does not name its platform are compared as one.
    if old.len() == 1 && new.len() == 1 && old.contains_key("") != new.contains_key("") {
        let names = old
            .keys()
            .chain(new.keys())
            .max()
            .cloned()
            .unwrap_or_default();
        old = old
            .into_values()
            .map(|image| (names.clone(), image))
            .collect();
        new = new
            .into_values()
            .map(|image| (names.clone(), image))
            .collect();
    }
    let names: BTreeSet<String> = old.keys().chain(new.keys()).cloned().collect();
    let pairs = names.into_iter().map(|platform| PlatformPair {
        old: old.remove(&platform),
        new: new.remove(&platform),
        platform,
    });
    pairs.collect()
}

impl PlatformPair {
    /// Both images, if both are there and differ.
    fn both(&self) -> Option<[&PlatformImage; 2]> {
        let (old, new) = (self.old.as_ref()?, self.new.as_ref()?);
        (old.manifest != new.manifest).then_some([old, new])
    }

    fn compare(&self, layers: &mut Layers<'_>) -> Result<PlatformDiff, ReportError> {
        let (old, new) = (self.old.as_ref(), self.new.as_ref());
        let mut diff = PlatformDiff {
            platform: self.platform.clone(),
            change: change(old.map(|old| &old.manifest), new.map(|new| &new.manifest)),
            layers: layer_changes(old, new),
            files: None,
            packages: None,
            unread: Vec::new(),
            notes: Vec::new(),
        };
        let Some(both) = self.both() else {
            return Ok(diff);
        };
        let contents = layers.contents(&both)?;
        let [old, new] = contents.as_slice() else {
            return Ok(diff);
        };
        diff.files = Some(sealift_inventory::compare_files(&old.tree, &new.tree));
        diff.packages = Some(sealift_inventory::compare_packages(
            &old.inventory,
            &new.inventory,
        ));
        diff.unread = [old.unread.clone(), new.unread.clone()].concat();
        diff.unread.dedup();
        let mut notes = [old.inventory.notes.clone(), new.inventory.notes.clone()].concat();
        notes.sort();
        notes.dedup();
        diff.notes = notes;
        Ok(diff)
    }
}

fn layer_changes(old: Option<&PlatformImage>, new: Option<&PlatformImage>) -> LayerChanges {
    let layers = |image: Option<&PlatformImage>| -> BTreeMap<Digest, u64> {
        let layers = image
            .map(|image| image.layers.as_slice())
            .unwrap_or_default();
        layers
            .iter()
            .map(|layer| (layer.digest, layer.size))
            .collect()
    };
    let (old, new) = (layers(old), layers(new));
    let mut changes = LayerChanges::default();
    for (digest, size) in &new {
        let (count, bytes) = if old.contains_key(digest) {
            (&mut changes.kept, &mut changes.kept_bytes)
        } else {
            (&mut changes.added, &mut changes.added_bytes)
        };
        *count += 1;
        *bytes += size;
    }
    for (_, size) in old.iter().filter(|(digest, _)| !new.contains_key(digest)) {
        changes.removed += 1;
        changes.removed_bytes += size;
    }
    changes
}

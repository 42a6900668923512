//! Which image of the old bundle is which of the new one.

use std::collections::{BTreeMap, BTreeSet};

use sealift_archive::InspectedImage;
use sealift_oci::Reference;

use super::{Attached, ImageDiff, PlatformDiff, change};

/// An image of either bundle, or of both.
pub(super) struct Pair<'a> {
    pub(super) old: Option<&'a InspectedImage>,
    pub(super) new: Option<&'a InspectedImage>,
}

/// Pairs images by name; then those that are left in a repository by digest; then, if each bundle has one left in
/// a repository, these two: a release that has another tag.
pub(super) fn pair<'a>(old: &'a [InspectedImage], new: &'a [InspectedImage]) -> Vec<Pair<'a>> {
    let mut pairs = Vec::new();
    let mut left: BTreeMap<String, [Vec<&InspectedImage>; 2]> = BTreeMap::new();
    let by_name: BTreeMap<&str, &InspectedImage> = old
        .iter()
        .map(|image| (image.reference.as_str(), image))
        .collect();
    let mut paired = BTreeSet::new();
    for image in new {
        if let Some(old) = by_name.get(image.reference.as_str()) {
            paired.insert(image.reference.as_str());
            pairs.push(both(old, image));
        } else {
            left.entry(repository(image)).or_default()[1].push(image);
        }
    }
    for image in old
        .iter()
        .filter(|image| !paired.contains(image.reference.as_str()))
    {
        left.entry(repository(image)).or_default()[0].push(image);
    }
    for [mut old, mut new] in left.into_values() {
        new.retain(|image| {
            let same = old.iter().position(|old| old.digest == image.digest);
            pairs.extend(same.map(|at| both(old.remove(at), image)));
            same.is_none()
        });
        if let ([old], [new]) = (old.as_slice(), new.as_slice()) {
            pairs.push(both(old, new));
            continue;
        }
        pairs.extend(old.into_iter().map(|old| Pair {
            old: Some(old),
            new: None,
        }));
        pairs.extend(new.into_iter().map(|new| Pair {
            old: None,
            new: Some(new),
        }));
    }
    pairs.sort_by_key(|pair| pair.new.or(pair.old).map(|image| image.reference.clone()));
    pairs
}

fn both<'a>(old: &'a InspectedImage, new: &'a InspectedImage) -> Pair<'a> {
    Pair {
        old: Some(old),
        new: Some(new),
    }
}

/// Registry and repository.
fn repository(image: &InspectedImage) -> String {
    let reference = image.reference.parse::<Reference>();
    reference.map_or_else(|_| image.reference.clone(), |reference| reference.name())
}

impl Pair<'_> {
    pub(super) fn diff(&self, platforms: Vec<PlatformDiff>) -> ImageDiff {
        let (old, new) = (self.old, self.new);
        let reference = new
            .or(old)
            .map(|image| image.reference.clone())
            .unwrap_or_default();
        ImageDiff {
            change: change(old.map(|old| &old.digest), new.map(|new| &new.digest)),
            old_reference: old
                .map(|old| old.reference.clone())
                .filter(|old| *old != reference),
            reference,
            old_digest: old.map(|old| old.digest),
            new_digest: new.map(|new| new.digest),
            old_bytes: old.map_or(0, |old| old.bytes),
            new_bytes: new.map_or(0, |new| new.bytes),
            attached: Attached {
                old: attached(old),
                new: attached(new),
            },
            platforms,
        }
    }
}

fn attached(image: Option<&InspectedImage>) -> BTreeMap<String, u64> {
    let mut kinds = BTreeMap::new();
    for referrer in image.into_iter().flat_map(|image| &image.referrers) {
        *kinds.entry(referrer.kind.to_string()).or_default() += 1;
    }
    kinds
}

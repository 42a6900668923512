//! Which blobs stand for all of them when the size of a compact bundle or a delta is estimated.
//!
//! Only names, manifests and sizes are known before a blob is read. What is likely to be related has the same platform
//! and the same or a neighbouring repository, so that the sample consists of a few runs of neighbours, and of the blobs
//! of the bases that have the same names.

use std::collections::{BTreeMap, BTreeSet};

use sealift_oci::Digest;

use crate::bases::BaseFile;
use crate::bundle::Bundle;
use crate::contents::{Graph, Record};
use crate::profile::compact::SharedBlobs;

/// The most runs of neighbours.
const RUNS: u64 = 8;
/// How many blobs of average size a run has at least: relations show only among several.
const RUN_BLOBS: u64 = 4;
/// So many times the bytes of the sample are read from bases.
const BASES: u64 = 4;

/// Blobs that stand for all that are packed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Neighbours are next to each other.
    blobs: Vec<(Digest, u64)>,
    /// By the platform and repository that they belong to, in the same order.
    images: Vec<Vec<(Digest, u64)>>,
    /// The blobs of the bases that are looked into.
    bases: BTreeSet<Digest>,
    /// How many blobs are packed in all, and their bytes.
    all: (u64, u64),
    all_bases: bool,
    limit: u64,
    /// Bytes of the blobs that are larger than the limit.
    larger: u64,
    needed: u64,
}

impl Sample {
    #[cfg(test)]
    pub(super) fn of_sizes(sampled: u64, (all, larger): (u64, u64), all_bases: bool) -> Self {
        Self {
            larger,
            blobs: vec![(Digest::sha256(b""), sampled)],
            all: (2, all),
            all_bases,
            ..Self::default()
        }
    }

    /// As [`Sample::choose`] with the limit `least`, or with as much more as it needs to be representative, up to `most`.
    pub fn choose_within(bundle: &Bundle, bases: &[BaseFile], least: u64, most: u64) -> Self {
        let sample = Self::choose(bundle, bases, least);
        if sample.is_representative() || sample.needed > most {
            return sample;
        }
        Self::choose(bundle, bases, sample.needed)
    }

    /// Chooses blobs of `bundle` that a delta on `bases` would pack, or without bases a compact bundle: all of them if
    /// they have at most `limit` bytes together, else some that have at most `limit` bytes together. Of the bases, blobs
    /// with at most four times as many bytes are chosen. No blob is read.
    pub fn choose(bundle: &Bundle, bases: &[BaseFile], limit: u64) -> Self {
        let shared = SharedBlobs::of(bundle.record(), bases);
        let owned = Owned::of(bundle.record(), bundle.graph());
        let packed = owned.in_order(|digest| !shared.contains(digest));
        let all = (packed.len() as u64, bytes(&packed));
        let needed = typical(&packed).saturating_mul(2).min(all.1);
        let larger = packed.iter().filter(|(_, size)| *size > limit);
        let larger = larger.map(|(_, size)| size).sum();
        let blobs = runs(&packed, limit);
        let chosen: BTreeSet<Digest> = blobs.iter().map(|(digest, _)| *digest).collect();
        let near = owned.named(&chosen);
        let images = owned.by_image(&blobs);
        let (bases, all_bases) = if packed.is_empty() {
            // Nothing builds on them.
            (BTreeSet::new(), true)
        } else {
            counterparts(bases, &near, limit.saturating_mul(BASES))
        };
        Self {
            blobs,
            images,
            bases,
            all,
            all_bases,
            limit,
            larger,
            needed,
        }
    }

    /// The blobs.
    pub fn digests(&self) -> BTreeSet<Digest> {
        self.blobs.iter().map(|(digest, _)| *digest).collect()
    }

    /// How many blobs.
    pub fn blobs(&self) -> u64 {
        self.blobs.len() as u64
    }

    /// Their bytes as registries serve them.
    pub fn bytes(&self) -> u64 {
        bytes(&self.blobs)
    }

    /// How many blobs are packed in all.
    pub fn all_blobs(&self) -> u64 {
        self.all.0
    }

    /// Their bytes as registries serve them.
    pub fn all_bytes(&self) -> u64 {
        self.all.1
    }

    /// Whether nothing was left out: what is packed is what the bundle will have.
    pub fn is_complete(&self) -> bool {
        self.all == (self.blobs(), self.bytes()) && self.all_bases
    }

    /// Whether it can stand for all blobs. It cannot if blobs that are larger than its limit have most of the bytes.
    pub fn is_representative(&self) -> bool {
        self.limit >= self.needed / 2
    }

    /// Bytes of the blobs that are packed but too large for the sample.
    pub fn larger_bytes(&self) -> u64 {
        self.larger
    }

    /// The limit in bytes with which a sample is representative and has several blobs.
    pub fn needed_bytes(&self) -> u64 {
        self.needed
    }

    /// Whether all blobs of the bases are looked into.
    pub(super) fn has_all_bases(&self) -> bool {
        self.all_bases
    }

    /// Whether a blob of a base is looked into.
    pub(super) fn has_base(&self, digest: &Digest) -> bool {
        self.bases.contains(digest)
    }

    /// The blobs in two parts of about the same size. Those of an image are together, and those of neighbours are not;
    /// if there is only one image, each of its blobs is an image of its own.
    pub(super) fn halves(&self) -> [BTreeSet<Digest>; 2] {
        let single: Vec<_> = self.blobs.iter().map(|blob| vec![*blob]).collect();
        let images = match self.images.len() {
            0..=1 => &single,
            _ => &self.images,
        };
        let (mut halves, mut sizes) = ([BTreeSet::new(), BTreeSet::new()], [0_u64; 2]);
        for image in images {
            let lighter = usize::from(sizes[1] < sizes[0]);
            halves[lighter].extend(image.iter().map(|(digest, _)| *digest));
            sizes[lighter] += bytes(image);
        }
        halves
    }
}

fn bytes(blobs: &[(Digest, u64)]) -> u64 {
    blobs.iter().map(|(_, size)| size).sum()
}

/// The size up to which blobs have half of all bytes.
fn typical(blobs: &[(Digest, u64)]) -> u64 {
    let mut sizes: Vec<u64> = blobs.iter().map(|(_, size)| *size).collect();
    sizes.sort_unstable();
    let half = bytes(blobs) / 2;
    let mut sum = 0;
    let found = sizes.into_iter().find(|size| {
        sum += size;
        sum >= half
    });
    found.unwrap_or(0)
}

/// What a blob is in the first image that needs it. The order puts neighbours next to each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Owner {
    platform: String,
    repository: String,
    /// The position in the manifest.
    position: usize,
}

/// The blobs of a bundle with their owners.
struct Owned<'a> {
    record: &'a Record,
    owners: BTreeMap<Digest, Owner>,
}

impl<'a> Owned<'a> {
    fn of(record: &'a Record, graph: &Graph) -> Self {
        let mut owners: BTreeMap<Digest, Owner> = BTreeMap::new();
        for image in &record.images {
            let (registry, repository) = (image.reference.registry(), image.reference.repository());
            let repository = format!("{registry}/{repository}");
            let platforms = image.platforms.iter().map(|entry| {
                let platform = entry.platform.as_ref();
                let platform = platform.map(ToString::to_string);
                (entry.digest, platform.unwrap_or_default())
            });
            let own = (image.descriptor.digest, String::new());
            for (manifest, platform) in platforms.chain([own]) {
                let blobs = graph.get(&manifest).map(|node| node.blobs.as_slice());
                for (position, blob) in blobs.unwrap_or_default().iter().enumerate() {
                    let owner = Owner {
                        platform: platform.clone(),
                        repository: repository.clone(),
                        position,
                    };
                    let first = owners.entry(blob.digest).or_insert_with(|| owner.clone());
                    if owner < *first {
                        *first = owner;
                    }
                }
            }
        }
        Self { record, owners }
    }

    /// The blobs that `is_wanted` accepts, with their sizes, neighbours next to each other. What belongs to no image
    /// comes last.
    fn in_order(&self, is_wanted: impl Fn(&Digest) -> bool) -> Vec<(Digest, u64)> {
        let blobs = self.record.blobs.iter();
        let mut blobs: Vec<_> = blobs.filter(|blob| is_wanted(&blob.digest)).collect();
        blobs.sort_by_cached_key(|blob| {
            let owner = self.owners.get(&blob.digest);
            (owner.is_none(), owner, blob.digest)
        });
        let blobs = blobs.into_iter();
        blobs.map(|blob| (blob.digest, blob.size)).collect()
    }

    /// Neighbours that have the same platform and repository, together.
    fn by_image(&self, blobs: &[(Digest, u64)]) -> Vec<Vec<(Digest, u64)>> {
        let name = |blob: &(Digest, u64)| self.owners.get(&blob.0).map(Owner::name);
        let images = blobs.chunk_by(|one, next| name(one) == name(next));
        images.map(<[_]>::to_vec).collect()
    }

    /// The platforms and repositories of `blobs`.
    fn named(&self, blobs: &BTreeSet<Digest>) -> BTreeSet<(&str, &str)> {
        let owners = blobs.iter().filter_map(|digest| self.owners.get(digest));
        owners.map(Owner::name).collect()
    }
}

impl Owner {
    fn name(&self) -> (&str, &str) {
        (&self.platform, &self.repository)
    }
}

/// Runs of neighbours among `blobs`, evenly spread, with at most `limit` bytes together; in the order of `blobs`.
fn runs(blobs: &[(Digest, u64)], limit: u64) -> Vec<(Digest, u64)> {
    let total = bytes(blobs);
    if total <= limit {
        return blobs.to_vec();
    }
    let average = (total / blobs.len().max(1) as u64).max(1);
    let runs = (limit / average.saturating_mul(RUN_BLOBS)).clamp(1, RUNS);
    let mut taken: BTreeSet<usize> = BTreeSet::new();
    let mut left = limit;
    for run in 0..runs {
        let middle = u128::from(total) * u128::from(2 * run + 1) / u128::from(2 * runs);
        let begin = position(blobs, u64::try_from(middle).unwrap_or(u64::MAX));
        let mut share = left / (runs - run);
        for number in (begin..blobs.len()).chain(0..begin) {
            if share == 0 {
                break;
            }
            let size = blobs[number].1;
            if size <= left && taken.insert(number) {
                left -= size;
                share = share.saturating_sub(size);
            }
        }
    }
    taken.into_iter().map(|number| blobs[number]).collect()
}

/// The blob that the byte `at` of all blobs together is in.
fn position(blobs: &[(Digest, u64)], at: u64) -> usize {
    let mut end = 0;
    let found = blobs.iter().position(|(_, size)| {
        end += size;
        end > at
    });
    found.unwrap_or(0)
}

/// The blobs of `bases` that are looked into for blobs of the images `near`, and whether these are all: those of the
/// same images come first, and `limit` bytes are read in all. What a record says of its blobs takes no reading.
fn counterparts(
    bases: &[BaseFile],
    near: &BTreeSet<(&str, &str)>,
    limit: u64,
) -> (BTreeSet<Digest>, bool) {
    let mut chosen = BTreeSet::new();
    let (mut left, mut all) = (limit, true);
    for base in bases {
        let record = base.record();
        let BaseFile::Bundle(bundle) = base else {
            chosen.extend(record.blobs.iter().map(|blob| blob.digest));
            continue;
        };
        let owned = Owned::of(record, bundle.graph());
        let is_near = |digest: &Digest| {
            let owner = owned.owners.get(digest);
            owner.is_some_and(|owner| near.contains(&owner.name()))
        };
        let ordered = owned.in_order(is_near).into_iter();
        for (digest, size) in ordered.chain(owned.in_order(|digest| !is_near(digest))) {
            if size <= left && chosen.insert(digest) {
                left -= size;
            }
        }
        all &= record
            .blobs
            .iter()
            .all(|blob| chosen.contains(&blob.digest));
    }
    (chosen, all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blobs(sizes: &[u64]) -> Vec<(Digest, u64)> {
        let sizes = sizes.iter().enumerate();
        sizes
            .map(|(number, &size)| (Digest::sha256(format!("{number}").as_bytes()), size))
            .collect()
    }

    #[test]
    fn what_fits_is_taken_completely() {
        let all = blobs(&[5, 1, 4]);
        assert_eq!(runs(&all, 10), all);
        assert_eq!(runs(&[], 10), []);
    }

    #[test]
    fn a_sample_keeps_to_its_limit_and_skips_what_is_larger() {
        for limit in [1, 9, 30, 100, 299] {
            let all = blobs(&[10, 40, 10, 90, 50, 10, 10, 40, 30, 10]);
            let taken = runs(&all, limit);
            assert!(bytes(&taken) <= limit, "{limit}: {taken:?}");
            assert_eq!(taken.is_empty(), limit < 10, "{limit}");
            let mut positions = taken
                .iter()
                .map(|one| all.iter().position(|two| one == two));
            assert!(positions.all(|position| position.is_some()));
        }
        assert!(runs(&blobs(&[u64::MAX / 2, 100]), 50).is_empty());
    }

    #[test]
    fn small_blobs_do_not_stand_for_large_ones() {
        assert_eq!(typical(&blobs(&[1, 1, 1, 1, 40, 40, 60])), 40);
        assert_eq!(typical(&[]), 0);
        let sample = |limit| Sample {
            limit,
            needed: 80,
            ..Sample::default()
        };
        assert!(!sample(39).is_representative() && sample(40).is_representative());
    }

    #[test]
    fn runs_are_spread_over_all_blobs_and_have_neighbours() {
        let all = blobs(&[10; 100]);
        let taken = runs(&all, 80);
        assert_eq!(taken, [&all[25..29], &all[75..79]].concat());
    }

    #[test]
    fn neighbours_are_in_different_halves_and_blobs_of_an_image_in_one() {
        let all = blobs(&[10, 10, 30, 10, 10, 10]);
        let sample = |images: &[&[(Digest, u64)]]| Sample {
            blobs: all.clone(),
            images: images.iter().map(|image| image.to_vec()).collect(),
            ..Sample::default()
        };
        let half = |blobs: &[(Digest, u64)]| -> BTreeSet<Digest> {
            blobs.iter().map(|(digest, _)| *digest).collect()
        };
        let halves = sample(&[&all[..2], &all[2..3], &all[3..]]).halves();
        assert_eq!(
            halves,
            [half(&[&all[..2], &all[3..]].concat()), half(&all[2..3])]
        );
        let halves = sample(&[&all]).halves();
        let first = [all[0], all[2]];
        assert_eq!(halves[0], half(&first));
        assert_eq!(halves[1].len(), 4);
    }
}

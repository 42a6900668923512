//! What each blob costs in a pack, what it is related to, and in which order blobs are best read.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use sealift_oci::Digest;

use crate::format::{Body, Object};
use crate::read::Pack;

/// What a blob costs in its pack. Streams are compressed as one, so that the bytes of a part are an estimate:
/// its share of the stream's stored bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlobCost {
    /// The blob.
    pub digest: Digest,
    /// Bytes with everything opened.
    pub opened: u64,
    /// Stored bytes of objects that only this blob uses.
    pub own: u64,
    /// Stored bytes of objects that other blobs use too.
    pub shared: u64,
    /// Blobs of the pack that contain the bases of its differences, the most opened bytes first.
    pub related_to: Vec<Digest>,
    /// Blobs from outside that it needs, sorted.
    pub base_blobs: Vec<Digest>,
}

impl Pack {
    /// What each blob costs, sorted by digest.
    pub fn costs(&self) -> Vec<BlobCost> {
        let costs: Vec<u64> = self
            .index
            .objects
            .iter()
            .map(|object| self.cost(object))
            .collect();
        let owners = self.owners();
        let blobs = self.index.blobs.iter().enumerate();
        blobs
            .map(|(number, _)| self.blob_cost(number, &costs, &owners))
            .collect()
    }

    fn blob_cost(&self, number: usize, costs: &[u64], owners: &[Vec<usize>]) -> BlobCost {
        let blob = &self.index.blobs[number];
        let structure = blob.structure_len().unwrap_or(0);
        let mut cost = BlobCost {
            digest: blob.digest,
            opened: structure,
            own: 0,
            shared: 0,
            related_to: Vec::new(),
            base_blobs: self.base_digests(number),
        };
        let mut related: BTreeMap<usize, u64> = BTreeMap::new();
        let objects: BTreeSet<usize> = blob.objects().collect();
        for object in objects {
            if Some(object) != blob.structure {
                cost.opened += self.index.objects[object].len;
            }
            match owners[object].len() {
                0 | 1 => cost.own += costs[object],
                _ => cost.shared += costs[object],
            }
            for &base in self.bases(object) {
                let elsewhere = owners[base].iter().filter(|&&owner| owner != number);
                if let Some(&owner) = elsewhere.min() {
                    *related.entry(owner).or_default() += self.index.objects[object].len;
                }
            }
        }
        let mut related: Vec<_> = related.into_iter().collect();
        related.sort_by_key(|&(owner, bytes)| (Reverse(bytes), owner));
        let digest = |(owner, _): (usize, u64)| self.index.blobs[owner].digest;
        cost.related_to = related.into_iter().map(digest).collect();
        cost
    }

    fn base_digests(&self, blob: usize) -> Vec<Digest> {
        let bases = self.bases_of(blob);
        bases
            .map(|base| self.index.base_blobs[base].digest)
            .collect()
    }

    /// The blobs in the order in which they are best read: those first that need the least decoding.
    pub fn reading_order(&self) -> Vec<Digest> {
        let mut order: Vec<(u64, Digest)> = self
            .index
            .blobs
            .iter()
            .map(|blob| (self.decoding(blob.objects()), blob.digest))
            .collect();
        order.sort_unstable();
        order.into_iter().map(|(_, digest)| digest).collect()
    }

    /// Bytes of differences that have to be decoded for these objects.
    fn decoding(&self, objects: impl Iterator<Item = usize>) -> u64 {
        let mut needed = BTreeSet::new();
        let mut open: Vec<usize> = objects.collect();
        while let Some(number) = open.pop() {
            if matches!(self.index.objects[number].body, Body::Related(_)) && needed.insert(number)
            {
                open.extend(self.bases(number));
            }
        }
        needed.iter().fold(0, |sum: u64, &number| {
            sum.saturating_add(self.index.objects[number].len)
        })
    }

    pub(crate) fn bases(&self, object: usize) -> &[usize] {
        match &self.index.objects[object].body {
            Body::Plain { .. } | Body::Base(_) => &[],
            Body::Related(related) => &related.bases,
        }
    }

    /// The blobs that each object is part of.
    fn owners(&self) -> Vec<Vec<usize>> {
        let mut owners = vec![Vec::new(); self.index.objects.len()];
        for (number, blob) in self.index.blobs.iter().enumerate() {
            for object in blob.objects() {
                if owners[object].last() != Some(&number) {
                    owners[object].push(number);
                }
            }
        }
        owners
    }

    fn cost(&self, object: &Object) -> u64 {
        match &object.body {
            Body::Base(_) => 0,
            Body::Plain { stream } => self.share(*stream, object.len),
            Body::Related(related) => {
                let shares = related.parts().map(|(stream, len)| self.share(stream, len));
                shares.sum()
            }
        }
    }

    /// So many bytes of a stream, as they are stored.
    fn share(&self, stream: usize, len: u64) -> u64 {
        let entry = &self.head.streams[stream];
        let product = u128::from(len) * u128::from(entry.stored);
        u64::try_from(product / u128::from(entry.raw.max(1))).unwrap_or(u64::MAX)
    }
}

//! A store without some blobs, which are read from others: a delta, or what was fetched for one.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::Arc;

use sealift_oci::Digest;

use crate::store::base::BaseStores;
use crate::store::content::{Location, ScratchNeeds, Store, Stored};

/// A store that leaves blobs to others.
pub(crate) struct LeaningStore {
    own: Arc<dyn Store>,
    /// What is left out, with the sizes.
    left_out: Arc<BTreeMap<Digest, u64>>,
    bases: BaseStores,
}

impl LeaningStore {
    /// The blobs of `own`, and those of `left_out` from `bases`.
    pub(crate) fn new(
        own: Arc<dyn Store>,
        left_out: Arc<BTreeMap<Digest, u64>>,
        bases: BaseStores,
    ) -> Self {
        Self {
            own,
            left_out,
            bases,
        }
    }
}

impl Store for LeaningStore {
    fn size(&self, digest: &Digest) -> Option<u64> {
        let left_out = self.left_out.get(digest).copied();
        left_out.or_else(|| self.own.size(digest))
    }

    fn open(&self, digest: &Digest, from: u64) -> io::Result<Box<dyn Read + Send>> {
        if self.left_out.contains_key(digest) {
            self.bases.open(digest, from)
        } else {
            self.own.open(digest, from)
        }
    }

    fn open_alone(&self, digest: &Digest, from: u64) -> io::Result<Box<dyn Read + Send>> {
        if self.left_out.contains_key(digest) {
            self.bases.open_alone(digest, from)
        } else {
            self.own.open_alone(digest, from)
        }
    }

    fn locate(&self, digest: &Digest) -> Location {
        if self.left_out.contains_key(digest) {
            self.bases.locate(digest)
        } else {
            self.own.locate(digest)
        }
    }

    fn is_readable(&self, digest: &Digest) -> bool {
        if self.left_out.contains_key(digest) {
            self.bases.has(digest)
        } else {
            self.own.is_readable(digest)
        }
    }

    /// Its own blobs first, then what others have.
    fn groups(&self, wanted: Vec<Digest>) -> Vec<Vec<Digest>> {
        let (left_out, own): (Vec<Digest>, Vec<Digest>) = wanted
            .into_iter()
            .partition(|digest| self.left_out.contains_key(digest));
        let mut groups = self.own.groups(own);
        groups.extend(self.bases.groups(left_out));
        groups.retain(|group| !group.is_empty());
        groups
    }

    fn add_scratch(&self, digests: &[Digest], needs: &mut ScratchNeeds) {
        let (left_out, own): (Vec<Digest>, Vec<Digest>) = digests
            .iter()
            .copied()
            .partition(|digest| self.left_out.contains_key(digest));
        self.own.add_scratch(&own, needs);
        self.bases.add_scratch(left_out, needs);
    }

    fn stored(&self) -> Option<Stored<'_>> {
        self.own.stored()
    }
}

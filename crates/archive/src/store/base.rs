//! Blobs that a delta leaves to its bases: stores, tried in order.
//!
//! What a delta needs and which base has it is known from its own file. Whether a store has it is asked when it
//! is needed: stores are bundles on disk, or a registry.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sealift_oci::Digest;
use sealift_pack::Source;

use crate::contents::Identity;
use crate::store::content::{Location, ScratchNeeds, Store};

impl Source for BaseStores {
    fn open(&self, digest: &Digest, from: u64) -> io::Result<Box<dyn Read + Send + '_>> {
        self.open_alone(digest, from).map(|reader| reader as _)
    }
}

/// A store with the name that messages use.
#[derive(Clone)]
pub struct NamedStore {
    /// What messages call it: a file, a registry.
    pub name: String,
    /// The blobs.
    pub store: Arc<dyn Store>,
}

/// A blob that a delta needs from a base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BaseBlob {
    /// Its size in bytes.
    pub size: u64,
    /// The first base that has it.
    pub base: Identity,
}

/// A blob of a base is needed, and no store has it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{digest} is in the base {base}, which is not available")]
pub struct AbsentBlob {
    /// The blob.
    pub digest: Digest,
    /// The base that has it.
    pub base: Identity,
}

/// Whether `error` says that a blob of a base is absent.
pub fn absent_blob_of(error: &io::Error) -> Option<&AbsentBlob> {
    cause_of(error)
}

/// The error of type `T` that led to `error`, if there is one.
pub fn cause_of<T: Error + 'static>(error: &io::Error) -> Option<&T> {
    let mut next: Option<&(dyn Error + 'static)> = error.get_ref().map(|inner| inner as _);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = match error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
        {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

/// The blobs that a delta needs from its bases, and the stores that may have them.
#[derive(Clone, Default)]
pub(crate) struct BaseStores {
    needed: BTreeMap<Digest, BaseBlob>,
    stores: Vec<NamedStore>,
    /// The position of the store of each blob that was looked for. A store may be a delta that asks others: without
    /// this, finding a blob would take as long as there are paths through all deltas.
    found: Arc<Mutex<BTreeMap<Digest, Option<usize>>>>,
}

impl BaseStores {
    /// Blobs that are needed, with no store yet.
    pub(crate) fn new(needed: BTreeMap<Digest, BaseBlob>) -> Self {
        Self {
            needed,
            ..Self::default()
        }
    }

    /// The same with more stores, which are tried after those that there are.
    pub(crate) fn with(&self, stores: impl IntoIterator<Item = NamedStore>) -> Self {
        let known = self.stores.iter().cloned();
        Self {
            needed: self.needed.clone(),
            stores: known.chain(stores).collect(),
            found: Arc::default(),
        }
    }

    /// Every blob that is needed, by digest.
    pub(crate) fn needed(&self) -> &BTreeMap<Digest, BaseBlob> {
        &self.needed
    }

    /// The first store from which the blob can be read, with its size right.
    fn find(&self, digest: &Digest) -> Option<&NamedStore> {
        self.stores.get(self.position(digest)?)
    }

    /// Its position.
    fn position(&self, digest: &Digest) -> Option<usize> {
        let size = self.needed.get(digest)?.size;
        if let Some(found) = self.found().get(digest) {
            return *found;
        }
        let position = self.stores.iter().position(|named| {
            named.store.size(digest) == Some(size) && named.store.is_readable(digest)
        });
        self.found().insert(*digest, position);
        position
    }

    fn found(&self) -> MutexGuard<'_, BTreeMap<Digest, Option<usize>>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a store has the blob.
    pub(crate) fn has(&self, digest: &Digest) -> bool {
        self.find(digest).is_some()
    }

    /// Opens a blob at its byte `from`, unchecked.
    pub(crate) fn open(&self, digest: &Digest, from: u64) -> io::Result<Box<dyn Read + Send>> {
        match self.find(digest) {
            Some(named) => named.store.open(digest, from),
            None => Err(self.absent(digest)),
        }
    }

    /// As [`Store::open_alone`].
    pub(crate) fn open_alone(
        &self,
        digest: &Digest,
        from: u64,
    ) -> io::Result<Box<dyn Read + Send>> {
        match self.find(digest) {
            Some(named) => named.store.open_alone(digest, from),
            None => Err(self.absent(digest)),
        }
    }

    /// The error of a blob that no store has.
    pub(crate) fn absent(&self, digest: &Digest) -> io::Error {
        match self.needed.get(digest) {
            Some(blob) => {
                let (digest, base) = (*digest, blob.base);
                let absent = AbsentBlob { digest, base };
                io::Error::new(io::ErrorKind::NotFound, absent)
            }
            None => super::content::absent(digest),
        }
    }

    /// Where a blob is, with the name of its store.
    pub(crate) fn locate(&self, digest: &Digest) -> Location {
        match (self.find(digest), self.needed.get(digest)) {
            (Some(named), _) => {
                let Location { entry, offset } = named.store.locate(digest);
                Location {
                    entry: format!("{entry} of {}", named.name),
                    offset,
                }
            }
            (None, blob) => Location {
                entry: match blob {
                    Some(blob) => format!("{digest} of the base {}", blob.base),
                    None => digest.blob_path(),
                },
                offset: 0,
            },
        }
    }

    /// Adds the scratch space that reading `wanted` needs.
    pub(crate) fn add_scratch(
        &self,
        wanted: impl IntoIterator<Item = Digest>,
        needs: &mut ScratchNeeds,
    ) {
        for (number, wanted) in self.by_store(wanted) {
            if let Some(named) = self.stores.get(number) {
                named.store.add_scratch(&wanted, needs);
            }
        }
    }

    /// Sorts blobs as their stores are best read.
    pub(crate) fn groups(&self, wanted: Vec<Digest>) -> Vec<Vec<Digest>> {
        let by_store = self.by_store(wanted).into_iter();
        let groups = by_store.map(|(number, wanted)| match self.stores.get(number) {
            Some(named) => named.store.groups(wanted),
            None => vec![wanted],
        });
        groups.flatten().collect()
    }

    /// Blobs by the position of the store that has them; those that none has come last.
    fn by_store(&self, wanted: impl IntoIterator<Item = Digest>) -> BTreeMap<usize, Vec<Digest>> {
        let mut by_store: BTreeMap<usize, Vec<Digest>> = BTreeMap::new();
        for digest in wanted {
            let number = self.position(&digest).unwrap_or(self.stores.len());
            by_store.entry(number).or_default().push(digest);
        }
        by_store
    }
}

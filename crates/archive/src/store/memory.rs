//! Blobs in memory, for tests and for small bundles that are made and read in one process.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};
use std::sync::Arc;

use sealift_oci::Digest;

use crate::store::content::{Location, Store, absent};

/// Blobs in memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    blobs: BTreeMap<Digest, Arc<[u8]>>,
}

impl MemoryStore {
    /// Adds content under its digest, whether that is right or not.
    pub fn insert(&mut self, digest: Digest, bytes: impl Into<Arc<[u8]>>) {
        self.blobs.insert(digest, bytes.into());
    }
}

impl FromIterator<(Digest, Vec<u8>)> for MemoryStore {
    fn from_iter<I: IntoIterator<Item = (Digest, Vec<u8>)>>(blobs: I) -> Self {
        let blobs = blobs.into_iter();
        Self {
            blobs: blobs
                .map(|(digest, bytes)| (digest, bytes.into()))
                .collect(),
        }
    }
}

impl Store for MemoryStore {
    fn size(&self, digest: &Digest) -> Option<u64> {
        self.blobs.get(digest).map(|bytes| bytes.len() as u64)
    }

    fn open(&self, digest: &Digest, from: u64) -> io::Result<Box<dyn Read + Send>> {
        let bytes = self.blobs.get(digest).ok_or_else(|| absent(digest))?;
        let mut reader = Cursor::new(Arc::clone(bytes));
        reader.set_position(from.min(bytes.len() as u64));
        Ok(Box::new(reader))
    }

    fn locate(&self, digest: &Digest) -> Location {
        Location {
            entry: digest.blob_path(),
            offset: 0,
        }
    }
}

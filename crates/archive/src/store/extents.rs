//! Blobs that are ranges of one file: a plain bundle, a layout in a tar, a `docker save` archive.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::Arc;

use sealift_oci::Digest;

use crate::store::content::{Location, Store, absent};
use crate::store::read_at::{Extent, ReadAt};

/// Blobs in one file, with what was created in memory besides.
pub(crate) struct ExtentStore {
    file: Arc<dyn ReadAt>,
    extents: BTreeMap<Digest, Extent>,
    /// Manifests that the file does not contain.
    created: BTreeMap<Digest, Arc<[u8]>>,
}

impl ExtentStore {
    /// The blobs at `extents` of `file`.
    pub(crate) fn new(file: Arc<dyn ReadAt>, extents: BTreeMap<Digest, Extent>) -> Self {
        Self {
            file,
            extents,
            created: BTreeMap::new(),
        }
    }

    /// The same with blobs from memory.
    pub(crate) fn with_created(self, created: BTreeMap<Digest, Arc<[u8]>>) -> Self {
        Self { created, ..self }
    }

    /// Every blob of the file with its size, by digest.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = (&Digest, u64)> {
        self.extents
            .iter()
            .map(|(digest, extent)| (digest, extent.size))
    }
}

impl Store for ExtentStore {
    fn size(&self, digest: &Digest) -> Option<u64> {
        let created = self.created.get(digest).map(|bytes| bytes.len() as u64);
        created.or_else(|| self.extents.get(digest).map(|extent| extent.size))
    }

    fn open(&self, digest: &Digest, from: u64) -> io::Result<Box<dyn Read + Send>> {
        if let Some(bytes) = self.created.get(digest) {
            let size = bytes.len() as u64;
            let extent = Extent { offset: 0, size };
            let file = Arc::new(bytes.to_vec());
            return Ok(Box::new(ExtentReader::new(file, extent, from)));
        }
        let extent = self.extents.get(digest).ok_or_else(|| absent(digest))?;
        let file = Arc::clone(&self.file);
        Ok(Box::new(ExtentReader::new(file, *extent, from)))
    }

    fn locate(&self, digest: &Digest) -> Location {
        Location {
            entry: digest.blob_path(),
            offset: self.extents.get(digest).map_or(0, |extent| extent.offset),
        }
    }
}

/// Reads a range of a file, from its start to its end.
pub(crate) struct ExtentReader {
    file: Arc<dyn ReadAt>,
    offset: u64,
    end: u64,
}

impl ExtentReader {
    /// Reads `extent` of `file` from its byte `from` on.
    pub(crate) fn new(file: Arc<dyn ReadAt>, extent: Extent, from: u64) -> Self {
        Self {
            file,
            offset: extent.offset.saturating_add(from).min(extent.end()),
            end: extent.end(),
        }
    }
}

impl Read for ExtentReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.offset).unwrap_or(usize::MAX);
        let length = buffer.len().min(left);
        let read = self.file.read_at(&mut buffer[..length], self.offset)?;
        self.offset += read as u64;
        Ok(read)
    }
}

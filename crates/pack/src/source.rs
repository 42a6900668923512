//! Where the blobs come from that are packed.

use std::io::{self, Read, Seek, SeekFrom};

use sealift_oci::Digest;

use crate::error::{Error, Result};
use crate::storage::target;

/// A blob that may be packed: its digest and its size in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Blob {
    /// The digest of its bytes.
    pub digest: Digest,
    /// How many bytes it has.
    pub size: u64,
}

/// Gives access to blobs. Each is opened several times, by several threads at once; their content
/// must have been verified before.
pub trait Source: Sync {
    /// The blob's bytes from an offset on.
    fn open(&self, digest: &Digest, from: u64) -> io::Result<Box<dyn Read + Send + '_>>;
}

/// A blob as a reader that can go back, which opens it again where it must.
pub(crate) struct BlobReader<'a> {
    source: &'a dyn Source,
    blob: Blob,
    at: u64,
    open: Option<Box<dyn Read + Send + 'a>>,
}

impl<'a> BlobReader<'a> {
    pub(crate) fn new(source: &'a dyn Source, blob: Blob) -> Self {
        Self {
            source,
            blob,
            at: 0,
            open: None,
        }
    }

    pub(crate) fn blob(&self) -> Blob {
        self.blob
    }

    /// Goes back to the start.
    pub(crate) fn restart(&mut self) -> Result<()> {
        let start = self.seek(SeekFrom::Start(0));
        start
            .map(drop)
            .map_err(|error| source_error(self.blob, error))
    }

    /// The bytes from `from` on, at most `len`.
    pub(crate) fn range(&mut self, from: u64, len: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.seek(SeekFrom::Start(from))
            .and_then(|_| self.take(len).read_to_end(&mut bytes))
            .map_err(|error| source_error(self.blob, error))?;
        Ok(bytes)
    }
}

/// An error of the source, with the blob's digest.
pub(crate) fn source_error(blob: Blob, error: io::Error) -> Error {
    Error::Source {
        digest: blob.digest,
        error,
    }
}

impl Read for BlobReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let reader = match &mut self.open {
            Some(reader) => reader,
            None => self
                .open
                .insert(self.source.open(&self.blob.digest, self.at)?),
        };
        let read = reader.read(buffer)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for BlobReader<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = target(to, self.at, self.blob.size)?;
        if at != self.at {
            self.open = None;
            self.at = at;
        }
        Ok(at)
    }
}

//! A pack that is read: what it contains, without decoding it.

use std::io::{self, Read};
use std::sync::Arc;

use rayon::prelude::*;
use sealift_oci::Digest;
use sealift_pipeline::Cancel;
use sha2::{Digest as _, Sha256};

use crate::error::{Error, Part, Result, damaged};
use crate::format::{Body, Head, Index, MAX_INDEX, StreamEntry, head_len};
use crate::needs::Needs;
use crate::options::{Account, Limits};
use crate::source::Blob;
use crate::storage::{ReadAt, Region, Scratch};

/// A pack whose head and index were checked.
pub struct Pack {
    pub(crate) head: Head,
    pub(crate) index: Index,
    /// The base blobs of each blob.
    pub(crate) needs: Needs,
    /// The stored bytes of each stream.
    pub(crate) stored: Vec<Region>,
    pub(crate) limits: Limits,
}

impl Pack {
    /// Reads the head and the index and checks everything about them. No stream is read.
    ///
    /// # Errors
    ///
    /// [`Error::Damaged`], [`Error::Unsupported`] or [`Error::Limit`] if the pack is at fault;
    /// [`Error::Pack`] if it cannot be read.
    pub fn open(content: Arc<dyn ReadAt>, limits: &Limits) -> Result<Self> {
        let size = content.size().map_err(Error::Pack)?;
        let all = Region::new(content, 0, size);
        let head = read_head(&all)?;
        if head.pack_len() != Some(size) {
            return Err(damaged(Part::Head, "the pack is not as long as it says"));
        }
        let mut at = head_len(head.streams.len()) as u64;
        let index = read_index(&head, &all.part(at, head.index_stored))?;
        at += head.index_stored;
        let stored = head.streams.iter().map(|stream| {
            let region = all.part(at, stream.stored);
            at += stream.stored;
            region
        });
        let stored = stored.collect();
        let pack = Self {
            head,
            needs: Needs::of(&index)?,
            index,
            stored,
            limits: *limits,
        };
        pack.check_limits()?;
        Ok(pack)
    }

    /// Takes a pack from a reader that cannot go back, such as a pipe, and not a byte more. Its stored bytes
    /// are kept on scratch space.
    ///
    /// # Errors
    ///
    /// As [`Pack::open`], and [`Error::Scratch`] if scratch space fails.
    pub fn read_from(
        from: &mut dyn Read,
        scratch: &Arc<dyn Scratch>,
        limits: &Limits,
    ) -> Result<Self> {
        let mut start = vec![0; Head::START];
        fill(from, &mut start)?;
        let mut bytes = vec![0; head_len(Head::stream_count(&start)?)];
        bytes[..Head::START].copy_from_slice(&start);
        fill(from, &mut bytes[Head::START..])?;
        let needed = Head::from_bytes(&bytes)?.pack_len().unwrap_or(u64::MAX);
        if needed > limits.scratch {
            return Err(Error::Limit {
                resource: "scratch space",
                needed,
                limit: limits.scratch,
            });
        }
        let storage = scratch.create().map_err(Error::Scratch)?;
        let mut at = 0;
        loop {
            storage.write_all_at(&bytes, at).map_err(Error::Scratch)?;
            at += bytes.len() as u64;
            if at == needed {
                return Self::open(storage, limits);
            }
            let left = usize::try_from(needed - at).unwrap_or(usize::MAX);
            bytes.resize(left.min(PIECE), 0);
            fill(from, &mut bytes)?;
        }
    }

    fn check_limits(&self) -> Result<()> {
        let account = self.account();
        for (resource, needed, limit) in [
            ("memory", account.memory, self.limits.memory),
            ("scratch space", account.scratch, self.limits.scratch),
        ] {
            if needed > limit {
                return Err(Error::Limit {
                    resource,
                    needed,
                    limit,
                });
            }
        }
        Ok(())
    }

    /// The blobs, sorted by digest.
    pub fn blobs(&self) -> impl ExactSizeIterator<Item = Blob> + '_ {
        self.index.blobs.iter().map(|entry| Blob {
            digest: entry.digest,
            size: entry.size,
        })
    }

    /// Whether the pack contains this blob.
    pub fn contains(&self, digest: &Digest) -> bool {
        self.number(digest).is_ok()
    }

    /// The position of a blob in the index.
    pub(crate) fn number(&self, digest: &Digest) -> Result<usize> {
        let blobs = &self.index.blobs;
        let found = blobs.binary_search_by_key(digest, |entry| entry.digest);
        found.map_err(|_| Error::NotFound(*digest))
    }

    /// What reading needs: memory for the largest window or, later, for decoders of differences, for the
    /// index and for what rebuilds blobs; scratch space for all streams, all related objects, and the parts of base
    /// blobs.
    pub fn account(&self) -> Account {
        let streams = self.head.streams.iter();
        let window = streams.map(StreamEntry::memory).max().unwrap_or(0);
        let decoding = if self.related() > 0 { DECODING } else { 0 };
        Account {
            memory: window.max(decoding)
                + REBUILDING
                + self.head.index_raw.saturating_mul(INDEX_FACTOR),
            scratch: self
                .head
                .raw_len()
                .unwrap_or(u64::MAX)
                .saturating_add(self.related())
                .saturating_add(self.base_bytes()),
        }
    }

    /// Bytes that are kept of base blobs: contents of objects, and expansions that are not the content.
    fn base_bytes(&self) -> u64 {
        let bases = self.index.objects.iter().map(|object| match &object.body {
            Body::Base(base) if base.outline.is_some() => {
                base.content_len().saturating_add(object.len)
            }
            Body::Base(base) => base.content_len(),
            _ => 0,
        });
        bases.fold(0, u64::saturating_add)
    }

    /// Bytes of the objects that are stored as differences.
    pub(crate) fn related(&self) -> u64 {
        let related = |body: &Body| matches!(body, Body::Related(_));
        let objects = self
            .index
            .objects
            .iter()
            .filter(|object| related(&object.body));
        objects.fold(0, |sum: u64, object| sum.saturating_add(object.len))
    }

    /// Compares the digest of every stream; the head and the index were compared when the pack was
    /// opened. Says nothing about what is inside of the streams.
    ///
    /// # Errors
    ///
    /// [`Error::Damaged`] for the first stream in the pack that differs; [`Error::Pack`] if the pack cannot
    /// be read.
    pub fn verify(&self, cancel: &Cancel, advance: &(dyn Fn(u64) + Sync)) -> Result<()> {
        let streams: Vec<Result<()>> = (0..self.stored.len())
            .into_par_iter()
            .with_max_len(1)
            .map(|number| self.verify_stream(number, cancel, advance))
            .collect();
        streams.into_iter().collect()
    }

    fn verify_stream(&self, number: usize, cancel: &Cancel, advance: &dyn Fn(u64)) -> Result<()> {
        let mut checked = Checked::new(self, number);
        let mut buffer = vec![0; 1 << 18];
        loop {
            cancel.check()?;
            match checked.read(&mut buffer).map_err(Error::Pack)? {
                0 => return checked.finish(),
                read => advance(read as u64),
            }
        }
    }
}

/// Memory for decoders of differences together.
pub(crate) const DECODING: u64 = 120 << 20;
/// Memory that rebuilding blobs takes besides.
const REBUILDING: u64 = 32 << 20;
/// A parsed index takes so many times the bytes of its raw form, at most about.
const INDEX_FACTOR: u64 = 4;

/// Bytes of a pack that are taken from a reader at a time.
const PIECE: usize = 1 << 18;

/// Reads exactly so many bytes.
fn fill(from: &mut dyn Read, buffer: &mut [u8]) -> Result<()> {
    from.read_exact(buffer).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => damaged(Part::Head, "the pack ends early"),
        _ => Error::Pack(error),
    })
}

fn read_head(all: &Region) -> Result<Head> {
    let read = |len: usize| -> Result<Vec<u8>> {
        if (len as u64) > all.len() {
            return Err(damaged(Part::Head, "the pack ends early"));
        }
        all.part(0, len as u64).to_vec().map_err(Error::Pack)
    };
    let count = Head::stream_count(&read(Head::START)?)?;
    Head::from_bytes(&read(head_len(count))?)
}

fn read_index(head: &Head, stored: &Region) -> Result<Index> {
    if head.index_raw > MAX_INDEX || head.index_stored > MAX_INDEX {
        return Err(Error::Limit {
            resource: "index",
            needed: head.index_raw.max(head.index_stored),
            limit: MAX_INDEX,
        });
    }
    let stored = stored.to_vec().map_err(Error::Pack)?;
    if Sha256::digest(&stored).as_slice() != head.index_digest {
        return Err(damaged(Part::Index, "its digest differs"));
    }
    let capacity = usize::try_from(head.index_raw).unwrap_or(0);
    let raw = zstd::bulk::decompress(&stored, capacity)
        .map_err(|_| damaged(Part::Index, "it cannot be decompressed"))?;
    if raw.len() != capacity {
        return Err(damaged(Part::Index, "it is not as long as the head says"));
    }
    Index::from_bytes(&raw, &head.streams, head.version)
}

/// The stored bytes of a stream, hashed while they are read.
pub(crate) struct Checked {
    reader: crate::storage::RegionReader,
    hasher: Sha256,
    expected: [u8; 32],
    number: usize,
}

impl Checked {
    pub(crate) fn new(pack: &Pack, number: usize) -> Self {
        Self {
            reader: pack.stored[number].reader(),
            hasher: Sha256::new(),
            expected: pack.head.streams[number].digest,
            number,
        }
    }

    /// Compares the digest; everything must have been read.
    pub(crate) fn finish(self) -> Result<()> {
        if self.hasher.finalize().as_slice() == self.expected {
            return Ok(());
        }
        Err(damaged(Part::Stream(self.number), "its digest differs"))
    }
}

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        Ok(read)
    }
}

//! One scratch space that many threads fill.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::storage::{ReadAt, Region, Storage};

/// Bytes that a [`SpoolWriter`] holds before it takes space for them.
const CHUNK: usize = 1 << 20;

/// Scratch space that gives out ranges to whoever writes.
pub(crate) struct Spool {
    storage: Arc<dyn Storage>,
    next: AtomicU64,
}

impl Spool {
    pub(crate) fn new(storage: Arc<dyn Storage>) -> Self {
        Self {
            storage,
            next: AtomicU64::new(0),
        }
    }

    /// The scratch space that ranges are in.
    pub(crate) fn storage(&self) -> &dyn Storage {
        &*self.storage
    }

    /// Takes a range, to be written by the caller at its offset.
    pub(crate) fn reserve(&self, len: u64) -> Region {
        let offset = self.next.fetch_add(len, Ordering::Relaxed);
        Region::new(self.storage.clone(), offset, len)
    }

    /// Writes into a range that was taken before.
    pub(crate) fn write(&self, region: &Region, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.storage.write_all_at(bytes, region.offset() + at)
    }

    /// Takes space for these bytes and writes them there.
    pub(crate) fn store(&self, bytes: &[u8]) -> io::Result<Region> {
        let region = self.reserve(bytes.len() as u64);
        self.write(&region, 0, bytes)?;
        Ok(region)
    }

    /// A writer of content whose length is not known beforehand.
    pub(crate) fn writer(&self) -> SpoolWriter<'_> {
        SpoolWriter {
            spool: self,
            chunk: Vec::new(),
            written: Vec::new(),
        }
    }
}

/// Writes to a spool, chunk by chunk.
pub(crate) struct SpoolWriter<'a> {
    spool: &'a Spool,
    chunk: Vec<u8>,
    written: Vec<Region>,
}

/// What was written: in memory if it is short.
pub(crate) enum Short {
    Bytes(Vec<u8>),
    Chain(Chain),
}

impl SpoolWriter<'_> {
    /// What was written, without touching the spool if it is short.
    pub(crate) fn finish_short(self) -> io::Result<Short> {
        if self.written.is_empty() {
            return Ok(Short::Bytes(self.chunk));
        }
        self.finish().map(Short::Chain)
    }

    /// What was written.
    pub(crate) fn finish(mut self) -> io::Result<Chain> {
        self.store()?;
        Ok(Chain::new(self.written))
    }

    fn store(&mut self) -> io::Result<()> {
        if !self.chunk.is_empty() {
            self.written.push(self.spool.store(&self.chunk)?);
            self.chunk.clear();
        }
        Ok(())
    }
}

impl Write for SpoolWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.chunk.len() >= CHUNK {
            self.store()?;
        }
        let len = bytes.len().min(CHUNK);
        self.chunk.extend_from_slice(&bytes[..len]);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Regions one after another as one content.
#[derive(Clone, Default)]
pub(crate) struct Chain {
    regions: Vec<Region>,
    /// Where each region ends.
    ends: Vec<u64>,
}

impl Chain {
    pub(crate) fn new(regions: Vec<Region>) -> Self {
        let mut end = 0;
        let ends = regions.iter().map(|region| {
            end += region.len();
            end
        });
        Self {
            ends: ends.collect(),
            regions,
        }
    }

    pub(crate) fn len(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    pub(crate) fn regions(&self) -> &[Region] {
        &self.regions
    }

    /// All bytes in order.
    pub(crate) fn reader(&self) -> impl Read + '_ {
        let readers = self.regions.iter().map(Region::reader);
        Concatenation {
            rest: readers.collect::<Vec<_>>().into_iter(),
            current: None,
        }
    }
}

/// Readers one after another.
struct Concatenation<R, I> {
    rest: I,
    current: Option<R>,
}

impl<R: Read, I: Iterator<Item = R>> Read for Concatenation<R, I> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(reader) = &mut self.current {
                let read = reader.read(buffer)?;
                if read > 0 || buffer.is_empty() {
                    return Ok(read);
                }
            }
            self.current = self.rest.next();
            if self.current.is_none() {
                return Ok(0);
            }
        }
    }
}

impl ReadAt for Chain {
    fn size(&self) -> io::Result<u64> {
        Ok(self.len())
    }

    fn read_exact_at(&self, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
        let mut number = self.ends.partition_point(|&end| end <= offset);
        while !buffer.is_empty() {
            let region = self
                .regions
                .get(number)
                .ok_or(io::ErrorKind::UnexpectedEof)?;
            let start = self.ends[number] - region.len();
            let left = region.len() - (offset - start);
            let len = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
            let (now, rest) = buffer.split_at_mut(len);
            region.read_exact_at(now, offset - start)?;
            offset += len as u64;
            buffer = rest;
            number += 1;
        }
        Ok(())
    }
}

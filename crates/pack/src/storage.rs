//! Bytes at offsets: what packs are read from and what scratch space is made of.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, PoisonError, RwLock};

/// Content that many threads can read at any offset.
pub trait ReadAt: Send + Sync {
    /// How many bytes there are.
    fn size(&self) -> io::Result<u64>;

    /// Fills all of `buffer` from `offset` on.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
}

/// Scratch space: written once at every offset, then read.
pub trait Storage: ReadAt {
    /// Writes all of `bytes` at `offset`; a gap before it reads as zeros.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
}

/// Makes scratch space, such as temporary files without a name.
pub trait Scratch: Send + Sync {
    /// New, empty space, which is freed when the last user drops it.
    fn create(&self) -> io::Result<Arc<dyn Storage>>;
}

impl ReadAt for File {
    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        FileExt::read_exact_at(self, buffer, offset)
    }
}

impl Storage for File {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        FileExt::write_all_at(self, bytes, offset)
    }
}

impl ReadAt for Vec<u8> {
    fn size(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let range = range(self.len(), buffer.len(), offset)?;
        buffer.copy_from_slice(&self[range]);
        Ok(())
    }
}

fn range(have: usize, want: usize, offset: u64) -> io::Result<std::ops::Range<usize>> {
    let start = usize::try_from(offset).ok();
    let end = start.and_then(|start| start.checked_add(want));
    match start.zip(end) {
        Some((start, end)) if end <= have => Ok(start..end),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Scratch space in memory: for tests and for sets that are known to be small.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoryScratch;

impl Scratch for MemoryScratch {
    fn create(&self) -> io::Result<Arc<dyn Storage>> {
        Ok(Arc::new(Memory::default()))
    }
}

#[derive(Default)]
struct Memory(RwLock<Vec<u8>>);

impl ReadAt for Memory {
    fn size(&self) -> io::Result<u64> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).size()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let bytes = self.0.read().unwrap_or_else(PoisonError::into_inner);
        bytes.read_exact_at(buffer, offset)
    }
}

impl Storage for Memory {
    fn write_all_at(&self, new: &[u8], offset: u64) -> io::Result<()> {
        let mut bytes = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::StorageFull)?;
        let end = start + new.len();
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        bytes[start..end].copy_from_slice(new);
        Ok(())
    }
}

/// Scratch space that is created when it is first written to.
pub(crate) struct Lazy {
    scratch: Arc<dyn Scratch>,
    storage: RwLock<Option<Arc<dyn Storage>>>,
}

impl Lazy {
    pub(crate) fn new(scratch: Arc<dyn Scratch>) -> Self {
        Self {
            scratch,
            storage: RwLock::new(None),
        }
    }

    fn get(&self) -> Option<Arc<dyn Storage>> {
        let storage = self.storage.read();
        storage.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn get_or_create(&self) -> io::Result<Arc<dyn Storage>> {
        let storage = self.storage.write();
        let mut storage = storage.unwrap_or_else(PoisonError::into_inner);
        match &*storage {
            Some(storage) => Ok(storage.clone()),
            None => Ok(storage.insert(self.scratch.create()?).clone()),
        }
    }
}

impl ReadAt for Lazy {
    fn size(&self) -> io::Result<u64> {
        self.get().map_or(Ok(0), |storage| storage.size())
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        match self.get() {
            Some(storage) => storage.read_exact_at(buffer, offset),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

impl Storage for Lazy {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.get_or_create()?.write_all_at(bytes, offset)
    }
}

/// A range of some storage.
#[derive(Clone)]
pub(crate) struct Region {
    storage: Arc<dyn ReadAt>,
    offset: u64,
    len: u64,
}

impl Region {
    pub(crate) fn new(storage: Arc<dyn ReadAt>, offset: u64, len: u64) -> Self {
        Self {
            storage,
            offset,
            len,
        }
    }

    /// Where it starts in the storage.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Nothing.
    pub(crate) fn empty() -> Self {
        Self::new(Arc::new(Vec::new()), 0, 0)
    }

    /// A part of this region; what reaches outside is cut off.
    pub(crate) fn part(&self, from: u64, len: u64) -> Self {
        let from = from.min(self.len);
        Self {
            storage: self.storage.clone(),
            offset: self.offset + from,
            len: len.min(self.len - from),
        }
    }

    pub(crate) fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        match offset.checked_add(buffer.len() as u64) {
            Some(end) if end <= self.len => {
                self.storage.read_exact_at(buffer, self.offset + offset)
            }
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// All of it in memory; only for what is known to be small.
    pub(crate) fn to_vec(&self) -> io::Result<Vec<u8>> {
        let len = usize::try_from(self.len).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let mut bytes = vec![0; len];
        self.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    }

    pub(crate) fn reader(&self) -> RegionReader {
        RegionReader {
            region: self.clone(),
            at: 0,
            buffer: Vec::new(),
            start: 0,
        }
    }
}

/// Bytes that a [`RegionReader`] fetches at a time.
const PIECE: u64 = 1 << 16;

/// Reads a region in order, through a buffer.
pub(crate) struct RegionReader {
    region: Region,
    at: u64,
    /// The region's bytes from `start` on.
    buffer: Vec<u8>,
    start: u64,
}

impl RegionReader {
    /// Passes over at most `count` bytes; how many there were.
    pub(crate) fn skip(&mut self, count: u64) -> u64 {
        let skipped = count.min(self.region.len.saturating_sub(self.at));
        self.at += skipped;
        skipped
    }

    /// What the buffer has from the current position on; fetches more if that is nothing.
    fn buffered(&mut self) -> io::Result<&[u8]> {
        let end = self.start + self.buffer.len() as u64;
        if !(self.start..end).contains(&self.at) {
            let len = PIECE.min(self.region.len.saturating_sub(self.at));
            self.buffer.resize(usize::try_from(len).unwrap_or(0), 0);
            self.start = self.at;
            self.region.read_exact_at(&mut self.buffer, self.at)?;
        }
        let skip = usize::try_from(self.at - self.start).unwrap_or(0);
        Ok(&self.buffer[skip..])
    }
}

impl Read for RegionReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.region.len.saturating_sub(self.at);
        if left == 0 || buffer.is_empty() {
            return Ok(0);
        }
        let read = if buffer.len() as u64 >= PIECE {
            let len = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
            self.region.read_exact_at(&mut buffer[..len], self.at)?;
            len
        } else {
            let from = self.buffered()?;
            let len = from.len().min(buffer.len());
            buffer[..len].copy_from_slice(&from[..len]);
            len
        };
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for RegionReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = target(to, self.at, self.region.len)?;
        Ok(self.at)
    }
}

/// Scratch space with a position: what the opening of nested streams works on.
pub(crate) struct Cursor {
    storage: Arc<dyn Storage>,
    at: u64,
    end: u64,
}

impl Cursor {
    pub(crate) fn new(storage: Arc<dyn Storage>) -> Self {
        Self {
            storage,
            at: 0,
            end: 0,
        }
    }
}

impl Read for Cursor {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.end.saturating_sub(self.at);
        let len = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        self.storage.read_exact_at(&mut buffer[..len], self.at)?;
        self.at += len as u64;
        Ok(len)
    }
}

impl Write for Cursor {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.storage.write_all_at(bytes, self.at)?;
        self.at += bytes.len() as u64;
        self.end = self.end.max(self.at);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Cursor {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = target(to, self.at, self.end)?;
        Ok(self.at)
    }
}

/// Where a seek goes.
pub(crate) fn target(to: SeekFrom, at: u64, end: u64) -> io::Result<u64> {
    let at = match to {
        SeekFrom::Start(at) => Some(at),
        SeekFrom::End(by) => end.checked_add_signed(by),
        SeekFrom::Current(by) => at.checked_add_signed(by),
    };
    at.ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

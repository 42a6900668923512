//! How much all layers that are scanned together have: what is kept of them, and what was decompressed.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::limits::{MAX_KEPT_ENTRIES, MAX_KEPT_NAMES, MAX_OPENED, OPENED_PER_BYTE};

/// What all scans of a scanner keep in memory.
#[derive(Debug)]
pub(crate) struct Kept {
    entries: AtomicUsize,
    names: AtomicUsize,
    max_entries: usize,
    max_names: usize,
}

impl Default for Kept {
    fn default() -> Self {
        Self::new(MAX_KEPT_ENTRIES, MAX_KEPT_NAMES)
    }
}

impl Kept {
    pub(crate) fn new(max_entries: usize, max_names: usize) -> Self {
        Self {
            entries: AtomicUsize::new(0),
            names: AtomicUsize::new(0),
            max_entries,
            max_names,
        }
    }
}

/// More than may be kept.
#[derive(Debug)]
pub(crate) struct Excess {
    pub(crate) limit: u64,
    pub(crate) what: &'static str,
}

/// What one scan keeps of it; it is given back when the value is dropped.
#[derive(Debug, Default)]
pub(crate) struct Part {
    kept: Arc<Kept>,
    entries: usize,
    names: usize,
}

impl Part {
    pub(crate) fn of(kept: &Arc<Kept>) -> Self {
        Self {
            kept: Arc::clone(kept),
            entries: 0,
            names: 0,
        }
    }

    /// Adds an entry whose names have so many bytes.
    pub(crate) fn add(&mut self, names: usize) -> Result<(), Excess> {
        self.entries += 1;
        self.names += names;
        let kept = &self.kept;
        let all_entries = kept.entries.fetch_add(1, Ordering::Relaxed) + 1;
        let all_names = kept.names.fetch_add(names, Ordering::Relaxed) + names;
        for (all, limit, what) in [
            (all_entries, kept.max_entries, "entries"),
            (all_names, kept.max_names, "bytes of names"),
        ] {
            if all > limit {
                let limit = limit as u64;
                return Err(Excess { limit, what });
            }
        }
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.kept.entries.fetch_sub(self.entries, Ordering::Relaxed);
        self.kept.names.fetch_sub(self.names, Ordering::Relaxed);
    }
}

/// How many bytes of layers were read, and how many bytes they were decompressed to.
#[derive(Debug)]
pub(crate) struct Volume {
    stored: AtomicU64,
    opened: AtomicU64,
    most: u64,
}

impl Default for Volume {
    fn default() -> Self {
        Self::new(MAX_OPENED)
    }
}

impl Volume {
    pub(crate) fn new(most: u64) -> Self {
        Self {
            stored: AtomicU64::new(0),
            opened: AtomicU64::new(0),
            most,
        }
    }

    /// `reader`, of a layer as it is stored.
    pub(crate) fn stored<R: Read>(&self, reader: R) -> impl Read {
        Counted(reader, |bytes| {
            self.stored.fetch_add(bytes, Ordering::Relaxed);
            Ok(())
        })
    }

    /// `reader`, of a layer's content: it fails once all layers together have too much.
    pub(crate) fn opened<R: Read>(&self, reader: R) -> impl Read {
        Counted(reader, |bytes| {
            let opened = self.opened.fetch_add(bytes, Ordering::Relaxed) + bytes;
            let stored = self.stored.load(Ordering::Relaxed);
            if opened
                <= stored
                    .saturating_mul(OPENED_PER_BYTE)
                    .saturating_add(self.most)
            {
                return Ok(());
            }
            Err(io::Error::other(format!(
                "all layers together have more than {} bytes and {OPENED_PER_BYTE} times what they have compressed",
                self.most
            )))
        })
    }
}

/// A reader whose bytes are counted.
struct Counted<R, F>(R, F);

impl<R: Read, F: FnMut(u64) -> io::Result<()>> Read for Counted<R, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buffer)?;
        (self.1)(read as u64)?;
        Ok(read)
    }
}

//! A plain bundle whose blobs are written at their offsets by as many threads as there are.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sealift_oci::{Digest, Hasher};
use sealift_pipeline::{BUFFER_BYTES, Budget, Cancel, Mismatch};

use crate::header::ARCHIVE_END;
use crate::profile::layout::{EntryContent, Layout};
use crate::store::Extent;
use crate::target::{Published, Target, WriteError, Written};

/// How many bytes of a blob are written before the target notes it again.
const NOTE_EVERY: u64 = 4 << 20;

/// How much of a blob is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlobState {
    /// Nothing.
    Missing,
    /// Its first bytes, as many as given; an earlier run wrote them.
    Partial(u64),
    /// All of it, and it was checked.
    Complete,
}

/// A plain bundle that is being written into a target.
///
/// Where a file system fills jumps ahead with zeros, [`PlainStream`](crate::PlainStream) writes every byte
/// once and this writes most of them twice.
pub struct PlainWriter {
    target: Box<dyn Target>,
    layout: Layout,
    states: Mutex<BTreeMap<Digest, BlobState>>,
}

impl PlainWriter {
    /// Writes every byte that follows from the layout. What an interrupted run left in `target` is kept:
    /// blobs that it noted as complete are hashed again, and everything that no digest covers is written
    /// again.
    ///
    /// # Errors
    /// If the target cannot be read or written, or has too little space.
    pub fn open(
        mut target: Box<dyn Target>,
        layout: Layout,
        budget: &Budget,
        cancel: &Cancel,
    ) -> Result<Self, WriteError> {
        let length = target
            .size()
            .map_err(WriteError::io("read", target.path()))?;
        let resumed = length == layout.total_bytes();
        if !resumed {
            target.reserve(layout.total_bytes())?;
        }
        let writer = Self {
            target,
            layout,
            states: Mutex::default(),
        };
        if resumed {
            writer.check_written(budget, cancel);
        }
        writer.write_known(resumed).map_err(writer.fault("write"))?;
        Ok(writer)
    }

    /// What messages call the target.
    pub(super) fn path(&self) -> &Path {
        self.target.path()
    }

    /// The layout that is being filled.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// How much of `digest` is written.
    pub fn state(&self, digest: &Digest) -> BlobState {
        self.states()
            .get(digest)
            .copied()
            .unwrap_or(BlobState::Missing)
    }

    /// Begins to write `digest`; after the bytes of it that are there already if `resume`: they are read and
    /// hashed again.
    ///
    /// # Errors
    /// If it is not part of the layout, or what is there cannot be read.
    pub fn blob(&self, digest: &Digest, resume: bool) -> Result<BlobWriter<'_>, WriteError> {
        let extent = self.extent(digest)?;
        let mut blob = BlobWriter {
            writer: self,
            digest: *digest,
            extent,
            hasher: Hasher::new(digest.algorithm()),
            written: 0,
            noted: 0,
        };
        if let (true, BlobState::Partial(bytes)) = (resume, self.state(digest)) {
            blob.hasher = self
                .hash(digest, extent.offset, bytes)
                .map_err(self.fault("read"))?;
            (blob.written, blob.noted) = (bytes, bytes);
        }
        Ok(blob)
    }

    /// Writes content that is in memory.
    ///
    /// # Errors
    /// If it is not the content of `digest`, or the target cannot be written.
    pub fn put(&self, digest: &Digest, bytes: &[u8]) -> Result<(), WriteError> {
        if self.state(digest) == BlobState::Complete {
            return Ok(());
        }
        let mut blob = self.blob(digest, false)?;
        blob.write_all(bytes).map_err(self.fault("write"))?;
        blob.finish()
    }

    /// Publishes the bundle.
    ///
    /// # Errors
    /// If content is missing, or the target cannot be published.
    pub fn publish(self) -> Result<Published, WriteError> {
        let missing: Vec<Digest> = self
            .layout
            .blobs()
            .filter(|digest| self.state(digest) != BlobState::Complete)
            .collect();
        if let Some(first) = missing.first() {
            return Err(WriteError::Incomplete {
                missing: missing.len(),
                first: *first,
            });
        }
        self.target.publish()
    }

    fn extent(&self, digest: &Digest) -> Result<Extent, WriteError> {
        self.layout
            .extent(digest)
            .ok_or(WriteError::Unplanned(*digest))
    }

    fn states(&self) -> MutexGuard<'_, BTreeMap<Digest, BlobState>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fault(&self, doing: &'static str) -> impl FnOnce(io::Error) -> WriteError + use<> {
        WriteError::io(doing, self.target.path())
    }

    /// Hashes what an earlier run noted as complete and keeps what is. A partial blob is believed until it
    /// is resumed: its bytes are hashed then, and the digest of the whole decides.
    fn check_written(&self, budget: &Budget, cancel: &Cancel) {
        let noted: Vec<(Digest, Extent, Written)> = self
            .target
            .written()
            .iter()
            .filter_map(|(digest, written)| Some((*digest, self.layout.extent(digest)?, *written)))
            .collect();
        let states = budget.compute(&noted, cancel, |(digest, extent, written)| {
            self.checked(digest, *extent, *written)
        });
        let states = noted
            .iter()
            .zip(states)
            .filter_map(|((digest, ..), state)| Some((*digest, state.ok()?)));
        self.states().extend(states);
    }

    fn checked(&self, digest: &Digest, extent: Extent, written: Written) -> io::Result<BlobState> {
        Ok(match written {
            Written::Partial(bytes) if bytes < extent.size => BlobState::Partial(bytes),
            Written::Partial(_) => BlobState::Missing,
            Written::Complete => {
                let hasher = self.hash(digest, extent.offset, extent.size)?;
                if hasher.finish() == *digest {
                    BlobState::Complete
                } else {
                    BlobState::Missing
                }
            }
        })
    }

    fn hash(&self, digest: &Digest, offset: u64, bytes: u64) -> io::Result<Hasher> {
        let mut hasher = Hasher::new(digest.algorithm());
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut done = 0;
        while done < bytes {
            let left = usize::try_from(bytes - done).unwrap_or(usize::MAX);
            let length = buffer.len().min(left);
            self.target
                .read_exact_at(&mut buffer[..length], offset + done)?;
            hasher.update(&buffer[..length]);
            done += length as u64;
        }
        Ok(hasher)
    }

    /// Writes headers and metadata. In a file that was there before, also the zeros between entries and at
    /// the end: nothing else would notice damage there.
    fn write_known(&self, resumed: bool) -> io::Result<()> {
        for entry in self.layout.entries() {
            self.target
                .write_all_at(&entry.header(), entry.header_offset)?;
            if let EntryContent::Inline(bytes) = &entry.content {
                self.target.write_all_at(bytes, entry.extent.offset)?;
            }
            if resumed {
                let padding = &[0; 512][..entry.padding()];
                self.target.write_all_at(padding, entry.extent.end())?;
            }
        }
        if resumed {
            let end = vec![0; usize::try_from(ARCHIVE_END).unwrap_or(0)];
            let offset = self.layout.total_bytes() - ARCHIVE_END;
            self.target.write_all_at(&end, offset)?;
        }
        Ok(())
    }
}

/// Writes the content of one blob at its offset.
pub struct BlobWriter<'a> {
    writer: &'a PlainWriter,
    digest: Digest,
    extent: Extent,
    hasher: Hasher,
    written: u64,
    noted: u64,
}

impl BlobWriter<'_> {
    /// How many bytes are written: where the content has to continue.
    pub fn position(&self) -> u64 {
        self.written
    }

    /// Begins the blob again at its first byte.
    pub fn restart(&mut self) {
        self.hasher = Hasher::new(self.digest.algorithm());
        (self.written, self.noted) = (0, 0);
    }

    /// Checks size and digest; the blob counts as complete from then on.
    ///
    /// # Errors
    /// [`WriteError::Mismatch`] if they are wrong.
    pub fn finish(self) -> Result<(), WriteError> {
        let Self {
            writer,
            digest,
            extent,
            hasher,
            written,
            ..
        } = self;
        if written < extent.size {
            return Err(Mismatch::Short {
                digest,
                expected: extent.size,
                actual: written,
            }
            .into());
        }
        let actual = hasher.finish();
        if actual != digest {
            writer.states().remove(&digest);
            return Err(Mismatch::Digest {
                expected: digest,
                actual,
            }
            .into());
        }
        writer
            .target
            .note(digest, Written::Complete)
            .map_err(writer.fault("write the journal of"))?;
        writer.states().insert(digest, BlobState::Complete);
        Ok(())
    }
}

impl Write for BlobWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.written + bytes.len() as u64 > self.extent.size {
            return Err(Mismatch::Long {
                digest: self.digest,
                expected: self.extent.size,
            }
            .into());
        }
        let target = &*self.writer.target;
        let written = target.write_at(bytes, self.extent.offset + self.written)?;
        self.hasher.update(&bytes[..written]);
        self.written += written as u64;
        if self.written - self.noted >= NOTE_EVERY {
            self.noted = self.written;
            target.note(self.digest, Written::Partial(self.written))?;
            self.writer
                .states()
                .insert(self.digest, BlobState::Partial(self.written));
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

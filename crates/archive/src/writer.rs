use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rustix::fs::OFlags;
use sealift_oci::{Digest, Hasher};
use sealift_pipeline::{BUFFER_BYTES, Cancel, Mismatch, run_parallel};

use crate::disk::{Disk, Real};
use crate::error::WriteError;
use crate::journal::{Journal, JournalError, Written};
use crate::layout::{Entry, EntryContent, Extent, Layout};
use crate::output::{check_room, publish, with_suffix};
use crate::read_at::ReadAt;
use crate::record::Identity;

/// How often the journal notes how far a blob is.
const NOTE_EVERY: u64 = 4 << 20;

/// How far a blob is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlobState {
    /// Nothing of it is there.
    Missing,
    /// Its first bytes are there, as many as said, and were hashed by an earlier run.
    Partial(u64),
    /// It is there and was checked.
    Whole,
}

/// A bundle that is being written: every blob at its own offset, by as many threads as there are.
///
/// The content lies in `OUTPUT.partial` until all of it is there; its first block is written last, so
/// that nothing takes it for a bundle before. Where [`OutputPlace::in_order`](crate::OutputPlace) says that
/// jumps ahead are filled with zeros, [`StreamWriter::to_file`](crate::StreamWriter::to_file) writes every
/// byte once and this writes most of them twice.
#[derive(Debug)]
pub struct Writer {
    output: PathBuf,
    partial: PathBuf,
    file: File,
    disk: Arc<dyn Disk>,
    layout: Layout,
    journal: Journal,
    states: Mutex<BTreeMap<Digest, BlobState>>,
}

/// A bundle that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Its identity.
    pub identity: Identity,
    /// Its file.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
}

impl From<JournalError> for WriteError {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::Io { path, source } => Self::Io {
                doing: "write",
                path,
                source,
            },
            JournalError::Locked { path } => Self::Locked { path },
        }
    }
}

impl Writer {
    /// Prepares `OUTPUT.partial` with every byte that the layout knows, or takes up the one that an
    /// interrupted run left: what the journal calls whole is hashed again on `threads` threads.
    pub fn create(
        output: &Path,
        layout: Layout,
        journal: Journal,
        threads: usize,
        cancel: &Cancel,
    ) -> Result<Self, WriteError> {
        if output.exists() {
            return Err(WriteError::Exists {
                path: output.to_owned(),
            });
        }
        Self::replace(output, layout, journal, threads, cancel)
    }

    /// The same where something may be at the output's name: it stays until [`Writer::finish`] puts the
    /// whole bundle in its place.
    pub fn replace(
        output: &Path,
        layout: Layout,
        journal: Journal,
        threads: usize,
        cancel: &Cancel,
    ) -> Result<Self, WriteError> {
        Self::on(Arc::new(Real), output, layout, journal, threads, cancel)
    }

    fn on(
        disk: Arc<dyn Disk>,
        output: &Path,
        layout: Layout,
        journal: Journal,
        threads: usize,
        cancel: &Cancel,
    ) -> Result<Self, WriteError> {
        let partial = with_suffix(output, ".partial");
        let file = open_partial(&partial)?;
        let mut writer = Self {
            output: output.to_owned(),
            partial,
            file,
            disk,
            layout,
            journal,
            states: Mutex::default(),
        };
        let resumable = ReadAt::size(&writer.file).map_err(writer.fault("read"))?
            == writer.layout.total_bytes();
        if resumable {
            writer.hide()?;
            writer.take_up(threads, cancel);
        } else {
            writer.journal.forget_blobs()?;
            writer.allocate()?;
        }
        writer.write_known()?;
        Ok(writer)
    }

    /// The layout that is being filled.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// How far `digest` is.
    pub fn state(&self, digest: &Digest) -> BlobState {
        self.states()
            .get(digest)
            .copied()
            .unwrap_or(BlobState::Missing)
    }

    /// Begins to write `digest`, after the bytes of it that are there already if `resume` asks for that:
    /// they are read and hashed again.
    pub fn blob(&self, digest: &Digest, resume: bool) -> Result<BlobSink<'_>, WriteError> {
        let extent = self
            .layout
            .extent(digest)
            .ok_or(WriteError::Unplanned(*digest))?;
        let mut sink = BlobSink {
            writer: self,
            digest: *digest,
            extent,
            hasher: Hasher::new(digest.algorithm()),
            written: 0,
            noted: 0,
        };
        if let (true, BlobState::Partial(bytes)) = (resume, self.state(digest)) {
            let mut hasher = Hasher::new(digest.algorithm());
            self.hash(extent, bytes, &mut |piece| hasher.update(piece))
                .map_err(self.fault("read"))?;
            (sink.hasher, sink.written, sink.noted) = (hasher, bytes, bytes);
        }
        Ok(sink)
    }

    /// Writes content that is in memory already.
    pub fn put(&self, digest: &Digest, bytes: &[u8]) -> Result<(), WriteError> {
        if self.state(digest) == BlobState::Whole {
            return Ok(());
        }
        let mut sink = self.blob(digest, false)?;
        sink.write_all(bytes).map_err(self.fault("write"))?;
        sink.finish()
    }

    /// Reads back content that is whole: a manifest that an earlier run wrote.
    pub fn read_back(&self, digest: &Digest) -> Result<Vec<u8>, WriteError> {
        let extent = self
            .layout
            .extent(digest)
            .ok_or(WriteError::Unplanned(*digest))?;
        let mut bytes = vec![0; usize::try_from(extent.size).unwrap_or(0)];
        ReadAt::read_exact_at(&self.file, &mut bytes, extent.offset).map_err(self.fault("read"))?;
        Ok(bytes)
    }

    /// Gives the bundle its name: everything reaches the disk first, then the first block, then the name.
    pub fn finish(self) -> Result<Finished, WriteError> {
        let missing: Vec<Digest> = self
            .planned()
            .filter(|digest| self.state(digest) != BlobState::Whole)
            .collect();
        if let Some(first) = missing.first() {
            return Err(WriteError::Incomplete {
                missing: missing.len(),
                first: *first,
            });
        }
        let first = self.layout.entries().first().map(Entry::header);
        publish(
            &*self.disk,
            &self.file,
            &first.unwrap_or_default(),
            &self.partial,
            &self.output,
        )?;
        // The bundle is whole and has its name: a journal that stays is of no more use, and no failure.
        let _ = self.journal.remove();
        Ok(Finished {
            identity: self.layout.identity(),
            bytes: self.layout.total_bytes(),
            path: self.output,
        })
    }

    fn planned(&self) -> impl Iterator<Item = Digest> {
        self.layout
            .entries()
            .iter()
            .filter_map(|entry| match entry.content {
                EntryContent::Blob(digest) => Some(digest),
                _ => None,
            })
    }

    fn states(&self) -> std::sync::MutexGuard<'_, BTreeMap<Digest, BlobState>> {
        self.states
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn fault(&self, doing: &'static str) -> impl FnOnce(io::Error) -> WriteError + use<> {
        WriteError::io(doing, &self.partial)
    }

    /// Hashes what the journal calls whole and keeps what is. A part is believed until it is resumed:
    /// its bytes are hashed then, and the whole decides.
    fn take_up(&self, threads: usize, cancel: &Cancel) {
        let saved = &self.journal.saved().written;
        let found: Vec<(Digest, Extent, Written)> = saved
            .iter()
            .filter_map(|(digest, written)| Some((*digest, self.layout.extent(digest)?, *written)))
            .collect();
        let states = run_parallel(
            threads,
            &found,
            cancel,
            |(digest, extent, written)| -> Result<_, io::Error> {
                Ok(match written {
                    Written::Part(bytes) if *bytes < extent.size => BlobState::Partial(*bytes),
                    Written::Part(_) => BlobState::Missing,
                    Written::Whole => {
                        let mut hasher = Hasher::new(digest.algorithm());
                        self.hash(*extent, extent.size, &mut |piece| hasher.update(piece))?;
                        if hasher.finish() == *digest {
                            BlobState::Whole
                        } else {
                            BlobState::Missing
                        }
                    }
                })
            },
        );
        let states = found
            .iter()
            .zip(states)
            .filter_map(|((digest, ..), state)| Some((*digest, state.ok()?)));
        self.states().extend(states);
    }

    fn hash(&self, extent: Extent, bytes: u64, take: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut done = 0;
        while done < bytes {
            let length = buffer
                .len()
                .min(usize::try_from(bytes - done).unwrap_or(usize::MAX));
            ReadAt::read_exact_at(&self.file, &mut buffer[..length], extent.offset + done)?;
            take(&buffer[..length]);
            done += length as u64;
        }
        Ok(())
    }

    fn allocate(&self) -> Result<(), WriteError> {
        let total = self.layout.total_bytes();
        let prepared = self
            .disk
            .set_len(&self.file, 0)
            .map_err(self.fault("write"))
            .and_then(|()| check_room(&self.file, &self.output, total))
            .and_then(|()| self.take_room(total));
        if prepared.is_err() {
            // A partial file with nothing in it is of no use to anyone.
            let _ = fs::remove_file(&self.partial);
        }
        prepared
    }

    /// Where room cannot be taken beforehand the file has holes until it is written; a full disk then
    /// shows later.
    fn take_room(&self, total: u64) -> Result<(), WriteError> {
        match self.disk.allocate(&self.file, total) {
            Ok(true) => Ok(()),
            Ok(false) => self
                .disk
                .set_len(&self.file, total)
                .map_err(self.fault("write")),
            Err(error) if error.kind() == io::ErrorKind::StorageFull => Err(WriteError::NoSpace {
                path: self.output.clone(),
                needed: total,
                free: crate::OutputPlace::of_file(&self.file)
                    .ok()
                    .and_then(|place| place.free)
                    .unwrap_or(0),
            }),
            Err(error) => Err(self.fault("write")(error)),
        }
    }

    /// Takes the first block away: a run that ended between that block and the name left it.
    fn hide(&self) -> Result<(), WriteError> {
        self.disk
            .write_all_at(&self.file, &[0; 512], 0)
            .map_err(self.fault("write"))
    }

    /// Writes headers and metadata, all but the file's first block.
    fn write_known(&self) -> Result<(), WriteError> {
        for entry in self.layout.entries() {
            if entry.header_offset > 0 {
                self.disk
                    .write_all_at(&self.file, &entry.header(), entry.header_offset)
                    .map_err(self.fault("write"))?;
            }
            if let EntryContent::Inline(bytes) = &entry.content {
                self.disk
                    .write_all_at(&self.file, bytes, entry.extent.offset)
                    .map_err(self.fault("write"))?;
            }
        }
        Ok(())
    }
}

/// Opens or makes the partial file, and follows no link that has its name.
pub(crate) fn open_partial(partial: &Path) -> Result<File, WriteError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(partial)
        .map_err(WriteError::io("create", partial))
}

/// Takes the content of one blob and writes it at its place.
#[derive(Debug)]
pub struct BlobSink<'a> {
    writer: &'a Writer,
    digest: Digest,
    extent: Extent,
    hasher: Hasher,
    written: u64,
    noted: u64,
}

impl BlobSink<'_> {
    /// How many bytes are there already: where the content has to go on.
    pub fn position(&self) -> u64 {
        self.written
    }

    /// Begins the blob anew: the source could not go on where it stopped.
    pub fn restart(&mut self) {
        self.hasher = Hasher::new(self.digest.algorithm());
        (self.written, self.noted) = (0, 0);
    }

    /// Checks size and digest; the blob counts as whole from then on.
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
        writer.journal.whole(digest)?;
        writer.states().insert(digest, BlobState::Whole);
        Ok(())
    }
}

impl Write for BlobSink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.written + bytes.len() as u64 > self.extent.size {
            return Err(Mismatch::Long {
                digest: self.digest,
                expected: self.extent.size,
            }
            .into());
        }
        let writer = self.writer;
        let written =
            writer
                .disk
                .write_at(&writer.file, bytes, self.extent.offset + self.written)?;
        self.hasher.update(&bytes[..written]);
        self.written += written as u64;
        if self.written - self.noted >= NOTE_EVERY {
            self.noted = self.written;
            self.writer
                .journal
                .part(self.digest, self.written)
                .map_err(io::Error::other)?;
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

#[cfg(test)]
mod tests;

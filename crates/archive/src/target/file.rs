//! A file that becomes a bundle: `OUTPUT.partial` with its lock and its journal, until it gets its name.
//!
//! The first block is written last, so that nothing takes a partial file for a bundle. What gets the name
//! is the very file that was written: another one that was put in its place meanwhile is noticed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sealift_oci::Digest;

use crate::store::ReadAt;
use crate::target::disk::{Disk, Real};
use crate::target::error::WriteError;
use crate::target::file_system::{FileSystem, check_space};
use crate::target::journal::Journal;
use crate::target::lock::{self, LockedFile};
use crate::target::output_file::OutputFile;
use crate::target::writable::{Published, Target, Written};

/// How many bytes at the start of a partial file are zeros until it is published.
const HELD_BYTES: u64 = 512;

/// A bundle's file that is being written.
#[derive(Debug)]
pub struct FileTarget {
    output: PathBuf,
    replace: bool,
    partial: PathBuf,
    file: LockedFile,
    journal: Journal,
    disk: Arc<dyn Disk>,
    /// The first bytes, which are written last.
    held: Mutex<Vec<u8>>,
}

/// The partial file of an output, locked for this process. One that is still empty is removed when this is dropped.
#[derive(Debug)]
pub struct LockedOutput {
    partial: PathBuf,
    /// `None` once it is the file of a target.
    file: Option<LockedFile>,
}

impl Drop for LockedOutput {
    fn drop(&mut self) {
        let Some(file) = &self.file else { return };
        if file.metadata().is_ok_and(|metadata| metadata.len() == 0) {
            // What stays is resumed as a file with nothing in it.
            let _ = lock::remove_own(file, &self.partial);
        }
    }
}

impl FileTarget {
    /// Resumes what an interrupted run with the same request and plan left for `output`, or begins anew.
    ///
    /// # Errors
    /// If something has the output's name and is not to be replaced, if another process writes the same
    /// file, or if files of the user's own have the names of the partial file or the journal.
    pub fn begin(output: &OutputFile, request: Digest, plan: &str) -> Result<Self, WriteError> {
        Self::on(Arc::new(Real), output, request, plan)
    }

    pub(crate) fn on(
        disk: Arc<dyn Disk>,
        output: &OutputFile,
        request: Digest,
        plan: &str,
    ) -> Result<Self, WriteError> {
        Self::on_locked(disk, Self::lock(output)?, output, request, plan)
    }

    /// Locks the partial file of `output` before it is known what is going to be written to it.
    ///
    /// # Errors
    /// If something has the output's name and is not to be replaced, or if another process writes the same file.
    pub fn lock(output: &OutputFile) -> Result<LockedOutput, WriteError> {
        output.check()?;
        if !output.replace && fs::symlink_metadata(&output.path).is_ok() {
            return Err(WriteError::Exists {
                path: output.path.clone(),
            });
        }
        let partial = output.partial();
        let file = Some(lock::open_locked(&partial)?);
        Ok(LockedOutput { partial, file })
    }

    /// As [`FileTarget::begin`], with the lock that [`FileTarget::lock`] took.
    ///
    /// # Errors
    /// If files of the user's own have the names of the partial file or the journal.
    pub fn begin_locked(
        locked: LockedOutput,
        output: &OutputFile,
        request: Digest,
        plan: &str,
    ) -> Result<Self, WriteError> {
        Self::on_locked(Arc::new(Real), locked, output, request, plan)
    }

    fn on_locked(
        disk: Arc<dyn Disk>,
        mut locked: LockedOutput,
        output: &OutputFile,
        request: Digest,
        plan: &str,
    ) -> Result<Self, WriteError> {
        if let Some(folder) = &output.state_dir {
            fs::create_dir_all(folder).map_err(WriteError::io("create", folder))?;
        }
        let partial = output.partial();
        let file = match locked.file.take() {
            Some(file) => file,
            None => lock::open_locked(&partial)?,
        };
        let mut journal = Journal::open(&output.journal())?;
        let saved = journal.saved();
        let length = file
            .metadata()
            .map_err(WriteError::io("read", &partial))?
            .len();
        let same = saved.request == Some(request) && saved.plan == plan;
        if !same || length == 0 {
            let ours = saved.request.is_some()
                || is_hidden(&file, length).map_err(WriteError::io("read", &partial))?;
            if !ours {
                return Err(WriteError::Foreign { path: partial });
            }
            // What another plan left has its content at other offsets.
            disk.set_len(&file, 0)
                .map_err(WriteError::io("replace", &partial))?;
            journal.begin(request, plan)?;
        }
        let target = Self {
            output: output.path.clone(),
            replace: output.replace,
            partial,
            file,
            journal,
            disk,
            held: Mutex::default(),
        };
        target.hide().map_err(target.fault("write"))?;
        Ok(target)
    }

    /// What the file system is able to do.
    ///
    /// # Errors
    /// If it cannot be asked.
    pub fn file_system(&self) -> io::Result<FileSystem> {
        FileSystem::of_file(&self.file)
    }

    /// Checks that `bytes` fit into the file system, those that the file has already included.
    ///
    /// # Errors
    /// If they do not.
    pub fn check_space(&self, bytes: u64) -> Result<(), WriteError> {
        check_space(&self.file, &self.output, bytes)
    }

    fn fault(&self, doing: &'static str) -> impl FnOnce(io::Error) -> WriteError + use<> {
        WriteError::io(doing, &self.partial)
    }

    /// Zeros in the place of the first block: a run that ended between that block and the name left it.
    fn hide(&self) -> io::Result<()> {
        let held = self.length()?.min(HELD_BYTES);
        let zeros = vec![0; usize::try_from(held).unwrap_or(0)];
        self.disk.write_all_at(&self.file, &zeros, 0)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Reserves all space at once. Without that the file has holes until it is written, and a full disk
    /// shows later.
    fn allocate(&self, bytes: u64) -> Result<(), WriteError> {
        match self.disk.allocate(&self.file, bytes) {
            Ok(true) => Ok(()),
            Ok(false) => self
                .disk
                .set_len(&self.file, bytes)
                .map_err(self.fault("write")),
            Err(error) if error.kind() == io::ErrorKind::StorageFull => Err(WriteError::NoSpace {
                path: self.output.clone(),
                needed: bytes,
                free: self
                    .file_system()
                    .ok()
                    .and_then(|file_system| file_system.free)
                    .unwrap_or(0),
            }),
            Err(error) => Err(self.fault("write")(error)),
        }
    }

    fn name(&self) -> Result<(), WriteError> {
        if !lock::is_at(&self.file, &self.partial) {
            return Err(WriteError::Replaced {
                path: self.partial.clone(),
            });
        }
        if self.replace {
            match fs::symlink_metadata(&self.output) {
                Ok(metadata) if !metadata.is_file() => {
                    return Err(WriteError::NotRegular {
                        path: self.output.clone(),
                    });
                }
                _ => {}
            }
        }
        self.disk
            .rename(&self.partial, &self.output, self.replace)
            .map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => WriteError::Exists {
                    path: self.output.clone(),
                },
                _ => self.fault("rename")(error),
            })?;
        if lock::is_at(&self.file, &self.output) {
            Ok(())
        } else {
            Err(WriteError::Replaced {
                path: self.output.clone(),
            })
        }
    }
}

/// Whether the file at `path` is the partial file of a bundle.
pub(crate) fn is_partial(path: &Path, file: &File) -> bool {
    let named = path
        .extension()
        .is_some_and(|extension| extension == "partial");
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    named && is_hidden(file, length).is_ok_and(|hidden| hidden)
}

/// Whether a file of `length` bytes begins as the partial files of sealift do.
fn is_hidden(file: &File, length: u64) -> io::Result<bool> {
    let mut start = vec![0; usize::try_from(length.min(HELD_BYTES)).unwrap_or(0)];
    ReadAt::read_exact_at(file, &mut start, 0)?;
    Ok(start.iter().all(|byte| *byte == 0))
}

impl ReadAt for FileTarget {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        ReadAt::read_at(&*self.file, buffer, offset)
    }

    fn size(&self) -> io::Result<u64> {
        self.length()
    }
}

impl Target for FileTarget {
    fn path(&self) -> &Path {
        &self.partial
    }

    fn written(&self) -> &BTreeMap<Digest, Written> {
        &self.journal.saved().written
    }

    fn reserve(&mut self, bytes: u64) -> Result<(), WriteError> {
        self.journal.forget_blobs()?;
        let reserved = self
            .disk
            .set_len(&self.file, 0)
            .map_err(self.fault("write"))
            .and_then(|()| self.check_space(bytes))
            .and_then(|()| self.allocate(bytes));
        if reserved.is_err() {
            // A partial file with nothing in it is of no use to anyone.
            let _ = lock::remove_own(&self.file, &self.partial);
        }
        reserved
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.disk.set_len(&self.file, length)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let Some(first) = HELD_BYTES.checked_sub(offset).filter(|left| *left > 0) else {
            return self.disk.write_at(&self.file, bytes, offset);
        };
        let length = bytes.len().min(usize::try_from(first).unwrap_or(0));
        let start = usize::try_from(offset).unwrap_or(0);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() < start + length {
            held.resize(start + length, 0);
        }
        held[start..start + length].copy_from_slice(&bytes[..length]);
        drop(held);
        self.disk
            .write_all_at(&self.file, &vec![0; length], offset)?;
        Ok(length)
    }

    fn reader(&self) -> io::Result<Arc<dyn ReadAt>> {
        Ok(Arc::new(self.file.try_clone()?))
    }

    fn note(&self, digest: Digest, written: Written) -> io::Result<()> {
        self.journal.note(digest, written)
    }

    fn publish(self: Box<Self>) -> Result<Published, WriteError> {
        self.disk.sync(&self.file).map_err(self.fault("write"))?;
        let held = self
            .held
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let bytes = self.length().map_err(self.fault("read"))?;
        let published = self
            .disk
            .write_all_at(&self.file, &held, 0)
            .and_then(|()| self.disk.sync(&self.file))
            .map_err(self.fault("write"))
            .and_then(|()| self.name());
        if let Err(error) = published {
            // No partial file looks like a bundle.
            let _ = self.hide();
            return Err(error);
        }
        // The bundle is complete and has its name: a journal that stays is of no use, and no failure.
        let _ = self.journal.remove();
        Ok(Published {
            path: self.output,
            bytes,
        })
    }
}

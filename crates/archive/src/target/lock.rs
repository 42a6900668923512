//! Files that belong to one run: opened without following links, locked, and compared with what has their
//! name.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::ops::{Deref, DerefMut};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

use crate::target::error::WriteError;

/// How often a file is opened again that another process renamed or removed meanwhile.
const MAX_TRIES: usize = 16;

/// A file that is locked for this process until it is dropped.
///
/// Closing it would not do: a program that is being started shares every open file until it runs, and a lock is held
/// as long as anyone shares the file.
#[derive(Debug)]
pub struct LockedFile(File);

impl Drop for LockedFile {
    fn drop(&mut self) {
        // File systems without locks refuse this as they refused the lock.
        let _ = self.0.unlock();
    }
}

impl Deref for LockedFile {
    type Target = File;

    fn deref(&self) -> &File {
        &self.0
    }
}

impl DerefMut for LockedFile {
    fn deref_mut(&mut self) -> &mut File {
        &mut self.0
    }
}

/// Opens or creates the regular file at `path`, and locks it for this process.
///
/// # Errors
/// [`WriteError::NotRegular`] for a link, a device, a pipe or a file with a second name, and
/// [`WriteError::Locked`] if another process holds it.
pub fn open_locked(path: &Path) -> Result<LockedFile, WriteError> {
    for _ in 0..MAX_TRIES {
        let file = open(path)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                return Err(WriteError::Locked {
                    path: path.to_owned(),
                });
            }
            // File systems without locks leave this to the user.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        // Whoever had the lock before may have renamed or removed the file.
        if is_at(&file, path) {
            return Ok(LockedFile(file));
        }
    }
    Err(WriteError::Locked {
        path: path.to_owned(),
    })
}

fn open(path: &Path) -> Result<File, WriteError> {
    // A pipe would wait for its other end; opened so, it does not.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .custom_flags(flags.bits().cast_signed())
        .open(path);
    let not_regular = || WriteError::NotRegular {
        path: path.to_owned(),
    };
    let file = match file {
        Ok(file) => file,
        Err(_) if fs::symlink_metadata(path).is_ok_and(|metadata| !metadata.is_file()) => {
            return Err(not_regular());
        }
        Err(source) => return Err(WriteError::io("create", path)(source)),
    };
    let metadata = file.metadata().map_err(WriteError::io("open", path))?;
    if metadata.is_file() && metadata.nlink() <= 1 {
        Ok(file)
    } else {
        Err(not_regular())
    }
}

/// Whether `file` is what has the name `path`.
pub(super) fn is_at(file: &File, path: &Path) -> bool {
    let same = |own: fs::Metadata, other: fs::Metadata| {
        (own.dev(), own.ino()) == (other.dev(), other.ino())
    };
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(own), Ok(other)) => same(own, other),
        _ => false,
    }
}

/// Removes the file at `path` if it is `file`, which was opened by [`open_locked`].
///
/// # Errors
/// Whatever removing fails with.
pub fn remove_own(file: &File, path: &Path) -> io::Result<()> {
    if is_at(file, path) {
        fs::remove_file(path)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_free_again_while_a_program_that_is_being_started_shares_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let file = open_locked(&path).unwrap();
        let shared = file.try_clone().unwrap();
        let error = open_locked(&path).err();
        assert!(
            matches!(error, Some(WriteError::Locked { .. })),
            "{error:?}"
        );
        drop(file);
        open_locked(&path).unwrap();
        drop(shared);
    }
}

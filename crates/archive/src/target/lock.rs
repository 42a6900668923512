//! Files that belong to one run: opened without following links, locked, and compared with what has their
//! name.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

use crate::target::error::WriteError;

/// How often a file is opened again that another process renamed or removed meanwhile.
const MAX_TRIES: usize = 16;

/// Opens or creates the regular file at `path`, and locks it for this process.
///
/// # Errors
/// [`WriteError::NotRegular`] for a link, a device, a pipe or a file with a second name, and
/// [`WriteError::Locked`] if another process holds it.
pub fn open_locked(path: &Path) -> Result<File, WriteError> {
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
            return Ok(file);
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

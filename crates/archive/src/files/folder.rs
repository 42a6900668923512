//! The one tar that a folder's content has: sorted names, no owner, no time, two permissions.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};
use walkdir::WalkDir;

use super::name::check_name;
use super::{CarryError, MAX_DEPTH, MAX_ENTRIES};
use crate::header::{BLOCK, EntryKind, encode, padded};

/// What is in a folder, in the tar's order.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    root: PathBuf,
    entries: Arc<[Entry]>,
}

#[derive(Clone, Debug)]
struct Entry {
    /// Below the root, with `/` between components and, for a folder, at its end.
    path: String,
    kind: EntryKind,
    size: u64,
}

impl Folder {
    /// Lists what is below `root`. Links and devices are refused: what they point at may be elsewhere
    /// when the folder is written out.
    pub(super) fn list(root: &Path) -> Result<Self, CarryError> {
        let mut entries = Vec::new();
        for entry in WalkDir::new(root).min_depth(1) {
            let entry = entry.map_err(|error| CarryError::Io {
                path: error.path().unwrap_or(root).to_owned(),
                source: error.into(),
            })?;
            if entry.depth() > MAX_DEPTH || entries.len() == MAX_ENTRIES {
                return Err(CarryError::TooMuch {
                    path: root.to_owned(),
                });
            }
            entries.push(listed(root, &entry)?);
        }
        entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(Self {
            root: root.to_owned(),
            entries: entries.into(),
        })
    }

    /// Reads the tar. Files are opened as they are reached.
    pub(super) fn read(&self) -> FolderTar {
        FolderTar {
            folder: self.clone(),
            next: 0,
            ready: Vec::new(),
            taken: 0,
            file: None,
            ended: false,
        }
    }
}

fn listed(root: &Path, entry: &walkdir::DirEntry) -> Result<Entry, CarryError> {
    let full = entry.path();
    let io = |source| CarryError::Io {
        path: full.to_owned(),
        source,
    };
    let mut path = String::new();
    let below = full.strip_prefix(root).unwrap_or(full);
    for component in below.components() {
        let name = component.as_os_str().to_str();
        let name = name.ok_or_else(|| CarryError::NotText {
            path: full.to_owned(),
        })?;
        check_name(name).map_err(|fault| CarryError::Name {
            path: full.to_owned(),
            fault,
        })?;
        if !path.is_empty() {
            path.push('/');
        }
        path.push_str(name);
    }
    let metadata = entry.metadata().map_err(|error| io(error.into()))?;
    let (kind, size) = if metadata.is_dir() {
        path.push('/');
        (EntryKind::Directory, 0)
    } else if metadata.is_file() && metadata.permissions().mode() & 0o111 != 0 {
        (EntryKind::Executable, metadata.len())
    } else if metadata.is_file() {
        (EntryKind::File, metadata.len())
    } else {
        return Err(CarryError::Kind {
            path: full.to_owned(),
        });
    };
    Ok(Entry { path, kind, size })
}

/// Opens a regular file that is no link.
pub(super) fn open_regular(path: &Path, follow: bool) -> io::Result<File> {
    let mut flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    if !follow {
        flags |= OFlags::NOFOLLOW;
    }
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    Ok(file)
}

/// A folder's tar, made while it is read.
pub(super) struct FolderTar {
    folder: Folder,
    next: usize,
    /// Headers, padding and the end: bytes that are in memory.
    ready: Vec<u8>,
    taken: usize,
    /// The file that is being read, and how much of it is left.
    file: Option<(File, u64)>,
    ended: bool,
}

impl FolderTar {
    fn begin(&mut self, entry: &Entry) -> io::Result<()> {
        self.ready = encode(&entry.path, entry.kind, entry.size);
        self.taken = 0;
        if entry.size > 0 {
            let file = open_regular(&self.folder.root.join(&entry.path), false)?;
            if file.metadata()?.len() != entry.size {
                return Err(changed(&entry.path));
            }
            self.file = Some((file, entry.size));
        }
        Ok(())
    }

    fn pad(&mut self) {
        let size = self.folder.entries[self.next - 1].size;
        let rest = usize::try_from(padded(size) - size).unwrap_or(0);
        self.ready = vec![0; rest];
        self.taken = 0;
    }
}

fn changed(path: &str) -> io::Error {
    io::Error::other(format!("{path} changed while it was read"))
}

impl Read for FolderTar {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.taken < self.ready.len() {
                let length = buffer.len().min(self.ready.len() - self.taken);
                buffer[..length].copy_from_slice(&self.ready[self.taken..self.taken + length]);
                self.taken += length;
                return Ok(length);
            }
            if let Some((file, left)) = &mut self.file {
                let length = buffer
                    .len()
                    .min(usize::try_from(*left).unwrap_or(usize::MAX));
                let read = file.read(&mut buffer[..length])?;
                *left -= read as u64;
                if *left == 0 {
                    self.file = None;
                    self.pad();
                } else if read == 0 && length > 0 {
                    return Err(changed(&self.folder.entries[self.next - 1].path));
                }
                return Ok(read);
            }
            let entries = Arc::clone(&self.folder.entries);
            if let Some(entry) = entries.get(self.next) {
                self.next += 1;
                self.begin(entry)?;
            } else if self.ended {
                return Ok(0);
            } else {
                self.ended = true;
                self.ready = vec![0; 2 * usize::try_from(BLOCK).unwrap_or(512)];
                self.taken = 0;
            }
        }
    }
}

//! An OCI image layout in a folder: a file for each blob.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};
use sealift_oci::Digest;

use crate::store::content::{Location, Store, absent};
use crate::store::extents::ExtentReader;
use crate::store::read_at::Extent;

/// A layout in a folder. Links are followed: build systems make layouts of links to their caches, the
/// folder is the user's own, and every blob is checked against its digest.
pub(crate) struct FolderStore {
    root: PathBuf,
}

impl FolderStore {
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    /// The regular file `name` below the folder with its size; `None` if there is none.
    pub(crate) fn file(&self, name: &str) -> io::Result<Option<(File, u64)>> {
        // A named pipe would wait for its other end for ever; opened so, it does not.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = match rustix::fs::open(self.root.join(name), flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        Ok(Some((file, metadata.len())))
    }
}

impl Store for FolderStore {
    fn size(&self, digest: &Digest) -> Option<u64> {
        let (_, size) = self.file(&digest.blob_path()).ok()??;
        Some(size)
    }

    fn open(&self, digest: &Digest, from: u64) -> io::Result<Box<dyn Read + Send>> {
        let found = self.file(&digest.blob_path())?;
        let (file, size) = found.ok_or_else(|| absent(digest))?;
        let extent = Extent { offset: 0, size };
        Ok(Box::new(ExtentReader::new(Arc::new(file), extent, from)))
    }

    fn locate(&self, digest: &Digest) -> Location {
        Location {
            entry: digest.blob_path(),
            offset: 0,
        }
    }
}

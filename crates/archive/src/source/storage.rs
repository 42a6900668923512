//! Where a source's content lies: in files of a folder, or in places of one tar.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};
use sealift_oci::Digest;

use super::SourceError;
use crate::layout::Extent;
use crate::read_at::ReadAt;

/// Content and its place.
pub(super) struct Found {
    pub(super) file: Arc<dyn ReadAt>,
    pub(super) extent: Extent,
}

/// What has files by name and blobs by digest.
pub(super) trait Storage: Send + Sync {
    /// The file that is called `name`, which is one of a layout's own.
    fn file(&self, name: &'static str) -> io::Result<Option<Found>>;

    /// A blob.
    fn blob(&self, digest: &Digest) -> io::Result<Option<Found>>;
}

/// A layout in a folder. Links are followed: build systems make layouts of links to their caches, the
/// folder is the user's own, and every blob is checked against its digest.
pub(super) struct Folder {
    root: PathBuf,
}

impl Folder {
    pub(super) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    fn open(&self, name: &str) -> io::Result<Option<Found>> {
        // A named pipe would wait for its other end for ever; opened so, it does not.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = match rustix::fs::open(self.root.join(name), flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        Ok(Some(Found {
            extent: Extent {
                offset: 0,
                size: metadata.len(),
            },
            file: Arc::new(file),
        }))
    }
}

impl Storage for Folder {
    fn file(&self, name: &'static str) -> io::Result<Option<Found>> {
        self.open(name)
    }

    fn blob(&self, digest: &Digest) -> io::Result<Option<Found>> {
        self.open(&digest.blob_path())
    }
}

/// A layout in a tar.
pub(super) struct Archive {
    pub(super) file: Arc<dyn ReadAt>,
    pub(super) files: BTreeMap<String, Extent>,
    pub(super) blobs: BTreeMap<Digest, Extent>,
}

impl Storage for Archive {
    fn file(&self, name: &'static str) -> io::Result<Option<Found>> {
        Ok(self.found(self.files.get(name)))
    }

    fn blob(&self, digest: &Digest) -> io::Result<Option<Found>> {
        Ok(self.found(self.blobs.get(digest)))
    }
}

impl Archive {
    fn found(&self, extent: Option<&Extent>) -> Option<Found> {
        extent.map(|extent| Found {
            file: Arc::clone(&self.file),
            extent: *extent,
        })
    }
}

/// Reads all of `found`, no more than `limit` bytes.
pub(super) fn read_small(
    source: &str,
    entry: &str,
    found: &Found,
    limit: u64,
) -> Result<Vec<u8>, SourceError> {
    if found.extent.size > limit {
        return Err(SourceError::Form {
            source_name: source.to_owned(),
            entry: entry.to_owned(),
            what: format!(
                "it has {} bytes, more than the {limit} allowed",
                found.extent.size
            ),
        });
    }
    let mut bytes = vec![0; usize::try_from(found.extent.size).unwrap_or(0)];
    match found.file.read_exact_at(&mut bytes, found.extent.offset) {
        Ok(()) => Ok(bytes),
        Err(error) => Err(SourceError::Io {
            path: format!("{entry} of {source}"),
            source: error,
        }),
    }
}

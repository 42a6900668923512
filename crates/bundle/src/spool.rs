//! Manifests that are kept on scratch space while a request is resolved.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sealift_oci::Digest;

/// How many bytes stay in memory; the rest goes to a file.
const IN_MEMORY: usize = 16 << 20;

/// Keeps the manifests and configs that were read while resolving, by digest: the first in memory, all
/// others in a nameless file, since there can be thousands of several megabytes.
#[derive(Debug)]
pub(crate) struct Spool {
    scratch: PathBuf,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    places: HashMap<Digest, Place>,
    in_memory: usize,
    file: Option<Arc<File>>,
    end: u64,
}

#[derive(Clone, Debug)]
enum Place {
    Memory(Arc<[u8]>),
    File { offset: u64, size: usize },
}

impl Spool {
    /// An empty one, whose file will be in `scratch`.
    pub(crate) fn new(scratch: &Path) -> Self {
        Self {
            scratch: scratch.to_owned(),
            inner: Mutex::default(),
        }
    }

    /// Keeps `bytes`, whose digest was checked.
    pub(crate) fn put(&self, digest: &Digest, bytes: &Arc<[u8]>) -> io::Result<()> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.places.contains_key(digest) {
            return Ok(());
        }
        let place = if inner.in_memory + bytes.len() <= IN_MEMORY {
            inner.in_memory += bytes.len();
            Place::Memory(Arc::clone(bytes))
        } else {
            let offset = inner.end;
            inner.file(&self.scratch)?.write_all_at(bytes, offset)?;
            inner.end += bytes.len() as u64;
            Place::File {
                offset,
                size: bytes.len(),
            }
        };
        inner.places.insert(*digest, place);
        Ok(())
    }

    /// Whether `digest` was kept.
    pub(crate) fn has(&self, digest: &Digest) -> bool {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.places.contains_key(digest)
    }

    /// What was kept under `digest`.
    pub(crate) fn get(&self, digest: &Digest) -> io::Result<Option<Arc<[u8]>>> {
        let (place, file) = {
            let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            (inner.places.get(digest).cloned(), inner.file.clone())
        };
        match (place, file) {
            (Some(Place::Memory(bytes)), _) => Ok(Some(bytes)),
            (Some(Place::File { offset, size }), Some(file)) => {
                let mut bytes = vec![0; size];
                file.read_exact_at(&mut bytes, offset)?;
                Ok(Some(bytes.into()))
            }
            _ => Ok(None),
        }
    }
}

impl Inner {
    fn file(&mut self, scratch: &Path) -> io::Result<Arc<File>> {
        if let Some(file) = &self.file {
            return Ok(Arc::clone(file));
        }
        let file = Arc::new(tempfile::tempfile_in(scratch)?);
        self.file = Some(Arc::clone(&file));
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_does_not_fit_into_memory_comes_back_from_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::new(folder.path());
        let contents: Vec<Arc<[u8]>> = (0..40u8).map(|n| vec![n; 1 << 20].into()).collect();
        for bytes in &contents {
            spool.put(&Digest::sha256(bytes), bytes).unwrap();
        }
        assert!(spool.inner.lock().unwrap().in_memory <= IN_MEMORY);
        for bytes in &contents {
            assert_eq!(
                spool.get(&Digest::sha256(bytes)).unwrap().as_ref(),
                Some(bytes)
            );
        }
        assert_eq!(spool.get(&Digest::sha256(b"other")).unwrap(), None);
        let left = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 0, "the file has no name");
    }
}

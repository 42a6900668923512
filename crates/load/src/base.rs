//! Blobs of a delta's bases that are read from the destination registry.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use sealift_archive::{Location, Store};
use sealift_oci::{Descriptor, Digest, Hasher};
use sealift_pipeline::{BUFFER_BYTES, Cancel};
use sealift_registry::{Client, RegistryError};

use crate::repository::RepositoryName;

/// How often a blob is requested again after its connection broke.
const RETRIES: u32 = 8;

/// Why a blob of a base cannot be read from the destination registry.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BaseError {
    /// The registry does not give it.
    #[error(transparent)]
    Registry(Arc<RegistryError>),
    /// The registry gives something else.
    #[error("{registry}/{repository} returned content with the digest {actual} for {digest}")]
    Changed {
        /// The registry.
        registry: String,
        /// The repository.
        repository: String,
        /// What was requested.
        digest: Digest,
        /// The digest of what came.
        actual: Digest,
    },
    /// The connection broke too often.
    #[error("{registry}/{repository}: reading {digest} broke off {times} times: {reason}")]
    Broken {
        /// The registry.
        registry: String,
        /// The repository.
        repository: String,
        /// What was requested.
        digest: Digest,
        /// How often.
        times: u32,
        /// What happened last.
        reason: String,
    },
}

impl From<BaseError> for io::Error {
    fn from(error: BaseError) -> Self {
        Self::other(error)
    }
}

/// A blob of a base, and a repository that has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) size: u64,
    pub(crate) repository: RepositoryName,
}

/// Blobs of bases in a registry. Each is read to scratch space and compared with its digest before any of it is used,
/// and stays there as long as somebody reads it.
pub(crate) struct RegistryBlobs {
    pub(crate) client: Client,
    pub(crate) registry: String,
    pub(crate) blobs: BTreeMap<Digest, Found>,
    /// The folder for scratch space.
    pub(crate) scratch: PathBuf,
    pub(crate) cancel: Cancel,
    fetched: BTreeMap<Digest, Mutex<Weak<File>>>,
}

impl RegistryBlobs {
    /// The blobs that were found in `registry`.
    pub(crate) fn new(
        client: Client,
        registry: &str,
        blobs: BTreeMap<Digest, Found>,
        scratch: PathBuf,
        cancel: Cancel,
    ) -> Self {
        let fetched = blobs.keys().map(|digest| (*digest, Mutex::default()));
        Self {
            client,
            registry: registry.to_owned(),
            fetched: fetched.collect(),
            blobs,
            scratch,
            cancel,
        }
    }

    /// The blob on scratch space: as another reader left it, or read now. Others that want it wait.
    fn fetched(&self, digest: &Digest, found: &Found) -> io::Result<Arc<File>> {
        let Some(slot) = self.fetched.get(digest) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let mut slot: MutexGuard<'_, Weak<File>> =
            slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = slot.upgrade() {
            return Ok(file);
        }
        let file = Arc::new(self.fetch(digest, found)?);
        *slot = Arc::downgrade(&file);
        Ok(file)
    }

    fn fetch(&self, digest: &Digest, found: &Found) -> io::Result<File> {
        let repository = self
            .client
            .repository(&self.registry, &found.repository)
            .map_err(registry_error)?;
        let descriptor = Descriptor::new("application/octet-stream", *digest, found.size);
        let mut file = tempfile::tempfile_in(&self.scratch).map_err(|error| {
            let message = format!("no scratch space in {}: {error}", self.scratch.display());
            io::Error::new(error.kind(), message)
        })?;
        let mut hasher = Hasher::new(digest.algorithm());
        let (mut there, mut times) = (0, 0);
        while there < found.size {
            let body = repository
                .blob(&descriptor, there)
                .map_err(registry_error)?;
            if body.offset != there {
                file.seek(SeekFrom::Start(0))?;
                (there, hasher) = (0, Hasher::new(digest.algorithm()));
            }
            let before = there;
            let broken = self.copy(body.reader, &mut file, &mut hasher, &mut there, found.size)?;
            let Some(reason) = broken else { break };
            times = if there > before { 1 } else { times + 1 };
            if times > RETRIES {
                return Err(BaseError::Broken {
                    registry: self.registry.clone(),
                    repository: found.repository.to_string(),
                    digest: *digest,
                    times,
                    reason,
                }
                .into());
            }
        }
        match hasher.finish() {
            actual if actual == *digest => Ok(file),
            actual => Err(BaseError::Changed {
                registry: self.registry.clone(),
                repository: found.repository.to_string(),
                digest: *digest,
                actual,
            }
            .into()),
        }
    }

    /// Copies what comes; why it ended before all of it was there, if it did. Errors are those of scratch space.
    fn copy(
        &self,
        mut from: Box<dyn Read + Send>,
        to: &mut File,
        hasher: &mut Hasher,
        there: &mut u64,
        size: u64,
    ) -> io::Result<Option<String>> {
        let mut buffer = vec![0; BUFFER_BYTES];
        while *there < size {
            self.cancel.check().map_err(io::Error::other)?;
            let left = usize::try_from(size - *there).unwrap_or(usize::MAX);
            let wanted = buffer.len().min(left);
            match from.read(&mut buffer[..wanted]) {
                Ok(0) => return Ok(Some("it ended early".to_owned())),
                Ok(read) => {
                    to.write_all(&buffer[..read])?;
                    hasher.update(&buffer[..read]);
                    *there += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Ok(Some(error.to_string())),
            }
        }
        Ok(None)
    }
}

fn registry_error(error: RegistryError) -> io::Error {
    BaseError::Registry(Arc::new(error)).into()
}

impl Store for RegistryBlobs {
    fn size(&self, digest: &Digest) -> Option<u64> {
        self.blobs.get(digest).map(|found| found.size)
    }

    fn open(&self, digest: &Digest, from: u64) -> io::Result<Box<dyn Read + Send>> {
        let found = self.blobs.get(digest);
        let found = found.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        Ok(Box::new(FileReader {
            file: self.fetched(digest, found)?,
            at: from.min(found.size),
            end: found.size,
        }))
    }

    fn locate(&self, digest: &Digest) -> Location {
        let repository = self.blobs.get(digest).map(|found| &*found.repository);
        Location {
            entry: format!("{digest} of {}", repository.unwrap_or_default()),
            offset: 0,
        }
    }
}

/// Reads a file that others read too.
struct FileReader {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Read for FileReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let length = buffer.len().min(left);
        let read = self.file.read_at(&mut buffer[..length], self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

//! What the registry holds: repositories, blobs, upload sessions.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use sealift_oci::{Digest, Hasher};

/// A blob's bytes, in memory or in a file.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Memory(Arc<[u8]>),
    File(Arc<PathBuf>, u64),
}

impl Content {
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File(_, size) => *size,
        }
    }

    /// Reads from `start` on.
    pub(crate) fn open(&self, start: u64) -> io::Result<Box<dyn Read + '_>> {
        match self {
            Self::Memory(bytes) => {
                let start = usize::try_from(start).unwrap_or(usize::MAX);
                Ok(Box::new(bytes.get(start..).unwrap_or_default()))
            }
            Self::File(path, _) => {
                let mut file = File::open(path.as_ref())?;
                file.seek(SeekFrom::Start(start))?;
                Ok(Box::new(file))
            }
        }
    }

    pub(crate) fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open(0)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// Where new content is kept.
#[derive(Debug, Default)]
pub(crate) struct Storage {
    folder: Option<tempfile::TempDir>,
    next: Mutex<u64>,
}

impl Storage {
    pub(crate) fn on_disk() -> io::Result<Self> {
        Ok(Self {
            folder: Some(tempfile::tempdir()?),
            next: Mutex::new(0),
        })
    }

    pub(crate) fn session(&self) -> io::Result<Session> {
        let data = match &self.folder {
            None => Data::Memory(Vec::new()),
            Some(folder) => {
                let mut next = lock(&self.next);
                *next += 1;
                let path = folder.path().join(next.to_string());
                Data::File(File::create(&path)?, path)
            }
        };
        Ok(Session {
            data,
            size: 0,
            hasher: Hasher::new(sealift_oci::Algorithm::Sha256),
            pieces: 0,
            last_piece: 0,
        })
    }
}

/// An upload session.
#[derive(Debug)]
pub(crate) struct Session {
    data: Data,
    /// Bytes that arrived.
    pub(crate) size: u64,
    /// Requests that brought bytes.
    pub(crate) pieces: u64,
    /// Bytes of the last of them.
    pub(crate) last_piece: u64,
    hasher: Hasher,
}

#[derive(Debug)]
enum Data {
    Memory(Vec<u8>),
    File(File, PathBuf),
}

impl Session {
    /// Takes all of `body`; what arrived before an error stays.
    pub(crate) fn append(&mut self, body: &mut dyn Read) -> io::Result<()> {
        self.last_piece = 0;
        let mut buffer = vec![0; 64 << 10];
        loop {
            let read = body.read(&mut buffer)?;
            if read == 0 {
                return Ok(());
            }
            match &mut self.data {
                Data::Memory(bytes) => bytes.extend_from_slice(&buffer[..read]),
                Data::File(file, _) => file.write_all(&buffer[..read])?,
            }
            self.hasher.update(&buffer[..read]);
            self.size += read as u64;
            self.pieces += u64::from(self.last_piece == 0);
            self.last_piece += read as u64;
        }
    }

    /// Whether what arrived has this digest.
    pub(crate) fn is(&self, digest: &Digest) -> io::Result<bool> {
        if matches!(digest, Digest::Sha256(_)) {
            return Ok(self.hasher.clone().finish() == *digest);
        }
        let bytes = match &self.data {
            Data::Memory(bytes) => bytes.clone(),
            Data::File(_, path) => std::fs::read(path)?,
        };
        Ok(Digest::of(digest.algorithm(), &bytes) == *digest)
    }

    /// Hands over what arrived.
    pub(crate) fn take(&mut self) -> Content {
        match &mut self.data {
            Data::Memory(bytes) => Content::Memory(std::mem::take(bytes).into()),
            Data::File(_, path) => Content::File(Arc::new(path.clone()), self.size),
        }
    }
}

/// A manifest as it was put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) media_type: String,
    pub(crate) bytes: Arc<[u8]>,
}

#[derive(Debug, Default)]
pub(crate) struct Repository {
    pub(crate) manifests: BTreeMap<Digest, Stored>,
    pub(crate) tags: BTreeMap<String, Digest>,
    pub(crate) blobs: BTreeSet<Digest>,
}

impl Repository {
    /// The digest that a tag or a digest in text means.
    pub(crate) fn resolve(&self, reference: &str) -> Option<Digest> {
        match reference.parse::<Digest>() {
            Ok(digest) => self.manifests.contains_key(&digest).then_some(digest),
            Err(_) => self.tags.get(reference).copied(),
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) repositories: BTreeMap<String, Repository>,
    pub(crate) contents: BTreeMap<Digest, Content>,
    /// By repository and identifier.
    pub(crate) sessions: BTreeMap<(String, String), Arc<Mutex<Session>>>,
    pub(crate) next_session: u64,
}

impl State {
    /// A blob, if the repository has it.
    pub(crate) fn blob(&self, repository: &str, digest: &Digest) -> Option<Content> {
        let repository = self.repositories.get(repository)?;
        repository.blobs.get(digest)?;
        self.contents.get(digest).cloned()
    }

    /// Puts a blob into a repository; content that is there already stays.
    pub(crate) fn put_blob(&mut self, repository: &str, digest: Digest, content: Content) {
        self.contents.entry(digest).or_insert(content);
        let repository = self.repositories.entry(repository.to_owned()).or_default();
        repository.blobs.insert(digest);
    }

    pub(crate) fn manifest(&self, repository: &str, reference: &str) -> Option<(Digest, Stored)> {
        let repository = self.repositories.get(repository)?;
        let digest = repository.resolve(reference)?;
        Some((digest, repository.manifests.get(&digest)?.clone()))
    }
}

/// A panic of one connection's thread must not hide what the test is about.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

use std::io;
use std::path::{Path, PathBuf};

use sealift_oci::Digest;
use sealift_pipeline::Mismatch;

/// Something wrong in a bundle, with its place in the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{entry} at byte {offset}: {what}")]
pub struct Fault {
    /// The entry, or what stands where one should.
    pub entry: String,
    /// Where in the file, in bytes from its start.
    pub offset: u64,
    /// What is wrong, and what was expected.
    pub what: String,
}

impl Fault {
    pub(crate) fn new(entry: impl Into<String>, offset: u64, what: impl Into<String>) -> Self {
        Self {
            entry: entry.into(),
            offset,
            what: what.into(),
        }
    }
}

/// Why a bundle cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A file cannot be created, written or renamed.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The place has not enough room for the whole bundle.
    #[error("{} needs {needed} bytes, but only {free} are free there", path.display())]
    NoSpace {
        /// The file.
        path: PathBuf,
        /// The bundle's size.
        needed: u64,
        /// What is free.
        free: u64,
    },
    /// The file system cannot have a file of this size.
    #[error(
        "{} would have {needed} bytes, but a file on {file_system} has at most {limit} (choose a place with another file system)",
        path.display()
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// What the file system is called.
        file_system: &'static str,
        /// The bundle's size.
        needed: u64,
        /// The largest file there.
        limit: u64,
    },
    /// Content is not what its descriptor says.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// A digest that the layout has no place for.
    #[error("{0} is not part of the bundle that is being written")]
    Unplanned(Digest),
    /// The bundle was to be finished while content is missing.
    #[error("{missing} of the bundle's blobs are missing, {first} for one")]
    Incomplete {
        /// How many.
        missing: usize,
        /// One of them.
        first: Digest,
    },
    /// Another process writes the same bundle.
    #[error("another process is writing {}", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// Something is at the output's name already.
    #[error("{} exists (choose another name, or remove it first)", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
}

impl WriteError {
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io {
            doing,
            path,
            source,
        }
    }
}

//! Why a bundle cannot be written.

use std::io;
use std::path::{Path, PathBuf};

use sealift_oci::{Digest, human_bytes};
use sealift_pipeline::Mismatch;

/// Why a bundle cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
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
    /// Too little space for the complete bundle.
    #[error("{} needs {}, but only {} are free", path.display(), human_bytes(*needed), human_bytes(*free))]
    NoSpace {
        /// The file.
        path: PathBuf,
        /// The bundle's size.
        needed: u64,
        /// What is free.
        free: u64,
    },
    /// The file system does not support files of this size.
    #[error(
        "{} needs {}, but a file on {file_system} has at most {} (use another file system)",
        path.display(),
        human_bytes(*needed),
        human_bytes(*limit)
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
    /// A digest that is not part of the bundle.
    #[error("{0} is not part of the bundle that is being written")]
    Unplanned(Digest),
    /// The bundle was to be published while content is missing.
    #[error("{missing} of the bundle's blobs are missing, including {first}")]
    Incomplete {
        /// How many.
        missing: usize,
        /// One of them.
        first: Digest,
    },
    /// Another process writes the same file.
    #[error("another process is writing {}", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// Something has the output's name already.
    #[error("{} exists", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A link, folder, device, pipe or socket, or a file with several names, where a file is written.
    #[error(
        "{} is not a regular file, or it has several hard links; sealift does not write to such files",
        path.display()
    )]
    NotRegular {
        /// What is there.
        path: PathBuf,
    },
    /// A file with the name of a partial file or journal that no run of sealift left.
    #[error("{} exists and was not written by sealift (move it elsewhere first)", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The folder of the output is not there.
    #[error("the folder {} does not exist", path.display())]
    NoFolder {
        /// The folder.
        path: PathBuf,
    },
    /// The partial file is not the one that was written any more.
    #[error("{} was removed or replaced while it was being written", path.display())]
    Replaced {
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

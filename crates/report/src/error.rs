//! Why a bundle cannot be reported on.

use std::io;

use sealift_archive::{ChecksumError, CorruptBlob, Unreadable};
use sealift_pipeline::Cancelled;

/// Why a bundle cannot be reported on.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The work was stopped.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// A blob does not have its digest.
    #[error("{bundle} is corrupt: {} at byte {}: {}", blob.entry, blob.offset, blob.what)]
    Corrupt {
        /// The bundle's name.
        bundle: String,
        /// The blob.
        blob: Box<CorruptBlob>,
    },
    /// Blobs of a delta's bases are absent, or there is not enough scratch space.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The file cannot be read.
    #[error("cannot read {name}: {source}")]
    Io {
        /// The file.
        name: String,
        /// Why not.
        source: io::Error,
    },
}

impl From<ChecksumError> for ReportError {
    fn from(error: ChecksumError) -> Self {
        match error {
            ChecksumError::Io { path, source } => Self::Io {
                name: path.display().to_string(),
                source,
            },
            ChecksumError::Cancelled(cancelled) => Self::Cancelled(cancelled),
        }
    }
}

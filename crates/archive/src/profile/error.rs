//! Why a bundle was not converted to another profile.

use std::io;

use sealift_pipeline::Cancelled;

use crate::bundle::OpenError;
use crate::delta::{AbsentBases, Unreadable};
use crate::profile::layout::TooLarge;
use crate::scratch::NoScratch;
use crate::store::Location;
use crate::target::WriteError;

/// Why a bundle was not converted to another profile.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConvertError {
    /// The new bundle cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A blob of the old bundle cannot be read, or is corrupt.
    #[error("{bundle}: {location}: {source}")]
    Read {
        /// The old bundle.
        bundle: String,
        /// Where the blob is.
        location: Location,
        /// Why not.
        source: io::Error,
    },
    /// A pack cannot be built.
    #[error("cannot pack the blobs: {0}")]
    Pack(#[source] sealift_pack::Error),
    /// More parts than a manifest can list.
    #[error(
        "it would have {parts} packs and blobs that are kept as they are, more than a compact bundle can list (use the plain profile)"
    )]
    TooManyParts {
        /// How many.
        parts: usize,
    },
    /// No base, or too many.
    #[error("a delta has 1 to {most} bases, but {given} were given")]
    Bases {
        /// How many were given.
        given: usize,
        /// How many there may be.
        most: usize,
    },
    /// A blob of a base cannot be read, or is not what its digest says.
    #[error("{location}: {error}")]
    Base {
        /// Where it was read from.
        location: Location,
        /// What is wrong.
        error: sealift_pack::Error,
    },
    /// A record cannot be used.
    #[error(transparent)]
    Record(#[from] OpenError),
    /// A delta is to be read, and blobs of its bases are absent.
    #[error(transparent)]
    Absent(#[from] AbsentBases),
    /// There is not enough scratch space to read the old bundle or a base.
    #[error(transparent)]
    Scratch(#[from] NoScratch),
    /// More bytes than a file can have.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// It was interrupted.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl From<sealift_pack::Error> for ConvertError {
    fn from(error: sealift_pack::Error) -> Self {
        match error {
            sealift_pack::Error::Cancelled(cancelled) => Self::Cancelled(cancelled),
            error => Self::Pack(error),
        }
    }
}

impl From<Unreadable> for ConvertError {
    fn from(error: Unreadable) -> Self {
        match error {
            Unreadable::Absent(absent) => Self::Absent(absent),
            Unreadable::Scratch(scratch) => Self::Scratch(scratch),
        }
    }
}

impl ConvertError {
    /// Whether it is the old bundle or a base that is at fault.
    pub fn is_corrupt(&self) -> bool {
        match self {
            Self::Read { source, .. } => source.kind() == io::ErrorKind::InvalidData,
            Self::Base {
                error: sealift_pack::Error::Source { error, .. },
                ..
            } => error.kind() == io::ErrorKind::InvalidData,
            Self::Base { .. } | Self::Record(_) => true,
            _ => false,
        }
    }
}

//! Everything that can go wrong while a pack is built or read.

use std::borrow::Cow;
use std::io;

use sealift_oci::Digest;
use sealift_pipeline::Cancelled;

/// Why a pack could not be built or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The source of blobs failed.
    #[error("failed to read blob {digest}: {error}")]
    Source {
        /// The blob.
        digest: Digest,
        /// What the source reported.
        #[source]
        error: io::Error,
    },
    /// Scratch space failed, most likely because it is full.
    #[error("failed to use scratch space: {0}")]
    Scratch(#[source] io::Error),
    /// The finished pack could not be written.
    #[error("failed to write the pack: {0}")]
    Output(#[source] io::Error),
    /// The pack could not be read.
    #[error("failed to read the pack: {0}")]
    Pack(#[source] io::Error),
    /// The pack's bytes contradict themselves.
    #[error("{part} of the pack is corrupt: {why}")]
    Damaged {
        /// Where.
        part: Part,
        /// What was found there.
        why: Cow<'static, str>,
    },
    /// The pack needs something that this version does not have.
    #[error("{part} of the pack needs {what} {number}, which this version does not support")]
    Unsupported {
        /// Where.
        part: Part,
        /// What kind of thing: a format version, a coding, a codec.
        what: &'static str,
        /// Its number in the format.
        number: u64,
    },
    /// The pack asks for more than the caller allows.
    #[error("the pack needs {needed} bytes of {resource}, and the limit is {limit}")]
    Limit {
        /// Memory, scratch space or index.
        resource: &'static str,
        /// Bytes that it asks for.
        needed: u64,
        /// Bytes that are allowed.
        limit: u64,
    },
    /// A pack that is built gets an index that no reader accepts.
    #[error("the list of files of a pack needs {needed} bytes, and the limit is {limit}")]
    LongIndex {
        /// Its bytes.
        needed: u64,
        /// Bytes that are allowed.
        limit: u64,
    },
    /// The bytes are not the summary of a blob.
    #[error("the summary of a base blob is corrupt: {0}")]
    Summary(&'static str),
    /// The pack needs a base blob that was not read.
    #[error("the pack needs base blob {0}, which is missing")]
    BaseMissing(Digest),
    /// What the source of base blobs gave is not the blob.
    #[error("base blob {digest} has other content: its digest is {actual}")]
    BaseChanged {
        /// The digest in the index.
        digest: Digest,
        /// The digest of what was read.
        actual: Digest,
    },
    /// A base blob that was read has another length.
    #[error("base blob {digest} is not {size} bytes long")]
    BaseSize {
        /// The blob.
        digest: Digest,
        /// The length that the pack states, in bytes.
        size: u64,
    },
    /// The pack does not contain this blob.
    #[error("the pack does not contain {0}")]
    NotFound(Digest),
    /// A rebuilt blob is not the one that the index names.
    #[error("blob {digest} was rebuilt as {actual}")]
    Rebuilt {
        /// The digest in the index.
        digest: Digest,
        /// The digest of what was rebuilt.
        actual: Digest,
    },
    /// The work was stopped by the caller.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// A part of a pack, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// The fixed fields and the table of streams at the start.
    Head,
    /// The list of objects and blobs.
    Index,
    /// A stream, by its position in the table.
    Stream(usize),
    /// An object, by its number.
    Object(usize),
    /// A blob.
    Blob(Digest),
    /// What the pack says of a base blob.
    BaseBlob(Digest),
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Head => f.write_str("the head"),
            Self::Index => f.write_str("the index"),
            Self::Stream(number) => write!(f, "stream {number}"),
            Self::Object(number) => write!(f, "object {number}"),
            Self::Blob(digest) => write!(f, "blob {digest}"),
            Self::BaseBlob(digest) => write!(f, "the entry of base blob {digest}"),
        }
    }
}

impl Error {
    /// Whether the pack itself is at fault: damaged, too demanding, or from a newer version.
    pub fn is_pack_fault(&self) -> bool {
        matches!(
            self,
            Self::Damaged { .. }
                | Self::Unsupported { .. }
                | Self::Limit { .. }
                | Self::Rebuilt { .. }
        )
    }
}

/// Scratch space failed: what an [`io::Error`] that comes of [`Error::Scratch`] carries.
#[derive(Debug, thiserror::Error)]
#[error("failed to use scratch space: {0}")]
struct ScratchFault(#[source] io::Error);

/// Whether `error` is about scratch space, not about what was read.
pub fn is_scratch_fault(error: &io::Error) -> bool {
    error
        .get_ref()
        .is_some_and(<dyn std::error::Error + Send + Sync>::is::<ScratchFault>)
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Pack(error) => error,
            Error::Scratch(error) => Self::new(error.kind(), ScratchFault(error)),
            other => Self::new(io::ErrorKind::InvalidData, other),
        }
    }
}

/// Damage of one part, for `ok_or_else` and `map_err`.
pub(crate) fn damaged(part: Part, why: impl Into<Cow<'static, str>>) -> Error {
    Error::Damaged {
        part,
        why: why.into(),
    }
}

//! Why images on disk cannot be read.

use std::io;

use sealift_oci::{Digest, JsonError, ManifestError, ReferenceError};

use crate::bundle::OpenError;
use crate::chain::ChainError;
use crate::delta::Unreadable;
use crate::fault::Fault;

/// Why images on disk cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// A file cannot be opened or read.
    #[error("cannot read {path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// The archive's structure is damaged or two readers could understand it differently.
    #[error("{path} is corrupt or not an archive of images: {fault}")]
    Fault {
        /// The archive.
        path: String,
        /// What is wrong, and where.
        fault: Fault,
    },
    /// A record or an unfinished bundle.
    #[error(transparent)]
    Open(OpenError),
    /// A compact or delta bundle, and blobs of its bases are absent, or there is not enough scratch space.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// A delta bundle that cannot be read with its bases.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// Compressed as a whole, so that nothing in it can be read at its place.
    #[error(
        "{path} is compressed with {program}, but images are read in place (decompress it first: {program} -d)"
    )]
    Compressed {
        /// The archive.
        path: String,
        /// The program that undoes it.
        program: &'static str,
    },
    /// Neither a layout nor a `docker save` archive.
    #[error("{path} contains no images: {what}")]
    NoImages {
        /// The folder or archive.
        path: String,
        /// What was looked for, and what to try.
        what: &'static str,
    },
    /// A file of JSON is not acceptable.
    #[error("{entry} of {path} is not valid JSON: {error}")]
    Json {
        /// The folder or archive.
        path: String,
        /// The file in it.
        entry: String,
        /// What is wrong.
        error: JsonError,
    },
    /// The two indexes of an archive disagree about an image.
    #[error(
        "the index.json and the manifest.json of {path} disagree about {image}: {what} (save it again with a current tool)"
    )]
    Disagreement {
        /// The archive.
        path: String,
        /// The image, as manifest.json names it.
        image: String,
        /// What one has and the other has not.
        what: String,
    },
    /// A file of JSON lacks a field or has one of the wrong kind.
    #[error("{entry} of {path} is malformed: {what}")]
    Form {
        /// The folder or archive.
        path: String,
        /// The file in it.
        entry: String,
        /// What is wrong, and what was expected.
        what: String,
    },
    /// A manifest cannot be carried.
    #[error("manifest {digest} of {path}: {error}")]
    Manifest {
        /// The folder or archive.
        path: String,
        /// The manifest.
        digest: Digest,
        /// What is wrong.
        error: ManifestError,
    },
    /// Something that a manifest names is not there.
    #[error(
        "{path} does not contain {what} (it was saved without it, or for other platforms: save it again, or select the platforms that it contains)"
    )]
    Missing {
        /// The folder or archive.
        path: String,
        /// A digest, or a name inside the archive.
        what: String,
    },
    /// A blob is more or less than its descriptor says.
    #[error("{path} has {actual} bytes for {digest}, but its descriptor says {expected}")]
    Size {
        /// The folder or archive.
        path: String,
        /// The blob.
        digest: Digest,
        /// What the descriptor says.
        expected: u64,
        /// How many there are.
        actual: u64,
    },
    /// An image's name has no repository, and none was given.
    #[error(
        "an image of {path} ({digest}) has no repository in its name {tag:?} (give the REGISTRY/REPOSITORY to bundle it under)"
    )]
    NoRepository {
        /// The folder or archive.
        path: String,
        /// The image.
        digest: Digest,
        /// The tag that it has, or nothing.
        tag: String,
    },
    /// An image's name is neither a reference nor a tag.
    #[error(
        "{path} names an image \"{text}\", which is not a valid reference (save it under another name)"
    )]
    BadName {
        /// The folder or archive.
        path: String,
        /// The name, escaped and shortened.
        text: String,
    },
    /// The repository that was given forms no reference.
    #[error("an image of {path} cannot be named: {error}")]
    Reference {
        /// The folder or archive.
        path: String,
        /// Why not.
        error: ReferenceError,
    },
}

impl LocalError {
    /// Whether the archive or layout is corrupt or malformed. Otherwise it could not be read, or lacks
    /// something that the request could give.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Io { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
            ),
            Self::Fault { .. }
            | Self::Chain(ChainError::Circle { .. })
            | Self::NoImages { .. }
            | Self::Json { .. }
            | Self::Disagreement { .. }
            | Self::Form { .. }
            | Self::Manifest { .. }
            | Self::Missing { .. }
            | Self::Size { .. }
            | Self::BadName { .. } => true,
            Self::Unreadable(_)
            | Self::Chain(_)
            | Self::Compressed { .. }
            | Self::NoRepository { .. }
            | Self::Reference { .. }
            | Self::Open(_) => false,
        }
    }
}

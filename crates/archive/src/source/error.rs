use std::io;

use sealift_oci::{Digest, JsonError, ManifestError, ReferenceError};

use crate::error::Fault;

/// Why images on disk cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A file cannot be opened or read.
    #[error("cannot read {path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// The archive's structure is damaged or two readers could understand it differently.
    #[error("{source_name} is damaged or no archive of images: {fault}")]
    Fault {
        /// The archive.
        source_name: String,
        /// What is wrong, and where.
        fault: Fault,
    },
    /// Compressed as a whole, so that nothing in it can be read at its place.
    #[error(
        "{source_name} is compressed as a whole with {program}, and images are read in place (decompress it first: {program} -d)"
    )]
    Compressed {
        /// The archive.
        source_name: String,
        /// The program that undoes it.
        program: &'static str,
    },
    /// Neither a layout nor a `docker save` archive.
    #[error("{source_name} has no images: {what}")]
    NoImages {
        /// The folder or archive.
        source_name: String,
        /// What was looked for, and what to try.
        what: &'static str,
    },
    /// A file of JSON is not acceptable.
    #[error("{entry} of {source_name} is not acceptable JSON: {error}")]
    Json {
        /// The folder or archive.
        source_name: String,
        /// The file in it.
        entry: String,
        /// What is wrong.
        error: JsonError,
    },
    /// A file of JSON lacks a field or has one of the wrong kind.
    #[error("{entry} of {source_name} does not have its form: {what}")]
    Form {
        /// The folder or archive.
        source_name: String,
        /// The file in it.
        entry: String,
        /// What is wrong, and what was expected.
        what: String,
    },
    /// A manifest cannot be carried.
    #[error("manifest {digest} of {source_name}: {error}")]
    Manifest {
        /// The folder or archive.
        source_name: String,
        /// The manifest.
        digest: Digest,
        /// What is wrong.
        error: ManifestError,
    },
    /// Something that a manifest names is not there.
    #[error(
        "{source_name} has no {what} (it was saved without it, or for other platforms: save it again, or choose the platforms that it has)"
    )]
    Missing {
        /// The folder or archive.
        source_name: String,
        /// A digest, or a name inside the archive.
        what: String,
    },
    /// A blob is more or less than its descriptor says.
    #[error("{source_name} has {actual} bytes of {digest}, its descriptor says {expected}")]
    Size {
        /// The folder or archive.
        source_name: String,
        /// The blob.
        digest: Digest,
        /// What the descriptor says.
        expected: u64,
        /// How many there are.
        actual: u64,
    },
    /// An image's name has no repository, and none was given.
    #[error(
        "an image of {source_name} ({digest}) has no repository in its name {tag:?} (say under which REGISTRY/REPOSITORY to carry it)"
    )]
    NoRepository {
        /// The folder or archive.
        source_name: String,
        /// The image.
        digest: Digest,
        /// The tag that it has, or nothing.
        tag: String,
    },
    /// An image's name is neither a reference nor a tag.
    #[error(
        "{source_name} names an image \"{text}\", which is no reference (save it under another name)"
    )]
    BadName {
        /// The folder or archive.
        source_name: String,
        /// The name, escaped and shortened.
        text: String,
    },
    /// The repository that was given forms no reference.
    #[error("an image of {source_name} cannot be named: {error}")]
    Reference {
        /// The folder or archive.
        source_name: String,
        /// Why not.
        error: ReferenceError,
    },
}

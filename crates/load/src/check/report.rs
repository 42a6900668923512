//! What a check found.

use std::fmt;

use sealift_archive::Identity;
use sealift_oci::Digest;
use serde::Serialize;

use crate::repository::RepositoryName;

/// What a registry contains of what was loaded, and what it does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckReport {
    /// The bundle that was loaded.
    pub bundle: Identity,
    /// Registry and path.
    pub destination: String,
    /// Whether blobs were read and hashed.
    pub deep: bool,
    /// The sums.
    pub totals: CheckTotals,
    /// What is missing or different.
    pub problems: Vec<Problem>,
}

impl CheckReport {
    /// Whether everything is there and equal.
    pub fn is_equal(&self) -> bool {
        self.problems.is_empty()
    }
}

/// The sums of a check. A manifest or blob counts once for each repository.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckTotals {
    /// Images, files and referrers.
    pub names: u64,
    /// Tags that were requested.
    pub tags: u64,
    /// Manifests that were fetched and hashed.
    pub manifests: u64,
    /// Blobs that the registry was asked about.
    pub blobs: u64,
    /// Their bytes.
    pub blob_bytes: u64,
    /// Blobs that were read and hashed, each once.
    pub blobs_read: u64,
    /// Their bytes.
    pub bytes_read: u64,
    /// Referrers that the registry should list.
    pub referrers: u64,
    /// Non-distributable layers that the registry does not store, which is allowed.
    pub foreign_absent: u64,
}

/// Something that is missing or different.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// The repository.
    pub repository: RepositoryName,
    /// What was requested in it.
    pub object: CheckedObject,
    /// What is wrong with it.
    pub difference: Difference,
    /// The images, files and referrers that need it, as the bundle calls them.
    pub needed_by: Vec<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {} {}",
            self.object, self.repository, self.difference
        )
    }
}

/// Something that was requested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum CheckedObject {
    /// A tag.
    Tag(String),
    /// A manifest, by digest.
    Manifest(Digest),
    /// A blob.
    Blob(Digest),
    /// An entry in the list of what refers to a manifest.
    Referrer {
        /// What it refers to.
        subject: Digest,
        /// Its manifest.
        digest: Digest,
    },
}

impl fmt::Display for CheckedObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => write!(f, "tag {tag}"),
            Self::Manifest(digest) => write!(f, "manifest {digest}"),
            Self::Blob(digest) => write!(f, "blob {digest}"),
            Self::Referrer { digest, subject } => write!(f, "referrer {digest} of {subject}"),
        }
    }
}

/// How something differs from what was loaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Difference {
    /// It is not there.
    Missing,
    /// The tag stands for another manifest.
    Moved {
        /// The other one.
        to: Digest,
    },
    /// It has another size, in bytes.
    Size {
        /// The registry's.
        found: u64,
        /// The one that was loaded.
        expected: u64,
    },
    /// Its bytes are not those of its digest.
    Content {
        /// What was found instead.
        what: String,
    },
    /// It is there, but the registry does not list it as a referrer.
    Unlisted,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("is missing"),
            Self::Moved { to } => write!(f, "now points to {to}"),
            Self::Size { found, expected } => {
                write!(f, "has {found} bytes, not {expected}")
            }
            Self::Content { what } => write!(f, "has other content: {what}"),
            Self::Unlisted => f.write_str("is not listed by the registry"),
        }
    }
}

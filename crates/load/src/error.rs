//! Why a bundle could not be loaded.

use std::fmt;
use std::io;

use sealift_archive::{
    AbsentBase, CorruptBlob, DestinationNameError, Fault, NoScratch, VerifyError,
};
use sealift_oci::{Digest, MapRule};
use sealift_pipeline::Cancelled;
use sealift_registry::{RegistryError, SpecCode};

use crate::base::BaseError;
use crate::receipt::Receipt;
use crate::tag::{Moved, TagConflict};

/// Why a load was not planned or not done. Unless the variant says otherwise, no tag was touched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// Something has no usable name at the destination.
    #[error(transparent)]
    Names(#[from] DestinationNameError),
    /// A pattern fits nothing.
    #[error("nothing in the bundle matches {pattern:?}")]
    NoMatch {
        /// The pattern.
        pattern: String,
    },
    /// A map names nothing.
    #[error("nothing in the bundle matches the map {map}")]
    UnusedMap {
        /// The map.
        map: MapRule,
    },
    /// The patterns leave nothing to load.
    #[error("the patterns select nothing: everything that is included is skipped")]
    NothingSelected,
    /// Layers that neither the bundle nor the registry has. Nothing was written.
    #[error(
        "neither the bundle nor the registry has {} (nothing is fetched from elsewhere)",
        list(.0)
    )]
    Foreign(Vec<ForeignLayer>),
    /// The publisher's index was asked for, but the bundle does not have it.
    #[error(
        "the publisher's index of {} is not in the bundle",
        .0.join(", ")
    )]
    NoOriginal(Vec<String>),
    /// A manifest is not what it was when the bundle was opened.
    #[error("{bundle} is corrupt: {fault}")]
    Bundle {
        /// The bundle's file.
        bundle: String,
        /// What is wrong, and where.
        fault: Fault,
    },
    /// Blobs are not what their digests say. Nothing that a client of the registry can see was changed.
    #[error("{bundle} is corrupt: {}", problems(.damaged))]
    Damaged {
        /// The bundle's file.
        bundle: String,
        /// What is wrong, where, and what needs it.
        damaged: Vec<CorruptBlob>,
    },
    /// A blob could not be read because of this machine, not because of the bundle: scratch space above all.
    /// Nothing that a client of the registry can see was changed.
    #[error("cannot read blob {digest} of {bundle}: {source}")]
    Environment {
        /// The bundle's file.
        bundle: String,
        /// The blob.
        digest: Digest,
        /// What failed.
        source: io::Error,
    },
    /// Reading the bundle before the load ended early.
    #[error(transparent)]
    Verify(VerifyError),
    /// Blobs of a delta's bases are neither at the destination nor in bundles that were given. Nothing was written.
    #[error("{0}")]
    Absent(AbsentAtDestination),
    /// A blob of a base cannot be read from the destination.
    #[error("cannot rebuild {digest}: {source}")]
    Base {
        /// The blob that needs it.
        digest: Digest,
        /// Why not.
        source: Box<BaseError>,
    },
    /// There is not enough scratch space. Nothing was written.
    #[error(transparent)]
    Scratch(#[from] NoScratch),
    /// Tags point elsewhere and may not be moved. Nothing was written.
    #[error(
        "these tags at the destination point to other content: {}",
        list(.0)
    )]
    Conflicts(Vec<TagConflict>),
    /// Tags were set by another client since the plan was made, and may not be moved from there. No tag was
    /// touched, unless this is the cause of [`LoadError::TagsPartlyMoved`].
    #[error("another client changed {} during this load", list(.0))]
    Overtaken(Vec<TagConflict>),
    /// The registry did not do what was asked of it.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The registry does not take a manifest.
    #[error("{name}: its manifest {digest} of {size} bytes is refused: {source}{}", too_large(*.size, .source))]
    Manifest {
        /// What needs the manifest.
        name: String,
        /// The manifest.
        digest: Digest,
        /// Its size in bytes.
        size: u64,
        /// What the registry said.
        source: Box<RegistryError>,
    },
    /// The registry does not take an index of which some children are missing.
    #[error(
        "{name}: the registry does not accept an index if only {bundled} of its {listed} manifests are present: {source}"
    )]
    SparseRefused {
        /// The image.
        name: String,
        /// How many children the index lists.
        listed: usize,
        /// How many of them the bundle has.
        bundled: usize,
        /// What the registry said.
        source: Box<RegistryError>,
    },
    /// The registry has something else than was sent to it.
    #[error("{repository} has other content than was sent: {what}")]
    ReadBack {
        /// Registry and repository.
        repository: String,
        /// What was compared, and what was found.
        what: String,
    },
    /// Some tags moved and some did not.
    #[error("{0}")]
    TagsPartlyMoved(Box<PartlyMoved>),
    /// It was asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// The state in which a failure left the tags.
#[derive(Debug)]
pub struct PartlyMoved {
    /// Tags that point where they should, this run's work.
    pub moved: Vec<Moved>,
    /// Tags that do not, or that the registry did not confirm: `repository:tag`.
    pub not_moved: Vec<String>,
    /// What went wrong first.
    pub cause: LoadError,
    /// What is at the destination: the receipt of an incomplete load.
    pub receipt: Receipt,
}

impl fmt::Display for PartlyMoved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {} tags moved, then: {}",
            self.moved.len(),
            self.moved.len() + self.not_moved.len(),
            self.cause
        )
    }
}

/// Blobs of a delta's bases that are nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AbsentAtDestination {
    /// The delta's file.
    pub bundle: String,
    /// The destination.
    pub destination: String,
    /// What is absent, for each base.
    pub absent: Vec<AbsentBase>,
}

impl fmt::Display for AbsentAtDestination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} is a delta bundle, and {} does not have {}",
            self.bundle,
            self.destination,
            list(&self.absent)
        )
    }
}

/// A layer that is not in the bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignLayer {
    /// The image that needs it.
    pub name: String,
    /// The layer.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
}

impl fmt::Display for ForeignLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "layer {} of {} ({})",
            self.digest, self.name, self.media_type
        )
    }
}

fn list<T: fmt::Display>(items: &[T]) -> String {
    let words: Vec<String> = items.iter().map(ToString::to_string).collect();
    words.join(", ")
}

fn problems(damaged: &[CorruptBlob]) -> String {
    let words: Vec<String> = damaged
        .iter()
        .map(|problem| {
            let needed_by = if problem.needed_by.names.is_empty() {
                String::new()
            } else {
                format!(" (needed by {})", problem.needed_by)
            };
            format!(
                "{} at byte {}: {}{needed_by}",
                problem.entry, problem.offset, problem.what
            )
        })
        .collect();
    words.join("; ")
}

/// Registries say "too large" in many ways, few of them clear: the size decides where they do not.
fn too_large(size: u64, source: &RegistryError) -> &'static str {
    let large = source
        .refusal()
        .is_some_and(|it| it.status == 413 || it.is(&SpecCode::SizeInvalid));
    if large || size > sealift_oci::MAX_MANIFEST_BYTES as u64 {
        " (the manifest is larger than the registry, or a proxy before it, allows; raise that limit)"
    } else {
        ""
    }
}

impl From<VerifyError> for LoadError {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Cancelled(cancelled) => Self::Cancelled(cancelled),
            error @ VerifyError::Environment { .. } => Self::Verify(error),
        }
    }
}

impl LoadError {
    /// A registry's error, or the word that it was stopped on purpose.
    pub(crate) fn registry(error: RegistryError) -> Self {
        if error.is_cancelled() {
            Self::Cancelled(Cancelled)
        } else {
            Self::Registry(error)
        }
    }
}

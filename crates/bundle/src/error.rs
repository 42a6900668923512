use std::fmt;
use std::io;
use std::sync::Arc;

use sealift_archive::{
    CarryError, ConvertError, LocalError, OpenError, RuleError, TooLarge, WriteError,
};
use sealift_oci::{Digest, ManifestError};
use sealift_pipeline::{Cancelled, Mismatch};
use sealift_registry::RegistryError;

/// Why a bundle was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// Images, referrers or files that cannot be carried; all of them, nothing was written.
    #[error("{}", listed("cannot be carried", .0))]
    Unresolved(Vec<ImageFailure>),
    /// Blobs that could not be had; all of them. What was fetched is kept for the next run.
    #[error("{}", listed("could not be fetched", .0))]
    Unfetched(Vec<BlobFailure>),
    /// The request names nothing.
    #[error("nothing to carry (expected at least one image or file)")]
    Empty,
    /// The contents break a rule of bundles.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// The contents are larger than any file.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// What was fetched cannot be opened again.
    #[error(transparent)]
    Fetched(#[from] OpenError),
    /// What was fetched cannot be packed.
    #[error(transparent)]
    Compact(#[from] ConvertError),
    /// The stream that the bundle goes to does not take it.
    #[error("cannot write the bundle to the output: {0}")]
    Stream(#[source] io::Error),
    /// The system starts no threads.
    #[error("cannot start a thread: {0}")]
    Threads(#[source] io::Error),
    /// The scratch folder does not take what is kept while resolving.
    #[error("cannot keep manifests in the scratch folder: {0}")]
    Scratch(#[source] io::Error),
    /// It was asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// What cannot be carried, and why.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {error}")]
pub struct ImageFailure {
    /// The image, referrer or file, as the request or the registry names it.
    pub name: String,
    /// Why.
    #[source]
    pub error: ResolveError,
}

/// Why one image cannot be carried.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// A registry did not give what was asked for.
    #[error(transparent)]
    Registry(#[from] Arc<RegistryError>),
    /// Images on disk cannot be read.
    #[error(transparent)]
    Local(Arc<LocalError>),
    /// A file cannot be carried.
    #[error(transparent)]
    Carry(Arc<CarryError>),
    /// A file is another than it was when the plan was made.
    #[error("{path} has changed meanwhile (run the command again)")]
    Changed {
        /// The file.
        path: String,
    },
    /// Two files would be written out under one name.
    #[error("another file is carried under this name (give one of them another name)")]
    TwoFiles,
    /// A tag was asked of a place that has only digests.
    #[error("{place} is no registry")]
    Nameless {
        /// The place.
        place: String,
    },
    /// A path that is no text cannot be written down in a plan.
    #[error("the path is not UTF-8 (rename it)")]
    PathNotText,
    /// A manifest is not what its descriptor says.
    #[error("{pointer}, but {error}")]
    Child {
        /// Who names the manifest.
        pointer: Box<Pointer>,
        /// What is wrong.
        error: Box<ManifestError>,
    },
    /// An index lists something that is no manifest.
    #[error("{pointer} of type {media_type:?} (expected images, indexes or artifacts)")]
    NotAManifest {
        /// Who lists it.
        pointer: Box<Pointer>,
        /// Its type.
        media_type: String,
    },
    /// Two references give one name to two images.
    #[error(
        "it stands for {own}, but {other} stands for {other_digest} (expected one digest a name; leave one of the two out)"
    )]
    TwoDigests {
        /// What this reference stands for.
        own: Digest,
        /// The other reference.
        other: String,
        /// What that one stands for.
        other_digest: Box<Digest>,
    },
    /// None of the platforms that were asked for.
    #[error("it is not there for {}; it is there for {}", .wanted.join(", "), .there.join(", "))]
    Platform {
        /// What was asked for.
        wanted: Vec<String>,
        /// What there is.
        there: Vec<String>,
    },
    /// Two manifests disagree about a blob.
    #[error(
        "it says that blob {digest} has {own} bytes, {other} says {theirs} (one of the two lies)"
    )]
    TwoSizes {
        /// The blob.
        digest: Digest,
        /// What this one says.
        own: u64,
        /// Which one says otherwise.
        other: String,
        /// What that one says.
        theirs: u64,
    },
    /// Two descriptors of one manifest disagree.
    #[error("{pointer} as {says} bytes, but it is {is} bytes")]
    Described {
        /// Who names the manifest.
        pointer: Box<Pointer>,
        /// What its descriptor says.
        says: String,
        /// What it is.
        is: String,
    },
    /// The config, which says what a single image runs on, could not be had.
    #[error("its config: {0}")]
    Config(Arc<FetchError>),
    /// What belongs to it could not be asked for.
    #[error("its signatures and other referrers cannot be asked for: {0}")]
    Referrers(Box<ResolveError>),
    /// More, or deeper, than any honest image.
    #[error("{what} (expected no more than {limit})")]
    TooMuch {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// What was kept of it while resolving cannot be read again.
    #[error("what was kept of it cannot be read: {0}")]
    Scratch(Arc<io::Error>),
    /// It was asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// Who names what: an index its child, a subject its referrer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pointer {
    /// The one that names.
    pub parent: Digest,
    /// The one that is named.
    pub child: Digest,
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} lists {}", self.parent, self.child)
    }
}

/// A blob that could not be had.
#[derive(Debug, thiserror::Error)]
#[error("blob {digest} ({size} bytes) of {}: {error}", named(.needed_by))]
pub struct BlobFailure {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes, as its descriptor says.
    pub size: u64,
    /// The images, referrers and files that need it.
    pub needed_by: Vec<String>,
    /// Why not.
    #[source]
    pub error: FetchError,
}

/// Why one blob could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The registry does not give it.
    #[error(transparent)]
    Registry(Arc<RegistryError>),
    /// Images on disk do not have it, or not as their index says.
    #[error(transparent)]
    Local(Arc<LocalError>),
    /// A file cannot be carried.
    #[error(transparent)]
    Carry(Arc<CarryError>),
    /// A file is another than it was when the plan was made.
    #[error("{path} has changed meanwhile (run the command again)")]
    Changed {
        /// The file.
        path: String,
    },
    /// A file on disk cannot be read.
    #[error("cannot read {path} at byte {at} of the blob: {source}")]
    Unreadable {
        /// The file.
        path: String,
        /// After how many bytes of the blob.
        at: u64,
        /// Why not.
        source: io::Error,
    },
    /// The connection broke too often without a byte more.
    #[error("{host}: the connection broke {times} times at byte {at}: {source}")]
    Broken {
        /// The host.
        host: String,
        /// How often.
        times: u32,
        /// After how many bytes.
        at: u64,
        /// The last fault.
        source: io::Error,
    },
    /// What came is something else.
    #[error("{host} sent something else: {mismatch}")]
    Mismatch {
        /// The host, or the local source.
        host: String,
        /// What is different.
        mismatch: Mismatch,
    },
    /// A host that failed is not asked for the rest.
    #[error("not tried, since {host} failed before")]
    HostFailed {
        /// The host.
        host: String,
    },
    /// The registry does not have it, and its manifest says that it is kept elsewhere.
    #[error(
        "{host} does not have it; its manifest names other places for it, which are never fetched from"
    )]
    Elsewhere {
        /// The host.
        host: String,
    },
    /// The plan names no place for it.
    #[error("the plan does not say where it is")]
    NoOrigin,
    /// It was asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl From<RegistryError> for FetchError {
    fn from(error: RegistryError) -> Self {
        Self::Registry(Arc::new(error))
    }
}

impl BundleError {
    /// Whether it ended because it was asked to.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled(_))
    }

    /// The errors of registries that are among the causes.
    pub fn registry_errors(&self) -> impl Iterator<Item = &RegistryError> {
        let (unresolved, unfetched): (&[ImageFailure], &[BlobFailure]) = match self {
            Self::Unresolved(failures) => (failures, &[]),
            Self::Unfetched(failures) => (&[], failures),
            _ => (&[], &[]),
        };
        let unresolved = unresolved.iter().filter_map(|it| it.error.registry_error());
        let unfetched = unfetched.iter().filter_map(|it| it.error.registry_error());
        unresolved.chain(unfetched)
    }

    /// What a person can try, each thing once.
    pub fn hints(&self) -> Vec<String> {
        let mut hints: Vec<String> = match self {
            Self::Unresolved(failures) => failures
                .iter()
                .filter_map(|failure| failure.error.hint())
                .collect(),
            Self::Unfetched(failures) => failures
                .iter()
                .filter_map(|failure| failure.error.hint())
                .collect(),
            _ => Vec::new(),
        };
        hints.sort_unstable();
        hints.dedup();
        hints
    }
}

impl ResolveError {
    /// Whether it was stopped on purpose.
    pub(crate) fn is_cancelled(&self) -> bool {
        match self {
            Self::Registry(error) => error.is_cancelled(),
            Self::Carry(error) => matches!(**error, CarryError::Cancelled(_)),
            Self::Config(error) => error.is_cancelled(),
            Self::Referrers(error) => error.is_cancelled(),
            Self::Cancelled(_) => true,
            _ => false,
        }
    }

    /// Whether the registry says that it has no such thing.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Registry(error) if error.is_not_found())
    }

    /// The error of the registry, if it is one that the image itself needs.
    fn registry_error(&self) -> Option<&RegistryError> {
        match self {
            Self::Registry(error) => Some(error),
            Self::Config(error) => error.registry_error(),
            _ => None,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Config(error) => error.hint(),
            Self::Referrers(_) => {
                Some("--no-referrers skips signatures and other referrers".to_owned())
            }
            Self::Platform { .. } => Some(
                "ask for a platform that is there, or leave --platform out to carry all of them"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

impl FetchError {
    /// Whether it was stopped on purpose.
    pub(crate) fn is_cancelled(&self) -> bool {
        match self {
            Self::Registry(error) => error.is_cancelled(),
            Self::Cancelled(_) => true,
            _ => false,
        }
    }

    fn registry_error(&self) -> Option<&RegistryError> {
        match self {
            Self::Registry(error) => Some(error),
            _ => None,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Broken { .. } | Self::HostFailed { .. } => {
                Some("run the same command again, it goes on where it stopped".to_owned())
            }
            Self::Mismatch { host, .. } => Some(format!(
                "{host}, or a cache before it, is damaged: tell whoever runs it, or fetch from another registry"
            )),
            _ => None,
        }
    }
}

/// All failures, one a line.
fn listed(what: &str, failures: &[impl fmt::Display]) -> String {
    let mut text = match failures.len() {
        1 => format!("1 {what}:"),
        many => format!("{many} {what}:"),
    };
    for failure in failures {
        text.push_str("\n  ");
        text.push_str(&failure.to_string());
    }
    text
}

/// The first few names; the rest as a number.
fn named(names: &[String]) -> String {
    const SHOWN: usize = 3;
    match names.len() {
        0 => "nothing that is known".to_owned(),
        many if many <= SHOWN => names.join(", "),
        many => format!("{} and {} more", names[..SHOWN].join(", "), many - SHOWN),
    }
}

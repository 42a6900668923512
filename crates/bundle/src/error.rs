use std::fmt;
use std::io;
use std::sync::Arc;

use sealift_archive::{JournalError, LayoutError, WriteError};
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
    /// The bundle cannot be laid out.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The stream that the bundle goes to does not take it.
    #[error("cannot write the bundle to the output: {0}")]
    Stream(#[source] io::Error),
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
    /// A manifest is not what its descriptor says.
    #[error("{parent} lists {child}, but {error}")]
    Child {
        /// The index, or what else names the manifest.
        parent: Digest,
        /// What it names.
        child: Digest,
        /// What is wrong.
        error: ManifestError,
    },
    /// An index lists something that is no manifest.
    #[error(
        "index {parent} lists {child} of type {media_type:?} (expected images, indexes or artifacts)"
    )]
    NotAManifest {
        /// The index.
        parent: Digest,
        /// What it lists.
        child: Digest,
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
        other_digest: Digest,
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
    /// More, or deeper, than any honest image.
    #[error("it has {what} (expected no more than {limit})")]
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
    Registry(#[from] RegistryError),
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
    /// The plan names no place for it.
    #[error("the plan does not say where it is")]
    NoOrigin,
    /// It was asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl BundleError {
    /// Whether it ended because it was asked to.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled(_))
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
    fn hint(&self) -> Option<String> {
        match self {
            Self::Registry(error) => error.hint(),
            Self::Platform { .. } => Some(
                "ask for a platform that is there, or leave --platform out to carry all of them"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

impl FetchError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Registry(error) => error.hint(),
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

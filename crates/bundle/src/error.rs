//! Why a bundle could not be planned or written.

use std::fmt;
use std::io;
use std::sync::Arc;

use sealift_archive::{
    CarryError, ConvertError, GraphError, LocalError, OpenError, Profile, RuleError, TooLarge,
    VerifyError, WriteError,
};
use sealift_oci::{Digest, ManifestError, Reference};
use sealift_pipeline::{Cancelled, Mismatch};
use sealift_registry::RegistryError;

/// Why a bundle was not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// All images, referrers and files that cannot be bundled. Nothing was written.
    #[error("{}", listed(unresolved(.0)))]
    Unresolved(Vec<ImageFailure>),
    /// All blobs that could not be fetched. What was fetched is kept for the next run.
    #[error("{}", listed(unfetched(.0)))]
    Unfetched(Vec<BlobFailure>),
    /// The request names nothing.
    #[error("nothing to bundle (expected at least one image or file)")]
    Empty,
    /// The contents break a rule of bundles.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// The contents need more than a bundle may.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The contents are larger than any file.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A bundle of the same contents, but of another profile, has the output's name already.
    #[error("{path} exists and is a {found} bundle, not a {wanted} bundle")]
    OtherProfile {
        /// The file.
        path: String,
        /// Its profile.
        found: Profile,
        /// The profile that was asked for.
        wanted: Profile,
    },
    /// The bundle that is there already cannot be verified.
    #[error(transparent)]
    Verify(VerifyError),
    /// What was fetched cannot be opened again.
    #[error(transparent)]
    Fetched(#[from] OpenError),
    /// What was fetched cannot be packed.
    #[error(transparent)]
    Compact(#[from] ConvertError),
    /// The stream that the bundle goes to does not take it.
    #[error("cannot write the bundle to the output: {0}")]
    Stream(#[source] io::Error),
    /// The scratch folder does not take a sample of the blobs.
    #[error("cannot store the sample in the scratch folder: {0}")]
    Sample(#[source] io::Error),
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

/// Platforms of images that publishers usually offer; whoever asks for one of them means it.
const USUAL: [&str; 9] = [
    "linux/386",
    "linux/amd64",
    "linux/arm",
    "linux/arm64",
    "linux/ppc64le",
    "linux/riscv64",
    "linux/s390x",
    "linux/arm/v7",
    "windows/amd64",
];

/// Says that there is no image for the platforms `wanted`, which ones there are, and which was probably meant.
pub(crate) fn no_image_for(wanted: &[String], there: &[String]) -> String {
    let close = |wanted: &String| {
        let ranked = there
            .iter()
            .map(|name| (strsim::osa_distance(wanted, name), name));
        ranked.filter(|(distance, _)| *distance <= 2).min()
    };
    let unusual = wanted.iter().filter(|name| !USUAL.contains(&name.as_str()));
    let meant = match unusual.filter_map(close).min() {
        Some((_, name)) => format!("; did you mean {name}?"),
        None => String::new(),
    };
    format!(
        "no image for {} (available: {}){meant}",
        wanted.join(", "),
        there.join(", ")
    )
}

/// What cannot be bundled, and why.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {error}")]
pub struct ImageFailure {
    /// The image, referrer or file, as the request or the registry names it.
    pub name: String,
    /// The image that is incomplete because of it; `None` for files, and for what is wrong with the request.
    pub image: Option<Reference>,
    /// Why.
    #[source]
    pub error: ResolveError,
}

/// Why one image cannot be bundled.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// A registry did not give what was asked for.
    #[error(transparent)]
    Registry(#[from] Arc<RegistryError>),
    /// None of several registries gave what was asked for.
    #[error("{}", tried(.0))]
    Nowhere(Vec<(String, ResolveError)>),
    /// Images on disk cannot be read.
    #[error(transparent)]
    Local(Arc<LocalError>),
    /// A file cannot be carried.
    #[error(transparent)]
    Carry(Arc<CarryError>),
    /// A file changed after the plan was made.
    #[error("{path} changed after the plan was made")]
    Changed {
        /// The file.
        path: String,
    },
    /// Two files would be written out under one name.
    #[error("another file has this name in the bundle (give one of them another name)")]
    TwoFiles,
    /// A tag was requested from a source that has only digests.
    #[error("{place} is not a registry")]
    Nameless {
        /// The place.
        place: String,
    },
    /// A plan contains paths as text, which this one is not.
    #[error("the path is not UTF-8")]
    PathNotText,
    /// A manifest is not what its descriptor says.
    #[error("{pointer}, but {error}")]
    Child {
        /// Who names the manifest.
        pointer: Box<Pointer>,
        /// What is wrong.
        error: Box<ManifestError>,
    },
    /// An index lists something that is not a manifest.
    #[error("{pointer} of type {media_type:?} (expected images, indexes or artifacts)")]
    NotAManifest {
        /// Who lists it.
        pointer: Box<Pointer>,
        /// Its type.
        media_type: String,
    },
    /// Two references give one name to two images.
    #[error(
        "it resolves to {own}, but {other}, which has the same name, resolves to {other_digest}"
    )]
    TwoDigests {
        /// What this reference stands for.
        own: Digest,
        /// The other reference.
        other: String,
        /// What that one stands for.
        other_digest: Box<Digest>,
    },
    /// None of the requested platforms.
    #[error("{}", no_image_for(.wanted, .there))]
    Platform {
        /// What was requested.
        wanted: Vec<String>,
        /// What there is.
        there: Vec<String>,
    },
    /// Two manifests disagree about a blob.
    #[error("it lists blob {digest} with {own} bytes, but {other} lists it with {theirs} bytes")]
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
    /// The config, which names the platform of a single image, could not be fetched.
    #[error("its config: {0}")]
    Config(Arc<FetchError>),
    /// Its referrers could not be listed.
    #[error("its signatures and other referrers cannot be listed: {0}")]
    Referrers(Box<ResolveError>),
    /// More, or deeper, than any honest image.
    #[error("{what} (expected no more than {limit})")]
    TooMuch {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// A manifest that was spooled while resolving cannot be read again.
    #[error("its manifest cannot be read from scratch space: {0}")]
    Scratch(Arc<io::Error>),
    /// It was asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

fn tried(places: &[(String, ResolveError)]) -> String {
    let each = places.iter().map(|(place, error)| {
        let error = error.to_string();
        // A registry's error names the registry.
        let host = place.split('/').next().unwrap_or(place);
        if error.contains(host) {
            error
        } else {
            format!("{place}: {error}")
        }
    });
    each.collect::<Vec<_>>().join("; ")
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

/// A blob that could not be fetched.
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

/// Why one blob could not be fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The registry does not send it.
    #[error(transparent)]
    Registry(Arc<RegistryError>),
    /// Images on disk do not have it, or not as their index says.
    #[error(transparent)]
    Local(Arc<LocalError>),
    /// A file cannot be carried.
    #[error(transparent)]
    Carry(Arc<CarryError>),
    /// A file changed after the plan was made.
    #[error("{path} changed after the plan was made")]
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
    /// What came is not the blob.
    #[error("{host} sent other content: {mismatch}")]
    Mismatch {
        /// The host, or the local source.
        host: String,
        /// What is different.
        mismatch: Mismatch,
    },
    /// What a file on disk contains is something else than its index says.
    #[error("{path} is corrupt: {mismatch}")]
    Corrupt {
        /// The archive, layout or bundle.
        path: String,
        /// What is different.
        mismatch: Mismatch,
    },
    /// A host that failed is not used for the rest.
    #[error("not attempted, since {host} failed before")]
    HostFailed {
        /// The host.
        host: String,
    },
    /// The registry does not have it, and its manifest says that it is kept elsewhere.
    #[error(
        "{host} does not have it; its manifest lists other URLs for it, which are never fetched from"
    )]
    Elsewhere {
        /// The host.
        host: String,
    },
    /// The plan has no origin for it.
    #[error("the plan has no origin for it")]
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

impl From<VerifyError> for BundleError {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Cancelled(cancelled) => Self::Cancelled(cancelled),
            error @ VerifyError::Environment { .. } => Self::Verify(error),
        }
    }
}

impl BundleError {
    /// Whether what failed is only that archives, layouts or bundles on disk are corrupt or malformed.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Unresolved(failures) => failures.iter().all(|failure| failure.error.is_damage()),
            Self::Unfetched(failures) => failures.iter().all(|failure| failure.error.is_damage()),
            _ => false,
        }
    }

    /// Whether it ended because it was asked to.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled(_))
    }

    /// The causes, if images could not be resolved.
    pub fn resolve_errors(&self) -> impl Iterator<Item = &ResolveError> {
        let failures: &[ImageFailure] = match self {
            Self::Unresolved(failures) => failures,
            _ => &[],
        };
        let errors = failures.iter().map(|failure| &failure.error);
        errors.flat_map(|error| match error {
            ResolveError::Nowhere(tried) => tried.iter().map(|(_, error)| error).collect(),
            error => vec![error],
        })
    }

    /// Where several things failed: a heading, and one text for each of them.
    pub fn failures(&self) -> Option<(String, Vec<String>)> {
        match self {
            Self::Unresolved(failures) => Some(unresolved(failures)),
            Self::Unfetched(failures) => Some(unfetched(failures)),
            _ => None,
        }
    }

    /// The causes, if blobs could not be fetched; configs that resolving needs are among them.
    pub fn fetch_errors(&self) -> impl Iterator<Item = &FetchError> {
        let failures: &[BlobFailure] = match self {
            Self::Unfetched(failures) => failures,
            _ => &[],
        };
        let configs = self.resolve_errors().filter_map(|error| match error {
            ResolveError::Config(error) => Some(&**error),
            _ => None,
        });
        failures.iter().map(|failure| &failure.error).chain(configs)
    }

    /// The errors of registries that are among the causes.
    pub fn registry_errors(&self) -> impl Iterator<Item = &RegistryError> {
        let resolve = self.resolve_errors().filter_map(|error| match error {
            ResolveError::Registry(error) => Some(error.as_ref()),
            _ => None,
        });
        let fetch = self.fetch_errors().filter_map(|error| match error {
            FetchError::Registry(error) => Some(error.as_ref()),
            _ => None,
        });
        resolve.chain(fetch)
    }
}

impl ImageFailure {
    /// Whether the bundle can do without the image that is incomplete: it is not there, and nothing is corrupt.
    pub(crate) fn is_omittable(&self) -> bool {
        self.image.is_some() && !self.error.is_damage() && !self.error.is_cancelled()
    }
}

impl ResolveError {
    /// Whether an archive, layout or bundle on disk is corrupt or malformed.
    fn is_damage(&self) -> bool {
        match self {
            Self::Local(error) => error.is_damage(),
            Self::Config(error) => error.is_damage(),
            Self::Referrers(error) => error.is_damage(),
            _ => false,
        }
    }

    /// Whether it was stopped on purpose.
    pub(crate) fn is_cancelled(&self) -> bool {
        match self {
            Self::Registry(error) => error.is_cancelled(),
            Self::Carry(error) => matches!(**error, CarryError::Cancelled(_)),
            Self::Config(error) => error.is_cancelled(),
            Self::Referrers(error) => error.is_cancelled(),
            Self::Nowhere(tried) => tried.iter().any(|(_, error)| error.is_cancelled()),
            Self::Cancelled(_) => true,
            _ => false,
        }
    }

    /// Whether a registry did not respond at all.
    pub(crate) fn is_unreachable(&self) -> bool {
        matches!(self, Self::Registry(error) if error.is_unreachable())
    }

    /// Whether the registry says that it has no such thing.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Registry(error) if error.is_not_found())
    }
}

impl FetchError {
    /// Whether an archive, layout or bundle on disk is corrupt or malformed.
    fn is_damage(&self) -> bool {
        match self {
            Self::Local(error) => error.is_damage(),
            Self::Corrupt { .. } => true,
            _ => false,
        }
    }

    /// Whether it was stopped on purpose.
    pub(crate) fn is_cancelled(&self) -> bool {
        match self {
            Self::Registry(error) => error.is_cancelled(),
            Self::Cancelled(_) => true,
            _ => false,
        }
    }
}

/// What failed, in one line.
fn listed((heading, failures): (String, Vec<String>)) -> String {
    format!("{heading} {}", failures.join("; "))
}

fn unresolved(failures: &[ImageFailure]) -> (String, Vec<String>) {
    headed(["image or file", "images or files"], "bundled", failures)
}

fn unfetched(failures: &[BlobFailure]) -> (String, Vec<String>) {
    headed(["blob", "blobs"], "fetched", failures)
}

fn headed(noun: [&str; 2], verb: &str, failures: &[impl fmt::Display]) -> (String, Vec<String>) {
    let noun = noun[usize::from(failures.len() != 1)];
    (
        format!("{} {noun} could not be {verb}:", failures.len()),
        failures.iter().map(ToString::to_string).collect(),
    )
}

/// The first few names; the rest as a number.
fn named(names: &[String]) -> String {
    const SHOWN: usize = 3;
    match names.len() {
        0 => "an unknown image".to_owned(),
        many if many <= SHOWN => names.join(", "),
        many => format!("{} and {} more", names[..SHOWN].join(", "), many - SHOWN),
    }
}

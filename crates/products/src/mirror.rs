//! Mirror configuration, for those who would rather not rewrite manifests: the names stay, and the
//! container runtime asks the destination first.

mod containerd;
mod docker;
mod k3s;
mod openshift;
mod policy;
mod registries_conf;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use sealift_oci::{Destination, Naming, NamingError, NamingRule, Reference};

use crate::OutputFile;

pub use policy::{PolicyKey, SignatureKind, policy_files};

/// A format of mirror configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MirrorFormat {
    /// containerd's `certs.d/HOST/hosts.toml`.
    Containerd,
    /// `registries.conf` of CRI-O, podman, buildah and skopeo.
    RegistriesConf,
    /// `registries.yaml` of k3s and RKE2.
    K3s,
    /// `OpenShift`'s `ImageDigestMirrorSet` and `ImageTagMirrorSet`.
    OpenShift,
    /// Docker's `daemon.json`.
    Docker,
}

impl MirrorFormat {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Containerd,
        Self::RegistriesConf,
        Self::K3s,
        Self::OpenShift,
        Self::Docker,
    ];
}

impl fmt::Display for MirrorFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Containerd => "containerd",
            Self::RegistriesConf => "registries-conf",
            Self::K3s => "k3s",
            Self::OpenShift => "openshift",
            Self::Docker => "docker",
        })
    }
}

impl FromStr for MirrorFormat {
    type Err = MirrorError;

    fn from_str(text: &str) -> Result<Self, MirrorError> {
        Self::ALL
            .into_iter()
            .find(|format| format.to_string() == text)
            .ok_or_else(|| MirrorError::Format {
                text: text.chars().take(40).collect(),
            })
    }
}

/// What a mirror configuration is made of.
#[derive(Clone, Copy, Debug)]
pub struct MirrorRequest<'a> {
    /// The images, as manifests name them.
    pub images: &'a [Reference],
    /// Where they were loaded.
    pub destination: &'a Destination,
    /// The naming that they were loaded with.
    pub naming: &'a Naming,
    /// Whether the destination speaks plain HTTP.
    pub plain_http: bool,
}

/// The files, and what to do with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MirrorFiles {
    /// The files.
    pub files: Vec<OutputFile>,
    /// Where they go and what has to be restarted.
    pub notes: Vec<String>,
}

/// Why there is no such configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MirrorError {
    /// No format has this name.
    #[error(
        "{text:?} is no mirror configuration (expected containerd, registries-conf, k3s, openshift or docker)"
    )]
    Format {
        /// The text, shortened.
        text: String,
    },
    /// The runtime cannot find the images under this naming.
    #[error(
        "{format}: a mirror cannot follow the naming of {image}, loaded as {loaded} (expected the naming rule {expected})"
    )]
    Naming {
        /// The format.
        format: MirrorFormat,
        /// The image.
        image: String,
        /// Its name at the destination.
        loaded: String,
        /// The rules under which it would work.
        expected: &'static str,
    },
    /// Docker's mirrors have no path.
    #[error(
        "docker: a mirror is a registry without a path (got {destination}); load to the registry itself, or rewrite the manifests"
    )]
    Path {
        /// The destination.
        destination: String,
    },
    /// Docker mirrors Docker Hub and nothing else.
    #[error(
        "docker: only images of docker.io can be mirrored, and there is none; rewrite the manifests"
    )]
    NoDockerHub,
    /// There is nothing to mirror.
    #[error("{format}: no images")]
    Empty {
        /// The format.
        format: MirrorFormat,
    },
    /// A scope that a policy cannot hold twice.
    #[error("{first} and {second} have the same name at the destination")]
    Collision {
        /// One image.
        first: String,
        /// The other.
        second: String,
    },
    /// The naming rules refuse a name.
    #[error(transparent)]
    Name(#[from] NamingError),
}

/// Writes the configuration, after checking for every image that the runtime's rule leads to the name
/// under which it was loaded.
///
/// # Errors
/// Where the format cannot express it.
pub fn mirror_files(
    format: MirrorFormat,
    request: &MirrorRequest<'_>,
) -> Result<MirrorFiles, MirrorError> {
    if request.images.is_empty() {
        return Err(MirrorError::Empty { format });
    }
    match format {
        MirrorFormat::Containerd => containerd::files(request),
        MirrorFormat::RegistriesConf => registries_conf::files(request),
        MirrorFormat::K3s => k3s::files(request),
        MirrorFormat::OpenShift => openshift::files(request),
        MirrorFormat::Docker => docker::files(request),
    }
}

/// For each source registry, what stands before its repositories' own names at the destination, without
/// the registry: nothing, `mirror`, `mirror/docker.io`. It holds for every image of that registry.
fn prefixes(
    format: MirrorFormat,
    request: &MirrorRequest<'_>,
) -> Result<BTreeMap<String, Option<String>>, MirrorError> {
    let mut prefixes: BTreeMap<String, Option<String>> = BTreeMap::new();
    for image in request.images {
        let loaded = request.naming.reference_at(image, request.destination)?;
        let rest = loaded.repository().strip_suffix(image.repository());
        let prefix = match rest {
            Some("") => None,
            Some(rest) if rest.ends_with('/') => Some(rest.trim_end_matches('/').to_owned()),
            _ => return Err(unfollowable(format, image, &loaded)),
        };
        match prefixes.get(image.registry()) {
            Some(known) if *known != prefix => return Err(unfollowable(format, image, &loaded)),
            Some(_) => {}
            None => {
                prefixes.insert(image.registry().to_owned(), prefix);
            }
        }
    }
    Ok(prefixes)
}

fn unfollowable(format: MirrorFormat, image: &Reference, loaded: &Reference) -> MirrorError {
    MirrorError::Naming {
        format,
        image: image.to_string(),
        loaded: loaded.to_string(),
        expected: "keep or host, without a prefix",
    }
}

/// The namespaces of the images (`docker.io/calico`), or the whole repository where it has none, with
/// what takes their place at the destination. Narrower than a whole registry, which other software on
/// the cluster may still pull from.
fn scopes(
    format: MirrorFormat,
    request: &MirrorRequest<'_>,
) -> Result<BTreeSet<(String, String)>, MirrorError> {
    let prefixes = prefixes(format, request)?;
    let mut scopes = BTreeSet::new();
    for image in request.images {
        let scope = match image.repository().rsplit_once('/') {
            Some((namespace, _)) => namespace,
            None => image.repository(),
        };
        let prefix = prefixes.get(image.registry()).and_then(Option::as_deref);
        let below = prefix.map_or_else(String::new, |prefix| format!("{prefix}/"));
        scopes.insert((
            format!("{}/{scope}", image.registry()),
            format!("{}/{below}{scope}", request.destination.registry()),
        ));
    }
    Ok(scopes)
}

fn scheme(request: &MirrorRequest<'_>) -> &'static str {
    if request.plain_http { "http" } else { "https" }
}

/// Which naming rules a format can follow.
pub fn rules(format: MirrorFormat) -> &'static [NamingRule] {
    match format {
        MirrorFormat::Docker => &[NamingRule::Keep],
        _ => &[NamingRule::Keep, NamingRule::Host],
    }
}

//! What mirror configuration is written from, and why it cannot be written.

use std::fmt;
use std::str::FromStr;

use sealift_oci::{Destination, Naming, NamingError, Reference};

use crate::file::OutputFile;

/// A format of mirror configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MirrorFormat {
    /// containerd's `HOST/hosts.toml`, below `/etc/containerd/certs.d`.
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
    /// All formats.
    pub const ALL: [Self; 5] = [
        Self::Containerd,
        Self::RegistriesConf,
        Self::K3s,
        Self::OpenShift,
        Self::Docker,
    ];

    /// Whether nodes configured this way read `policy.json` (containers-policy.json(5)).
    pub fn reads_policy(self) -> bool {
        matches!(self, Self::RegistriesConf | Self::OpenShift)
    }
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

/// The input of a mirror configuration.
#[derive(Clone, Copy, Debug)]
pub struct MirrorRequest<'a> {
    /// The images, as manifests name them.
    pub images: &'a [Reference],
    /// Where they were loaded.
    pub destination: &'a Destination,
    /// The naming they were loaded with.
    pub naming: &'a Naming,
    /// Whether the destination is reached over plain HTTP.
    pub plain_http: bool,
}

/// Configuration files, and how to install them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MirrorFiles {
    /// The files.
    pub files: Vec<OutputFile>,
    /// Where the files go on a node, and what has to be restarted.
    pub notes: Vec<String>,
}

/// Why a mirror configuration cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MirrorError {
    /// No format has this name.
    #[error(
        "{text:?} is not a mirror format (expected containerd, registries-conf, k3s, openshift or docker)"
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
    /// Docker mirrors only Docker Hub.
    #[error(
        "docker: only images of docker.io can be mirrored, and the bundle contains none; rewrite the manifests"
    )]
    NoDockerHub,
    /// There is nothing to mirror.
    #[error("{format}: no images")]
    Empty {
        /// The format.
        format: MirrorFormat,
    },
    /// Two images whose policies would have the same scope.
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

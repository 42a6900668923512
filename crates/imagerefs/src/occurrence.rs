//! What a search returns.

use std::fmt;
use std::ops::Range;

use sealift_oci::Reference;

use crate::error::Reason;
use crate::scalar::Scalar;

/// What was found in one text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings {
    /// What the text was taken for; where its documents differ, the first one's.
    pub input: InputKind,
    /// References in the order of the text; the same reference twice is here twice.
    pub occurrences: Vec<Occurrence>,
    /// Names of images whose tag the text does not give, as a chart fills in its own version. Their
    /// `reference` has `latest` as a stand-in and is not what will be pulled.
    pub incomplete: Vec<Occurrence>,
    /// What looks like an image and was skipped, in the order of the text.
    pub not_understood: Vec<NotUnderstood>,
}

impl Findings {
    /// Whether there is no reference, complete or not, and nothing to tell of either.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many references, names without a tag and skipped locations there are.
    pub(crate) fn len(&self) -> usize {
        self.occurrences.len() + self.incomplete.len() + self.not_understood.len()
    }

    /// Puts everything in the order of the text.
    pub(crate) fn sort(&mut self) {
        self.occurrences.sort_by_key(|found| found.span.start);
        self.incomplete.sort_by_key(|found| found.span.start);
        self.not_understood
            .sort_by_key(|skipped| (skipped.line, skipped.column));
    }

    pub(crate) fn new(input: InputKind) -> Self {
        Self {
            input,
            occurrences: Vec::new(),
            incomplete: Vec::new(),
            not_understood: Vec::new(),
        }
    }
}

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum InputKind {
    /// One reference a line: k3s, RKE2, kubeadm, hand-made lists; also a YAML list of strings.
    List,
    /// A hauler `Images` document.
    HaulerImages,
    /// An imgpkg `ImagesLock` document.
    ImagesLock,
    /// Kubernetes resources, as YAML or JSON.
    Manifests,
    /// A Kustomization or a Component of Kustomize.
    Kustomization,
    /// A JSON patch (RFC 6902), as YAML or JSON.
    JsonPatch,
    /// A `ZarfPackageConfig`.
    ZarfPackage,
    /// An oc-mirror `ImageSetConfiguration`.
    OcMirror,
    /// A definition of SUSE's Edge Image Builder.
    EdgeImageBuilder,
    /// A manifest of `KubeKey`'s artifacts.
    KubeKeyManifest,
    /// The cluster configuration of RKE1.
    RkeCluster,
    /// What `skopeo sync --src yaml` reads.
    SkopeoSync,
    /// Settings for a shell or a program: `NAME=value`, one a line.
    Settings,
    /// A chart's `Chart.yaml`.
    HelmChart,
    /// A Helm values file, or other YAML whose form is not known.
    Values,
    /// Nothing but comments and blank lines.
    Empty,
}

impl InputKind {
    /// A short fixed name, for machines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::HaulerImages => "hauler-images",
            Self::ImagesLock => "images-lock",
            Self::Manifests => "manifests",
            Self::Kustomization => "kustomization",
            Self::JsonPatch => "json-patch",
            Self::ZarfPackage => "zarf-package",
            Self::OcMirror => "oc-mirror",
            Self::EdgeImageBuilder => "edge-image-builder",
            Self::KubeKeyManifest => "kubekey-manifest",
            Self::RkeCluster => "rke-cluster",
            Self::SkopeoSync => "skopeo-sync",
            Self::Settings => "settings",
            Self::HelmChart => "helm-chart",
            Self::Values => "values",
            Self::Empty => "empty",
        }
    }

    /// What it is, for people: `Kubernetes manifests`.
    pub fn description(self) -> &'static str {
        match self {
            Self::List => "a list of references",
            Self::HaulerImages => "a hauler Images document",
            Self::ImagesLock => "an imgpkg ImagesLock",
            Self::Manifests => "Kubernetes manifests",
            Self::Kustomization => "a Kustomization",
            Self::JsonPatch => "a JSON patch",
            Self::ZarfPackage => "a Zarf package definition",
            Self::OcMirror => "an oc-mirror ImageSetConfiguration",
            Self::EdgeImageBuilder => "an Edge Image Builder definition",
            Self::KubeKeyManifest => "a KubeKey manifest",
            Self::RkeCluster => "an RKE cluster configuration",
            Self::SkopeoSync => "a skopeo sync source",
            Self::Settings => "settings of the form NAME=value",
            Self::HelmChart => "a Helm chart's Chart.yaml",
            Self::Values => "YAML of no known form",
            Self::Empty => "an empty file",
        }
    }
}

impl fmt::Display for InputKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One image reference at one location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occurrence {
    /// The reference, normalised.
    pub reference: Reference,
    /// The reference as it is written; put together where the text has it in several fields.
    pub text: String,
    /// Where it stands: bytes of the original text, without quotes. Where several fields make the
    /// reference, the one with the repository; where the text spells it with escapes, the whole scalar.
    pub span: Range<usize>,
    /// Line of `span`'s start, from 1.
    pub line: usize,
    /// Column of `span`'s start in characters, from 1.
    pub column: usize,
    /// Number of the document in the text, from 1.
    pub document: usize,
    /// The resource, such as `Deployment/kube-system/calico-node`; none in lists and values files.
    pub object: Option<String>,
    /// The path in the resource or document, such as `.spec.template.spec.containers[0].image`; empty
    /// in a plain list.
    pub path: String,
    /// How it was recognised.
    pub kind: Kind,
    pub(crate) site: Site,
}

/// The scalars that make a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Site {
    /// A stretch of one scalar's value, in bytes of the value.
    Whole(Scalar, Range<usize>),
    /// Several scalars.
    Split(Vec<(Piece, Scalar)>),
    /// Not editable: in an encoded text, or spelled differently than it reads.
    Fixed,
}

/// What one scalar gives to a reference that is written in several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Piece {
    /// The registry, to be followed by the rest of the name.
    Registry,
    /// Registry and path, to be followed by the last component (Istio's `hub`).
    Hub,
    /// The path between registry and last component.
    Namespace,
    /// The rest of the name, all of it where nothing else names the registry. May end in a tag and a digest.
    Name,
    /// A name that is looked for, so that it stays what it is (Kustomize's `name`).
    FixedName,
    /// The tag.
    Tag,
    /// What follows the tag after a hyphen (Istio's `variant`).
    Variant,
    /// The digest with its algorithm.
    Digest,
    /// The digits of a SHA-256 digest.
    Sha,
    /// Whether the digest is used at all (Cilium's `useDigest`).
    UseDigest,
}

impl Piece {
    /// Whether it is the name, whose position is the reference's.
    pub(crate) fn is_name(self) -> bool {
        matches!(self, Self::Name | Self::FixedName)
    }
}

/// Where references are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// A line of a plain list, or an item of a YAML list of strings.
    ListLine,
    /// `spec.images[].name` of a hauler `Images` document.
    HaulerImage,
    /// `images[].image` of an imgpkg `ImagesLock` document.
    LockedImage,
    /// The image of a container.
    Container,
    /// The image of an init container.
    InitContainer,
    /// The image of an ephemeral container.
    EphemeralContainer,
    /// An image mounted as a volume (`volumes[].image.reference`).
    ImageVolume,
    /// An argument or a part of a command (`--acme-http01-solver-image=…`).
    Argument,
    /// The value of an environment variable (`RELATED_IMAGE_…`).
    Environment,
    /// A value of a `ConfigMap` that is a reference and nothing else.
    ConfigMap,
    /// A value of a `Secret` that is a reference and nothing else.
    Secret,
    /// An entry of an image list of a tool (skopeo).
    ImageList,
    /// A field of a custom resource outside of any container.
    CustomResource,
    /// A field of a Helm values file.
    Values,
}

impl Kind {
    /// A short fixed name, for machines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ListLine => "list-line",
            Self::HaulerImage => "hauler-image",
            Self::LockedImage => "locked-image",
            Self::Container => "container",
            Self::InitContainer => "init-container",
            Self::EphemeralContainer => "ephemeral-container",
            Self::ImageVolume => "image-volume",
            Self::Argument => "argument",
            Self::Environment => "environment",
            Self::ConfigMap => "config-map",
            Self::Secret => "secret",
            Self::ImageList => "image-list",
            Self::CustomResource => "custom-resource",
            Self::Values => "values",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Something that may be an image and was not taken for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotUnderstood {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Number of the document in the text, from 1.
    pub document: usize,
    /// The resource; none in values files.
    pub object: Option<String>,
    /// The path in the resource or document.
    pub path: String,
    /// The text in question, cut where it is long; empty where it holds credentials.
    pub text: String,
    /// Why it was left alone.
    pub reason: Reason,
}

impl fmt::Display for NotUnderstood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.line, self.column)?;
        if let Some(object) = &self.object {
            write!(f, "{object} ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "{}", self.reason)?;
        if !self.text.is_empty() {
            write!(f, " (`{}`)", self.text)?;
        }
        write!(f, "; {}", self.reason.remedy())
    }
}

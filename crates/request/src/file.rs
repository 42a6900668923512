//! What a request file says.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// What a bundle should contain, where it comes from and where it is written. Paths are as in the file; the
/// caller resolves them against the file's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a field of the file, all combinations are valid"
)]
pub struct RequestFile {
    /// Releases of products.
    pub products: Vec<Product>,
    /// Image references.
    pub images: Vec<String>,
    /// Files that name images: lists, manifests, values.
    pub lists: Vec<PathBuf>,
    /// Whether anything in `lists` that is not understood is an error.
    pub strict: bool,
    /// Whether lists may consist of images without tags.
    pub allow_incomplete: bool,
    /// OCI layouts, `docker save` archives and bundles.
    pub local: Vec<LocalImages>,
    /// Helm charts, with their images.
    pub charts: Vec<Chart>,
    /// Files and folders to carry.
    pub files: Vec<CarriedFile>,
    /// The platforms to select; all if empty.
    pub platforms: Vec<String>,
    /// Whether signatures, attestations and SBOMs are included.
    pub referrers: bool,
    /// Whether non-distributable layers are fetched.
    pub foreign_layers: bool,
    /// Where images are pulled from instead of their publishers' registries.
    pub mirrors: Vec<Mirror>,
    /// Whether publishers are asked for what no mirror has.
    pub mirror_fallback: bool,
    /// A `registries.conf` to read.
    pub registries_conf: Option<PathBuf>,
    /// The bundle to write.
    pub output: Option<PathBuf>,
    /// How blobs are stored.
    pub profile: Option<Profile>,
    /// Bundles or records that a delta bundle builds on.
    pub bases: Vec<PathBuf>,
    /// Whether the running program is included.
    pub with_sealift: bool,
    /// Whether a `SHA256SUMS` is written beside the bundle.
    pub checksums: bool,
    /// Whether images that cannot be resolved are omitted.
    pub keep_going: bool,
    /// What the file says that is not read, each with its line. Own files have nothing of that kind: there it
    /// is an error.
    pub not_read: Vec<String>,
    /// Which tool's file it was.
    pub form: RequestForm,
}

/// Which tool's file it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RequestForm {
    /// sealift's own.
    #[default]
    Own,
    /// hauler's manifests.
    Hauler,
    /// A Zarf package.
    Zarf,
    /// oc-mirror's `ImageSetConfiguration`.
    OcMirror,
}

impl RequestForm {
    /// What a person calls it.
    pub fn description(self) -> &'static str {
        match self {
            Self::Own => "sealift request",
            Self::Hauler => "hauler manifest",
            Self::Zarf => "Zarf package",
            Self::OcMirror => "oc-mirror ImageSetConfiguration",
        }
    }
}

/// A release of a product.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Product {
    /// The product's name.
    pub name: String,
    /// The release.
    pub version: String,
    /// Optional parts to include.
    pub with: Vec<String>,
    /// Default parts to exclude.
    pub without: Vec<String>,
    /// The registry that serves the default registry's images under the same names.
    pub registry: Option<String>,
    /// The mirror that serves all images.
    pub mirror: Option<String>,
}

/// Images on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalImages {
    /// Where they are.
    pub path: PathBuf,
    /// The repository for images without one.
    pub repository: Option<String>,
}

/// A Helm chart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chart {
    /// A path, `oci://REGISTRY/REPOSITORY` or, with a repository, a name.
    pub chart: String,
    /// The URL of the chart repository.
    pub repository: Option<String>,
    /// The version.
    pub version: Option<String>,
    /// Values files to render it with.
    pub values: Vec<PathBuf>,
}

/// A file or folder to carry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CarriedFile {
    /// Where it is.
    pub path: PathBuf,
    /// The name to carry it under.
    pub name: Option<String>,
}

/// A mirror.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mirror {
    /// The registry, and perhaps a prefix, that it stands for.
    pub from: String,
    /// The registry, and perhaps a path, that serves it.
    pub to: String,
}

/// How blobs are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// As the registry served them.
    Plain,
    /// Opened, related and compressed.
    Compact,
    /// As compact, without what other bundles have.
    Delta,
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "plain",
            Self::Compact => "compact",
            Self::Delta => "delta",
        })
    }
}

impl FromStr for Profile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "plain" => Ok(Self::Plain),
            "compact" => Ok(Self::Compact),
            "delta" => Ok(Self::Delta),
            _ => Err(format!(
                "{text:?} is not a profile (expected plain, compact or delta)"
            )),
        }
    }
}

impl Default for RequestFile {
    /// A request for nothing, with referrers.
    fn default() -> Self {
        Self {
            products: Vec::new(),
            images: Vec::new(),
            lists: Vec::new(),
            strict: false,
            allow_incomplete: false,
            local: Vec::new(),
            charts: Vec::new(),
            files: Vec::new(),
            platforms: Vec::new(),
            referrers: true,
            foreign_layers: false,
            mirrors: Vec::new(),
            mirror_fallback: false,
            registries_conf: None,
            output: None,
            profile: None,
            bases: Vec::new(),
            with_sealift: false,
            checksums: false,
            keep_going: false,
            not_read: Vec::new(),
            form: RequestForm::Own,
        }
    }
}

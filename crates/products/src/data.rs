//! The format of the data files, as checked values.

use std::collections::{BTreeMap, BTreeSet};

use sealift_oci::{Digest, NamingRule, Reference};
use serde::Deserialize;
use serde_json::Value;

use crate::tag::floating;
use crate::version::Version;
use sealift_yaml::YamlError;

/// The feature of everything that a default install pulls.
pub(crate) const DEFAULT: &str = "default";

/// The registry of a release whose data does not name one.
pub(crate) const DOCKER_HUB: &str = "docker.io";

/// A product: its releases, and the features that select among their images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// Its name before the `@`.
    pub name: String,
    /// Its title, for people.
    pub title: String,
    /// Its features, in the order of the data file.
    pub features: Vec<Feature>,
    /// The releases, oldest first.
    pub releases: Vec<Release>,
    /// Upstream tags that are not usable releases, and why.
    pub gaps: Vec<Gap>,
    /// The naming rule under which the product's own setting for a private registry finds its images,
    /// if that is not `keep`.
    pub naming: Option<SetNaming>,
    /// The features of each image, by its repository: used to create the data file of a new release.
    pub assign: BTreeMap<String, Vec<String>>,
}

/// A part of a product that is selected or excluded as a unit.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feature {
    /// Its name on the command line.
    pub name: String,
    /// What it is and when its images are pulled.
    pub about: String,
    /// Whether it is selected by default.
    #[serde(default)]
    pub default: bool,
}

/// An upstream tag that is not a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The tag.
    pub version: Version,
    /// Why there is nothing to bundle.
    pub reason: String,
}

/// The naming rule that a product's own setting for a private registry follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetNaming {
    /// The rule for `load`.
    pub rule: NamingRule,
    /// The setting of the product that requires it.
    pub because: String,
}

/// An upstream source of statements about images.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source(pub String);

impl Source {
    /// The list that is compiled into the operator.
    pub const OPERATOR: &'static str = "operator";

    /// The source's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// One release of a product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// The product's name.
    pub product: String,
    /// The version, as upstream writes it.
    pub version: Version,
    /// The operator's version, if there is an operator.
    pub operator: Option<Version>,
    /// The release that the operator was built for, if that is another one: its images and the name of its
    /// `ImageSet` are that release's.
    pub operator_release: Option<Version>,
    /// The registry of images whose row does not name one, with the path that precedes all their names if
    /// there is one: `registry.istio.io/release`.
    pub registry: String,
    /// The upstream sources of the rows; a source that is not listed was not read, and neither names nor omits
    /// an image.
    pub sources: Vec<Source>,
    /// The images.
    pub images: Vec<ImageRow>,
    /// Names of images that the operator requires in every `ImageSet`, used or not.
    pub imageset_needs: Vec<String>,
    /// References in upstream's files that nobody should pull.
    pub refused: Vec<Refused>,
    /// The name of the data file.
    pub origin: String,
}

/// A reference in upstream's files that was excluded, and why.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refused {
    /// The reference as written in the file.
    pub reference: String,
    /// The source that names it.
    pub source: String,
    /// Why it was excluded.
    pub reason: String,
}

/// One image of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageRow {
    /// The image as the most authoritative source names it: operator before manifests before lists.
    pub reference: Reference,
    /// Whether the registry is the release's default, so that choosing another one applies to it.
    pub default_registry: bool,
    /// The features that need it; it is selected if one of them is.
    pub features: Vec<String>,
    /// The sources that name it.
    pub named_by: Vec<Source>,
    /// Sources that name it under another reference.
    pub differs: BTreeMap<Source, Reference>,
}

/// Why a data file is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DataError {
    /// Not YAML.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// The fields are not those of a data file.
    #[error(
        "{name}: not a product data file: {reason} (the format is in crates/products/data/README.md)"
    )]
    Shape {
        /// The file's name.
        name: String,
        /// The reason.
        reason: String,
    },
    /// One release's data cannot be used.
    #[error("{name}: {product} {version}: {reason}")]
    Release {
        /// The file's name.
        name: String,
        /// The product.
        product: String,
        /// The release's version as written there.
        version: String,
        /// What is wrong, and what was expected.
        reason: String,
    },
    /// A file for a product that has no description.
    #[error(
        "{name}: the product {product:?} has no description (title and features) here or in an earlier file"
    )]
    NoProduct {
        /// The file's name.
        name: String,
        /// The product.
        product: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawFile {
    pub(crate) product: String,
    pub(crate) title: Option<String>,
    #[serde(default)]
    pub(crate) features: Vec<Feature>,
    pub(crate) naming: Option<RawNaming>,
    #[serde(default)]
    pub(crate) assign: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    pub(crate) gaps: Vec<RawGap>,
    #[serde(default)]
    pub(crate) releases: Vec<RawRelease>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawNaming {
    pub(crate) rule: String,
    pub(crate) because: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawGap {
    pub(crate) version: String,
    pub(crate) reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawRelease {
    pub(crate) version: String,
    operator: Option<String>,
    operator_release: Option<String>,
    #[serde(default = "docker_hub")]
    registry: String,
    #[serde(default)]
    sources: Vec<String>,
    #[serde(default)]
    imageset_needs: Vec<String>,
    images: Vec<RawImage>,
    #[serde(default)]
    refused: Vec<Refused>,
}

fn docker_hub() -> String {
    DOCKER_HUB.to_owned()
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawImage {
    /// A complete reference, as in image lists.
    Line(String),
    Row(RawRow),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRow {
    image: String,
    tag: Option<String>,
    digest: Option<String>,
    registry: Option<String>,
    #[serde(default)]
    features: Vec<String>,
    #[serde(rename = "in")]
    named_by: Option<Vec<String>>,
    #[serde(default)]
    differs: BTreeMap<String, String>,
}

/// Reads a data file's fields; [`release`] checks their meaning.
pub(crate) fn read(name: &str, bytes: &[u8]) -> Result<RawFile, DataError> {
    let value: Value = sealift_yaml::document(name, bytes)?;
    serde_json::from_value(value).map_err(|error| DataError::Shape {
        name: name.to_owned(),
        reason: error.to_string(),
    })
}

/// Checks one release against its product's features.
pub(crate) fn release(
    file: &str,
    product: &str,
    features: &[Feature],
    raw: RawRelease,
) -> Result<Release, DataError> {
    let version_text = raw.version.clone();
    let fault = |reason: String| DataError::Release {
        name: file.to_owned(),
        product: product.to_owned(),
        version: version_text.clone(),
        reason,
    };
    let version: Version = raw.version.parse().map_err(|e: &str| fault(e.to_owned()))?;
    let other = |field: &str, text: Option<String>| {
        let parse = |text: String| {
            let version = text.parse::<Version>();
            version.map_err(|reason| fault(format!("{field} {text:?}: {reason}")))
        };
        text.map(parse).transpose()
    };
    let operator = other("operator", raw.operator)?;
    let operator_release = other("operator_release", raw.operator_release)?;
    if raw.images.is_empty() {
        return Err(fault("no images".to_owned()));
    }
    let known: BTreeSet<&str> = features.iter().map(|f| f.name.as_str()).collect();
    let mut images = Vec::with_capacity(raw.images.len());
    let mut seen = BTreeSet::new();
    for image in raw.images {
        let row = row(image, &version, &raw.registry, &raw.sources).map_err(fault)?;
        if let Some(unknown) = row.features.iter().find(|f| !known.contains(f.as_str())) {
            return Err(fault(format!(
                "{} belongs to the feature {unknown:?}, which the product does not have",
                row.reference
            )));
        }
        if let Some(unknown) = row.named_by.iter().find(|s| !raw.sources.contains(&s.0)) {
            return Err(fault(format!(
                "{} is named by {unknown:?}, which is not among the sources",
                row.reference,
                unknown = unknown.0
            )));
        }
        if !seen.insert(row.reference.clone()) {
            return Err(fault(format!("{} appears twice", row.reference)));
        }
        images.push(row);
    }
    Ok(Release {
        product: product.to_owned(),
        version,
        operator,
        operator_release,
        registry: raw.registry,
        sources: raw.sources.into_iter().map(Source).collect(),
        images,
        imageset_needs: raw.imageset_needs,
        refused: raw.refused,
        origin: file.to_owned(),
    })
}

fn row(
    raw: RawImage,
    version: &Version,
    registry: &str,
    sources: &[String],
) -> Result<ImageRow, String> {
    let raw = match raw {
        RawImage::Line(line) => return line_row(&line, sources),
        RawImage::Row(row) => row,
    };
    let tag = raw.tag.as_deref().unwrap_or(version.as_str());
    let digest = match &raw.digest {
        Some(text) => Some(
            text.parse::<Digest>()
                .map_err(|e| format!("{}: {e}", raw.image))?,
        ),
        None => None,
    };
    let host = raw.registry.as_deref().unwrap_or(registry);
    let reference =
        Reference::new(host, &raw.image, Some(tag), digest).map_err(|e| e.to_string())?;
    refuse_floating(&reference)?;
    let mut differs = BTreeMap::new();
    for (source, text) in raw.differs {
        let other = text.parse::<Reference>().map_err(|e| e.to_string())?;
        differs.insert(Source(source), other);
    }
    Ok(ImageRow {
        reference,
        default_registry: raw.registry.is_none(),
        features: if raw.features.is_empty() {
            vec![DEFAULT.to_owned()]
        } else {
            raw.features
        },
        named_by: match raw.named_by {
            Some(names) => names.into_iter().map(Source).collect(),
            None => all(sources),
        },
        differs,
    })
}

/// The sources of an image whose row does not list any.
fn all(sources: &[String]) -> Vec<Source> {
    sources.iter().cloned().map(Source).collect()
}

fn line_row(line: &str, sources: &[String]) -> Result<ImageRow, String> {
    let reference: Reference = line
        .parse()
        .map_err(|e: sealift_oci::ReferenceError| e.to_string())?;
    refuse_floating(&reference)?;
    Ok(ImageRow {
        reference,
        default_registry: false,
        features: vec![DEFAULT.to_owned()],
        named_by: all(sources),
        differs: BTreeMap::new(),
    })
}

fn refuse_floating(reference: &Reference) -> Result<(), String> {
    if reference.digest().is_some() {
        return Ok(());
    }
    let tag = reference.tag().unwrap_or_default();
    floating(tag).map_or(Ok(()), |reason| Err(format!("{reference}: {reason}")))
}

//! Merges several texts about one release into a data file.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sealift_oci::Reference;

use super::collector::Import;
use crate::data::{DEFAULT, DOCKER_HUB, Product, Refused, Source};
use crate::emit;
use crate::version::Version;

/// The sources by authority: where they differ, the first one counts.
const ORDER: &[&str] = &[
    "operator",
    "manifests",
    "chart",
    "metadata",
    "documentation",
];

/// A release as it will be in its data file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    version: Version,
    operator: Option<Version>,
    /// The release that the operator names itself after, if that is another one.
    operator_release: Option<Version>,
    registry: String,
    sources: Vec<String>,
    imageset_needs: Vec<String>,
    rows: Vec<Row>,
    refused: Vec<Refused>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    reference: Reference,
    features: Vec<String>,
    named_by: Vec<String>,
    differs: BTreeMap<String, Reference>,
}

/// Why sources cannot be merged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// The operator is the one source that is required.
    #[error("{version}: the operator's component list is missing")]
    NoOperator {
        /// The release.
        version: Version,
    },
    /// An image without features.
    #[error(
        "{version}: {image} belongs to no feature; add it to `assign` in the product's description"
    )]
    Unassigned {
        /// The release.
        version: Version,
        /// The image.
        image: Reference,
    },
}

/// Merges what sources say about `version`, by name of the source. `registry` is the operator's default.
///
/// # Errors
/// If the operator's list is missing, or an image is new to the product.
pub fn merge(
    product: &Product,
    version: &Version,
    operator: &Version,
    registry: &str,
    sources: &BTreeMap<String, Import>,
) -> Result<Merged, MergeError> {
    let list = sources
        .get(Source::OPERATOR)
        .ok_or_else(|| MergeError::NoOperator {
            version: version.clone(),
        })?;
    let operator_release = list.version.clone().filter(|other| !other.same(version));
    let mut rows: Vec<Row> = Vec::new();
    let mut refused = Vec::new();
    let known = ORDER
        .iter()
        .filter_map(|name| Some((*name, sources.get(*name)?)));
    for (name, import) in known.clone() {
        for image in &import.images {
            add(product, version, name, image, &mut rows)?;
        }
        refused.extend(import.refused.iter().map(|refused| Refused {
            source: name.to_owned(),
            ..refused.clone()
        }));
    }
    refused.dedup();
    rows.sort_by(|a, b| order(&a.reference).cmp(&order(&b.reference)));
    // Operators before v1.31 resolve the Windows component whether there are Windows nodes or not.
    let needs = rows.iter().map(|row| row.reference.repository());
    let needs =
        needs.filter(|name| *name == "calico/windows-upgrade" && operator.series() <= (1, 30));
    Ok(Merged {
        version: version.clone(),
        operator: Some(operator.clone()),
        operator_release,
        registry: registry.to_owned(),
        sources: known.map(|(name, _)| name.to_owned()).collect(),
        imageset_needs: needs.map(str::to_owned).collect(),
        rows,
        refused,
    })
}

/// One text about a release, for [`gather`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The kind of text, for the release's `sources`: `list`, `values`, `manifests`.
    pub source: String,
    /// The feature of all its images, if the text is only about one feature.
    pub feature: Option<String>,
    /// Its content.
    pub import: Import,
}

/// Merges texts about `version` that complement each other, such as one image list for each feature. An
/// image's features are those of its texts, else those in `assign`, else the default one if the product has
/// no others. `registry` is the release's, with a path if one precedes all names; without it, it is the one
/// of most default images.
///
/// # Errors
/// If an image's features are not known.
pub fn gather(
    product: &Product,
    version: &Version,
    registry: Option<&str>,
    parts: &[Part],
) -> Result<Merged, MergeError> {
    let mut sources: Vec<String> = Vec::new();
    let mut rows: Vec<Row> = Vec::new();
    let mut refused = Vec::new();
    for part in parts {
        if !sources.contains(&part.source) {
            sources.push(part.source.clone());
        }
        for image in &part.import.images {
            let features = match &part.feature {
                Some(feature) => vec![feature.clone()],
                None => features(product, version, registry, image)?,
            };
            let index = rows.iter().position(|row| row.reference == *image);
            let index = index.unwrap_or_else(|| {
                rows.push(Row {
                    reference: image.clone(),
                    features: Vec::new(),
                    named_by: Vec::new(),
                    differs: BTreeMap::new(),
                });
                rows.len() - 1
            });
            extend(&mut rows[index].features, features);
            extend(&mut rows[index].named_by, [part.source.clone()]);
        }
        refused.extend(part.import.refused.iter().cloned());
    }
    Ok(Merged {
        version: version.clone(),
        operator: None,
        operator_release: None,
        registry: registry.map_or_else(|| main_registry(product, &rows), str::to_owned),
        sources,
        imageset_needs: Vec::new(),
        rows,
        refused,
    })
}

fn extend(list: &mut Vec<String>, more: impl IntoIterator<Item = String>) {
    for item in more {
        if !list.contains(&item) {
            list.push(item);
        }
    }
}

/// The registry of most images of default features; the first of those if several are equal.
fn main_registry(product: &Product, rows: &[Row]) -> String {
    let defaults = product.features.iter().filter(|feature| feature.default);
    let defaults: Vec<&str> = defaults.map(|feature| feature.name.as_str()).collect();
    let chosen = |row: &&Row| {
        let mut features = row.features.iter();
        features.any(|feature| defaults.contains(&feature.as_str()))
    };
    let registries = rows.iter().filter(chosen);
    let registries: Vec<&str> = registries.map(|row| row.reference.registry()).collect();
    let count = |registry: &&&str| registries.iter().filter(|other| other == registry).count();
    let most = registries.iter().rev().max_by_key(count);
    most.map_or(DOCKER_HUB, |registry| registry).to_owned()
}

/// The name of an image below a registry with a path; `None` if it is elsewhere.
fn below(registry: &str, image: &Reference) -> Option<String> {
    let name = image.name();
    let rest = name.strip_prefix(registry)?.strip_prefix('/')?;
    Some(rest.to_owned())
}

fn features(
    product: &Product,
    version: &Version,
    registry: Option<&str>,
    image: &Reference,
) -> Result<Vec<String>, MergeError> {
    let name = registry.and_then(|registry| below(registry, image));
    let name = name.as_deref().unwrap_or(image.repository());
    if let Some(assigned) = product.assign.get(name) {
        return Ok(assigned.clone());
    }
    match product.features.as_slice() {
        [] => Ok(vec![DEFAULT.to_owned()]),
        [only] if only.name == DEFAULT => Ok(vec![DEFAULT.to_owned()]),
        _ => Err(MergeError::Unassigned {
            version: version.clone(),
            image: image.clone(),
        }),
    }
}

/// The operator's own image first, then by name.
fn order(reference: &Reference) -> (bool, &str, String) {
    let name = reference.repository();
    (name != "tigera/operator", name, reference.to_string())
}

fn is_fips(reference: &Reference) -> bool {
    reference.tag().is_some_and(|tag| tag.ends_with("-fips"))
}

fn add(
    product: &Product,
    version: &Version,
    source: &str,
    image: &Reference,
    rows: &mut Vec<Row>,
) -> Result<(), MergeError> {
    let same = |row: &Row| {
        row.reference.repository() == image.repository()
            && is_fips(&row.reference) == is_fips(image)
    };
    if let Some(row) = rows.iter_mut().find(|row| same(row)) {
        if !row.named_by.iter().any(|name| name == source) {
            row.named_by.push(source.to_owned());
        }
        if row.reference == *image {
            return Ok(());
        }
        let differs = row.differs.entry(source.to_owned());
        differs.or_insert_with(|| image.clone());
        // A manifest with a tag of its own pulls it, operator or not.
        if row.reference.tag() == image.tag() || source != "manifests" {
            return Ok(());
        }
        if !rows.iter().any(|row| row.reference == *image) {
            rows.push(Row {
                reference: image.clone(),
                features: vec!["manifests".to_owned()],
                named_by: vec![source.to_owned()],
                differs: BTreeMap::new(),
            });
        }
        return Ok(());
    }
    let features = if is_fips(image) {
        vec!["fips".to_owned()]
    } else {
        features(product, version, None, image)?
    };
    rows.push(Row {
        reference: image.clone(),
        features,
        named_by: vec![source.to_owned()],
        differs: BTreeMap::new(),
    });
    Ok(())
}

/// The data file of releases, oldest first, in the format of `data/README.md`.
pub fn data_file(product: &Product, releases: &[Merged]) -> String {
    let mut out = format!(
        "# Written by `cargo xtask ingest`; see crates/products/data/README.md.\nproduct: {}\nreleases:\n",
        product.name
    );
    for release in releases {
        write_release(release, &mut out);
    }
    out
}

fn write_release(release: &Merged, out: &mut String) {
    let _ = writeln!(out, "- version: {}", release.version);
    if let Some(operator) = &release.operator {
        let _ = writeln!(out, "  operator: {operator}");
    }
    let _ = write!(
        out,
        "  registry: {}\n  sources: {}\n",
        release.registry,
        flow(&release.sources)
    );
    if let Some(other) = &release.operator_release {
        let _ = writeln!(out, "  operator_release: {other}");
    }
    if !release.imageset_needs.is_empty() {
        let _ = writeln!(out, "  imageset_needs: {}", flow(&release.imageset_needs));
    }
    out.push_str("  images:\n");
    for row in &release.rows {
        let _ = writeln!(out, "  - {{{}}}", row_fields(release, row));
    }
    if !release.refused.is_empty() {
        out.push_str("  refused:\n");
    }
    for refused in &release.refused {
        let _ = writeln!(
            out,
            "  - {{reference: {}, source: {}, reason: {}}}",
            emit::text(&refused.reference),
            refused.source,
            emit::text(&refused.reason)
        );
    }
}

fn row_fields(release: &Merged, row: &Row) -> String {
    let reference = &row.reference;
    let mut fields = match below(&release.registry, reference) {
        Some(name) => vec![format!("image: {name}")],
        None => vec![
            format!("image: {}", reference.repository()),
            format!("registry: {}", emit::text(reference.registry())),
        ],
    };
    if let Some(tag) = reference
        .tag()
        .filter(|tag| *tag != release.version.as_str())
    {
        fields.push(format!("tag: {}", emit::text(tag)));
    }
    if let Some(digest) = reference.digest() {
        fields.push(format!("digest: {}", emit::text(&digest.to_string())));
    }
    if row.features != [DEFAULT] {
        fields.push(format!("features: {}", flow(&row.features)));
    }
    // With one source there is nothing to distinguish.
    if release.sources.len() > 1 || row.named_by != release.sources {
        fields.push(format!("in: {}", flow(&row.named_by)));
    }
    if !row.differs.is_empty() {
        let pairs: Vec<String> = row
            .differs
            .iter()
            .map(|(source, reference)| format!("{source}: {}", emit::text(&reference.to_string())))
            .collect();
        fields.push(format!("differs: {{{}}}", pairs.join(", ")));
    }
    fields.join(", ")
}

fn flow(items: &[String]) -> String {
    format!("[{}]", items.join(", "))
}

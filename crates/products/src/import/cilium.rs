//! Cilium's chart: repository, tag and digest apart, the digest in force where `useDigest` says so.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::chart::text;
use super::{Collector, Import, ImportError, field};
use crate::read_yaml_one;

/// The operator's image is one of several, by cloud; the chart appends the word to the repository.
const OPERATORS: &[(&str, &str)] = &[
    ("generic", "genericDigest"),
    ("aws", "awsDigest"),
    ("azure", "azureDigest"),
    ("alibabacloud", "alibabacloudDigest"),
];

/// Values of Cilium's chart: every image that one of its templates can render. Tag and digest both
/// stay, as the chart writes them. `without` names parts of the values to leave out, by their dotted
/// path, such as `authentication.mutual.spire`.
///
/// # Errors
/// Where they are no such values.
pub fn cilium_values(name: &str, bytes: &[u8], without: &[&str]) -> Result<Import, ImportError> {
    let value = read_yaml_one(name, bytes)?;
    if !value.get("image").is_some_and(Value::is_object) {
        return Err(field(name, "image", "a mapping with repository and tag"));
    }
    let without: BTreeSet<&str> = without.iter().copied().collect();
    let mut collector = Collector::new(name);
    walk(&value, "", &without, &mut collector)?;
    let mut import = collector.finish("values of Cilium's chart")?;
    import.version = text(&value, "/image/tag").and_then(|tag| tag.parse().ok());
    Ok(import)
}

fn walk(
    value: &Value,
    path: &str,
    without: &BTreeSet<&str>,
    collector: &mut Collector<'_>,
) -> Result<(), ImportError> {
    let Some(map) = value.as_object() else {
        return Ok(());
    };
    if without.contains(path) {
        return Ok(());
    }
    if map.get("repository").is_some_and(Value::is_string) && map.contains_key("tag") {
        return if path == "operator.image" {
            operators(value, map, collector)
        } else {
            one(value, "", "digest", collector)
        };
    }
    for (key, inner) in map {
        let below = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        walk(inner, &below, without, collector)?;
    }
    Ok(())
}

fn operators(
    value: &Value,
    map: &Map<String, Value>,
    collector: &mut Collector<'_>,
) -> Result<(), ImportError> {
    let suffix = map
        .get("suffix")
        .and_then(Value::as_str)
        .unwrap_or_default();
    for (cloud, digest) in OPERATORS {
        one(value, &format!("-{cloud}{suffix}"), digest, collector)?;
    }
    Ok(())
}

fn one(
    value: &Value,
    suffix: &str,
    digest_key: &str,
    collector: &mut Collector<'_>,
) -> Result<(), ImportError> {
    if let Some(whole) = text(value, "/override") {
        return collector.add(whole);
    }
    let (Some(repository), Some(tag)) = (text(value, "/repository"), text(value, "/tag")) else {
        return Ok(());
    };
    let pinned = value
        .get("useDigest")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    let digest = text(value, &format!("/{digest_key}")).filter(|_| pinned);
    let digest = digest
        .map(|digest| format!("@{digest}"))
        .unwrap_or_default();
    collector.add(&format!("{repository}{suffix}:{tag}{digest}"))
}

//! Cilium's chart: repository, tag and digest in separate fields, the digest used if `useDigest` is true.

use serde_json::Value;

use super::chart::text;
use super::collector::{Collector, Import, ImportError, field};

/// The operator's image is one of several, by cloud; the chart appends the word to the repository.
const OPERATORS: &[&str] = &["generic", "aws", "azure", "alibabacloud"];

/// Values of Cilium's chart: every image that its templates can render, with tag and digest as rendered.
///
/// # Errors
/// If they are not such values, or an image has neither tag nor digest.
pub fn cilium_values(name: &str, bytes: &[u8]) -> Result<Import, ImportError> {
    let value = sealift_yaml::document(name, bytes)?;
    if !value.get("image").is_some_and(Value::is_object) {
        return Err(field(name, "image", "a mapping with repository and tag"));
    }
    let mut collector = Collector::new(name);
    walk(name, &value, "", &mut collector)?;
    let mut import = collector.finish("values of Cilium's chart")?;
    import.version = text(&value, "/image/tag").and_then(|tag| tag.parse().ok());
    Ok(import)
}

fn walk(
    name: &str,
    value: &Value,
    path: &str,
    collector: &mut Collector<'_>,
) -> Result<(), ImportError> {
    let Some(map) = value.as_object() else {
        return Ok(());
    };
    if map.get("repository").is_some_and(Value::is_string) {
        return image(name, value, path, collector);
    }
    if map.contains_key("useDigest") {
        return Err(field(name, format!("{path}.repository"), "a repository"));
    }
    for (key, inner) in map {
        let below = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        walk(name, inner, &below, collector)?;
    }
    Ok(())
}

fn image(
    name: &str,
    value: &Value,
    path: &str,
    collector: &mut Collector<'_>,
) -> Result<(), ImportError> {
    if let Some(whole) = text(value, "/override") {
        return collector.add(whole);
    }
    // An empty repository stands for an image that the user of the chart has to name.
    let Some(repository) = text(value, "/repository") else {
        return Ok(());
    };
    if path != "operator.image" {
        let ending = ending(name, value, path, "digest")?;
        return collector.add(&format!("{repository}{ending}"));
    }
    let suffix = text(value, "/suffix").unwrap_or_default();
    for cloud in OPERATORS {
        let ending = ending(name, value, path, &format!("{cloud}Digest"))?;
        collector.add(&format!("{repository}-{cloud}{suffix}{ending}"))?;
    }
    Ok(())
}

/// What follows the repository: `:tag`, `@digest` or both.
fn ending(name: &str, value: &Value, path: &str, digest_key: &str) -> Result<String, ImportError> {
    let tag = text(value, "/tag").map(|tag| format!(":{tag}"));
    let pinned = value.get("useDigest").and_then(Value::as_bool);
    if pinned != Some(true) {
        let missing = || {
            field(
                name,
                format!("{path}.tag"),
                "a text, since no digest is used",
            )
        };
        return tag.ok_or_else(missing);
    }
    let digest = text(value, &format!("/{digest_key}")).ok_or_else(|| {
        field(
            name,
            format!("{path}.{digest_key}"),
            "a digest, since useDigest is true",
        )
    })?;
    Ok(format!("{}@{digest}", tag.unwrap_or_default()))
}

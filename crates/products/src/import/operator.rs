//! What Calico's operator says about itself: the output of `operator --print-images=list`, and
//! `config/calico_versions.yml`.

use serde_json::Value;

use super::collector::{Collector, Import, ImportError, field, refuse_template};
use super::lists::is_enterprise;
use super::versions::component_image;
use crate::version::Version;

/// A printed list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printed {
    /// The open source images; the operator's own version is read from its own line.
    pub import: Import,
    /// The number of lines with Calico Enterprise images, which are never pulled.
    pub enterprise: usize,
}

/// The output of `operator --print-images=list` or `=listcalico`: one reference on each line, among
/// noise of the form `Failed to read …`. Enterprise images are counted and excluded.
///
/// # Errors
/// If a line is neither a reference nor known noise, or if there is no line with the operator, so that the
/// output was truncated.
pub fn print_images(name: &str, bytes: &[u8]) -> Result<Printed, ImportError> {
    let text = String::from_utf8_lossy(bytes);
    let mut collector = Collector::new(name);
    let mut enterprise = 0;
    // The open source provisioner had versions of its own (v1.1.x) and moved to calico/ in v3.28.
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    for line in lines {
        if line.starts_with("Failed to read") || line.contains(' ') {
            continue;
        }
        let reference: sealift_oci::Reference =
            line.parse().map_err(|source| ImportError::Reference {
                name: name.to_owned(),
                source,
            })?;
        let own_version = reference.tag().is_some_and(|tag| tag.starts_with("v1.1."));
        if is_enterprise(&reference, own_version) {
            enterprise += 1;
        } else {
            collector.add_reference(reference);
        }
    }
    let mut import = collector.finish("the image list that the operator prints")?;
    let operator = import
        .images
        .iter()
        .find(|image| image.repository() == "tigera/operator");
    let operator = operator.ok_or_else(|| {
        field(
            name,
            "tigera/operator",
            "the operator's own line; the output was truncated",
        )
    })?;
    import.operator = operator.tag().and_then(|tag| tag.parse::<Version>().ok());
    let node = import
        .images
        .iter()
        .find(|image| image.repository().ends_with("calico/node"));
    import.version = node.and_then(|node| node.tag()?.parse::<Version>().ok());
    Ok(Printed { import, enterprise })
}

/// The operator's `config/calico_versions.yml` (or `common_versions.yml`): `title` and a version for
/// every component, by keys that are not image names. `registry` is the operator's default, which is
/// not in this file.
///
/// # Errors
/// If it is not such a file.
pub fn calico_versions(name: &str, bytes: &[u8], registry: &str) -> Result<Import, ImportError> {
    refuse_template(name, bytes)?;
    let value = sealift_yaml::document(name, bytes)?;
    let components = value
        .get("components")
        .and_then(Value::as_object)
        .ok_or_else(|| field(name, "components", "a mapping of components"))?;
    let mut collector = Collector::new(name);
    for (key, component) in components {
        let version = component.get("version").and_then(Value::as_str);
        let version =
            version.ok_or_else(|| field(name, format!("components.{key}.version"), "a version"))?;
        let named = component.get("image").and_then(Value::as_str);
        let registry = component
            .get("registry")
            .and_then(Value::as_str)
            .unwrap_or(registry);
        match named.or_else(|| component_image(key)) {
            Some(image) => {
                let registry = if image.starts_with("tigera/") {
                    "quay.io"
                } else {
                    registry
                };
                collector.add_parts(registry, image, version)?;
            }
            // A library, not an image.
            None if key == "libcalico-go" => {}
            None => collector.unknown(key),
        }
    }
    let mut import = collector.finish("config/calico_versions.yml of tigera/operator")?;
    import.version = value
        .get("title")
        .and_then(Value::as_str)
        .and_then(|title| title.parse().ok());
    Ok(import)
}

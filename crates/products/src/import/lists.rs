//! Image lists, `metadata.yaml`, and what the caller found in manifests.

use sealift_oci::Reference;
use serde_json::Value;

use super::collector::{Collector, Import, ImportError, field};

/// One reference on each line; blank lines and `#` comments are skipped. k3s, RKE2, kubeadm, cert-manager and
/// others publish such lists.
///
/// # Errors
/// If a line is not a reference, or there is none.
pub fn image_list(name: &str, bytes: &[u8]) -> Result<Import, ImportError> {
    let text = String::from_utf8_lossy(bytes);
    let mut collector = Collector::new(name);
    for line in text.lines().map(str::trim) {
        if !line.is_empty() && !line.starts_with('#') {
            collector.add(line)?;
        }
    }
    collector.finish("one image reference on each line")
}

/// The references that the caller found in a manifest, whose syntax this crate does not know: tags that move
/// and placeholders are separated.
pub fn manifest_references<'t>(
    name: &str,
    references: impl IntoIterator<Item = &'t str>,
) -> Result<Import, ImportError> {
    let mut collector = Collector::new(name);
    for text in references {
        collector.add(text)?;
    }
    Ok(collector.into_import())
}

/// Calico's release asset `metadata.yaml`: `version`, `operatorVersion`, `images`. Images without a
/// registry are on Docker Hub (up to v3.30).
///
/// # Errors
/// If it is not such a file.
pub fn release_metadata(name: &str, bytes: &[u8]) -> Result<Import, ImportError> {
    let value = sealift_yaml::document(name, bytes)?;
    let images = value
        .get("images")
        .and_then(Value::as_array)
        .ok_or_else(|| field(name, "images", "a list of references"))?;
    let mut collector = Collector::new(name);
    for image in images {
        let text = image
            .as_str()
            .ok_or_else(|| field(name, "images", "texts"))?;
        collector.add(text)?;
    }
    let mut import = collector.finish("a metadata.yaml of a Calico release")?;
    let version = |key: &str| -> Result<_, ImportError> {
        let text = value.get(key).and_then(Value::as_str);
        let text = text.ok_or_else(|| field(name, key, "a version"))?;
        Ok(Some(text.parse().map_err(|_| {
            field(name, key, "a version such as v3.32.1")
        })?))
    };
    import.version = version("version")?;
    import.operator = version("operatorVersion")?;
    Ok(import)
}

/// Whether an image belongs to Calico Enterprise, which needs a licence and a pull secret.
/// `calico/*`, `tigera/operator` and, before v3.28, `tigera/key-cert-provisioner` are open source.
pub(crate) fn is_enterprise(reference: &Reference, key_cert_is_open: bool) -> bool {
    let repository = reference.repository();
    match repository.split_once('/') {
        Some(("calico", _) | ("tigera", "operator")) => false,
        Some(("tigera", "key-cert-provisioner")) => !key_cert_is_open,
        Some(("tigera", _)) => true,
        _ => repository.contains("/tigera/"),
    }
}

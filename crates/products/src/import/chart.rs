//! Helm values of charts that compose an image from registry, repository and tag.

use serde_json::Value;

use super::collector::{Collector, Import, ImportError, field};

/// Values of the chart `tigera-operator`: the operator and, for `OpenShift`'s init container, calicoctl.
///
/// # Errors
/// If they are not such values.
pub fn tigera_operator_values(name: &str, bytes: &[u8]) -> Result<Import, ImportError> {
    let value = sealift_yaml::document(name, bytes)?;
    let text = |path: &str| text(&value, path);
    let missing = |path: &str| {
        field(
            name,
            path.trim_start_matches('/').replace('/', "."),
            "a text",
        )
    };
    let get = |path: &'static str| text(path).ok_or_else(|| missing(path));
    let mut collector = Collector::new(name);
    let version = get("/tigeraOperator/version")?;
    collector.add_parts(
        get("/tigeraOperator/registry")?,
        get("/tigeraOperator/image")?,
        version,
    )?;
    let calico = text("/calicoctl/tag");
    if let (Some(image), Some(tag)) = (text("/calicoctl/image"), calico) {
        collector.add(&format!("{image}:{tag}"))?;
    }
    let operator = version.parse().ok();
    let release = calico.and_then(|tag| tag.parse().ok());
    let mut import = collector.finish("values of the chart tigera-operator")?;
    import.operator = operator;
    import.version = release;
    Ok(import)
}

/// The images in the values of cert-manager's chart; `acmesolver` reaches the controller as an argument and
/// `startupapicheck` is a hook, so that rendered manifests can omit both.
const CERT_MANAGER: &[&str] = &[
    "/image",
    "/webhook/image",
    "/cainjector/image",
    "/acmesolver/image",
    "/startupapicheck/image",
];

/// Values of cert-manager's chart, of either form: complete repositories (up to v1.19), or `imageRegistry`,
/// `imageNamespace` and a name. `app_version` is the chart's `appVersion`, the tag of images that have
/// none.
///
/// # Errors
/// If they are not such values.
pub fn cert_manager_values(
    name: &str,
    bytes: &[u8],
    app_version: &str,
) -> Result<Import, ImportError> {
    let value = sealift_yaml::document(name, bytes)?;
    let mut collector = Collector::new(name);
    for pointer in CERT_MANAGER {
        let field_name = pointer.trim_start_matches('/').replace('/', ".");
        let Some(image) = value.pointer(pointer).filter(|image| image.is_object()) else {
            return Err(field(name, field_name, "a mapping with the image"));
        };
        let part = |key: &str| text(image, &format!("/{key}"));
        let repository = match part("repository") {
            Some(repository) => repository.to_owned(),
            None => composed(&value, part("name")).ok_or_else(|| {
                field(
                    name,
                    field_name,
                    "a repository, or a name with imageRegistry and imageNamespace beside it",
                )
            })?,
        };
        let registry = part("registry").map(|registry| format!("{registry}/"));
        let digest = part("digest").map(|digest| format!("@{digest}"));
        collector.add(&format!(
            "{}{repository}:{}{}",
            registry.unwrap_or_default(),
            part("tag").unwrap_or(app_version),
            digest.unwrap_or_default()
        ))?;
    }
    let mut import = collector.finish("values of cert-manager's chart")?;
    import.version = app_version.parse().ok();
    Ok(import)
}

fn composed(value: &Value, image: Option<&str>) -> Option<String> {
    let registry = text(value, "/imageRegistry")?;
    let namespace = text(value, "/imageNamespace")?;
    Some(format!("{registry}/{namespace}/{}", image?))
}

/// The text at a JSON pointer, unless it is empty.
pub(super) fn text<'v>(value: &'v Value, pointer: &str) -> Option<&'v str> {
    value
        .pointer(pointer)?
        .as_str()
        .filter(|text| !text.is_empty())
}

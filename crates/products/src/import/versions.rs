//! The data behind Calico's documentation pages: `versions.yml` and `releases.json`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::collector::{Collector, Import, ImportError, field, refuse_template};

/// The image behind a component's key; keys are not image names, and they changed over the years.
pub(crate) fn component_image(key: &str) -> Option<&'static str> {
    Some(match key {
        "typha" | "calico/typha" => "calico/typha",
        "calicoctl" | "calico/ctl" => "calico/ctl",
        "node" | "calico/node" => "calico/node",
        "cni" | "calico/cni" => "calico/cni",
        "apiserver" | "calico/apiserver" => "calico/apiserver",
        "kube-controllers" | "calico/kube-controllers" => "calico/kube-controllers",
        "flexvol" | "calico/pod2daemon-flexvol" => "calico/pod2daemon-flexvol",
        "csi" | "csi-driver" | "calico/csi" => "calico/csi",
        "csi-node-driver-registrar" | "calico/node-driver-registrar" => {
            "calico/node-driver-registrar"
        }
        "dikastes" | "calico/dikastes" => "calico/dikastes",
        "windows" | "calico/windows" => "calico/windows",
        "windows-upgrade" | "calico/windows-upgrade" => "calico/windows-upgrade",
        "node-windows" | "calico/node-windows" => "calico/node-windows",
        "cni-windows" | "calico/cni-windows" => "calico/cni-windows",
        "flannel-migration-controller"
        | "flannelMigration"
        | "calico/flannel-migration-controller" => "calico/flannel-migration-controller",
        "key-cert-provisioner" | "calico/key-cert-provisioner" => "calico/key-cert-provisioner",
        "goldmane" | "calico/goldmane" => "calico/goldmane",
        "whisker" | "calico/whisker" => "calico/whisker",
        "whisker-backend" | "calico/whisker-backend" => "calico/whisker-backend",
        "guardian" | "calico/guardian" => "calico/guardian",
        "webhooks" | "calico/webhooks" => "calico/webhooks",
        "envoy-gateway" | "calico/envoy-gateway" => "calico/envoy-gateway",
        "envoy-proxy" | "calico/envoy-proxy" => "calico/envoy-proxy",
        "envoy-ratelimit" | "calico/envoy-ratelimit" => "calico/envoy-ratelimit",
        "istio-pilot" | "calico/istio-pilot" => "calico/istio-pilot",
        "istio-install-cni" | "calico/istio-install-cni" => "calico/istio-install-cni",
        "istio-ztunnel" | "calico/istio-ztunnel" => "calico/istio-ztunnel",
        "istio-proxyv2" | "calico/istio-proxyv2" => "calico/istio-proxyv2",
        "calico" | "calico/calico" => "calico/calico",
        "third-party-cni-plugins" | "calico/third-party-cni-plugins" => {
            "calico/third-party-cni-plugins"
        }
        "test-signer" | "calico/test-signer" => "calico/test-signer",
        _ => return None,
    })
}

/// Keys of components that are not images, or not Calico's: libraries, and flannel, whose registry only
/// releases.json names.
const NO_IMAGES: &[&str] = &[
    "networking-calico",
    "libcalico-go",
    "calico-upgrade",
    "pilot-webhook",
    "flannel",
];

/// The image that the documentation's template shows for a component's key; the page silently omits a key
/// that is not here.
pub type PageNames = BTreeMap<String, String>;

/// The releases in `versions.yml` of the documentation up to v3.25, newest first. Images have no
/// registry there, which means Docker Hub. With the `imageNames` of the page's configuration the result
/// is what the page shows; without them, what the data contains.
///
/// # Errors
/// If it is not such a file.
pub fn versions_yml(
    name: &str,
    bytes: &[u8],
    page: Option<&PageNames>,
) -> Result<Vec<Import>, ImportError> {
    releases(name, bytes, page, "versions.yml of Calico's documentation")
}

/// The releases in `releases.json` of the documentation from v3.26 on, newest first; `page` as for
/// [`versions_yml`].
///
/// # Errors
/// If it is not such a file.
pub fn releases_json(
    name: &str,
    bytes: &[u8],
    page: Option<&PageNames>,
) -> Result<Vec<Import>, ImportError> {
    releases(name, bytes, page, "releases.json of Calico's documentation")
}

/// The `imageNames` of the documentation's `_config.yml` (those of `defaults`, which the page uses).
///
/// # Errors
/// If it is not such a file.
pub fn page_names_yml(name: &str, bytes: &[u8]) -> Result<PageNames, ImportError> {
    let value = sealift_yaml::document(name, bytes)?;
    let names = value
        .pointer("/defaults/0/values/imageNames")
        .and_then(Value::as_object);
    let names = names.ok_or_else(|| field(name, "defaults[0].values.imageNames", "a mapping"))?;
    let pairs = names
        .iter()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
    Ok(pairs.collect())
}

/// The `imageNames` of the documentation's `variables.js`.
///
/// # Errors
/// If there are none.
pub fn page_names_js(name: &str, bytes: &[u8]) -> Result<PageNames, ImportError> {
    let text = String::from_utf8_lossy(bytes);
    let (_, rest) = text
        .split_once("imageNames: {")
        .ok_or_else(|| field(name, "imageNames", "an object"))?;
    let (body, _) = rest
        .split_once('}')
        .ok_or_else(|| field(name, "imageNames", "an object that ends"))?;
    let quotes = |text: &str| text.trim().trim_matches(['\'', '"']).to_owned();
    let pairs = body.split(',').filter_map(|pair| pair.split_once(':'));
    Ok(pairs
        .map(|(key, value)| (quotes(key), quotes(value)))
        .collect())
}

fn releases(
    name: &str,
    bytes: &[u8],
    page: Option<&PageNames>,
    expected: &'static str,
) -> Result<Vec<Import>, ImportError> {
    refuse_template(name, bytes)?;
    let value = sealift_yaml::document(name, bytes)?;
    let entries = value.as_array().filter(|entries| !entries.is_empty());
    let entries = entries.ok_or_else(|| field(name, "(top)", "a list of releases"))?;
    let releases = entries
        .iter()
        .map(|entry| release(name, entry, page, expected));
    releases.collect()
}

fn release(
    name: &str,
    entry: &Value,
    page: Option<&PageNames>,
    expected: &'static str,
) -> Result<Import, ImportError> {
    let title = entry.get("title").and_then(Value::as_str);
    let title = title.ok_or_else(|| field(name, "title", "a version"))?;
    let mut collector = Collector::new(name);
    let operator = entry.get("tigera-operator");
    let operator_version = text(operator, "version");
    if let Some(version) = operator_version {
        let image = text(operator, "image").unwrap_or("tigera/operator");
        let registry = text(operator, "registry").unwrap_or("quay.io");
        collector.add_parts(registry, image, version)?;
    }
    let components = entry.get("components").and_then(Value::as_object);
    let components =
        components.ok_or_else(|| field(name, format!("{title}: components"), "a mapping"))?;
    for (key, component) in components {
        let component = Some(component);
        let version = text(component, "version").ok_or_else(|| {
            field(
                name,
                format!("{title}: components.{key}.version"),
                "a version",
            )
        })?;
        let registry = text(component, "registry").unwrap_or("docker.io");
        let image = match page {
            Some(names) => match names.get(key) {
                // The page's template excludes flannel, by the key's name.
                Some(image) if !key.contains("flannel") => Some(image.as_str()),
                _ => continue,
            },
            None => text(component, "image").or_else(|| component_image(key)),
        };
        match image {
            Some(image) => collector.add_parts(registry, image, version)?,
            None if NO_IMAGES.contains(&key.as_str()) => {}
            None => collector.unknown(format!("{title}: {key}")),
        }
    }
    let mut import = collector.finish(expected)?;
    import.version = title.parse().ok();
    import.operator = operator_version.and_then(|version| version.parse().ok());
    Ok(import)
}

fn text<'v>(value: Option<&'v Value>, key: &str) -> Option<&'v str> {
    value?.get(key)?.as_str()
}

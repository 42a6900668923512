//! The data behind Calico's documentation pages: `versions.yml` and `releases.json`.

use serde_json::Value;

use super::{Collector, Import, ImportError, field, refuse_template};
use crate::read_yaml_one;

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

/// Keys of components that are no images, or not Calico's: libraries, and flannel, whose registry the
/// file does not give before releases.json.
const NO_IMAGES: &[&str] = &[
    "networking-calico",
    "libcalico-go",
    "calico-upgrade",
    "pilot-webhook",
    "flannel",
];

/// The releases in `versions.yml` of the documentation up to v3.25, newest first. Images have no
/// registry there, which means Docker Hub.
///
/// # Errors
/// Where it is not such a file.
pub fn versions_yml(name: &str, bytes: &[u8]) -> Result<Vec<Import>, ImportError> {
    releases(name, bytes, "versions.yml of Calico's documentation")
}

/// The releases in `releases.json` of the documentation from v3.26 on, newest first.
///
/// # Errors
/// Where it is not such a file.
pub fn releases_json(name: &str, bytes: &[u8]) -> Result<Vec<Import>, ImportError> {
    releases(name, bytes, "releases.json of Calico's documentation")
}

fn releases(name: &str, bytes: &[u8], expected: &'static str) -> Result<Vec<Import>, ImportError> {
    refuse_template(name, bytes)?;
    let value = read_yaml_one(name, bytes)?;
    let entries = value.as_array().filter(|entries| !entries.is_empty());
    let entries = entries.ok_or_else(|| field(name, "(top)", "a list of releases"))?;
    entries
        .iter()
        .map(|entry| release(name, entry, expected))
        .collect()
}

fn release(name: &str, entry: &Value, expected: &'static str) -> Result<Import, ImportError> {
    let title = entry.get("title").and_then(Value::as_str);
    let title = title.ok_or_else(|| field(name, "title", "a version"))?;
    let mut collector = Collector::new(name);
    let operator = entry.get("tigera-operator");
    let text = |value: Option<&Value>, key: &str| value?.get(key)?.as_str().map(str::to_owned);
    let operator_version = text(operator, "version");
    if let Some(version) = &operator_version {
        let image = text(operator, "image").unwrap_or_else(|| "tigera/operator".to_owned());
        let registry = text(operator, "registry").unwrap_or_else(|| "quay.io".to_owned());
        collector.add_parts(&registry, &image, version)?;
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
        let image = text(component, "image");
        let registry = text(component, "registry").unwrap_or_else(|| "docker.io".to_owned());
        match image.as_deref().or_else(|| component_image(key)) {
            Some(image) => collector.add_parts(&registry, image, &version)?,
            None if NO_IMAGES.contains(&key.as_str()) => {}
            None => collector.unknown(format!("{title}: {key}")),
        }
    }
    let mut import = collector.finish(expected)?;
    import.version = title.parse().ok();
    import.operator = operator_version.and_then(|version| version.parse().ok());
    Ok(import)
}

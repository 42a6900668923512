//! Istio's charts: hub, tag and image name in three fields, with a variant at the end of the tag.

use serde_json::Value;

use super::chart::text;
use super::collector::{Collector, Import, ImportError, field};

/// Hub and tag of the charts in the source tree, which upstream replaces for a release.
const DEVELOPMENT: &[&str] = &[
    "registry.istio.io/testing",
    "gcr.io/istio-testing",
    "latest",
];

/// Values of one of Istio's charts (istiod, cni, ztunnel): the chart's own image, and what istiod
/// injects. `hub` and `tag` are those of the release; a file with others keeps its own.
///
/// # Errors
/// If they are not such values, or a name is missing.
pub fn istio_values(name: &str, bytes: &[u8], hub: &str, tag: &str) -> Result<Import, ImportError> {
    let value = sealift_yaml::document(name, bytes)?;
    let inner = value
        .get("_internal_defaults_do_not_set")
        .or_else(|| value.get("defaults"));
    let value = inner.unwrap_or(&value);
    let mut collector = Collector::new(name);
    let own = Parts::of(value, &["", "/global"], hub, tag);
    own.add(name, value, "/image", &mut collector)?;
    // Sidecars and gateways do not use the chart's own hub, tag and variant.
    let injected = Parts::of(value, &["/global"], hub, tag);
    for pointer in ["/global/proxy", "/global/proxy_init"] {
        if value.pointer(pointer).is_some() {
            injected.add(name, value, &format!("{pointer}/image"), &mut collector)?;
        }
    }
    let mut import = collector.finish("values of one of Istio's charts")?;
    import.version = own.tag.parse().ok();
    Ok(import)
}

/// The parts of a reference around an image's name.
struct Parts {
    hub: String,
    tag: String,
    variant: Option<String>,
}

impl Parts {
    /// The first value at one of `pointers`.
    fn of(value: &Value, pointers: &[&str], hub: &str, tag: &str) -> Self {
        let first = |key: &str| {
            let mut found = pointers
                .iter()
                .filter_map(|pointer| text(value, &format!("{pointer}/{key}")));
            found.next()
        };
        let released = |key, release: &str| {
            let found = first(key).filter(|found| !DEVELOPMENT.contains(found));
            found.unwrap_or(release).to_owned()
        };
        Self {
            hub: released("hub", hub),
            tag: released("tag", tag),
            variant: first("variant").map(str::to_owned),
        }
    }

    /// The image whose name is at `pointer`; a name with a `/` is a complete reference.
    fn add(
        &self,
        name: &str,
        value: &Value,
        pointer: &str,
        collector: &mut Collector<'_>,
    ) -> Result<(), ImportError> {
        let image = text(value, pointer).filter(|image| *image != "auto");
        let image = image.ok_or_else(|| {
            field(
                name,
                pointer.trim_start_matches('/').replace('/', "."),
                "an image's name; `auto` is filled in by istiod, whose values have it",
            )
        })?;
        if image.contains('/') {
            return collector.add(image);
        }
        let variant = self.variant.as_ref().map(|variant| format!("-{variant}"));
        collector.add(&format!(
            "{}/{image}:{}{}",
            self.hub,
            self.tag,
            variant.unwrap_or_default()
        ))
    }
}

//! Istio's charts: hub, tag and the image's name in three places, with a variant at the tag's end.

use serde_json::Value;

use super::chart::text;
use super::collector::{Collector, Import, ImportError, field};
use crate::yaml::read_yaml_one;

/// What the charts in the source tree have for hub and tag, and upstream replaces when it releases them.
const DEVELOPMENT: &[&str] = &[
    "registry.istio.io/testing",
    "gcr.io/istio-testing",
    "latest",
];

/// Values of one of Istio's charts (istiod, cni, ztunnel): the chart's own image, and what istiod
/// injects. `hub` and `tag` are those of the release; a file with others keeps its own.
///
/// # Errors
/// Where they are no such values, or a name is missing.
pub fn istio_values(name: &str, bytes: &[u8], hub: &str, tag: &str) -> Result<Import, ImportError> {
    let value = read_yaml_one(name, bytes)?;
    let inner = value
        .get("_internal_defaults_do_not_set")
        .or_else(|| value.get("defaults"));
    let value = inner.unwrap_or(&value);
    let mut collector = Collector::new(name);
    let own = Parts::of(value, &["", "/global"], hub, tag);
    own.add(name, value, "/image", &mut collector)?;
    // Sidecars and gateways know nothing of the chart's own hub, tag and variant.
    let injected = Parts::of(value, &["/global"], hub, tag);
    for place in ["/global/proxy", "/global/proxy_init"] {
        if value.pointer(place).is_some() {
            injected.add(name, value, &format!("{place}/image"), &mut collector)?;
        }
    }
    let mut import = collector.finish("values of one of Istio's charts")?;
    import.version = own.tag.parse().ok();
    Ok(import)
}

/// What an image's name is put between.
struct Parts {
    hub: String,
    tag: String,
    variant: Option<String>,
}

impl Parts {
    /// The first that is given at one of `places`.
    fn of(value: &Value, places: &[&str], hub: &str, tag: &str) -> Self {
        let first = |key: &str| {
            let mut found = places
                .iter()
                .filter_map(|place| text(value, &format!("{place}/{key}")));
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

    /// The image whose name is at `place`; a name with a `/` is a whole reference.
    fn add(
        &self,
        name: &str,
        value: &Value,
        place: &str,
        collector: &mut Collector<'_>,
    ) -> Result<(), ImportError> {
        let image = text(value, place).filter(|image| *image != "auto");
        let image = image.ok_or_else(|| {
            field(
                name,
                place.trim_start_matches('/').replace('/', "."),
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

//! Istio's charts: hub, tag and the image's name in three places, with a variant at the tag's end.

use serde_json::Value;

use super::chart::text;
use super::{Collector, Import, ImportError, field};
use crate::read_yaml_one;

/// Where an image's name can be; a value with a `/` is a whole reference.
const NAMES: &[&str] = &["/image", "/global/proxy/image", "/global/proxy_init/image"];

/// Values of one of Istio's charts (istiod, cni, ztunnel, gateway). `hub` and `tag` are those of the
/// release: the charts in the source tree say `testing` and `latest`, published ones the release's.
/// `image: auto` of the gateway stands for what istiod injects and names nothing by itself.
///
/// # Errors
/// Where they are no such values.
pub fn istio_values(name: &str, bytes: &[u8], hub: &str, tag: &str) -> Result<Import, ImportError> {
    let value = read_yaml_one(name, bytes)?;
    let inner = value
        .get("_internal_defaults_do_not_set")
        .or_else(|| value.get("defaults"));
    let value = inner.unwrap_or(&value);
    let variant = variant(value);
    let mut collector = Collector::new(name);
    let mut automatic = false;
    for place in NAMES {
        match text(value, place) {
            Some("auto") => automatic = true,
            Some(whole) if whole.contains('/') => collector.add(whole)?,
            Some(image) => collector.add(&format!("{hub}/{image}:{tag}{variant}"))?,
            None => {}
        }
    }
    if automatic && collector.is_empty() {
        return Err(field(
            name,
            "image",
            "a name; `auto` is filled in by istiod, whose values name the image",
        ));
    }
    let mut import = collector.finish("values of one of Istio's charts")?;
    import.version = tag.parse().ok();
    Ok(import)
}

fn variant(value: &Value) -> String {
    ["/variant", "/global/variant"]
        .iter()
        .find_map(|place| text(value, place))
        .map(|variant| format!("-{variant}"))
        .unwrap_or_default()
}

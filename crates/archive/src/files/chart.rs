//! What of a Helm chart's package goes into its manifest: `Chart.yaml`, read out of the compressed tar.

use std::io::Read;

use flate2::read::MultiGzDecoder;
use serde_json::{Map, Value};

use sealift_yaml::{Scalars, document_with};

/// How far into the opened package `Chart.yaml` is looked for; `helm package` writes it first.
const MAX_OPENED_BYTES: u64 = 64 << 20;
/// The most bytes of `Chart.yaml`.
const MAX_YAML_BYTES: u64 = 1 << 20;

/// The fields of Helm's `chart.Metadata`, which its config consists of (Helm, "OCI Image Support").
const FIELDS: [&str; 17] = [
    "annotations",
    "apiVersion",
    "appVersion",
    "condition",
    "dependencies",
    "deprecated",
    "description",
    "home",
    "icon",
    "keywords",
    "kubeVersion",
    "maintainers",
    "name",
    "sources",
    "tags",
    "type",
    "version",
];

/// What `Chart.yaml` says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chart {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) description: Option<String>,
    /// The config blob: the metadata as JSON.
    pub(super) config: Vec<u8>,
}

/// Reads the chart in `package`; none where it is no chart's package, an error where it is one that Helm
/// would not take.
pub(super) fn read(package: impl Read) -> Result<Option<Chart>, String> {
    match chart_yaml(package) {
        Some(text) => parse(&text).map(Some),
        None => Ok(None),
    }
}

/// The content of `NAME/Chart.yaml`. A subchart's lies deeper.
fn chart_yaml(package: impl Read) -> Option<String> {
    let opened = MultiGzDecoder::new(package).take(MAX_OPENED_BYTES);
    let mut archive = tar::Archive::new(opened);
    for entry in archive.entries().ok()? {
        let entry = entry.ok()?;
        let path = entry.path_bytes().into_owned();
        let path = path.strip_prefix(b"./").unwrap_or(&path);
        let mut components = path.split(|byte| *byte == b'/');
        let place = (components.next(), components.next(), components.next());
        if let (Some(folder), Some(b"Chart.yaml"), None) = place
            && !folder.is_empty()
            && entry.header().entry_type().is_file()
        {
            let mut text = String::new();
            let read = entry
                .take(MAX_YAML_BYTES + 1)
                .read_to_string(&mut text)
                .ok()?;
            return (read as u64 <= MAX_YAML_BYTES).then_some(text);
        }
    }
    None
}

fn parse(text: &str) -> Result<Chart, String> {
    let document = document_with("Chart.yaml", text.as_bytes(), Scalars::Text);
    let Value::Object(fields) = document.map_err(|error| error.fault.to_string())? else {
        return Err("not a mapping".to_owned());
    };
    let text_of = |key: &str| match fields.get(key) {
        Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
        _ => None,
    };
    let name = text_of("name").ok_or("no name")?;
    let version = text_of("version").ok_or("no version")?;
    let description = text_of("description");
    let metadata: Map<String, Value> = FIELDS
        .iter()
        .filter_map(|key| Some(((*key).to_owned(), field(key, fields.get(*key)?.clone())?)))
        .collect();
    let config = serde_json::to_vec(&metadata).map_err(|error| error.to_string())?;
    Ok(Chart {
        name,
        version,
        description,
        config,
    })
}

/// A field in the kind that Helm expects: text everywhere, truth values in two places.
fn field(key: &str, value: Value) -> Option<Value> {
    match (key, value) {
        (_, Value::Null) => None,
        ("deprecated" | "enabled", Value::String(text)) => Some(Value::Bool(text == "true")),
        ("dependencies", Value::Array(items)) => {
            Some(Value::Array(items.into_iter().map(dependency).collect()))
        }
        (_, value) => Some(value),
    }
}

fn dependency(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.into_iter();
            Value::Object(
                fields
                    .filter_map(|(key, value)| field(&key, value).map(|value| (key, value)))
                    .collect(),
            )
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    fn package(files: &[(&str, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (path, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            builder
                .append_data(&mut header, path, content.as_bytes())
                .unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap()
    }

    #[test]
    fn the_charts_own_metadata_becomes_the_config() {
        let subchart = ("app/charts/sub/Chart.yaml", "name: sub\nversion: 9.9.9\n");
        let own = (
            "app/Chart.yaml",
            "apiVersion: v2\nname: app\nversion: 1.10\ndeprecated: true\nunknown: x\nhome:\ndependencies:\n- name: sub\n  enabled: true\n",
        );
        let chart = read(package(&[subchart, own]).as_slice()).unwrap().unwrap();
        assert_eq!(
            (chart.name.as_str(), chart.version.as_str()),
            ("app", "1.10")
        );
        assert_eq!(
            String::from_utf8(chart.config).unwrap(),
            r#"{"apiVersion":"v2","dependencies":[{"enabled":true,"name":"sub"}],"deprecated":true,"name":"app","version":"1.10"}"#
        );
    }

    #[test]
    fn other_packages_are_no_charts_and_a_chart_without_a_name_is_a_fault() {
        assert_eq!(read(package(&[("a/b", "x")]).as_slice()), Ok(None));
        assert_eq!(read(&b"\x1f\x8bnonsense"[..]), Ok(None));
        assert!(read(package(&[("a/Chart.yaml", "version: 1")]).as_slice()).is_err());
        assert!(read(package(&[("a/Chart.yaml", "- a")]).as_slice()).is_err());
    }
}

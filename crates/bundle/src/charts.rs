//! Helm charts from registries and chart repositories: the package's bytes, checked as far as their origin says
//! what they should be.

use std::io::Read as _;

use sealift_oci::{Digest, Reference, media_type};
use sealift_pipeline::VerifyingReader;
use sealift_registry::{Client, RegistryError, resolve_url};
use serde_json::Value;

use crate::mirrors::{FileLocation, Mirrors};

/// No chart's package is larger; Helm's own limit is 20 MiB of templates.
const MAX_PACKAGE_BYTES: u64 = 64 << 20;
/// No repository's index is larger.
const MAX_INDEX_BYTES: u64 = 64 << 20;

/// Why a chart cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChartError {
    /// A registry or server did not give what was requested.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// It is something else than a chart.
    #[error("{what}: {reason}")]
    Invalid {
        /// What was read.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// A chart in a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PulledChart {
    /// The digest of its manifest.
    pub digest: Digest,
    /// The package.
    pub package: Vec<u8>,
}

/// Pulls a chart's package from the first of `locations` that has it; the chart itself is bundled like an image.
///
/// # Errors
/// If no location has it, or it is not a chart.
pub fn pull_chart(locations: &[Reference], client: &Client) -> Result<PulledChart, ChartError> {
    let mut first = None;
    for location in locations {
        match pull(location, client) {
            Err(ChartError::Registry(error)) if !error.is_cancelled() => {
                first.get_or_insert(ChartError::Registry(error));
            }
            result => return result,
        }
    }
    Err(first.unwrap_or_else(|| ChartError::Invalid {
        what: "the chart".to_owned(),
        reason: "it has no location".to_owned(),
    }))
}

fn pull(location: &Reference, client: &Client) -> Result<PulledChart, ChartError> {
    let invalid = |reason: String| ChartError::Invalid {
        what: location.to_string(),
        reason,
    };
    let repository = client.repository(location.registry(), location.repository())?;
    let manifest = repository.manifest(&location.selector())?;
    let mut layers = manifest.layers().iter();
    let layer = layers
        .find(|layer| layer.media_type == media_type::HELM_CHART)
        .ok_or_else(|| invalid("it is not a Helm chart".to_owned()))?;
    if layer.size > MAX_PACKAGE_BYTES {
        let reason = format!("the package has more than {MAX_PACKAGE_BYTES} bytes");
        return Err(invalid(reason));
    }
    let body = repository.blob(layer, 0)?;
    let mut package = Vec::new();
    VerifyingReader::new(body.reader, layer.digest, layer.size)
        .read_to_end(&mut package)
        .map_err(|error| invalid(error.to_string()))?;
    Ok(PulledChart {
        digest: *manifest.digest(),
        package,
    })
}

/// Downloads a chart's package from the chart repository at `url` or its mirrors; its digest is checked if the
/// repository's index has one.
///
/// # Errors
/// If no location has the chart in this version, or the package is another.
pub fn download_chart(
    url: &str,
    name: &str,
    version: &str,
    mirrors: &Mirrors,
    client: &Client,
) -> Result<Vec<u8>, ChartError> {
    let index_url = format!("{}/index.yaml", url.trim_end_matches('/'));
    let index = download(&index_url, MAX_INDEX_BYTES, mirrors, client)?;
    let entry = entry(&index_url, &index, name, version)?;
    let package = download(&entry.url, MAX_PACKAGE_BYTES, mirrors, client)?;
    let actual = Digest::sha256(&package);
    match entry.digest {
        Some(expected) if expected != actual => Err(ChartError::Invalid {
            what: entry.url,
            reason: format!("the package has digest {actual}, not {expected} as its index says"),
        }),
        _ => Ok(package),
    }
}

/// Downloads a file from the first of its locations that has it.
fn download(
    url: &str,
    limit: u64,
    mirrors: &Mirrors,
    client: &Client,
) -> Result<Vec<u8>, RegistryError> {
    let mut first = None;
    for location in mirrors.file_locations(url) {
        let downloaded = match &location {
            FileLocation::Url(url) => client.download(url, limit),
            FileLocation::Mirror { host, path } => client.download_from(host, path, limit),
        };
        match downloaded {
            Err(error) if !error.is_cancelled() => {
                first.get_or_insert(error);
            }
            result => return result,
        }
    }
    // There is always a location.
    first.map_or_else(|| client.download(url, limit), Err)
}

/// A chart in a repository's index.
#[derive(Debug, PartialEq, Eq)]
struct IndexEntry {
    url: String,
    digest: Option<Digest>,
}

fn entry(
    index_url: &str,
    index: &[u8],
    name: &str,
    version: &str,
) -> Result<IndexEntry, ChartError> {
    let invalid = |reason: String| ChartError::Invalid {
        what: index_url.to_owned(),
        reason,
    };
    let index = sealift_yaml::document_with("index", index, sealift_yaml::Scalars::Text)
        .map_err(|error| invalid(error.fault.to_string()))?;
    let versions = index["entries"][name].as_array();
    let versions = versions.ok_or_else(|| invalid(format!("it has no chart {name:?}")))?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let same = |entry: &&Value| {
        let there = entry["version"].as_str().unwrap_or_default();
        there.trim_start_matches('v') == version.trim_start_matches('v')
    };
    let exact = |entry: &&Value| entry["version"] == version;
    let found = versions.iter().find(exact);
    let found = found.or_else(|| versions.iter().find(same));
    let found = found.ok_or_else(|| {
        let known = versions.iter().filter_map(|entry| text(&entry["version"]));
        let known: Vec<String> = known.take(5).collect();
        let known = known.join(", ");
        invalid(format!(
            "{name} has no version {version} (the first ones are {known})"
        ))
    })?;
    let url = found["urls"][0].as_str();
    let url = url.and_then(|url| resolve_url(index_url, url));
    let digest = found["digest"].as_str().filter(|text| !text.is_empty());
    let digest = digest.map(|text| {
        let text = text.strip_prefix("sha256:").unwrap_or(text);
        let digest = format!("sha256:{text}").parse::<Digest>();
        digest.map_err(|error| invalid(format!("the digest of {name} {version}: {error}")))
    });
    Ok(IndexEntry {
        url: url.ok_or_else(|| invalid(format!("{name} {version} has no usable URL")))?,
        digest: digest.transpose()?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const URL: &str = "https://charts.example.com/stable/index.yaml";

    #[test]
    fn an_index_gives_the_url_and_the_digest_of_a_version() {
        let digest = Digest::sha256(b"package");
        let hex = digest.to_string().replace("sha256:", "");
        let index = format!(
            "apiVersion: v1\nentries:\n  app:\n  - version: 1.10\n    digest: {hex}\n    urls: [app-1.10.tgz]\n  - version: v1.9.0\n    urls: ['https://cdn.example.com/app.tgz']\n"
        );
        let get = |version| entry(URL, index.as_bytes(), "app", version);
        let first = get("1.10").unwrap();
        assert_eq!(first.url, "https://charts.example.com/stable/app-1.10.tgz");
        assert_eq!(first.digest, Some(digest));
        let second = get("1.9.0").unwrap();
        assert_eq!(second.url, "https://cdn.example.com/app.tgz");
        assert_eq!(second.digest, None);
        let missing = get("2.0.0").unwrap_err().to_string();
        assert!(missing.contains("has no version 2.0.0 (the first ones are 1.10, v1.9.0)"));
        let other = entry(URL, index.as_bytes(), "apq", "1").unwrap_err();
        assert!(other.to_string().contains("no chart \"apq\""), "{other}");
        assert!(entry(URL, b"[", "a", "1").is_err());
        assert!(entry(URL, b"entries: {a: [{version: 1}]}", "a", "1").is_err());
    }
}

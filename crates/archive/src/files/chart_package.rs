//! What a Helm chart's package says about the images of the chart: its name, versions and values.

use std::io::{self, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use serde_json::Value;

use sealift_yaml::{Scalars, document_with};

/// The most bytes of an opened package.
const MAX_OPENED_BYTES: u64 = 256 << 20;
/// The most bytes of one file that is kept.
const MAX_FILE_BYTES: u64 = 8 << 20;
/// The most values files: one for each chart and subchart.
const MAX_VALUES: usize = 200;
/// How many packages may be in each other.
const MAX_DEPTH: usize = 4;

/// Why a package cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChartPackageError {
    /// It is not a gzip-compressed tar.
    #[error("{name} is not a chart's package: {source}")]
    Read {
        /// The package.
        name: String,
        /// What the reader says.
        source: io::Error,
    },
    /// It has no usable `Chart.yaml`.
    #[error("{name} is not a chart's package: {reason}")]
    Chart {
        /// The package.
        name: String,
        /// What is wrong.
        reason: String,
    },
}

/// A Helm chart's package, as far as its images are concerned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChartPackage {
    /// The chart's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The version of what it installs.
    pub app_version: Option<String>,
    /// The values files of the chart and its subcharts, with their paths in the package.
    pub values: Vec<(String, Vec<u8>)>,
}

impl ChartPackage {
    /// Reads the package `bytes`; `name` is for messages.
    ///
    /// # Errors
    /// If it is not a chart's package.
    pub fn read(name: &str, bytes: &[u8]) -> Result<Self, ChartPackageError> {
        let mut found = Found::default();
        found
            .collect(bytes, "", 0)
            .map_err(|source| ChartPackageError::Read {
                name: name.to_owned(),
                source,
            })?;
        let invalid = |reason: String| ChartPackageError::Chart {
            name: name.to_owned(),
            reason,
        };
        let chart = found
            .chart
            .ok_or_else(|| invalid("it has no Chart.yaml".to_owned()))?;
        let chart = document_with("Chart.yaml", &chart, Scalars::Text)
            .map_err(|error| invalid(error.to_string()))?;
        let text = |key: &str| match chart.get(key) {
            Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
            _ => None,
        };
        let missing = |key: &str| invalid(format!("its Chart.yaml has no {key}"));
        Ok(Self {
            name: text("name").ok_or_else(|| missing("name"))?,
            version: text("version").ok_or_else(|| missing("version"))?,
            app_version: text("appVersion"),
            values: found.values,
        })
    }
}

#[derive(Default)]
struct Found {
    chart: Option<Vec<u8>>,
    values: Vec<(String, Vec<u8>)>,
}

impl Found {
    /// Collects from a package; `below` is the path of a subchart's package in the chart's.
    fn collect(&mut self, package: &[u8], below: &str, depth: usize) -> io::Result<()> {
        let opened = MultiGzDecoder::new(package).take(MAX_OPENED_BYTES);
        let mut archive = tar::Archive::new(opened);
        for entry in archive.entries()? {
            let entry = entry?;
            if !entry.header().entry_type().is_file() {
                continue;
            }
            let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let path = path.strip_prefix("./").unwrap_or(&path).to_owned();
            let parts: Vec<&str> = path.split('/').collect();
            let is_own = parts.len() == 2 && depth == 0;
            match parts.last().copied() {
                Some("Chart.yaml") if is_own => self.chart = content(entry)?,
                Some("values.yaml") if is_chart_folder(&parts) => {
                    if let Some(values) = content(entry)?
                        && self.values.len() < MAX_VALUES
                    {
                        self.values.push((format!("{below}{path}"), values));
                    }
                }
                Some(name) if is_package(&parts, name) && depth < MAX_DEPTH => {
                    if let Some(package) = content(entry)? {
                        self.collect(&package, &format!("{below}{path}!"), depth + 1)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Whether a file lies directly in the folder of a chart: `NAME/x` or `…/charts/NAME/x`.
fn is_chart_folder(parts: &[&str]) -> bool {
    matches!(parts, [_, _] | [.., "charts", _, _])
}

/// Whether a file is the package of a subchart.
fn is_package(parts: &[&str], name: &str) -> bool {
    let extension = Path::new(name).extension();
    extension.is_some_and(|extension| extension == "tgz")
        && parts.len() >= 3
        && parts[parts.len() - 2] == "charts"
}

/// The content of a file; `None` if it is larger than any that is read.
fn content(entry: impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let read = entry.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    Ok((read as u64 <= MAX_FILE_BYTES).then_some(bytes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    fn package(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (path, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, path, *content).unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap()
    }

    #[test]
    fn values_of_the_chart_and_its_subcharts_are_found() {
        let sub = package(&[
            ("sub/Chart.yaml", b"name: sub"),
            ("sub/values.yaml", b"b: 2"),
        ]);
        let bytes = package(&[
            (
                "app/Chart.yaml",
                b"name: app\nversion: 1.10\nappVersion: \"2.0\"\n",
            ),
            ("app/values.yaml", b"a: 1"),
            ("app/templates/values.yaml", b"no"),
            ("app/charts/near/values.yaml", b"c: 3"),
            ("app/charts/sub-1.tgz", &sub),
        ]);
        let chart = ChartPackage::read("app.tgz", &bytes).unwrap();
        assert_eq!(
            (chart.name.as_str(), chart.version.as_str()),
            ("app", "1.10")
        );
        assert_eq!(chart.app_version.as_deref(), Some("2.0"));
        let paths: Vec<&str> = chart.values.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "app/values.yaml",
                "app/charts/near/values.yaml",
                "app/charts/sub-1.tgz!sub/values.yaml"
            ]
        );
    }

    #[test]
    fn what_is_not_a_package_is_refused_by_name() {
        for bytes in [&b""[..], b"text", &package(&[("a/b", b"x")])] {
            let error = ChartPackage::read("x.tgz", bytes).unwrap_err();
            assert!(error.to_string().starts_with("x.tgz is not"), "{error}");
        }
    }
}

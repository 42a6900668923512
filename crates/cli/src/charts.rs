//! Helm charts on the command line: the chart is bundled, and the images that it names.
//!
//! Images come from what `helm template` prints, if helm is installed; else from the chart's values files, in
//! which a chart fills in tags of its own. What stays uncertain is reported either way.

mod helm;

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sealift_archive::{ChartPackage, ChartPackageError};
use sealift_bundle::{ChartError, FileLocation, FileRequest, Mirrors, download_chart, pull_chart};
use sealift_imagerefs::{Findings, find};
use sealift_oci::{Digest, Reference};
use sealift_pipeline::Cancel;
use sealift_registry::Client;
use sealift_request::Chart;
use tempfile::TempDir;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::hints;
use crate::sources::{SourceFile, read_input};

/// A chart that was requested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChartRequest {
    place: ChartPlace,
    /// Values files to render it with.
    pub(crate) values: Vec<PathBuf>,
}

/// Where a chart is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum ChartPlace {
    /// A package on disk.
    Package(PathBuf),
    /// An artifact in a registry.
    Registry(Reference),
    /// A version in a chart repository.
    Repository {
        url: String,
        name: String,
        version: String,
    },
}

/// A text that does not name a chart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChartFault(String);

impl fmt::Display for ChartFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = &self.0;
        write!(
            f,
            "{reason} (expected PACKAGE.tgz, oci://REGISTRY/CHART@VERSION or https://REPOSITORY/NAME@VERSION)"
        )
    }
}

impl std::error::Error for ChartFault {}

impl FromStr for ChartRequest {
    type Err = ChartFault;

    fn from_str(text: &str) -> Result<Self, ChartFault> {
        Ok(Self {
            place: text.parse()?,
            values: Vec::new(),
        })
    }
}

impl FromStr for ChartPlace {
    type Err = ChartFault;

    fn from_str(text: &str) -> Result<Self, ChartFault> {
        let no_version = || ChartFault(format!("{text:?} has no version"));
        if let Some(chart) = text.strip_prefix("oci://") {
            let (repository, version) = chart.rsplit_once('@').ok_or_else(no_version)?;
            return in_registry(repository, version);
        }
        if text.starts_with("https://") || text.starts_with("http://") {
            let (chart, version) = text.rsplit_once('@').ok_or_else(no_version)?;
            let (url, name) = chart.rsplit_once('/').ok_or_else(no_version)?;
            if name.is_empty() || url.ends_with('/') || url.contains('@') {
                return Err(ChartFault("the URL is malformed".to_owned()));
            }
            return Ok(Self::Repository {
                url: url.to_owned(),
                name: name.to_owned(),
                version: version.to_owned(),
            });
        }
        if text.is_empty() {
            return Err(ChartFault("there is no chart".to_owned()));
        }
        Ok(Self::Package(text.into()))
    }
}

/// A chart in a registry. Helm writes the `+` of a version, which no tag may have, as `_`.
fn in_registry(repository: &str, version: &str) -> Result<ChartPlace, ChartFault> {
    let tag = version.replace('+', "_");
    let reference = format!("{repository}:{tag}").parse();
    let reference =
        reference.map_err(|error: sealift_oci::ReferenceError| ChartFault(error.to_string()))?;
    Ok(ChartPlace::Registry(reference))
}

impl ChartRequest {
    /// The chart of a request file; `at` resolves its paths.
    pub(crate) fn of(chart: Chart, at: &dyn Fn(PathBuf) -> PathBuf) -> Result<Self, ChartFault> {
        let place = match (chart.repository, chart.version) {
            (Some(repository), Some(version)) => {
                let url = repository.trim_end_matches('/');
                format!("{url}/{}@{version}", chart.chart).parse()?
            }
            (None, Some(version)) if chart.chart.starts_with("oci://") => {
                in_registry(&chart.chart["oci://".len()..], &version)?
            }
            _ => match chart.chart.parse()? {
                ChartPlace::Package(path) => ChartPlace::Package(at(path)),
                place => place,
            },
        };
        Ok(Self {
            place,
            values: chart.values.into_iter().map(at).collect(),
        })
    }

    /// The chart as an entry of a request file.
    pub(crate) fn to_entry(&self) -> Chart {
        let chart = match &self.place {
            ChartPlace::Package(path) => Chart {
                chart: path.to_string_lossy().into_owned(),
                ..Chart::default()
            },
            ChartPlace::Registry(reference) => Chart {
                chart: format!("oci://{}", reference.name()),
                version: reference.tag().map(str::to_owned),
                ..Chart::default()
            },
            ChartPlace::Repository { url, name, version } => Chart {
                chart: name.clone(),
                repository: Some(url.clone()),
                version: Some(version.clone()),
                ..Chart::default()
            },
        };
        Chart {
            values: self.values.clone(),
            ..chart
        }
    }

    /// The registries and servers that are asked for it, for credentials.
    pub(crate) fn hosts(&self, mirrors: &Mirrors) -> Vec<String> {
        match &self.place {
            ChartPlace::Package(_) => Vec::new(),
            ChartPlace::Registry(reference) => match mirrors.locations(reference) {
                Ok(locations) => {
                    let hosts = locations.iter().map(Reference::registry);
                    hosts.map(str::to_owned).collect()
                }
                Err(_) => Vec::new(),
            },
            ChartPlace::Repository { url, .. } => {
                let locations = mirrors.file_locations(url).into_iter();
                let hosts = locations.map(|location| match location {
                    FileLocation::Mirror { host, .. } => host,
                    FileLocation::Url(url) => {
                        let host = url.split("://").nth(1).unwrap_or_default();
                        host.split('/').next().unwrap_or_default().to_owned()
                    }
                });
                hosts.collect()
            }
        }
    }
}

/// What charts add to a request.
#[derive(Default)]
pub(crate) struct Charts {
    /// Packages to carry.
    pub(crate) files: Vec<FileRequest>,
    /// Charts in registries, which are bundled like images, with the digests that were read.
    pub(crate) pulled: Vec<(Reference, Digest)>,
    /// The images.
    pub(crate) images: Vec<SourceFile>,
    /// What is uncertain about the images.
    pub(crate) warnings: Vec<String>,
    /// Downloaded packages; the folder ends with the value.
    folder: Option<TempDir>,
}

/// Reads `requests`. Packages from repositories are downloaded to `folder`, where they stay for a run that
/// resumes, or to a temporary folder.
///
/// # Errors
/// The first chart that cannot be had or read.
pub(crate) fn read(
    requests: &[ChartRequest],
    mirrors: &Mirrors,
    client: &Client,
    folder: Option<&Path>,
    cancel: &Cancel,
) -> Result<Charts, Failure> {
    let mut charts = Charts::default();
    for request in requests {
        let package = charts.package(request, mirrors, client, folder)?;
        let bytes = read_input(&package, &package.display().to_string())?;
        let name = package.display().to_string();
        let chart = ChartPackage::read(&name, &bytes)?;
        let label = format!("chart {} {}", chart.name, chart.version);
        let named = of_values(&label, &chart)?;
        match helm::template(&package, &request.values, cancel)? {
            Some(rendered) => charts.rendered(&label, &rendered, &named)?,
            None => charts.unrendered(&label, &chart, named, &request.values)?,
        }
    }
    Ok(charts)
}

impl Charts {
    /// The path of a chart's package, after it was pulled or downloaded.
    fn package(
        &mut self,
        request: &ChartRequest,
        mirrors: &Mirrors,
        client: &Client,
        folder: Option<&Path>,
    ) -> Result<PathBuf, Failure> {
        let (file, bytes) = match &request.place {
            ChartPlace::Package(path) => {
                self.files.push(FileRequest {
                    path: path.clone(),
                    name: None,
                    program: None,
                });
                return Ok(path.clone());
            }
            ChartPlace::Registry(reference) => {
                let pulled = pull_chart(&mirrors.locations(reference)?, client)?;
                self.pulled.push((reference.clone(), pulled.digest));
                let name = reference.repository().replace('/', "_");
                (format!("{name}.tgz"), pulled.package)
            }
            ChartPlace::Repository { url, name, version } => {
                let package = download_chart(url, name, version, mirrors, client)?;
                (format!("{name}-{version}.tgz"), package)
            }
        };
        let path = self.store(&file, &bytes, folder)?;
        if matches!(request.place, ChartPlace::Repository { .. }) {
            self.files.push(FileRequest {
                path: path.clone(),
                name: None,
                program: None,
            });
        }
        Ok(path)
    }

    fn store(
        &mut self,
        file: &str,
        bytes: &[u8],
        folder: Option<&Path>,
    ) -> Result<PathBuf, Failure> {
        let failed = |error: std::io::Error| {
            Failure::message(
                Exit::Failed,
                format!("cannot keep the chart {file}: {error}"),
            )
        };
        let folder = match (folder, &self.folder) {
            (Some(folder), _) => {
                fs::create_dir_all(folder).map_err(failed)?;
                folder.to_owned()
            }
            (None, Some(folder)) => folder.path().to_owned(),
            (None, None) => {
                let folder = tempfile::tempdir().map_err(failed)?;
                let path = folder.path().to_owned();
                self.folder = Some(folder);
                path
            }
        };
        let path = folder.join(file.replace('/', "_"));
        fs::write(&path, bytes).map_err(failed)?;
        Ok(path)
    }

    /// Takes the images of rendered manifests. Those that only values name are reported: they belong to parts
    /// that are switched off, or are arguments of what the chart installs.
    fn rendered(
        &mut self,
        label: &str,
        rendered: &[u8],
        named: &[(String, Findings)],
    ) -> Result<(), Failure> {
        let name = format!("{label}, rendered");
        let found = find(&name, rendered).map_err(|error| Failure::new(Exit::Usage, &error))?;
        let there: BTreeSet<String> = found
            .occurrences
            .iter()
            .map(|found| found.reference.name())
            .collect();
        let in_values = named.iter().flat_map(|(_, found)| {
            let complete = found.occurrences.iter().chain(&found.incomplete);
            complete.map(|found| found.reference.name())
        });
        let only: BTreeSet<String> = in_values.filter(|name| !there.contains(name)).collect();
        self.warnings.extend(only.into_iter().map(|image| {
            format!("{label}: {image} is in the values but not in the rendered manifests; it is not included")
        }));
        self.images.push(SourceFile { name, found });
        Ok(())
    }

    /// Takes the images of values files; those without a tag get the version of what the chart installs.
    fn unrendered(
        &mut self,
        label: &str,
        chart: &ChartPackage,
        named: Vec<(String, Findings)>,
        values: &[PathBuf],
    ) -> Result<(), Failure> {
        self.warnings.push(format!(
            "{label}: helm is not installed, so its images come from values files: templates may name others"
        ));
        let mut all = named;
        for path in values {
            let name = path.display().to_string();
            let bytes = read_input(path, &name)?;
            let found = find(&name, &bytes).map_err(|error| Failure::new(Exit::Usage, &error))?;
            all.push((name, found));
        }
        for (name, mut found) in all {
            // A subchart has a version of its own.
            let version = chart.app_version.as_ref();
            let Some(version) = version.filter(|_| !name.contains("/charts/")) else {
                self.images.push(SourceFile { name, found });
                continue;
            };
            for mut image in std::mem::take(&mut found.incomplete) {
                let guessed = Reference::new(
                    image.reference.registry(),
                    image.reference.repository(),
                    Some(version),
                    None,
                );
                match guessed {
                    Ok(guessed) => {
                        self.warnings.push(format!(
                            "{label}: {guessed}: the tag is a guess: the chart's appVersion"
                        ));
                        image.reference = guessed;
                        found.occurrences.push(image);
                    }
                    Err(_) => found.incomplete.push(image),
                }
            }
            self.images.push(SourceFile { name, found });
        }
        Ok(())
    }
}

/// The images in the values files of a chart.
fn of_values(label: &str, chart: &ChartPackage) -> Result<Vec<(String, Findings)>, Failure> {
    let values = chart.values.iter();
    values
        .map(|(path, bytes)| {
            let name = format!("{label}, {path}");
            let found = find(&name, bytes).map_err(|error| Failure::new(Exit::Usage, &error))?;
            Ok((name, found))
        })
        .collect()
}

impl From<ChartPackageError> for Failure {
    fn from(error: ChartPackageError) -> Self {
        Self::new(Exit::Usage, &error)
    }
}

impl From<ChartError> for Failure {
    fn from(error: ChartError) -> Self {
        let hint = match &error {
            ChartError::Registry(error) if error.is_cancelled() => {
                return sealift_pipeline::Cancelled.into();
            }
            ChartError::Registry(error) => hints::registry::hint(error),
            _ => None,
        };
        let failure = Self::new(Exit::Failed, &error);
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_is_a_package_an_artifact_or_a_version_in_a_repository() {
        for (text, entry) in [
            ("app-1.2.3.tgz", ("app-1.2.3.tgz", None, None)),
            (
                "oci://r.corp/charts/app@1.2.3+b4",
                ("oci://r.corp/charts/app", None, Some("1.2.3_b4")),
            ),
            (
                "https://charts.example.com/x/app@v1.0.0",
                ("app", Some("https://charts.example.com/x"), Some("v1.0.0")),
            ),
        ] {
            let request: ChartRequest = text.parse().unwrap();
            let chart = request.to_entry();
            let found = (
                chart.chart.as_str(),
                chart.repository.as_deref(),
                chart.version.as_deref(),
            );
            assert_eq!(found, entry);
            assert_eq!(ChartRequest::of(chart, &|path| path), Ok(request));
        }
        for text in [
            "",
            "oci://r.corp/app",
            "https://charts.example.com/app",
            "https:///@1",
        ] {
            assert!(text.parse::<ChartRequest>().is_err(), "{text}");
        }
    }
}

//! Files, folders and charts as OCI artifacts, so that a bundle can contain them.

use std::fmt;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sealift_oci::{
    Algorithm, Descriptor, Manifest, ManifestError, Reference, ReferenceError, annotation,
    media_type, valid_repository,
};
use sealift_pipeline::{BUFFER_BYTES, Cancel, Cancelled, CopyError, HashingReader, copy};
use serde::Serialize;

use super::chart::{self, Chart};
use super::folder::{Folder, open_regular};
use super::name::{NameFault, check_name};
use super::{
    CARRIED_REGISTRY, CARRIED_TYPE, EXECUTABLE, FILE_LAYER, PROGRAM_LAYER, PROGRAM_REPOSITORY,
};
use crate::contents::{FileEntry, FileKind, PlainDescriptor};

/// How a file is carried, where its own name does not decide.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CarryOptions {
    /// The name that it is written out under; the path's last component where none is given.
    pub name: Option<String>,
    /// The reference that it is pushed under; see [`carry`] for the default.
    pub reference: Option<Reference>,
    /// For a program that reads bundles: its version and platform, which become the tag of its reference.
    pub program: Option<String>,
}

/// Why a file cannot be carried.
#[derive(Debug, thiserror::Error)]
pub enum CarryError {
    /// It cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Its name would not be taken where it is written out.
    #[error("{} cannot be carried under its name: {fault}", path.display())]
    Name {
        /// The file.
        path: PathBuf,
        /// What is wrong with the name.
        fault: NameFault,
    },
    /// Its name is no text.
    #[error("the name of {} is not UTF-8 (rename it first)", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// A link, a device, a socket or a pipe.
    #[error(
        "{} is neither a file nor a folder (links inside a folder are not carried: put the file itself in their place)",
        path.display()
    )]
    Kind {
        /// The file.
        path: PathBuf,
    },
    /// More entries or deeper folders than a carried folder can have.
    #[error("{} has more than a million entries or is more than 64 folders deep", path.display())]
    TooMuch {
        /// The folder.
        path: PathBuf,
    },
    /// A Helm chart that Helm would not take.
    #[error("{} is a Helm chart, but its Chart.yaml is not usable: {what}", path.display())]
    Chart {
        /// The package.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// No reference can be made of its name.
    #[error("{} cannot be named at a registry: {error} (give it a reference)", path.display())]
    Reference {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: ReferenceError,
    },
    /// Its manifest cannot be made.
    #[error("{}: {error}", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: ManifestError,
    },
    /// It was asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// A file or folder as the artifact that a bundle carries.
#[derive(Clone, Debug)]
pub struct CarriedFile {
    /// Its entry in the record.
    pub entry: FileEntry,
    /// Its manifest.
    pub manifest: Manifest,
    /// What the manifest needs: the config, then the content.
    pub blobs: Vec<CarriedBlob>,
}

/// A blob of a carried file. It can be read as often as needed; nothing was copied.
#[derive(Clone)]
pub struct CarriedBlob {
    /// What it is.
    pub descriptor: Descriptor,
    /// Whether it is the artifact's config.
    pub config: bool,
    content: Content,
}

#[derive(Clone)]
enum Content {
    Bytes(Arc<[u8]>),
    File(PathBuf),
    Folder(Folder),
}

impl fmt::Debug for CarriedBlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CarriedBlob")
            .field("descriptor", &self.descriptor)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl CarriedBlob {
    /// Reads the content from its first byte, unchecked: the file may have changed since it was hashed,
    /// and whoever writes it into a bundle will see.
    pub fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        self.content.open()
    }
}

impl Content {
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::Bytes(bytes) => Box::new(io::Cursor::new(Arc::clone(bytes))),
            Self::File(path) => Box::new(open_regular(path, true)?),
            Self::Folder(folder) => Box::new(folder.read()),
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewManifest {
    schema_version: u8,
    media_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_type: Option<&'static str>,
    config: Descriptor,
    layers: Vec<Descriptor>,
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    annotations: std::collections::BTreeMap<&'static str, String>,
}

/// Creates an artifact of what is at `path`, which is read once to compute its digest.
///
/// The same content, name and executable bit give the same bytes every time, everywhere:
///
/// - a file: one layer with its bytes, its name as title, and whether it is executable;
/// - a folder: one layer, a tar of all below it. Names are sorted by their bytes, a folder's entry comes
///   before what it holds, owner and time are zero, permissions are 0755 for folders and executable
///   files, else 0644. Links and devices inside it are refused;
/// - a program that reads bundles, if the options say that it is one: as a file, but with a media type of its own,
///   so that every profile stores it unchanged;
/// - a Helm chart (a `.tgz` with `NAME/Chart.yaml` in it): config and layer as `helm push` makes them.
///
/// A chart is pushed as `sealift.invalid/NAME:VERSION`, a `+` in the version written `_` as Helm does, so
/// that under the naming rule `keep` `helm pull oci://REGISTRY/PATH/NAME --version VERSION` finds it. All
/// else is pushed as `sealift.invalid/files/NAME:latest`, the name in lower case and with `-` for what a
/// repository cannot have.
///
/// # Errors
/// Where it cannot be read, or where its name would not be taken on the other side.
pub fn carry(
    path: &Path,
    options: &CarryOptions,
    cancel: &Cancel,
) -> Result<CarriedFile, CarryError> {
    let metadata = std::fs::metadata(path).map_err(io_error(path))?;
    let name = name_of(path, options)?;
    if metadata.is_dir() {
        let content = Content::Folder(Folder::list(path)?);
        let layer = describe(path, &content, media_type::OCI_LAYER, cancel)?
            .with_annotation(annotation::TITLE, format!("{name}.tar"));
        return finish(path, name, options, FileKind::Folder, layer, content, None);
    }
    if !metadata.is_file() {
        return Err(CarryError::Kind {
            path: path.to_owned(),
        });
    }
    let content = Content::File(path.to_owned());
    if let Some(tag) = &options.program {
        let reference = Reference::new(CARRIED_REGISTRY, PROGRAM_REPOSITORY, Some(tag), None)
            .map_err(|error| CarryError::Reference {
                path: path.to_owned(),
                error,
            })?;
        let options = CarryOptions {
            reference: Some(reference),
            ..options.clone()
        };
        let layer = describe(path, &content, PROGRAM_LAYER, cancel)?
            .with_annotation(annotation::TITLE, name.clone())
            .with_annotation(EXECUTABLE, "true");
        return finish(path, name, &options, FileKind::File, layer, content, None);
    }
    if let Some(chart) = chart_of(path, &name, &content)? {
        let layer = describe(path, &content, media_type::HELM_CHART, cancel)?;
        let chart = Some(chart);
        return finish(path, name, options, FileKind::Chart, layer, content, chart);
    }
    let mut layer = describe(path, &content, FILE_LAYER, cancel)?
        .with_annotation(annotation::TITLE, name.clone());
    if metadata.permissions().mode() & 0o111 != 0 {
        layer = layer.with_annotation(EXECUTABLE, "true");
    }
    finish(path, name, options, FileKind::File, layer, content, None)
}

fn name_of(path: &Path, options: &CarryOptions) -> Result<String, CarryError> {
    let own = || {
        // A path such as `.` has no last component of its own.
        let full = path.canonicalize().ok()?;
        let name = path.file_name().or_else(|| full.file_name())?;
        name.to_str().map(str::to_owned)
    };
    let name = options.name.clone().or_else(own);
    let name = name.ok_or_else(|| CarryError::NotText {
        path: path.to_owned(),
    })?;
    match check_name(&name) {
        Ok(()) => Ok(name),
        Err(fault) => Err(CarryError::Name {
            path: path.to_owned(),
            fault,
        }),
    }
}

fn chart_of(path: &Path, name: &str, content: &Content) -> Result<Option<Chart>, CarryError> {
    let extension = Path::new(name).extension().unwrap_or_default();
    if !extension.eq_ignore_ascii_case("tgz") && !extension.eq_ignore_ascii_case("gz") {
        return Ok(None);
    }
    let reader = content.open().map_err(io_error(path))?;
    chart::read(reader).map_err(|what| CarryError::Chart {
        path: path.to_owned(),
        what,
    })
}

fn describe(
    path: &Path,
    content: &Content,
    media_type: &str,
    cancel: &Cancel,
) -> Result<Descriptor, CarryError> {
    let reader = content.open().map_err(io_error(path))?;
    let mut reader = HashingReader::new(reader, Algorithm::Sha256);
    let mut buffer = vec![0; BUFFER_BYTES];
    match copy(&mut reader, &mut io::sink(), &mut buffer, cancel, |_| {}) {
        Ok(_) => {}
        Err(CopyError::Cancelled(cancelled)) => return Err(cancelled.into()),
        Err(CopyError::Read(error) | CopyError::Write(error)) => return Err(io_error(path)(error)),
    }
    let (digest, size) = reader.finish();
    Ok(Descriptor::new(media_type, digest, size))
}

fn finish(
    path: &Path,
    name: String,
    options: &CarryOptions,
    kind: FileKind,
    layer: Descriptor,
    content: Content,
    chart: Option<Chart>,
) -> Result<CarriedFile, CarryError> {
    let reference = match &options.reference {
        Some(reference) => reference.clone(),
        None => reference(&name, chart.as_ref()).map_err(|error| CarryError::Reference {
            path: path.to_owned(),
            error,
        })?,
    };
    let annotations = chart.iter().flat_map(chart_annotations).collect();
    let (config_type, config) = match chart {
        Some(chart) => (media_type::HELM_CONFIG, chart.config),
        None => (media_type::OCI_EMPTY, b"{}".to_vec()),
    };
    let config_descriptor = Descriptor::of(config_type, &config);
    let manifest = NewManifest {
        schema_version: 2,
        media_type: media_type::OCI_MANIFEST,
        artifact_type: (kind != FileKind::Chart).then_some(CARRIED_TYPE),
        config: config_descriptor.clone(),
        layers: vec![layer.clone()],
        annotations,
    };
    let bytes =
        serde_json::to_vec(&manifest).expect("a manifest has no map with other keys than text");
    let manifest = Manifest::parse(bytes, Some(media_type::OCI_MANIFEST)).map_err(|error| {
        CarryError::Manifest {
            path: path.to_owned(),
            error,
        }
    })?;
    Ok(CarriedFile {
        entry: FileEntry {
            name,
            kind,
            reference,
            descriptor: PlainDescriptor::from(&manifest.descriptor()),
        },
        manifest,
        blobs: vec![
            CarriedBlob {
                descriptor: config_descriptor,
                config: true,
                content: Content::Bytes(config.into()),
            },
            CarriedBlob {
                descriptor: layer,
                config: false,
                content,
            },
        ],
    })
}

fn chart_annotations(chart: &Chart) -> Vec<(&'static str, String)> {
    let mut annotations = vec![
        (annotation::TITLE, chart.name.clone()),
        ("org.opencontainers.image.version", chart.version.clone()),
    ];
    if let Some(description) = &chart.description {
        annotations.push(("org.opencontainers.image.description", description.clone()));
    }
    annotations
}

fn reference(name: &str, chart: Option<&Chart>) -> Result<Reference, ReferenceError> {
    if let Some(chart) = chart {
        let tag = chart.version.replace('+', "_");
        return Reference::new(CARRIED_REGISTRY, &chart.name, Some(&tag), None);
    }
    let repository = format!("files/{}", component(name));
    Reference::new(CARRIED_REGISTRY, &repository, Some("latest"), None)
}

/// `name` as one component of a repository: lower case, and one `-` for each run of what it cannot have.
fn component(name: &str) -> String {
    let lower = name.to_lowercase();
    if valid_repository(&lower) {
        return lower;
    }
    let spread = lower.replace("..", "-");
    let words: Vec<&str> = spread
        .split(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit() && c != '.')
        .map(|word| word.trim_matches('.'))
        .filter(|word| !word.is_empty())
        .collect();
    if words.is_empty() {
        return "file".to_owned();
    }
    words.join("-")
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> CarryError + use<> {
    let path = path.to_owned();
    move |source| CarryError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_component() {
        for (name, expected) in [
            ("install.yaml", "install.yaml"),
            ("a__b", "a__b"),
            ("My File (1).YAML", "my-file-1-yaml"),
            ("a..b", "a-b"),
            (".hidden", "hidden"),
            ("äöü", "file"),
            ("x_-y", "x-y"),
        ] {
            let component = component(name);
            assert!(valid_repository(&component), "{name:?}: {component:?}");
            assert_eq!(component, expected);
        }
    }
}

//! Finds the carried files of a bundle and writes them below a folder.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use sealift_oci::{Descriptor, Digest, Manifest, media_type};
use sealift_pipeline::{Cancel, Cancelled, Event, HashingReader, Observer, Outcome};
use serde::Serialize;

use super::EXECUTABLE;
use super::folder::{Folder, open_regular};
use super::name::{NameFault, check_name};
use super::write::{Watch, file, folder, open_root, publish, temporary};
use crate::bundle::Bundle;
use crate::contents::{FileEntry, FileKind};
use crate::fault::{Fault, shown};

/// What to write out, and where.
#[derive(Clone, Debug)]
pub struct ExtractRequest<'a> {
    /// The names of the carried files; all of them where there is none.
    pub names: &'a [String],
    /// The folder to write to. It is made where it is not there.
    pub to: &'a Path,
    /// Whether a file that is there with other content may be replaced. A folder never is.
    pub overwrite: bool,
}

/// Why carried files cannot be written out.
#[derive(Debug, thiserror::Error)]
pub enum ExtractError {
    /// The bundle carries no file of this name.
    #[error("the bundle carries no file {name:?} (it carries {carried})")]
    Unknown {
        /// The name, as asked for.
        name: String,
        /// The names that there are.
        carried: String,
    },
    /// A name in the bundle must not become a file's name.
    #[error("the bundle contains the file name {name:?}, which is not allowed: {fault}")]
    Name {
        /// The name, as the record has it.
        name: String,
        /// What is wrong with it.
        fault: NameFault,
    },
    /// Two carried files have one name.
    #[error("the bundle carries two files under the name {name:?}")]
    Twice {
        /// The name.
        name: String,
    },
    /// Something is there already.
    #[error("{} exists", path.display())]
    Exists {
        /// What is there.
        path: PathBuf,
    },
    /// A folder is there already.
    #[error("{} exists with other content, and a folder is never overwritten (remove it, or choose another folder)", path.display())]
    FolderExists {
        /// What is there.
        path: PathBuf,
    },
    /// The bundle is damaged.
    #[error("{name:?} cannot be written out: {fault}")]
    Fault {
        /// The carried file.
        name: String,
        /// What is wrong.
        fault: Fault,
    },
    /// Its manifest is not that of a carried file.
    #[error("{name:?} cannot be written out: its manifest is not that of a carried {expected}")]
    Manifest {
        /// The carried file.
        name: String,
        /// What the record says that it is.
        expected: &'static str,
    },
    /// It cannot be read or written.
    #[error("cannot write {}: {source}", path.display())]
    Io {
        /// Where it was to be written.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It was asked to stop; what was being written is gone, what was whole is there.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// One carried file that is to be written out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExtractItem {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: FileKind,
    /// Where it will be.
    pub path: PathBuf,
    /// The digest of its content: of the file, or of the folder's tar.
    pub digest: Digest,
    /// How many bytes its content has.
    pub bytes: u64,
    /// Whether it is executable.
    pub executable: bool,
    /// Whether something is there that will be replaced.
    pub replaces: bool,
    /// Whether it is there already, with the same content: an earlier run wrote it, and nothing is written.
    pub present: bool,
}

/// What is to be written out; nothing was written yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExtractPlan {
    /// The folder.
    pub to: PathBuf,
    /// What is written to it.
    pub items: Vec<ExtractItem>,
    /// Whether files that are there may be replaced.
    #[serde(skip)]
    overwrite: bool,
}

/// What was written out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Extracted {
    /// The paths, in the order of the plan.
    pub written: Vec<PathBuf>,
    /// How many bytes of content they have together.
    pub bytes: u64,
    /// The paths of what was there already, with the same content.
    pub present: Vec<PathBuf>,
}

/// Decides what is written where: all names are checked, and what is there already is looked for and compared.
pub fn plan_extract(
    bundle: &Bundle,
    request: &ExtractRequest<'_>,
) -> Result<ExtractPlan, ExtractError> {
    let files = &bundle.record().files;
    let unknown = request
        .names
        .iter()
        .find(|name| !files.iter().any(|file| file.name == **name));
    if let Some(name) = unknown {
        return Err(ExtractError::Unknown {
            name: name.clone(),
            carried: carried(files),
        });
    }
    let mut names = BTreeSet::new();
    let mut items = Vec::new();
    for file in files {
        if !request.names.is_empty() && !request.names.contains(&file.name) {
            continue;
        }
        check_name(&file.name).map_err(|fault| ExtractError::Name {
            name: file.name.clone(),
            fault,
        })?;
        // Some file systems take names that differ in case alone for one.
        if !names.insert(file.name.to_lowercase()) {
            return Err(ExtractError::Twice {
                name: file.name.clone(),
            });
        }
        items.push(item(bundle, file, request)?);
    }
    Ok(ExtractPlan {
        to: request.to.to_owned(),
        items,
        overwrite: request.overwrite,
    })
}

fn carried(files: &[FileEntry]) -> String {
    if files.is_empty() {
        return "none".to_owned();
    }
    let mut names: Vec<String> = files
        .iter()
        .take(20)
        .map(|file| shown(&file.name))
        .collect();
    if files.len() > 20 {
        names.push("…".to_owned());
    }
    names.join(", ")
}

fn item(
    bundle: &Bundle,
    file: &FileEntry,
    request: &ExtractRequest<'_>,
) -> Result<ExtractItem, ExtractError> {
    let manifest =
        bundle
            .manifest(&file.descriptor.digest)
            .map_err(|fault| ExtractError::Fault {
                name: file.name.clone(),
                fault,
            })?;
    let layer = manifest
        .as_ref()
        .and_then(|manifest| layer(manifest, file.kind));
    let Some(layer) = layer else {
        return Err(ExtractError::Manifest {
            name: file.name.clone(),
            expected: match file.kind {
                FileKind::File => "file",
                FileKind::Folder => "folder",
                FileKind::Chart => "chart",
            },
        });
    };
    let path = request.to.join(&file.name);
    let executable = layer
        .annotations
        .get(EXECUTABLE)
        .is_some_and(|value| value == "true");
    let there = std::fs::symlink_metadata(&path).ok();
    let present = there.is_some() && is_extracted(&path, file.kind, executable, layer);
    let other = there.filter(|_| !present);
    if let Some(other) = &other {
        if file.kind == FileKind::Folder || other.is_dir() {
            return Err(ExtractError::FolderExists { path });
        }
        if !request.overwrite {
            return Err(ExtractError::Exists { path });
        }
    }
    Ok(ExtractItem {
        name: file.name.clone(),
        kind: file.kind,
        path,
        digest: layer.digest,
        bytes: layer.size,
        executable,
        replaces: other.is_some(),
        present,
    })
}

/// Whether what is at `path` is what `layer` would be extracted to.
fn is_extracted(path: &Path, kind: FileKind, executable: bool, layer: &Descriptor) -> bool {
    let hashed = |content: &mut dyn Read| {
        let mut reader = HashingReader::new(content, layer.digest.algorithm());
        let size = io::copy(&mut reader, &mut io::sink());
        size.is_ok_and(|size| size == layer.size) && reader.finish().0 == layer.digest
    };
    if kind == FileKind::Folder {
        return Folder::list(path).is_ok_and(|folder| hashed(&mut folder.read()));
    }
    let Ok(mut file) = open_regular(path, false) else {
        return false;
    };
    file.metadata().is_ok_and(|metadata| {
        metadata.len() == layer.size && (metadata.permissions().mode() & 0o111 != 0) == executable
    }) && hashed(&mut file)
}

/// The layer that is the content.
fn layer(manifest: &Manifest, kind: FileKind) -> Option<&Descriptor> {
    let wanted: &[&str] = match kind {
        FileKind::File => &[super::FILE_LAYER, super::PROGRAM_LAYER],
        FileKind::Folder => &[media_type::OCI_LAYER],
        FileKind::Chart => &[media_type::HELM_CHART],
    };
    let mut layers = manifest.layers().iter();
    layers.find(|layer| wanted.contains(&layer.media_type.as_str()))
}

impl ExtractPlan {
    /// Writes everything, one after the other. Each file and folder gets its name once all of it is there
    /// and its digest was checked; what fails leaves nothing.
    pub fn execute(
        &self,
        bundle: &Bundle,
        cancel: &Cancel,
        observer: &dyn Observer,
    ) -> Result<Extracted, ExtractError> {
        observer.event(&Event::Phase { name: "extracting" });
        let (present, items) = self
            .items
            .iter()
            .partition::<Vec<_>, _>(|item| item.present);
        let bytes = items.iter().map(|item| item.bytes).sum();
        observer.event(&Event::Total {
            blobs: items.len() as u64,
            bytes,
        });
        let root = open_root(&self.to).map_err(|source| ExtractError::Io {
            path: self.to.clone(),
            source,
        })?;
        let mut written = Vec::new();
        for item in items {
            cancel.check()?;
            observer.event(&Event::Started {
                digest: &item.digest,
                size: item.bytes,
                what: &item.name,
            });
            let result = self.write(&root, item, bundle, cancel, observer);
            let outcome = match result {
                Ok(()) => Outcome::Verified,
                Err(_) => Outcome::not_done(&[cancel]),
            };
            observer.event(&Event::Finished {
                digest: &item.digest,
                outcome,
            });
            result?;
            written.push(item.path.clone());
        }
        // Not every file system lets a folder be synced; the names are there either way.
        let _ = rustix::fs::fsync(&root);
        Ok(Extracted {
            written,
            bytes,
            present: present.iter().map(|item| item.path.clone()).collect(),
        })
    }

    fn write(
        &self,
        root: &OwnedFd,
        item: &ExtractItem,
        bundle: &Bundle,
        cancel: &Cancel,
        observer: &dyn Observer,
    ) -> Result<(), ExtractError> {
        let failed = |source| ExtractError::Io {
            path: item.path.clone(),
            source,
        };
        let mut content = bundle
            .blob(&item.digest)
            .map_err(|error| match error.kind() {
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => ExtractError::Fault {
                    name: item.name.clone(),
                    fault: bundle.fault(&item.digest, error.to_string()),
                },
                _ => failed(error),
            })?;
        let watch = Watch {
            digest: &item.digest,
            cancel,
            observer,
        };
        let partial = temporary(root, &self.to, &item.digest).map_err(failed)?;
        let result = if item.kind == FileKind::Folder {
            folder(root, &partial, &mut content, watch)
        } else {
            file(root, &partial, item.executable, &mut content, watch)
        };
        let overwrite = self.overwrite && item.kind != FileKind::Folder;
        // What was written is locked until it has its name.
        let result = result.and_then(|written| {
            publish(root, &partial, &item.name, overwrite).map(|()| drop(written))
        });
        result.map_err(|source| {
            self.clear(&partial, item.kind);
            if cancel.check().is_err() {
                return ExtractError::Cancelled(Cancelled);
            }
            match source.kind() {
                io::ErrorKind::AlreadyExists => ExtractError::Exists {
                    path: item.path.clone(),
                },
                // Writing does not fail so: it is the content.
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => ExtractError::Fault {
                    name: item.name.clone(),
                    fault: bundle.fault(&item.digest, source.to_string()),
                },
                _ => failed(source),
            }
        })
    }

    /// Removes what was being written, as far as that can be done.
    fn clear(&self, partial: &str, kind: FileKind) {
        let path = self.to.join(partial);
        let _ = if kind == FileKind::Folder {
            std::fs::remove_dir_all(path)
        } else {
            std::fs::remove_file(path)
        };
    }
}

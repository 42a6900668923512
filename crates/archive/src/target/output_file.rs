//! The file that a bundle is written to, the names beside it, and what an interrupted run left there.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sealift_oci::Digest;

use crate::target::error::WriteError;
use crate::target::file_system::FileSystem;
use crate::target::journal::{Journal, SavedState};
use crate::target::writable::Written;

/// The file that a bundle is written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputFile {
    /// Its name. `.partial` is appended until it is complete.
    pub path: PathBuf,
    /// The folder for the journal; the file's own folder if `None`.
    pub state_dir: Option<PathBuf>,
    /// Whether a regular file of this name is replaced, once the new one is complete.
    pub replace: bool,
}

/// What an interrupted run left for an output, as its journal says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interrupted {
    /// The digest of the request that it had.
    pub request: Option<Digest>,
    /// The plan that it had, as text.
    pub plan: String,
    /// How much of each blob it wrote.
    pub written: BTreeMap<Digest, Written>,
    /// The size of its partial file in bytes.
    pub partial_bytes: u64,
    /// How many bytes that file has on the disk.
    pub allocated_bytes: u64,
}

impl OutputFile {
    /// Where the bytes are until the bundle is complete.
    pub fn partial(&self) -> PathBuf {
        appended(&self.path, ".partial")
    }

    /// Where the journal is. In a state folder its name distinguishes outputs of one name in different
    /// folders.
    pub fn journal(&self) -> PathBuf {
        let Some(folder) = &self.state_dir else {
            return appended(&self.path, ".journal");
        };
        let absolute = std::path::absolute(&self.path).unwrap_or_else(|_| self.path.clone());
        let location = Digest::sha256(absolute.as_os_str().as_encoded_bytes());
        let name = self.path.file_name().unwrap_or_default();
        let mut name = name.to_owned();
        name.push(format!(".{}.journal", location.short()));
        folder.join(name)
    }

    /// The folder that the file is in.
    pub fn folder(&self) -> &Path {
        match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }

    /// What the file system that the file is on is able to do.
    ///
    /// # Errors
    /// If the folder cannot be opened.
    pub fn file_system(&self) -> io::Result<FileSystem> {
        FileSystem::of(self.folder())
    }

    /// Checks what can be known before any work: that the folder is there, and that nothing but a regular
    /// file has the output's name.
    ///
    /// # Errors
    /// [`WriteError::NoFolder`], [`WriteError::NotRegular`], or whatever looking fails with.
    pub fn check(&self) -> Result<(), WriteError> {
        let folder = self.folder();
        match fs::metadata(folder) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => {
                return Err(WriteError::NoFolder {
                    path: folder.to_owned(),
                });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(WriteError::NoFolder {
                    path: folder.to_owned(),
                });
            }
            Err(source) => return Err(WriteError::io("open", folder)(source)),
        }
        for path in [self.path.clone(), self.partial(), self.journal()] {
            match fs::symlink_metadata(&path) {
                Ok(metadata) if !metadata.is_file() => {
                    return Err(WriteError::NotRegular { path });
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(WriteError::io("open", &path)(source)),
            }
        }
        Ok(())
    }

    /// Removes the journal that a run left which ended between publishing and its end.
    pub fn remove_journal(&self) {
        let _ = Journal::remove_left(&self.journal());
    }

    /// What an interrupted run left. Nothing is locked or changed.
    pub fn interrupted(&self) -> Interrupted {
        let SavedState {
            request,
            plan,
            written,
        } = Journal::peek(&self.journal());
        let partial = fs::symlink_metadata(self.partial()).ok();
        Interrupted {
            request,
            plan,
            written,
            partial_bytes: partial.as_ref().map_or(0, fs::Metadata::len),
            allocated_bytes: partial.map_or(0, |metadata| metadata.blocks().saturating_mul(512)),
        }
    }
}

/// `path` with `suffix` after its name.
fn appended(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

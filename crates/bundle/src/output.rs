use std::path::{Path, PathBuf};

use sealift_oci::Digest;

/// The file that a bundle is written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputFile {
    /// Its name. `.partial` is appended until it is whole.
    pub path: PathBuf,
    /// The folder for the journal; beside the file where none is given.
    pub state_dir: Option<PathBuf>,
    /// Whether a file that is there already is replaced, once the new one is whole.
    pub force: bool,
}

impl OutputFile {
    /// Where the bytes are until the bundle is whole.
    pub fn partial(&self) -> PathBuf {
        appended(&self.path, ".partial")
    }

    /// Where the journal is. In a state folder its name tells outputs of one name in different folders
    /// apart.
    pub fn journal(&self) -> PathBuf {
        let Some(folder) = &self.state_dir else {
            return appended(&self.path, ".journal");
        };
        let whole = std::path::absolute(&self.path).unwrap_or_else(|_| self.path.clone());
        let place = Digest::sha256(whole.as_os_str().as_encoded_bytes());
        let name = self.path.file_name().unwrap_or_default();
        let mut name = name.to_owned();
        name.push(format!(".{}.journal", place.short()));
        folder.join(name)
    }

    /// The folder that the file is in.
    pub(crate) fn folder(&self) -> &Path {
        match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }
}

/// `path` with `suffix` after its name.
fn appended(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

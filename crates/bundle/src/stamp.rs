//! Whether images on disk are those that a plan was made from.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Size and time of the file, or of a folder's index: what changes when the content does.
pub(crate) fn stamp(path: &Path) -> String {
    let index = path.join("index.json");
    let telling = if path.is_dir() { &index } else { path };
    match fs::metadata(telling) {
        Ok(metadata) => format!(
            "{} bytes, {}.{:09}",
            metadata.size(),
            metadata.mtime(),
            metadata.mtime_nsec()
        ),
        Err(_) => String::new(),
    }
}

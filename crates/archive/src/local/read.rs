//! Small files of a layout or archive, read into memory.

use std::fs::File;
use std::sync::Arc;

use sealift_oci::check_json;
use serde::de::DeserializeOwned;

use crate::fault::shown;
use crate::local::error::LocalError;
use crate::store::{Extent, ReadAt};

/// The most bytes of `index.json` and of `manifest.json` that are read (some 100,000 images).
pub(super) const MAX_INDEX_BYTES: u64 = 32 << 20;

/// A file, or a range of one.
pub(super) struct Entry {
    pub(super) file: Arc<dyn ReadAt>,
    pub(super) extent: Extent,
}

impl Entry {
    /// All `size` bytes of `file`.
    pub(super) fn whole(file: File, size: u64) -> Self {
        Self::part(Arc::new(file), Extent { offset: 0, size })
    }

    /// The bytes at `extent` of `file`.
    pub(super) fn part(file: Arc<dyn ReadAt>, extent: Extent) -> Self {
        Self { file, extent }
    }
}

/// Reads all of `entry`, which messages call `name` of `path`.
///
/// # Errors
/// If it has more than `limit` bytes or cannot be read.
pub(super) fn read_small(
    path: &str,
    name: &str,
    entry: &Entry,
    limit: u64,
) -> Result<Vec<u8>, LocalError> {
    let size = entry.extent.size;
    if size > limit {
        return Err(malformed(
            path,
            name,
            format!("it has {size} bytes, more than the {limit} allowed"),
        ));
    }
    let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
    match entry.file.read_exact_at(&mut bytes, entry.extent.offset) {
        Ok(()) => Ok(bytes),
        Err(source) => Err(LocalError::Io {
            path: format!("{} of {path}", shown(name)),
            source,
        }),
    }
}

/// Reads a file of JSON that every reader understands alike.
///
/// # Errors
/// As [`read_small`], or if it is not JSON, or not of the form of `T`.
pub(super) fn read_json<T: DeserializeOwned>(
    path: &str,
    name: &str,
    entry: &Entry,
    limit: u64,
) -> Result<T, LocalError> {
    parse_json(path, name, &read_small(path, name, entry, limit)?)
}

/// Reads JSON that every reader understands alike.
///
/// # Errors
/// If it is not JSON, or not of the form of `T`.
pub(super) fn parse_json<T: DeserializeOwned>(
    path: &str,
    name: &str,
    bytes: &[u8],
) -> Result<T, LocalError> {
    check_json(bytes).map_err(|error| LocalError::Json {
        path: path.to_owned(),
        entry: shown(name),
        error,
    })?;
    serde_json::from_slice(bytes).map_err(|error| {
        let what: String = error.to_string().chars().take(200).collect();
        malformed(path, name, what)
    })
}

/// A file of a layout or archive that does not have its form.
pub(super) fn malformed(path: &str, name: &str, what: impl Into<String>) -> LocalError {
    LocalError::Form {
        path: path.to_owned(),
        entry: shown(name),
        what: what.into(),
    }
}

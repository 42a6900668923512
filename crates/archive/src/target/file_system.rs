//! What the file system of an output is able to do.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{fstatfs, fstatvfs};
use serde::Serialize;

use crate::target::error::WriteError;

/// What the file system of an output is able to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FileSystem {
    /// What it is called, where that matters: `vfat`.
    #[serde(rename = "fileSystem", skip_serializing_if = "Option::is_none")]
    pub name: Option<&'static str>,
    /// How many bytes are free for this user; `None` if it does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub free: Option<u64>,
    /// The largest file that it can have, in bytes, where that is small.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub largest_file: Option<u64>,
    /// Whether a file is better written from its start to its end: a jump ahead is filled with zeros
    /// here, so that every byte would be written twice.
    pub in_order: bool,
}

/// A file system by the number that `statfs` gives it (Linux, `magic.h` and the file systems' own
/// sources), and the largest file where it is small.
type Known = (u64, &'static str, Option<u64>);

/// Those that fill gaps with zeros, or whose driver may.
const FILLS_GAPS: [Known; 9] = [
    (0x4d44, "vfat", Some(u32::MAX as u64)),
    (0x2011_bab0, "exFAT", None),
    (0x7366_746e, "NTFS", None),
    (0x5346_544e, "NTFS", None),
    (0x6573_5546, "FUSE", None),
    (0xff53_4d42, "SMB", None),
    (0xfe53_4d42, "SMB", None),
    (0x517b, "SMB", None),
    (0x482b, "HFS+", None),
];

impl FileSystem {
    /// Looks at the file system that `folder` is on. Nothing is written; whether a file system that is
    /// not in the table can reserve space shows only when the file is created.
    ///
    /// # Errors
    /// If the folder cannot be opened or the system does not tell.
    pub fn of(folder: &Path) -> io::Result<Self> {
        let folder = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        };
        Self::of_file(&File::open(folder)?)
    }

    pub(crate) fn of_file(file: &File) -> io::Result<Self> {
        // The field is signed on some machines; the number is 32 bits wide everywhere.
        let number = fstatfs(file)?.f_type.cast_unsigned() & 0xffff_ffff;
        let known = FILLS_GAPS.iter().find(|(known, ..)| *known == number);
        let space = fstatvfs(file).ok();
        Ok(Self {
            name: known.map(|(_, name, _)| *name),
            free: space.map(|space| space.f_bavail.saturating_mul(space.f_frsize)),
            largest_file: known.and_then(|(.., largest)| *largest),
            in_order: known.is_some(),
        })
    }
}

/// Checks that `total` bytes fit into `file`, what it holds already counted.
pub(crate) fn check_space(file: &File, output: &Path, total: u64) -> Result<(), WriteError> {
    let Ok(found) = FileSystem::of_file(file) else {
        return Ok(());
    };
    if let Some(limit) = found.largest_file.filter(|limit| *limit < total) {
        return Err(WriteError::TooLarge {
            path: output.to_owned(),
            file_system: found.name.unwrap_or("file system"),
            needed: total,
            limit,
        });
    }
    let own = file
        .metadata()
        .map_or(0, |metadata| metadata.blocks().saturating_mul(512));
    match found.free.map(|free| free.saturating_add(own)) {
        Some(free) if free < total => Err(WriteError::NoSpace {
            path: output.to_owned(),
            needed: total,
            free,
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_folder_tells_how_much_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let found = FileSystem::of(folder.path()).unwrap();
        assert!(found.free.is_some_and(|free| free > 0));
        assert_eq!(found.in_order, found.name.is_some());
    }

    #[test]
    fn more_than_is_free_is_refused_with_both_numbers() {
        let file = tempfile::tempfile().unwrap();
        let error = check_space(&file, Path::new("b.tar"), 1 << 60).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("b.tar needs 1152921 TB, but only "), "{text}");
    }
}

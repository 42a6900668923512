use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{fstatfs, fstatvfs};
use serde::Serialize;

use crate::disk::Disk;
use crate::error::WriteError;

/// What the file system of an output is able to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OutputPlace {
    /// What it is called, where that matters: `vfat`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_system: Option<&'static str>,
    /// How many bytes are free for this user; none where it does not say.
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

impl OutputPlace {
    /// Looks at the file system that `folder` is on. Nothing is written; whether a file system that is
    /// not known takes a file's room beforehand shows only when the file is made.
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
            file_system: known.map(|(_, name, _)| *name),
            free: space.map(|space| space.f_bavail.saturating_mul(space.f_frsize)),
            largest_file: known.and_then(|(.., largest)| *largest),
            in_order: known.is_some(),
        })
    }
}

/// Checks that `total` bytes fit into `file`, what it holds already counted.
pub(crate) fn check_room(file: &File, output: &Path, total: u64) -> Result<(), WriteError> {
    let Ok(place) = OutputPlace::of_file(file) else {
        return Ok(());
    };
    if let Some(limit) = place.largest_file.filter(|limit| *limit < total) {
        return Err(WriteError::TooLarge {
            path: output.to_owned(),
            file_system: place.file_system.unwrap_or("file system"),
            needed: total,
            limit,
        });
    }
    let own = file
        .metadata()
        .map_or(0, |metadata| metadata.blocks().saturating_mul(512));
    match place.free.map(|free| free.saturating_add(own)) {
        Some(free) if free < total => Err(WriteError::NoSpace {
            path: output.to_owned(),
            needed: total,
            free,
        }),
        _ => Ok(()),
    }
}

/// Gives a partial file that has everything but its first block that block, and then its name. If that
/// fails the block is taken back: no partial file looks like a bundle.
pub(crate) fn publish(
    disk: &dyn Disk,
    file: &File,
    first: &[u8],
    partial: &Path,
    output: &Path,
) -> Result<(), WriteError> {
    disk.sync(file).map_err(WriteError::io("write", partial))?;
    let named = disk
        .write_all_at(file, first, 0)
        .and_then(|()| disk.sync(file))
        .map_err(WriteError::io("write", partial))
        .and_then(|()| {
            disk.rename(partial, output)
                .map_err(WriteError::io("rename", partial))
        });
    if named.is_err() {
        let zeros = vec![0; first.len()];
        let _ = disk.write_all_at(file, &zeros, 0);
    }
    named
}

/// `path` with `suffix` after its name.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_folder_tells_how_much_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let place = OutputPlace::of(folder.path()).unwrap();
        assert!(place.free.is_some_and(|free| free > 0));
        assert_eq!(place.in_order, place.file_system.is_some());
    }

    #[test]
    fn more_than_is_free_is_refused_with_both_numbers() {
        let file = tempfile::tempfile().unwrap();
        let error = check_room(&file, Path::new("b.tar"), 1 << 60).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("b.tar") && text.contains(&(1_u64 << 60).to_string()),
            "{text}"
        );
    }
}

//! Whether there is enough scratch space, before it is used.

use std::path::{Path, PathBuf};

use sealift_oci::human_bytes;

use crate::target::FileSystem;

/// There is not enough scratch space.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} has {} free, but up to {} of scratch space are needed",
    .folder.display(),
    human_bytes(*.free),
    human_bytes(*.needed)
)]
pub struct NoScratch {
    /// The folder for scratch space.
    pub folder: PathBuf,
    /// How many bytes are needed.
    pub needed: u64,
    /// How many are free.
    pub free: u64,
}

/// Checks that `folder` has space for `needed` bytes. A file system that does not say what is free is believed to have
/// it.
///
/// # Errors
/// Both numbers.
pub fn check_scratch(folder: &Path, needed: u64) -> Result<(), NoScratch> {
    if needed == 0 {
        return Ok(());
    }
    let free = FileSystem::of(folder).ok().and_then(|there| there.free);
    match free {
        Some(free) if free < needed => Err(NoScratch {
            folder: folder.to_owned(),
            needed,
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
    fn more_scratch_space_than_there_is_is_refused_with_both_numbers() {
        let folder = std::env::temp_dir();
        assert_eq!(check_scratch(&folder, 0), Ok(()));
        assert_eq!(check_scratch(&folder, 1), Ok(()));
        let error = check_scratch(&folder, u64::MAX).unwrap_err();
        assert_eq!((&error.folder, error.needed), (&folder, u64::MAX));
        assert!(error.free > 0);
        let text = error.to_string();
        assert!(text.contains(&human_bytes(error.free)), "{text}");
        // Where nothing can be learned, the work itself shows.
        assert_eq!(check_scratch(Path::new("/absent/folder"), u64::MAX), Ok(()));
    }
}

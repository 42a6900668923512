//! Files that commands write: all or none of each, and never over what nobody spoke of.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::exit::Exit;
use crate::failure::Failure;

/// A file to write.
pub(crate) struct NewFile {
    /// Where.
    pub(crate) path: PathBuf,
    /// What goes into it.
    pub(crate) bytes: Vec<u8>,
    /// Its permissions.
    pub(crate) mode: u32,
    /// User and group that it is to belong to, as far as the system lets it; those who run the program
    /// where nothing is given.
    pub(crate) owner: Option<(u32, u32)>,
}

/// Permissions of an ordinary file, and of one with credentials in it.
pub(crate) const ORDINARY: u32 = 0o644;
pub(crate) const SECRET: u32 = 0o600;

/// Refuses an output folder that is something else, before any work.
///
/// # Errors
/// If there is a file under its name.
pub(crate) fn check_folder(folder: Option<&Path>) -> Result<(), Failure> {
    match folder {
        Some(folder) if folder.exists() && !folder.is_dir() => {
            let message = format!("{} is not a folder", folder.display());
            Err(Failure::message(Exit::Usage, message).hint("choose another --out-dir"))
        }
        _ => Ok(()),
    }
}

/// Writes each file under a temporary name and renames it when all are complete. Missing folders are created.
///
/// # Errors
/// If a file exists with other content and `overwrite` is false: then nothing is written. An interrupted command can
/// be run again.
pub(crate) fn write_all(files: &[NewFile], overwrite: bool) -> Result<(), Failure> {
    if !overwrite && let Some(file) = files.iter().find(|file| in_the_way(file)) {
        let message = format!("{} exists", file.path.display());
        return Err(Failure::message(Exit::Conflict, message)
            .hint("choose another folder, or use --overwrite"));
    }
    // All are written under other names first: what can fail mostly fails before any name is taken.
    let mut written = Vec::with_capacity(files.len());
    for file in files {
        let folder = folder(&file.path);
        fs::create_dir_all(folder).map_err(|error| cannot("create", folder, &error))?;
        if file.path.is_dir() {
            let message = format!("{} is a folder", file.path.display());
            return Err(Failure::message(Exit::Failed, message));
        }
        written.push(temporary(file).map_err(|error| cannot("write", &file.path, &error))?);
    }
    for (temporary, file) in written.into_iter().zip(files) {
        // A reader sees the old one or the new one.
        let named = temporary.persist(&file.path);
        named.map_err(|error| cannot("write", &file.path, &error.error))?;
    }
    Ok(())
}

/// Whether something is there that is not what would be written.
fn in_the_way(file: &NewFile) -> bool {
    let Ok(there) = file.path.symlink_metadata() else {
        return false;
    };
    let same = there.is_file()
        && there.len() == file.bytes.len() as u64
        && fs::read(&file.path).is_ok_and(|bytes| bytes == file.bytes);
    !same
}

/// The file, whole and on the disk, under a name that it does not keep.
fn temporary(file: &NewFile) -> io::Result<NamedTempFile> {
    let mut temporary = NamedTempFile::new_in(folder(&file.path))?;
    temporary.write_all(&file.bytes)?;
    if let Some((user, group)) = file.owner {
        // Only root may give files away.
        let _ = fchown(temporary.as_file(), Some(user), Some(group));
    }
    temporary
        .as_file()
        .set_permissions(PermissionsExt::from_mode(file.mode))?;
    temporary.as_file().sync_all()?;
    Ok(temporary)
}

/// The folder that a file is in.
pub(crate) fn folder(path: &Path) -> &Path {
    let named = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    named.unwrap_or(Path::new("."))
}

fn cannot(doing: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::message(
        Exit::Failed,
        format!("cannot {doing} {}: {error}", path.display()),
    )
}

/// Whether two paths name the same file, which need not exist.
pub(crate) fn is_same(a: &Path, b: &Path) -> bool {
    a == b || matches!((fs::canonicalize(a), fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: PathBuf, mode: u32) -> NewFile {
        NewFile {
            path,
            bytes: b"new".to_vec(),
            mode,
            owner: None,
        }
    }

    #[test]
    fn nothing_is_written_where_one_file_is_in_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("a/b"), folder.path().join("c"));
        fs::write(&second, "old").unwrap();
        let files = [file(first.clone(), ORDINARY), file(second.clone(), SECRET)];
        let refused = write_all(&files, false).unwrap_err();
        assert_eq!(refused.exit(), Exit::Conflict);
        assert!(!first.exists());
        write_all(&files, true).unwrap();
        // What is there is what would be written.
        write_all(&files, false).unwrap();
        fs::remove_file(&first).unwrap();
        write_all(&files, false).unwrap();
        assert!(first.is_file());
        assert_eq!(fs::read(&second).unwrap(), b"new");
        let mode = fs::metadata(&second).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, SECRET);
    }

    #[test]
    fn nothing_is_written_where_one_file_cannot_be() {
        let folder = tempfile::tempdir().unwrap();
        let first = folder.path().join("first");
        let taken = folder.path().join("taken");
        fs::write(&first, "old").unwrap();
        fs::write(&taken, "a file").unwrap();
        fs::create_dir(folder.path().join("folder")).unwrap();
        for second in ["taken/below", "folder"] {
            let files = [
                file(first.clone(), ORDINARY),
                file(folder.path().join(second), ORDINARY),
            ];
            let failed = write_all(&files, true).unwrap_err();
            assert_eq!(failed.exit(), Exit::Failed, "{second}");
            assert_eq!(fs::read(&first).unwrap(), b"old", "{second}");
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "{second}");
        }
    }
}

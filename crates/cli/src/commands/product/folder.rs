//! The folder that `product` writes: its files, and how paths look from inside it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::{NewFile, SECRET, write_all};
use crate::{output, progress};

/// All files go into one folder, by their names.
pub(super) fn refuse_same_names(files: &[NewFile]) -> Result<(), Failure> {
    let mut seen = BTreeSet::new();
    match files.iter().find(|file| !seen.insert(&file.path)) {
        None => Ok(()),
        Some(file) => {
            let message = format!("two of the files would be {}", file.path.display());
            Err(Failure::message(Exit::Usage, message)
                .hint("rename the manifest, or rewrite it with `sealift rewrite`"))
        }
    }
}

/// A path for someone who works in `folder`.
pub(super) fn seen_from(folder: Option<&Path>, path: &Path) -> String {
    let Some(folder) = folder.filter(|_| path.is_relative()) else {
        return path.display().to_string();
    };
    let steps: Option<Vec<&str>> = folder
        .components()
        .filter(|part| *part != Component::CurDir)
        .map(|part| matches!(part, Component::Normal(_)).then_some(".."))
        .collect();
    match steps {
        Some(up) => up.iter().collect::<PathBuf>().join(path),
        // From a folder elsewhere, only the absolute path leads back.
        None => std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
    }
    .display()
    .to_string()
}

/// Writes all files, and prints their names unless `quiet`.
pub(super) fn write(
    folder: &Path,
    files: &[NewFile],
    overwrite: bool,
    quiet: bool,
) -> Result<(), Failure> {
    let files: Vec<NewFile> = files
        .iter()
        .map(|file| NewFile {
            path: folder.join(&file.path),
            bytes: file.bytes.clone(),
            mode: file.mode,
            owner: None,
        })
        .collect();
    write_all(&files, overwrite)?;
    warn_of_others(folder, &files);
    if quiet {
        return Ok(());
    }
    files
        .iter()
        .try_for_each(|file| output::line(&file.path.display().to_string()))
}

/// Files of an earlier run may be for another destination, and `kubectl apply -f` accepts whole folders.
fn warn_of_others(folder: &Path, files: &[NewFile]) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut others: Vec<String> = entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .filter(|entry| !files.iter().any(|file| file.path == entry.path()))
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    others.sort();
    if !others.is_empty() {
        progress::warn(&format!(
            "{} contains files that this run did not write: {}",
            folder.display(),
            others.join(", ")
        ));
    }
}

/// Prints a file under its name, unless it contains credentials.
pub(super) fn show(file: &NewFile) -> Result<(), Failure> {
    let text = match std::str::from_utf8(&file.bytes) {
        _ if file.mode == SECRET => "(credentials: not shown)",
        Ok(text) => text.trim_end(),
        Err(_) => "(not text: not shown)",
    };
    output::line(&format!("=== {}", file.path.display()))?;
    output::content(text)
}

//! Names of results in another folder: what the files share of their paths is left out, what differs is kept.

use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::folder;

/// The paths of `files` below the folder that all of them share: `a/x` and `a/b/y` become `x` and `b/y`.
pub(super) fn below_common_folder(files: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let parts: Option<Vec<_>> = files.iter().map(|file| plain(file)).collect();
    let parts = match parts.filter(|_| same_kind(files)) {
        Some(parts) => parts,
        None => files
            .iter()
            .map(|file| resolved(file))
            .collect::<Result<_, _>>()?,
    };
    let shared = shared(&parts);
    Ok(parts
        .iter()
        .map(|parts| parts[shared..].iter().collect())
        .collect())
}

/// Whether all paths begin at the root or none does.
fn same_kind(files: &[PathBuf]) -> bool {
    files
        .windows(2)
        .all(|two| two[0].is_absolute() == two[1].is_absolute())
}

/// How many folders all paths begin with.
fn shared(parts: &[Vec<OsString>]) -> usize {
    let Some((first, others)) = parts.split_first() else {
        return 0;
    };
    let same = |other: &Vec<OsString>| {
        let pairs = folders(first).iter().zip(folders(other));
        pairs.take_while(|(a, b)| a == b).count()
    };
    others
        .iter()
        .map(same)
        .min()
        .unwrap_or(folders(first).len())
}

fn folders(parts: &[OsString]) -> &[OsString] {
    parts.split_last().map_or(&[], |(_, folders)| folders)
}

/// The components of a path; `None` if it leads up, so that only the disk knows where.
fn plain(path: &Path) -> Option<Vec<OsString>> {
    let mut out = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => out.push(name.to_owned()),
            Component::CurDir | Component::RootDir => {}
            Component::ParentDir | Component::Prefix(_) => return None,
        }
    }
    (!out.is_empty()).then_some(out)
}

/// The components of a path as the disk has it; the file's own name stays, be it a link's.
fn resolved(path: &Path) -> Result<Vec<OsString>, Failure> {
    let cannot = |error: &dyn std::fmt::Display| {
        let message = format!("cannot resolve {}: {error}", path.display());
        Failure::message(Exit::Failed, message)
    };
    let name = path
        .file_name()
        .ok_or_else(|| cannot(&"it does not end in a file's name"))?;
    let folder = fs::canonicalize(folder(path)).map_err(|e| cannot(&e))?;
    let mut parts = plain(&folder).unwrap_or_default();
    parts.push(name.to_owned());
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn below(files: &[&str]) -> Vec<String> {
        let files: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
        let below = below_common_folder(&files).unwrap();
        below
            .iter()
            .map(|path| path.display().to_string())
            .collect()
    }

    #[test]
    fn subfolders_are_kept_below_the_folder_that_all_files_share() {
        assert_eq!(below(&["a.yaml"]), ["a.yaml"]);
        assert_eq!(below(&["m/a.yaml", "m/b.yaml"]), ["a.yaml", "b.yaml"]);
        assert_eq!(
            below(&["m/a.yaml", "m/ocp/a.yaml"]),
            ["a.yaml", "ocp/a.yaml"]
        );
        assert_eq!(below(&["a/x.yaml", "./b/x.yaml"]), ["a/x.yaml", "b/x.yaml"]);
        assert_eq!(below(&["x.yaml", "b/x.yaml"]), ["x.yaml", "b/x.yaml"]);
        assert_eq!(below(&["/m/a/x", "/m/b/x"]), ["a/x", "b/x"]);
        assert_eq!(below(&["m/a", "m/a/b"]), ["a", "a/b"]);
    }

    #[test]
    fn paths_that_lead_up_are_resolved() {
        let (folder, other) = (tempfile::tempdir().unwrap(), PathBuf::from("/"));
        let root = folder.path();
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::create_dir_all(root.join("c")).unwrap();
        let files = [root.join("a/b/../x"), root.join("c/x")];
        assert_eq!(
            below_common_folder(&files).unwrap(),
            [PathBuf::from("a/x"), "c/x".into()]
        );
        assert!(below_common_folder(&[root.join(".."), other]).is_err());
    }
}

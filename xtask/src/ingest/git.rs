//! Reading files of a clone at a tag, without touching its work tree.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A clone.
pub(super) struct Clone {
    path: PathBuf,
}

impl Clone {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    pub(super) fn tags(&self) -> Result<Vec<String>, Box<dyn Error>> {
        let text = String::from_utf8(self.git(&["tag", "--list"])?)?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// A file at a revision; `None` where it has no such file.
    pub(super) fn file(&self, revision: &str, path: &str) -> Option<Vec<u8>> {
        self.git(&["show", &format!("{revision}:{path}")]).ok()
    }

    /// The first of several paths that is there, with its path.
    pub(super) fn first<'p>(
        &self,
        revision: &str,
        paths: &[&'p str],
    ) -> Option<(&'p str, Vec<u8>)> {
        let mut found = paths
            .iter()
            .filter_map(|path| Some((*path, self.file(revision, path)?)));
        found.next()
    }

    /// Paths of all files below a folder.
    pub(super) fn files(
        &self,
        revision: &str,
        folder: &str,
    ) -> Result<Vec<String>, Box<dyn Error>> {
        let bytes = self.git(&["ls-tree", "-r", "--name-only", revision, folder])?;
        Ok(String::from_utf8(bytes)?
            .lines()
            .map(str::to_owned)
            .collect())
    }

    /// The last commit that had a file which is gone.
    pub(super) fn before_removal(&self, path: &str) -> Option<String> {
        let log = self
            .git(&["log", "-1", "--diff-filter=D", "--format=%H", "--", path])
            .ok()?;
        let commit = String::from_utf8(log).ok()?;
        let commit = commit.trim();
        (!commit.is_empty()).then(|| format!("{commit}^"))
    }

    fn git(&self, arguments: &[&str]) -> Result<Vec<u8>, Box<dyn Error>> {
        let output = Command::new("git")
            .arg("-C")
            .arg(&self.path)
            .args(arguments)
            .output()?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!(
            "git {} in {}: {said}",
            arguments.join(" "),
            self.path.display()
        )
        .into())
    }
}

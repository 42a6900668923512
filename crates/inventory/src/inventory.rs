//! What is installed in the files of an image.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;

use crate::database::{APK_FILES, DPKG_FILE, DPKG_FOLDER, RPM_FILES, RPM_FOLDERS};
use crate::entry::{File, Found, Note, Notes};
use crate::go::GoProgram;
use crate::os_release::{OsRelease, PATHS};
use crate::package::{Package, PackageKind};
use crate::tree::FileTree;

/// What is installed in an image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inventory {
    /// The distribution that it is based on, if it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os: Option<OsRelease>,
    /// Installed packages, by kind and name.
    pub packages: Vec<Package>,
    /// Go programs, by path.
    pub programs: Vec<InstalledProgram>,
    /// How many files it has; each hard link counts.
    pub files: u64,
    /// The size of all files in bytes; files with several hard links count once.
    pub bytes: u64,
    /// What was found and not read.
    pub notes: Vec<Note>,
}

/// A Go program in an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InstalledProgram {
    /// Where it is, without the first `/`.
    pub path: String,
    /// What it was built from.
    pub built_from: GoProgram,
}

impl Inventory {
    /// What is installed in the files of `tree`.
    pub fn of(tree: &FileTree) -> Self {
        let mut search = Search {
            tree,
            found: Self::default(),
            notes: tree.notes.clone(),
        };
        search.os();
        search.files();
        search.dpkg();
        search.apk();
        search.rpm();
        let mut found = search.found;
        found.packages.sort();
        found.packages.dedup();
        found.notes = search.notes.into_vec();
        found
    }
}

struct Search<'a> {
    tree: &'a FileTree,
    found: Inventory,
    notes: Notes,
}

impl Search<'_> {
    fn os(&mut self) {
        let mut files = PATHS.iter().filter_map(|path| self.tree.file(path));
        self.found.os = files.find_map(|file| match &file.found {
            Some(Found::OsRelease(release)) => Some(release.clone()),
            _ => None,
        });
    }

    /// Counts files, and lists programs; one with several names is listed under the first.
    fn files(&mut self) {
        let mut seen: BTreeSet<*const File> = BTreeSet::new();
        for (path, file) in self.tree.files() {
            self.found.files += 1;
            if !seen.insert(Arc::as_ptr(file)) {
                continue;
            }
            self.found.bytes = self.found.bytes.saturating_add(file.size);
            match &file.found {
                Some(Found::Program(info)) => {
                    if let Some(problem) = &info.problem {
                        self.notes.add(path, problem.clone());
                    }
                    self.found.programs.push(InstalledProgram {
                        path: path.to_owned(),
                        built_from: info.program.clone(),
                    });
                }
                Some(Found::Unread(why)) => self.notes.add(path, why.clone()),
                _ => {}
            }
        }
    }

    fn dpkg(&mut self) {
        if let Some(file) = self.tree.file(DPKG_FILE) {
            self.database(DPKG_FILE, file, PackageKind::Dpkg);
        }
        for (name, file) in self.tree.files_in(DPKG_FOLDER) {
            if !name.ends_with(".md5sums") {
                self.database(&format!("{DPKG_FOLDER}/{name}"), file, PackageKind::Dpkg);
            }
        }
    }

    fn apk(&mut self) {
        for path in APK_FILES {
            if let Some(file) = self.tree.file(path) {
                self.database(path, file, PackageKind::Apk);
            }
        }
    }

    fn rpm(&mut self) {
        let mut seen: BTreeSet<*const File> = BTreeSet::new();
        for folder in RPM_FOLDERS {
            let mut used = None;
            for name in RPM_FILES {
                let path = format!("{folder}/{name}");
                let Some(file) = self.tree.file(&path) else {
                    continue;
                };
                if !seen.insert(Arc::as_ptr(file)) {
                    continue;
                }
                // An older database may be left from before a conversion.
                match used {
                    Some(newer) => self.notes.add(&path, format!("not read: {newer} is newer")),
                    None if self.database(&path, file, PackageKind::Rpm) => used = Some(name),
                    None => {}
                }
            }
            let log = format!("{folder}/{}-wal", RPM_FILES[0]);
            if self.tree.file(&log).is_some_and(|file| file.size > 0) {
                let what = "changes that are not in the database yet were not read";
                self.notes.add(&log, what);
            }
        }
    }

    /// Adds the packages that a file lists; whether there are any.
    fn database(&mut self, path: &str, file: &File, kind: PackageKind) -> bool {
        let Some(Found::Database(database)) = &file.found else {
            if file.size > 0 {
                let what = format!("not a database of {kind} in a format that is known");
                self.notes.add(path, what);
            }
            return false;
        };
        for problem in &database.problems {
            self.notes.add(path, problem.clone());
        }
        match database.kind {
            Some(actual) if actual != kind => {
                let what = format!("a database of {actual} where {kind} has its own; not read");
                self.notes.add(path, what);
                return false;
            }
            None if file.size > 0 && database.problems.is_empty() => {
                self.notes
                    .add(path, format!("a database of {kind} that lists no package"));
            }
            _ => {}
        }
        self.found.packages.extend_from_slice(&database.packages);
        !database.packages.is_empty()
    }
}

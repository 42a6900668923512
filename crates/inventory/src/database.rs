//! Package databases: which files are read as one, and the packages that they list.

mod apk;
mod berkeley;
mod dpkg;
mod ndb;
mod rpm;
mod sqlite;

use crate::package::{Package, PackageKind};

/// Folders in which rpm's database may be.
pub(crate) const RPM_FOLDERS: [&str; 3] = ["usr/lib/sysimage/rpm", "var/lib/rpm", "usr/share/rpm"];
/// The files of rpm's databases, the newest format first.
pub(crate) const RPM_FILES: [&str; 3] = ["rpmdb.sqlite", "Packages.db", "Packages"];
/// Where dpkg's database may be.
pub(crate) const DPKG_FILE: &str = "var/lib/dpkg/status";
/// The folder of images without a shell or package manager, with a file for each package.
pub(crate) const DPKG_FOLDER: &str = "var/lib/dpkg/status.d";
/// Where apk's database may be, before and since its version 3.
pub(crate) const APK_FILES: [&str; 2] = ["lib/apk/db/installed", "usr/lib/apk/db/installed"];

/// The packages that one file lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Database {
    /// What wrote the file, if it lists any package or is in a format of its own.
    pub(crate) kind: Option<PackageKind>,
    pub(crate) packages: Vec<Package>,
    /// What in it could not be read.
    pub(crate) problems: Vec<String>,
}

/// A format that a file may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Dpkg,
    Apk,
    RpmSqlite,
    RpmNdb,
    RpmBerkeley,
}

impl Format {
    /// The format of the file at `path` that begins with `head`; `None` if it is not a database.
    ///
    /// Binary formats and stanzas are recognised by their bytes, so that another hard link to a database is read
    /// too. A file at the path of a text database is read as one whatever it begins with.
    pub(crate) fn of(path: &str, head: &[u8]) -> Option<Self> {
        if head.starts_with(b"SQLite format 3\0") {
            return Some(Self::RpmSqlite);
        }
        if head.starts_with(ndb::MAGIC) {
            return Some(Self::RpmNdb);
        }
        if berkeley::is_hash(head) {
            return Some(Self::RpmBerkeley);
        }
        let in_folder = path
            .rsplit_once('/')
            .is_some_and(|(folder, _)| folder == DPKG_FOLDER);
        let text = head.starts_with(b"Package:") || path == DPKG_FILE;
        if text || in_folder && !path.ends_with(".md5sums") {
            return Some(Self::Dpkg);
        }
        (head.starts_with(b"C:Q") || APK_FILES.contains(&path)).then_some(Self::Apk)
    }

    /// Reads the packages that `bytes` list.
    ///
    /// # Errors
    /// If nothing can be read: what was found instead.
    pub(crate) fn read(self, bytes: &[u8]) -> Result<Database, String> {
        match self {
            Self::Dpkg => Ok(dpkg::read(bytes)),
            Self::Apk => Ok(apk::read(bytes)),
            Self::RpmSqlite => sqlite::read(bytes).map(rpm::packages),
            Self::RpmNdb => ndb::read(bytes).map(rpm::packages),
            Self::RpmBerkeley => berkeley::read(bytes).map(rpm::packages),
        }
    }
}

/// The headers of packages that a file of rpm contains, and what in it could not be read.
#[derive(Debug, Default)]
struct Headers<'a> {
    headers: Vec<std::borrow::Cow<'a, [u8]>>,
    problems: Vec<String>,
}

/// `problem` unless there are many already.
fn report(problems: &mut Vec<String>, problem: impl FnOnce() -> String) {
    if problems.len() < 20 {
        problems.push(problem());
    }
}

//! What a layer changes, entry by entry, and what was found in its files.

use std::sync::Arc;

use serde::Serialize;

use crate::database::Database;
use crate::go::BuildInfo;
use crate::limits::MAX_NOTES;
use crate::os_release::OsRelease;

/// Something that was found and not read, or not as its name promises.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Note {
    /// The file, as an absolute name in the image without its first `/`; empty for the layer or image itself.
    pub path: String,
    /// What was found.
    pub what: String,
}

/// Notes, up to a limit; how many more there were is counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Notes {
    notes: Vec<Note>,
    more: usize,
}

impl Notes {
    pub(crate) fn add(&mut self, path: &str, what: impl Into<String>) {
        if self.notes.len() < MAX_NOTES {
            self.notes.push(Note {
                path: path.to_owned(),
                what: what.into(),
            });
        } else {
            self.more += 1;
        }
    }

    pub(crate) fn extend(&mut self, other: &Self) {
        for note in &other.notes {
            self.add(&note.path, note.what.clone());
        }
        self.more += other.more;
    }

    /// The notes, sorted, each once, the last of which says how many are missing.
    pub(crate) fn into_vec(self) -> Vec<Note> {
        let mut notes = self.notes;
        notes.sort();
        notes.dedup();
        if self.more > 0 {
            notes.push(Note {
                path: String::new(),
                what: format!("{} more notes are not listed", self.more),
            });
        }
        notes
    }
}

/// A file, shared by all names that are hard links to it.
#[derive(Debug)]
pub struct File {
    /// Its size in bytes.
    pub size: u64,
    /// Its permissions: the lowest twelve bits of its mode.
    pub mode: u32,
    /// The SHA-256 digest of its content; `None` if the scanner was not asked for it.
    pub sha256: Option<[u8; 32]>,
    pub(crate) found: Option<Found>,
}

/// What is in a file.
#[derive(Debug)]
pub(crate) enum Found {
    Database(Database),
    Program(BuildInfo),
    OsRelease(OsRelease),
    /// It may contain something, but was not read: why not.
    Unread(String),
}

/// One change that a layer makes.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Components joined by `/`, without `.`, `..` and empty ones.
    pub(crate) path: Box<str>,
    pub(crate) change: Change,
}

/// What happens to the path of an entry.
#[derive(Debug)]
pub(crate) enum Change {
    File(Arc<File>),
    Directory,
    Symlink(Box<str>),
    HardLink(Box<str>),
    /// A device or pipe.
    Other,
    /// The path, and all below it, of the layers before is deleted.
    Whiteout,
    /// All below the path, of the layers before, is deleted.
    Opaque,
}

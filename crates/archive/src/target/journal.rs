//! What an interrupted build leaves beside its partial file, so that the next one requests nothing twice.
//!
//! A line that names the format, then lines that are appended one at a time, each a checksum and JSON:
//! first the request and the plan that came of it, then how much of each blob is written. A line that is
//! cut off or damaged ends the journal there. What a journal says about content is not believed: the
//! writer hashes it again.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use sealift_oci::Digest;
use serde::{Deserialize, Serialize};

use crate::target::error::WriteError;
use crate::target::lock::{self, LockedFile};
use crate::target::writable::Written;

/// The first line: the name and version of the format. The journal of another version is not resumed.
const HEADER: &[u8] = b"sealift.journal/2\n";
/// The form that the first version had at its start.
const FIRST_VERSION: &[u8] = b"{\"begin\":{\"format\":\"sealift.journal/";
/// How many hex characters of its SHA-256 digest stand before a line, and a space after them.
const CHECKSUM: usize = 16;
/// No line is longer, in bytes: a plan of the largest record.
const MAX_LINE_BYTES: u64 = 96 << 20;
/// No journal notes more blobs.
const MAX_BLOBS: usize = 500_000;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    Begin { request: Digest, plan: String },
    Complete(Digest),
    Partial(Digest, u64),
}

/// What an earlier run left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SavedState {
    /// The digest of its request.
    pub(super) request: Option<Digest>,
    /// Its plan, as text.
    pub(super) plan: String,
    /// How much of each blob it wrote.
    pub(super) written: BTreeMap<Digest, Written>,
}

/// An open journal, locked by this process.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: Mutex<LockedFile>,
    saved: SavedState,
}

impl Journal {
    /// Opens or creates the journal at `path` and locks it.
    ///
    /// # Errors
    /// If it cannot be opened, another process holds it, or the file is not a journal.
    pub(super) fn open(path: &Path) -> Result<Self, WriteError> {
        let mut file = lock::open_locked(path)?;
        let fault = || WriteError::io("use the journal", path);
        let (saved, end) = match read(&mut file).map_err(fault())? {
            Content::Journal(saved, end) => (saved, end),
            Content::Foreign => {
                return Err(WriteError::Foreign {
                    path: path.to_owned(),
                });
            }
        };
        file.set_len(end).map_err(fault())?;
        file.seek(SeekFrom::End(0)).map_err(fault())?;
        Ok(Self {
            path: path.to_owned(),
            file: Mutex::new(file),
            saved,
        })
    }

    /// What the journal at `path` says, without locking it; nothing if there is none.
    pub(super) fn peek(path: &Path) -> SavedState {
        let regular = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file());
        if !regular {
            return SavedState::default();
        }
        match File::open(path).and_then(|mut file| read(&mut file)) {
            Ok(Content::Journal(saved, _)) => saved,
            _ => SavedState::default(),
        }
    }

    /// Removes the file at `path` if it is a journal that no process holds.
    pub(super) fn remove_left(path: &Path) -> Result<(), WriteError> {
        if fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file()) {
            Self::open(path)?.remove()
        } else {
            Ok(())
        }
    }

    /// What an earlier run left.
    pub(super) fn saved(&self) -> &SavedState {
        &self.saved
    }

    /// Discards what an earlier run left and begins anew.
    pub(super) fn begin(&mut self, request: Digest, plan: &str) -> Result<(), WriteError> {
        let path = self.path.clone();
        let file = self.file.get_mut().unwrap_or_else(PoisonError::into_inner);
        let line = Line::Begin {
            request,
            plan: plan.to_owned(),
        };
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(HEADER))
            .and_then(|()| write(file, &line))
            .and_then(|()| file.sync_data())
            .map_err(WriteError::io("use the journal", &path))?;
        self.saved = SavedState {
            request: Some(request),
            plan: plan.to_owned(),
            written: BTreeMap::new(),
        };
        Ok(())
    }

    /// Discards how much of the blobs is written, but not the plan.
    pub(super) fn forget_blobs(&mut self) -> Result<(), WriteError> {
        match self.saved.request {
            Some(request) if !self.saved.written.is_empty() => {
                let plan = std::mem::take(&mut self.saved.plan);
                self.begin(request, &plan)
            }
            _ => Ok(()),
        }
    }

    /// Notes how much of a blob is written.
    pub(super) fn note(&self, digest: Digest, written: Written) -> io::Result<()> {
        let line = match written {
            Written::Complete => Line::Complete(digest),
            Written::Partial(bytes) => Line::Partial(digest, bytes),
        };
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        write(&mut file, &line)
    }

    /// Removes the journal: nothing is left to resume.
    pub(super) fn remove(self) -> Result<(), WriteError> {
        let file = self
            .file
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        lock::remove_own(&file, &self.path).map_err(WriteError::io("remove", &self.path))
    }
}

fn checksum(json: &[u8]) -> String {
    let mut hex = Digest::sha256(json).hex();
    hex.truncate(CHECKSUM);
    hex
}

/// One write per line: what a kill leaves is complete lines and at most one that is cut off.
fn write(file: &mut File, line: &Line) -> io::Result<()> {
    let json = serde_json::to_vec(line)?;
    let mut bytes = Vec::with_capacity(json.len() + CHECKSUM + 2);
    bytes.extend_from_slice(checksum(&json).as_bytes());
    bytes.push(b' ');
    bytes.extend_from_slice(&json);
    bytes.push(b'\n');
    file.write_all(&bytes)
}

/// What a file turned out to be.
enum Content {
    /// A journal: the state that its undamaged lines describe, and where they end.
    Journal(SavedState, u64),
    /// Something else.
    Foreign,
}

fn read(file: &mut File) -> io::Result<Content> {
    file.rewind()?;
    let mut reader = BufReader::new(file);
    let mut saved = SavedState::default();
    let mut start = Vec::new();
    reader
        .by_ref()
        .take(HEADER.len() as u64)
        .read_to_end(&mut start)?;
    if start != HEADER {
        // A first line that was cut off, or the journal of an earlier version.
        let ours = HEADER.starts_with(&start) || FIRST_VERSION.starts_with(&start);
        return Ok(if ours {
            Content::Journal(saved, 0)
        } else {
            Content::Foreign
        });
    }
    let mut end = HEADER.len() as u64;
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        let length = reader
            .by_ref()
            .take(MAX_LINE_BYTES)
            .read_until(b'\n', &mut bytes)? as u64;
        let Some(line) = parse(&bytes) else {
            return Ok(Content::Journal(saved, end));
        };
        let noted = match line {
            Line::Begin { request, plan } => {
                saved = SavedState {
                    request: Some(request),
                    plan,
                    written: BTreeMap::new(),
                };
                None
            }
            Line::Complete(digest) => Some((digest, Written::Complete)),
            Line::Partial(digest, bytes) => Some((digest, Written::Partial(bytes))),
        };
        if let Some((digest, written)) = noted
            && saved.written.len() < MAX_BLOBS
        {
            saved.written.insert(digest, written);
        }
        end += length;
    }
}

/// A complete line whose checksum is right.
fn parse(bytes: &[u8]) -> Option<Line> {
    let line = bytes.strip_suffix(b"\n")?;
    let (sum, json) = line.split_at_checked(CHECKSUM)?;
    let json = json.strip_prefix(b" ")?;
    if sum != checksum(json).as_bytes() {
        return None;
    }
    serde_json::from_slice(json).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn digest(text: &str) -> Digest {
        Digest::sha256(text.as_bytes())
    }

    fn is_complete(saved: &SavedState, name: &str) -> bool {
        saved.written.get(&digest(name)) == Some(&Written::Complete)
    }

    #[test]
    fn what_was_noted_is_there_after_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        let mut journal = Journal::open(&path).unwrap();
        journal.begin(digest("request"), "the plan").unwrap();
        journal.note(digest("a"), Written::Partial(5)).unwrap();
        journal.note(digest("b"), Written::Complete).unwrap();
        drop(journal);
        let saved = Journal::peek(&path);
        assert_eq!(
            (saved.request, saved.plan.as_str()),
            (Some(digest("request")), "the plan")
        );
        assert!(is_complete(&saved, "b") && !is_complete(&saved, "a"));
    }

    #[test]
    fn a_last_line_that_is_cut_off_counts_as_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        let mut journal = Journal::open(&path).unwrap();
        journal.begin(digest("r"), "").unwrap();
        journal.note(digest("a"), Written::Complete).unwrap();
        drop(journal);
        let bytes = fs::read(&path).unwrap();
        for cut in 0..bytes.len() {
            fs::write(&path, &bytes[..cut]).unwrap();
            let mut journal = Journal::open(&path).unwrap();
            assert!(!is_complete(journal.saved(), "a"));
            journal.begin(digest("r"), "").unwrap();
            journal.note(digest("c"), Written::Complete).unwrap();
            drop(journal);
            assert!(is_complete(&Journal::peek(&path), "c"));
        }
    }

    #[test]
    fn no_damaged_line_is_believed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        let mut journal = Journal::open(&path).unwrap();
        journal.begin(digest("r"), "plan").unwrap();
        journal.note(digest("a"), Written::Complete).unwrap();
        drop(journal);
        let bytes = fs::read(&path).unwrap();
        let right = Journal::peek(&path);
        for at in HEADER.len()..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            fs::write(&path, &damaged).unwrap();
            let saved = Journal::peek(&path);
            assert_ne!(saved, right, "byte {at}");
            assert!(saved.plan.is_empty() || saved.plan == "plan", "byte {at}");
        }
    }

    #[test]
    fn a_second_process_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        let _first = Journal::open(&path).unwrap();
        assert!(matches!(
            Journal::open(&path),
            Err(WriteError::Locked { .. })
        ));
    }

    #[test]
    fn a_file_of_the_users_own_is_neither_written_nor_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        fs::write(&path, "notes of my own").unwrap();
        assert!(matches!(
            Journal::open(&path),
            Err(WriteError::Foreign { .. })
        ));
        assert!(Journal::remove_left(&path).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"notes of my own");
        let link = folder.path().join("l");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(matches!(
            Journal::open(&link),
            Err(WriteError::NotRegular { .. })
        ));
        let second = folder.path().join("second");
        fs::hard_link(&path, &second).unwrap();
        assert!(matches!(
            Journal::open(&second),
            Err(WriteError::NotRegular { .. })
        ));
        assert_eq!(fs::read(&path).unwrap(), b"notes of my own");
    }
}

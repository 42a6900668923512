//! What an interrupted build leaves beside its partial file, so that the next one asks for nothing twice.
//!
//! Lines of JSON, appended one at a time: first what was asked for and the plan that came of it, then
//! which blobs are whole and how far the others are. A last line that was cut off counts as not written.
//! What a journal says about content is not believed: the writer hashes it again.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use sealift_oci::Digest;
use serde::{Deserialize, Serialize};

/// The name and version of the journal's form; another version's journal is not taken up.
const FORMAT: &str = "sealift.journal/1";

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It cannot be read or written.
    #[error("cannot use the journal {}: {source}", path.display())]
    Io {
        /// The journal.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Another process holds it.
    #[error("another process is building the same bundle (it holds {})", path.display())]
    Locked {
        /// The journal.
        path: PathBuf,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    Begin {
        format: String,
        request: Digest,
        plan: String,
    },
    Whole(Digest),
    Part(Digest, u64),
}

/// What an earlier run left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SavedState {
    /// The digest of the request that the run had.
    pub request: Option<Digest>,
    /// Its resolved plan, in the words of whoever saved it.
    pub plan: String,
    /// How many bytes of each blob were written; all of them for one that is whole.
    pub(crate) written: BTreeMap<Digest, Written>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    Whole,
    Part(u64),
}

impl SavedState {
    /// How many blobs were whole.
    pub fn whole_blobs(&self) -> usize {
        self.written
            .values()
            .filter(|written| **written == Written::Whole)
            .count()
    }

    /// Whether the journal says that `digest` is whole.
    pub fn is_whole(&self, digest: &Digest) -> bool {
        self.written.get(digest) == Some(&Written::Whole)
    }
}

/// An open journal, held by this process alone.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: Mutex<File>,
    saved: SavedState,
}

impl Journal {
    /// Opens or creates the journal at `path` and takes it for this process.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let fault = |source| JournalError::Io {
            path: path.to_owned(),
            source,
        };
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(fault)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                return Err(JournalError::Locked {
                    path: path.to_owned(),
                });
            }
            // File systems without locks leave the care to the user.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        let (saved, end) = read(&mut file).map_err(fault)?;
        file.set_len(end).map_err(fault)?;
        file.seek(SeekFrom::End(0)).map_err(fault)?;
        Ok(Self {
            path: path.to_owned(),
            file: Mutex::new(file),
            saved,
        })
    }

    /// What is in the journal at `path`, without taking it; nothing where there is none.
    pub fn peek(path: &Path) -> SavedState {
        File::open(path)
            .and_then(|mut file| read(&mut file))
            .map(|(saved, _)| saved)
            .unwrap_or_default()
    }

    /// What an earlier run left.
    pub fn saved(&self) -> &SavedState {
        &self.saved
    }

    /// Forgets what an earlier run left and begins anew.
    pub fn begin(&mut self, request: Digest, plan: &str) -> Result<(), JournalError> {
        let file = self
            .file
            .get_mut()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let line = Line::Begin {
            format: FORMAT.to_owned(),
            request,
            plan: plan.to_owned(),
        };
        let begun = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| write(file, &line));
        begun
            .and_then(|()| file.sync_data())
            .map_err(|source| self.fault(source))?;
        self.saved = SavedState {
            request: Some(request),
            plan: plan.to_owned(),
            written: BTreeMap::new(),
        };
        Ok(())
    }

    /// Forgets how far the blobs are, but not the plan.
    pub(crate) fn forget_blobs(&mut self) -> Result<(), JournalError> {
        match self.saved.request {
            Some(request) => {
                let plan = std::mem::take(&mut self.saved.plan);
                self.begin(request, &plan)
            }
            None => Ok(()),
        }
    }

    pub(crate) fn whole(&self, digest: Digest) -> Result<(), JournalError> {
        self.append(&Line::Whole(digest))
    }

    pub(crate) fn part(&self, digest: Digest, bytes: u64) -> Result<(), JournalError> {
        self.append(&Line::Part(digest, bytes))
    }

    /// Removes the journal: nothing is left to take up.
    pub fn remove(self) -> Result<(), JournalError> {
        fs::remove_file(&self.path).map_err(|source| self.fault(source))
    }

    fn append(&self, line: &Line) -> Result<(), JournalError> {
        let mut file = self
            .file
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        write(&mut file, line).map_err(|source| self.fault(source))
    }

    fn fault(&self, source: io::Error) -> JournalError {
        JournalError::Io {
            path: self.path.clone(),
            source,
        }
    }
}

/// One write a line: what a kill leaves is whole lines and at most one torn one.
fn write(file: &mut File, line: &Line) -> io::Result<()> {
    let mut bytes = serde_json::to_vec(line)?;
    bytes.push(b'\n');
    file.write_all(&bytes)
}

/// The state that the journal's whole lines describe, and where they end.
fn read(file: &mut File) -> io::Result<(SavedState, u64)> {
    file.rewind()?;
    let mut reader = BufReader::new(file);
    let mut saved = SavedState::default();
    let mut end = 0;
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = reader.read_until(b'\n', &mut line)? as u64;
        let Some(parsed) = line
            .strip_suffix(b"\n")
            .and_then(|line| serde_json::from_slice(line).ok())
        else {
            return Ok((saved, end));
        };
        match parsed {
            Line::Begin {
                format,
                request,
                plan,
            } if format == FORMAT => {
                saved = SavedState {
                    request: Some(request),
                    plan,
                    written: BTreeMap::new(),
                };
            }
            Line::Begin { .. } => return Ok((SavedState::default(), 0)),
            Line::Whole(digest) => drop(saved.written.insert(digest, Written::Whole)),
            Line::Part(digest, bytes) => drop(saved.written.insert(digest, Written::Part(bytes))),
        }
        end += length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(text: &str) -> Digest {
        Digest::sha256(text.as_bytes())
    }

    #[test]
    fn what_was_appended_is_there_after_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        let mut journal = Journal::open(&path).unwrap();
        journal.begin(digest("request"), "the plan").unwrap();
        journal.part(digest("a"), 5).unwrap();
        journal.whole(digest("b")).unwrap();
        drop(journal);
        let saved = Journal::peek(&path);
        assert_eq!(
            (saved.request, saved.plan.as_str()),
            (Some(digest("request")), "the plan")
        );
        assert!(saved.is_whole(&digest("b")) && !saved.is_whole(&digest("a")));
    }

    #[test]
    fn a_torn_last_line_is_as_if_it_was_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        let mut journal = Journal::open(&path).unwrap();
        journal.begin(digest("r"), "").unwrap();
        journal.whole(digest("a")).unwrap();
        drop(journal);
        let bytes = fs::read(&path).unwrap();
        for cut in 0..bytes.len() {
            fs::write(&path, &bytes[..cut]).unwrap();
            let journal = Journal::open(&path).unwrap();
            assert!(!journal.saved().is_whole(&digest("a")));
            journal.whole(digest("c")).unwrap();
            drop(journal);
        }
        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        let journal = Journal::open(&path).unwrap();
        journal.whole(digest("c")).unwrap();
        drop(journal);
        assert!(Journal::peek(&path).is_whole(&digest("c")));
    }

    #[test]
    fn a_second_holder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        let _first = Journal::open(&path).unwrap();
        assert!(matches!(
            Journal::open(&path),
            Err(JournalError::Locked { .. })
        ));
    }
}

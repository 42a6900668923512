//! Upload sessions in a file, so that a later run resumes inside a blob.
//!
//! A line that names the format, then one line for each change. A line that is cut off or damaged ends the
//! file there. What it says is not believed: the registry says how much of a blob it has, and the digest decides
//! when the upload is committed. So an upload never fails because of this file: what is wrong with it is reported
//! once, and uploads begin at their beginning.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sealift_archive::{LockedFile, WriteError, open_locked, remove_own};
use sealift_oci::Digest;
use sealift_pipeline::{Event, Observer};
use sealift_registry::{SessionStore, UploadSession};
use serde::{Deserialize, Serialize};

/// The first line: the name and version of the format.
const HEADER: &str = "sealift.uploads/1\n";
/// No line is longer, in bytes.
const MAX_LINE_BYTES: u64 = 64 << 10;
/// More sessions than this are not kept.
const MAX_SESSIONS: usize = 10_000;
/// A file of this many bytes is written anew with what is still needed of it.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// A registry, a repository and a blob.
type Key = (String, String, Digest);

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    Save(UploadSession),
    Remove(Key),
}

/// The upload sessions of one bundle in a file, which is locked while this value lives. It is created for the
/// first session.
pub struct SessionFile {
    path: PathBuf,
    observer: Arc<dyn Observer>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    file: Option<LockedFile>,
    /// The length of the file in bytes.
    length: u64,
    sessions: BTreeMap<Key, UploadSession>,
    /// Whether the file cannot be used, which was reported.
    unusable: bool,
}

impl SessionFile {
    /// Reads the sessions that earlier runs left in the file at `path`. If it cannot be used, `observer` gets a
    /// warning, and no session is kept.
    pub fn open(path: PathBuf, observer: Arc<dyn Observer>) -> Self {
        let mut state = State::default();
        if fs::symlink_metadata(&path).is_ok() {
            match open(&path) {
                Ok(opened) => state = opened,
                Err(error) => {
                    state.unusable = true;
                    warn(&path, &error, &*observer);
                }
            }
        }
        Self {
            path,
            observer,
            state: Mutex::new(state),
        }
    }

    /// Forgets the sessions of a registry, when everything is there; removes the file if nothing is left in it.
    pub fn finish(&self, registry: &str) {
        self.change(|state, path| {
            state.sessions.retain(|key, _| key.0 != registry);
            match &state.file {
                Some(file) if state.sessions.is_empty() => {
                    remove_own(file, path).map_err(failed("remove", path))?;
                    state.file = None;
                    Ok(())
                }
                Some(_) => state.rewrite(path),
                None => Ok(()),
            }
        });
    }

    /// Changes the file; the first failure is reported, and the file not used any more.
    fn change(&self, change: impl FnOnce(&mut State, &Path) -> Result<(), WriteError>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.unusable {
            return;
        }
        if let Err(error) = change(&mut state, &self.path) {
            state.unusable = true;
            warn(&self.path, &error, &*self.observer);
        }
    }
}

impl SessionStore for SessionFile {
    fn load(&self, registry: &str, repository: &str, digest: &Digest) -> Option<UploadSession> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (registry.to_owned(), repository.to_owned(), *digest);
        state.sessions.get(&key).cloned()
    }

    fn save(&self, session: &UploadSession) {
        self.change(|state, path| {
            if state.sessions.len() >= MAX_SESSIONS {
                return Ok(());
            }
            state.sessions.insert(key(session), session.clone());
            state.append(&Line::Save(session.clone()), path)
        });
    }

    fn remove(&self, registry: &str, repository: &str, digest: &Digest) {
        self.change(|state, path| {
            let key = (registry.to_owned(), repository.to_owned(), *digest);
            match state.sessions.remove(&key) {
                Some(_) => state.append(&Line::Remove(key), path),
                None => Ok(()),
            }
        });
    }
}

impl State {
    fn append(&mut self, line: &Line, path: &Path) -> Result<(), WriteError> {
        if self.file.is_none() {
            *self = State {
                sessions: std::mem::take(&mut self.sessions),
                ..open(path)?
            };
        }
        if self.length == 0 || self.length > MAX_FILE_BYTES {
            return self.rewrite(path);
        }
        let bytes = encoded(line).map_err(failed("write", path))?;
        self.write(&bytes).map_err(failed("write", path))
    }

    /// Writes all of the file again.
    fn rewrite(&mut self, path: &Path) -> Result<(), WriteError> {
        let mut bytes = HEADER.as_bytes().to_vec();
        for session in self.sessions.values() {
            let line = encoded(&Line::Save(session.clone()));
            bytes.extend(line.map_err(failed("write", path))?);
        }
        self.truncate()
            .and_then(|()| self.write(&bytes))
            .map_err(failed("write", path))
    }

    fn truncate(&mut self) -> io::Result<()> {
        self.length = 0;
        match &mut self.file {
            Some(file) => file.set_len(0).and_then(|()| file.rewind()),
            None => Ok(()),
        }
    }

    /// One write for each change: what a kill leaves is complete lines and at most one that is cut off.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(file) = &mut self.file {
            file.write_all(bytes)?;
            self.length += bytes.len() as u64;
        }
        Ok(())
    }
}

fn key(session: &UploadSession) -> Key {
    let UploadSession {
        registry,
        repository,
        digest,
        ..
    } = session;
    (registry.clone(), repository.clone(), *digest)
}

fn encoded(line: &Line) -> io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(line)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Opens or creates the file, and reads it.
fn open(path: &Path) -> Result<State, WriteError> {
    let mut file = open_locked(path)?;
    let sessions = read(&mut file)
        .map_err(failed("read", path))?
        .ok_or_else(|| WriteError::Foreign {
            path: path.to_owned(),
        })?;
    let mut state = State {
        file: Some(file),
        sessions,
        ..State::default()
    };
    if !state.sessions.is_empty() {
        // Without what was removed meanwhile, or cut off.
        state.rewrite(path)?;
    }
    Ok(state)
}

/// The sessions that are left at the end of a file; `None` if it is not one of ours.
fn read(file: &mut File) -> io::Result<Option<BTreeMap<Key, UploadSession>>> {
    file.seek(SeekFrom::Start(0))?;
    let mut reader = BufReader::new(file.take(2 * MAX_FILE_BYTES));
    let mut start = Vec::new();
    let length = HEADER.len() as u64;
    reader.by_ref().take(length).read_to_end(&mut start)?;
    if !HEADER.as_bytes().starts_with(&start) {
        return Ok(None);
    }
    let mut sessions = BTreeMap::new();
    let mut bytes = Vec::new();
    while sessions.len() < MAX_SESSIONS {
        bytes.clear();
        let mut line = reader.by_ref().take(MAX_LINE_BYTES);
        line.read_until(b'\n', &mut bytes)?;
        match serde_json::from_slice(&bytes) {
            Ok(Line::Save(session)) if bytes.ends_with(b"\n") => {
                sessions.insert(key(&session), session);
            }
            Ok(Line::Remove(key)) if bytes.ends_with(b"\n") => {
                sessions.remove(&key);
            }
            _ => break,
        }
    }
    Ok(Some(sessions))
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> WriteError + use<> {
    let path = path.to_owned();
    move |source| WriteError::Io {
        doing,
        path,
        source,
    }
}

fn warn(path: &Path, error: &WriteError, observer: &dyn Observer) {
    let text = match error {
        WriteError::Locked { .. } => format!(
            "another load keeps its uploads in {}: those of this load cannot be resumed by a later run",
            path.display()
        ),
        error => format!("{error}: uploads cannot be resumed by a later run"),
    };
    observer.event(&Event::Warning { text: &text });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Keeps the warnings.
    #[derive(Default)]
    struct Warnings(Mutex<Vec<String>>);

    impl Observer for Warnings {
        fn event(&self, event: &Event<'_>) {
            if let Event::Warning { text } = event {
                self.0.lock().unwrap().push((*text).to_owned());
            }
        }
    }

    fn session(registry: &str, blob: &str) -> UploadSession {
        UploadSession {
            registry: registry.to_owned(),
            repository: "a/b".to_owned(),
            digest: Digest::sha256(blob.as_bytes()),
            size: 5 << 20,
            location: format!("/v2/a/b/blobs/uploads/{blob}"),
            offset: 1 << 20,
        }
    }

    fn found(file: &SessionFile, session: &UploadSession) -> Option<UploadSession> {
        file.load(&session.registry, &session.repository, &session.digest)
    }

    fn file(path: &Path) -> (SessionFile, Arc<Warnings>) {
        let warnings = Arc::<Warnings>::default();
        let observer: Arc<dyn Observer> = Arc::<Warnings>::clone(&warnings);
        (SessionFile::open(path.to_owned(), observer), warnings)
    }

    #[test]
    fn sessions_are_found_by_a_later_run_and_the_file_ends_with_the_last() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b.tar.uploads");
        let (first, _) = file(&path);
        assert!(!path.exists(), "nothing to keep yet");
        let sessions = ["x", "y", "z"].map(|blob| session("r.corp", blob));
        for session in &sessions {
            first.save(session);
        }
        let other = session("other.corp", "x");
        first.save(&other);
        first.remove("r.corp", "a/b", &sessions[1].digest);
        drop(first);

        let (second, warnings) = file(&path);
        assert_eq!(found(&second, &sessions[0]).as_ref(), Some(&sessions[0]));
        assert_eq!(found(&second, &sessions[1]), None);
        second.finish("r.corp");
        assert_eq!(found(&second, &sessions[2]), None);
        assert_eq!(found(&second, &other).as_ref(), Some(&other));
        assert!(path.exists(), "the other registry's are kept");
        second.finish("other.corp");
        assert!(!path.exists());
        assert!(warnings.0.lock().unwrap().is_empty());
    }

    #[test]
    fn a_damaged_end_costs_only_what_it_says() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b.tar.uploads");
        let (first, _) = file(&path);
        let sessions = ["x", "y"].map(|blob| session("r.corp", blob));
        for session in &sessions {
            first.save(session);
        }
        drop(first);
        let bytes = fs::read(&path).unwrap();
        for cut in (0..bytes.len()).step_by(7) {
            fs::write(&path, &bytes[..cut]).unwrap();
            let (again, warnings) = file(&path);
            assert!(warnings.0.lock().unwrap().is_empty(), "{cut}");
            assert_eq!(found(&again, &sessions[1]), None, "{cut}");
            again.save(&sessions[1]);
            drop(again);
            let (again, _) = file(&path);
            assert!(found(&again, &sessions[1]).is_some(), "{cut}");
        }
    }

    #[test]
    fn a_file_of_someone_else_is_reported_and_left() {
        let folder = tempfile::tempdir().unwrap();
        let (notes, link) = (folder.path().join("notes"), folder.path().join("link"));
        fs::write(&notes, "my notes").unwrap();
        std::os::unix::fs::symlink(&notes, &link).unwrap();
        for path in [&notes, &link] {
            let (file, warnings) = file(path);
            file.save(&session("r.corp", "x"));
            file.finish("r.corp");
            assert_eq!(warnings.0.lock().unwrap().len(), 1);
        }
        assert_eq!(fs::read(&notes).unwrap(), b"my notes");
        let absent = folder.path().join("absent/b.uploads");
        let (file, warnings) = file(&absent);
        file.save(&session("r.corp", "x"));
        file.save(&session("r.corp", "y"));
        assert_eq!(warnings.0.lock().unwrap().len(), 1, "reported once");
    }

    #[test]
    fn two_runs_at_once_do_not_mix_their_sessions() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b.tar.uploads");
        let (first, _) = file(&path);
        first.save(&session("r.corp", "x"));
        let (second, warnings) = file(&path);
        assert!(warnings.0.lock().unwrap()[0].contains("another load"));
        second.save(&session("r.corp", "y"));
        second.finish("r.corp");
        assert!(path.exists());
    }

    #[test]
    fn the_file_does_not_grow_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b.tar.uploads");
        let (file, _) = file(&path);
        let long = UploadSession {
            location: format!("/{}", "x".repeat(60_000)),
            ..session("r.corp", "x")
        };
        for _ in 0..200 {
            file.save(&long);
        }
        assert!(fs::metadata(&path).unwrap().len() < MAX_FILE_BYTES + MAX_LINE_BYTES);
    }
}

//! Sessions that are kept for a later run.

use crate::origin::Origin;
use crate::repository::Repository;
use crate::session::UploadSession;
use sealift_oci::Descriptor;

use super::session::Session;

/// Smaller blobs are sent anew: that costs less than asking for what is there.
const MIN_SAVED: u64 = 1 << 20;

/// The saved session of one blob in one repository.
pub(super) struct Saved<'a> {
    repository: &'a Repository,
    blob: &'a Descriptor,
}

impl<'a> Saved<'a> {
    pub(super) fn new(repository: &'a Repository, blob: &'a Descriptor) -> Self {
        Self { repository, blob }
    }

    /// Whether sessions of this blob are saved at all.
    pub(super) fn is_kept(&self) -> bool {
        self.repository.sessions.is_some() && self.blob.size >= MIN_SAVED
    }

    /// The session of an earlier run, if it can still be one: what the file says is not trusted to lead
    /// anywhere but to the registry itself.
    pub(super) fn load(&self) -> Option<Session> {
        let store = self
            .repository
            .sessions
            .as_ref()
            .filter(|_| self.is_kept())?;
        let (registry, name) = (self.repository.registry(), self.repository.name());
        let saved = store.load(registry, name, &self.blob.digest)?;
        let origin = &self.repository.host.origin;
        let fits = saved.size == self.blob.size
            && saved.digest == self.blob.digest
            && saved.registry == registry
            && saved.repository == name;
        let path = saved.location;
        (fits && is_path(origin, &path)).then(|| Session {
            origin: origin.clone(),
            path,
            scope: self.repository.push_scope(),
            min_chunk: 0,
        })
    }

    /// Saves where the session stands, if it is the registry's own.
    pub(super) fn save(&self, session: &Session, offset: u64) {
        let Some(store) = self.repository.sessions.as_ref().filter(|_| self.is_kept()) else {
            return;
        };
        if session.origin == self.repository.host.origin {
            store.save(&UploadSession {
                registry: self.repository.registry().to_owned(),
                repository: self.repository.name().to_owned(),
                digest: self.blob.digest,
                size: self.blob.size,
                location: session.path.clone(),
                offset,
            });
        }
    }

    pub(super) fn remove(&self) {
        if let Some(store) = self.repository.sessions.as_ref().filter(|_| self.is_kept()) {
            let (registry, name) = (self.repository.registry(), self.repository.name());
            store.remove(registry, name, &self.blob.digest);
        }
    }
}

/// Whether `path` is one on `origin`.
fn is_path(origin: &Origin, path: &str) -> bool {
    path.starts_with('/')
        && !path.starts_with("//")
        && origin
            .resolve("/", path)
            .is_some_and(|(resolved, _)| resolved == *origin)
}

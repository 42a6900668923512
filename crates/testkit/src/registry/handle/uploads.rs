//! Uploads: sessions, chunks, commits, mounts.

use std::io;
use std::sync::{Arc, Mutex};

use sealift_oci::Digest;

use super::super::behaviour::{Mounts, SessionState};
use super::super::http::{Answer, Body};
use super::super::store::{Session, lock};
use super::{Asked, digest, unsupported};

impl Asked<'_> {
    /// POST: a mount, an upload in one request, or a new session.
    pub(super) fn open_upload(&self, repository: &str, body: &mut Body<'_>) -> io::Result<Answer> {
        if let Some(mount) = self.head.parameter("mount")
            && let Some(answer) = self.mount(repository, &mount)
        {
            return Ok(answer);
        }
        if let Some(text) = self.head.parameter("digest")
            && self.behaviour.single_post
        {
            let digest = match digest(&text) {
                Ok(digest) => digest,
                Err(refusal) => return Ok(refusal),
            };
            let mut session = self.shared.storage.session()?;
            if let Some(refusal) = self.take_last(&mut session, body)? {
                return Ok(refusal);
            }
            return self.commit(repository, &mut session, digest);
        }
        let session = self.shared.storage.session()?;
        let mut state = lock(&self.shared.state);
        state.next_session += 1;
        let id = format!("session-{}", state.next_session);
        let key = (repository.to_owned(), id.clone());
        state.sessions.insert(key, Arc::new(Mutex::new(session)));
        let mut answer = Answer::new(202)
            .header("Location", self.location(repository, &id, 0))
            .header("Docker-Upload-UUID", &id)
            .header("Range", "0-0");
        if let Some(length) = self.behaviour.min_chunk {
            answer.set("OCI-Chunk-Min-Length", Some(length.to_string()));
        }
        Ok(answer)
    }

    /// The answer to a mount; nothing where a session is to be opened instead.
    fn mount(&self, repository: &str, mount: &str) -> Option<Answer> {
        let digest = mount.parse::<Digest>().ok()?;
        if let Mounts::Refused(status) = self.behaviour.mounts {
            let code = if status == 403 {
                "DENIED"
            } else {
                "UNSUPPORTED"
            };
            return Some(Answer::error(status, code, "mounting is refused"));
        }
        if self.lie {
            return Some(self.created(repository, &digest));
        }
        let from = self.head.parameter("from")?;
        let mut state = lock(&self.shared.state);
        let content = state.blob(&from, &digest)?;
        if self.behaviour.mounts != Mounts::Done || !self.granted.may_pull(&from) {
            return None;
        }
        state.put_blob(repository, digest, content);
        Some(self.created(repository, &digest))
    }

    /// GET, PATCH, PUT and DELETE of a session.
    pub(super) fn session(
        &self,
        repository: &str,
        id: &str,
        body: &mut Body<'_>,
    ) -> io::Result<Answer> {
        let key = (repository.to_owned(), id.to_owned());
        let found = lock(&self.shared.state).sessions.get(&key).cloned();
        let Some(found) = found else {
            return Ok(upload_unknown("BLOB_UPLOAD_UNKNOWN"));
        };
        let mut session = lock(&found);
        if let Some(refusal) = self.check_state(&session) {
            if self.behaviour.session_state == SessionState::Deadly {
                self.forget(&key);
            }
            return Ok(refusal);
        }
        match self.head.method.as_str() {
            "GET" | "HEAD" => Ok(self.progress(204, repository, id, &session)),
            "DELETE" => {
                self.forget(&key);
                Ok(Answer::new(204))
            }
            "PATCH" => self.patch(repository, id, &mut session, body),
            "PUT" => {
                let digest = match digest(&self.head.parameter("digest").unwrap_or_default()) {
                    Ok(digest) => digest,
                    Err(refusal) => return Ok(refusal),
                };
                if let Some(refusal) = self.check_chunk(&session) {
                    return Ok(refusal);
                }
                if let Some(refusal) = self.take_last(&mut session, body)? {
                    return Ok(refusal);
                }
                let answer = self.commit(repository, &mut session, digest)?;
                if answer.status == 201 {
                    self.forget(&key);
                }
                Ok(answer)
            }
            _ => Ok(unsupported()),
        }
    }

    fn forget(&self, key: &(String, String)) {
        lock(&self.shared.state).sessions.remove(key);
    }

    /// Compares the session with the state that the client's `Location` carries.
    fn check_state(&self, session: &Session) -> Option<Answer> {
        let state: u64 = self.head.parameter("_state")?.parse().ok()?;
        if state == session.size {
            return None;
        }
        match self.behaviour.session_state {
            SessionState::Deadly => Some(upload_unknown("BLOB_UPLOAD_INVALID")),
            SessionState::Checked if matches!(self.head.method.as_str(), "PATCH" | "PUT") => {
                Some(out_of_order())
            }
            SessionState::None | SessionState::Checked => None,
        }
    }

    fn patch(
        &self,
        repository: &str,
        id: &str,
        session: &mut Session,
        body: &mut Body<'_>,
    ) -> io::Result<Answer> {
        if !self.behaviour.patch {
            return Ok(unsupported());
        }
        if let Some(refusal) = self.check_chunk(session) {
            return Ok(refusal);
        }
        if let Some(refusal) = self.too_large(self.behaviour.max_patch) {
            return Ok(refusal);
        }
        if let Some(refusal) = self.check_last(session) {
            return Ok(refusal);
        }
        session.append(body)?;
        Ok(self.progress(self.behaviour.patch_status, repository, id, session))
    }

    /// Refuses a chunk that does not follow what is there.
    fn check_chunk(&self, session: &Session) -> Option<Answer> {
        let text = self.head.header("content-range")?;
        if !self.behaviour.content_range {
            return None;
        }
        let bounds = text
            .split_once('-')
            .and_then(|(first, end)| Some((first.parse::<u64>().ok()?, end.parse::<u64>().ok()?)));
        let Some((first, end)) = bounds.filter(|(first, end)| first <= end) else {
            return Some(out_of_order());
        };
        let length = self.length();
        if first != session.size || length.is_some_and(|length| length != end - first + 1) {
            return Some(out_of_order());
        }
        None
    }

    /// Refuses more content after a chunk that was too small to be followed by any.
    fn check_last(&self, session: &Session) -> Option<Answer> {
        let least = self.behaviour.min_chunk?;
        let more = self.length() != Some(0);
        (more && session.pieces > 0 && session.last_piece < least).then(|| {
            Answer::error(
                400,
                "SIZE_INVALID",
                "a part is smaller than the minimum and not the last",
            )
        })
    }

    fn length(&self) -> Option<u64> {
        self.head.header("content-length")?.trim().parse().ok()
    }

    fn too_large(&self, limit: Option<(u64, u16)>) -> Option<Answer> {
        let (most, status) = limit?;
        (self.length()? > most)
            .then(|| Answer::error(status, "SIZE_INVALID", "request body too large"))
    }

    /// The body of a PUT or POST: the rest of the content, or all of it.
    fn take_last(&self, session: &mut Session, body: &mut Body<'_>) -> io::Result<Option<Answer>> {
        if let Some(refusal) = self.too_large(self.behaviour.max_put) {
            return Ok(Some(refusal));
        }
        if let Some(refusal) = self.check_last(session) {
            return Ok(Some(refusal));
        }
        session.append(body)?;
        Ok(None)
    }

    fn commit(
        &self,
        repository: &str,
        session: &mut Session,
        digest: Digest,
    ) -> io::Result<Answer> {
        if !session.is(&digest)? {
            let message = "provided digest did not match uploaded content";
            return Ok(Answer::error(400, "DIGEST_INVALID", message));
        }
        if !self.lie {
            let content = session.take();
            lock(&self.shared.state).put_blob(repository, digest, content);
        }
        Ok(self.created(repository, &digest))
    }

    fn created(&self, repository: &str, digest: &Digest) -> Answer {
        let origin = self.shared.origin();
        Answer::new(201)
            .header(
                "Location",
                format!("{origin}/v2/{repository}/blobs/{digest}"),
            )
            .header("Docker-Content-Digest", digest.to_string())
    }

    fn progress(&self, status: u16, repository: &str, id: &str, session: &Session) -> Answer {
        Answer::new(status)
            .header("Location", self.location(repository, id, session.size))
            .header("Docker-Upload-UUID", id)
            .header("Range", format!("0-{}", session.size.saturating_sub(1)))
    }

    fn location(&self, repository: &str, id: &str, offset: u64) -> String {
        let origin = self.shared.origin();
        let location = format!("{origin}/v2/{repository}/blobs/uploads/{id}");
        match self.behaviour.session_state {
            SessionState::None => location,
            _ => format!("{location}?_state={offset}"),
        }
    }
}

fn upload_unknown(code: &str) -> Answer {
    Answer::error(404, code, "blob upload unknown to registry")
}

fn out_of_order() -> Answer {
    Answer::error(
        416,
        "RANGE_INVALID",
        "the chunk does not follow the last one",
    )
}

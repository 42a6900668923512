//! An upload session: opened, moved on by every response, asked for its state, ended.

use crate::error::ErrorKind;
use crate::leads;
use crate::origin::Origin;
use crate::repository::Repository;
use crate::request::Request;
use crate::response::Response;

/// An upload session: where its next request goes.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) origin: Origin,
    pub(super) path: String,
    /// The scopes that it was opened with; its token is there already.
    pub(super) scope: String,
    /// The smallest chunk that the registry takes, where it says so.
    pub(super) min_chunk: u64,
}

impl Repository {
    pub(super) fn open_session(&self) -> Result<Session, ErrorKind> {
        let request = Request::new("POST", self.path("blobs/uploads/"), self.push_scope());
        let response = self.transport.attempt(&self.host, &request)?;
        self.session(response, request.scope)
    }

    /// The session that the response to a POST opens.
    pub(super) fn session(&self, response: Response, scope: String) -> Result<Session, ErrorKind> {
        let min_chunk = response.number("oci-chunk-min-length").unwrap_or(0);
        let (origin, path) = self.location(&response)?.ok_or_else(|| {
            ErrorKind::Protocol(format!("status {} without a Location", response.status))
        })?;
        response.finish();
        Ok(Session {
            origin,
            path,
            scope,
            min_chunk,
        })
    }

    /// Where a session continues. Each response names a new location; one that names none means the old one.
    pub(super) fn moved(&self, session: &mut Session, response: Response) -> Result<(), ErrorKind> {
        if let Some((origin, path)) = self.location(&response)? {
            (session.origin, session.path) = (origin, path);
        }
        response.finish();
        Ok(())
    }

    /// What a Location means. A registry behind a proxy names its own scheme or port there; one on the same
    /// host means itself.
    fn location(&self, response: &Response) -> Result<Option<(Origin, String)>, ErrorKind> {
        let own = &self.host.origin;
        if !response.headers.contains_key("location") {
            return Ok(None);
        }
        let (origin, path) = response
            .header("location")
            .and_then(|location| response.origin.resolve(&response.path, location))
            .ok_or_else(|| ErrorKind::Protocol("the upload's Location is not a URL".to_owned()))?;
        if origin.host() == own.host() {
            return Ok(Some((own.clone(), path)));
        }
        leads::check(own, &origin, self.transport.options())?;
        Ok(Some((origin, path)))
    }

    /// How many bytes a session has, by the registry's count; `None` if it is gone or the registry cannot say.
    /// Old registries end a broken session when they are asked: it was lost already.
    pub(super) fn session_offset(&self, session: &mut Session) -> Result<Option<u64>, ErrorKind> {
        if session.origin != self.host.origin {
            return Ok(None);
        }
        let request = Request::get(session.path.clone(), session.scope.clone());
        let response = match self.transport.attempt(&self.host, &request) {
            Ok(response) => response,
            Err(
                kind @ (ErrorKind::Transport(_) | ErrorKind::Stalled(_) | ErrorKind::Cancelled(_)),
            ) => return Err(kind),
            Err(_) => return Ok(None),
        };
        let offset = response.header("range").and_then(next_offset);
        self.moved(session, response)?;
        Ok(offset)
    }

    /// Ends a session that will not be committed; the registry's response does not matter.
    pub(super) fn end_session(&self, session: &Session) {
        if session.origin == self.host.origin {
            let request = Request::new("DELETE", session.path.clone(), session.scope.clone());
            self.transport.send_last(&self.host, &request);
        }
    }
}

/// The byte after a `Range: 0-N`. `0-0` is the range of an empty session as well as of one with a single
/// byte, so it says nothing.
fn next_offset(range: &str) -> Option<u64> {
    let range = range.trim();
    let range = range.strip_prefix("bytes=").unwrap_or(range);
    let (first, last) = range.split_once('-')?;
    let last: u64 = last.trim().parse().ok()?;
    (first.trim() == "0" && last > 0).then(|| last.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_says_where_to_resume_unless_it_is_ambiguous() {
        assert_eq!(next_offset("0-9"), Some(10));
        assert_eq!(next_offset("bytes=0-9"), Some(10));
        assert_eq!(next_offset(&format!("0-{}", u64::MAX)), Some(u64::MAX));
        for none in ["0-0", "", "5-9", "0", "0--1", "0-x"] {
            assert_eq!(next_offset(none), None, "{none}");
        }
    }
}

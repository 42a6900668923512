use crate::answer::Answer;
use crate::error::ErrorKind;
use crate::origin::{Origin, check_lead};
use crate::repository::Repository;
use crate::request::Call;

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
        let call = Call::new("POST", self.path("blobs/uploads/"), self.push_scope());
        let answer = self.client.attempt(&self.host, &call)?;
        self.session(answer, call.scope)
    }

    /// The session that an answer to a POST opens.
    pub(super) fn session(&self, answer: Answer, scope: String) -> Result<Session, ErrorKind> {
        let min_chunk = answer.number("oci-chunk-min-length").unwrap_or(0);
        let (origin, path) = self.location(&answer)?.ok_or_else(|| {
            ErrorKind::Protocol(format!("status {} without a Location", answer.status))
        })?;
        answer.finish();
        Ok(Session {
            origin,
            path,
            scope,
            min_chunk,
        })
    }

    /// Where a session goes on. Each answer names a new place; one that names none means the old.
    pub(super) fn moved(&self, session: &mut Session, answer: Answer) -> Result<(), ErrorKind> {
        if let Some((origin, path)) = self.location(&answer)? {
            (session.origin, session.path) = (origin, path);
        }
        answer.finish();
        Ok(())
    }

    /// The place that a Location names. A registry behind a proxy names its own scheme or port there; one
    /// on the same host means itself.
    fn location(&self, answer: &Answer) -> Result<Option<(Origin, String)>, ErrorKind> {
        let own = &self.host.origin;
        if !answer.headers.contains_key("location") {
            return Ok(None);
        }
        let (origin, path) = answer
            .header("location")
            .and_then(|location| answer.origin.resolve(&answer.path, location))
            .ok_or_else(|| ErrorKind::Protocol("the upload's Location is no URL".to_owned()))?;
        if origin.host() == own.host() {
            return Ok(Some((own.clone(), path)));
        }
        check_lead(own, &origin)?;
        Ok(Some((origin, path)))
    }

    /// How many bytes a session has, by the registry's count; nothing where it is gone or cannot say. Old
    /// registries end a broken session when they are asked: it was lost to them already.
    pub(super) fn session_offset(&self, session: &mut Session) -> Result<Option<u64>, ErrorKind> {
        if session.origin != self.host.origin {
            return Ok(None);
        }
        let call = Call::get(session.path.clone(), session.scope.clone());
        let answer = match self.client.attempt(&self.host, &call) {
            Ok(answer) => answer,
            Err(
                kind @ (ErrorKind::Transport(_) | ErrorKind::Stalled(_) | ErrorKind::Cancelled(_)),
            ) => return Err(kind),
            Err(_) => return Ok(None),
        };
        let offset = answer.header("range").and_then(next_offset);
        self.moved(session, answer)?;
        Ok(offset)
    }

    /// Ends a session that will not be committed; whether the registry minds is of no matter.
    pub(super) fn end_session(&self, session: &Session) {
        if session.origin == self.host.origin {
            let call = Call::new("DELETE", session.path.clone(), session.scope.clone());
            self.client.last_word(&self.host, &call);
        }
    }
}

/// The byte after a `Range: 0-N`. `0-0` is said of an empty session as well as of one with a single byte,
/// so it says nothing.
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
    fn a_range_says_where_to_go_on_unless_it_is_ambiguous() {
        assert_eq!(next_offset("0-9"), Some(10));
        assert_eq!(next_offset("bytes=0-9"), Some(10));
        assert_eq!(next_offset(&format!("0-{}", u64::MAX)), Some(u64::MAX));
        for none in ["0-0", "", "5-9", "0", "0--1", "0-x"] {
            assert_eq!(next_offset(none), None, "{none}");
        }
    }
}

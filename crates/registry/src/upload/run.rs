//! One blob on its way into one repository.

use sealift_oci::Digest;

use super::content::Content;
use super::saved::Saved;
use super::send::{Outcome, Part};
use super::session::Session;
use super::source::BlobSource;
use super::strategy::{ONE_PATCH, Stage, Strategy};
use crate::error::{ErrorKind, Refusal, SpecCode};
use crate::origin::percent_encoded;
use crate::repository::Repository;
use crate::request::Request;
use crate::response::Response;

/// One request is not sent more often for formal reasons: `Expect`, and a token twice.
const MAX_FORMALITIES: usize = 4;

/// One blob on its way into one repository.
pub(super) struct Upload<'a> {
    repository: &'a Repository,
    source: &'a dyn BlobSource,
    saved: Saved<'a>,
    session: Option<Session>,
    /// What the session has, as far as the registry confirmed it.
    offset: u64,
    /// What was handed over to the session, confirmed or not.
    sent: u64,
    /// The largest offset that there ever was.
    furthest: u64,
    /// Whether a response is missing: where the session stands is not known.
    is_broken: bool,
    /// Whether the session was resumed at an offset that only the registry vouches for.
    is_resumed: bool,
    /// Connections that ended without progress.
    breaks: u32,
    /// Strategies that were refused.
    refused: Vec<Strategy>,
    strategy: Strategy,
}

/// What went wrong, and at which request.
type Failed = (Stage, ErrorKind);

impl<'a> Upload<'a> {
    pub(super) fn new(repository: &'a Repository, source: &'a dyn BlobSource) -> Self {
        let size = source.descriptor().size;
        let saved = Saved::new(repository, source.descriptor());
        let session = saved.load();
        let strategy = match Strategy::first(size, &repository.host.learned()) {
            // What is there can only be continued.
            Strategy::OnePut if session.is_some() => ONE_PATCH,
            strategy => strategy,
        };
        Self {
            repository,
            source,
            saved,
            // Where a saved session stands, the registry has to say.
            is_broken: session.is_some(),
            sent: if session.is_some() { size } else { 0 },
            session,
            offset: 0,
            furthest: 0,
            is_resumed: false,
            breaks: 0,
            refused: Vec::new(),
            strategy,
        }
    }

    pub(super) fn furthest(&self) -> u64 {
        self.furthest
    }

    pub(super) fn has_session(&self) -> bool {
        self.session.is_some()
    }

    fn size(&self) -> u64 {
        self.source.descriptor().size
    }

    /// Mounts the blob; returns whether that was done. Any refusal means that it has to be sent. A session
    /// that is opened instead is used for that.
    pub(super) fn mount(&mut self, from: &str) -> Result<bool, ErrorKind> {
        let repository = self.repository;
        if repository.host.learned().no_mounts {
            return Ok(false);
        }
        let query = format!(
            "blobs/uploads/?mount={}&from={}",
            percent_encoded(&self.source.descriptor().digest.to_string()),
            percent_encoded(from)
        );
        // The token has to allow reading the other repository as well.
        let scope = format!("{} repository:{from}:pull", repository.push_scope());
        let request = Request::new("POST", repository.path(&query), scope);
        let opened = match repository.transport.attempt(&repository.host, &request) {
            Ok(response) if response.status == 201 => {
                response.finish();
                return Ok(true);
            }
            Ok(response) => repository.session(response, request.scope),
            Err(kind) => Err(kind),
        };
        match opened {
            Ok(session) if self.session.is_some() => repository.end_session(&session),
            Ok(session) => self.session = Some(session),
            Err(kind @ (ErrorKind::Cancelled(_) | ErrorKind::Keychain(_))) => return Err(kind),
            // Whether it mounts is still open; the upload has retries enough.
            Err(
                ErrorKind::Connect(_)
                | ErrorKind::Transport(_)
                | ErrorKind::Stalled(_)
                | ErrorKind::Status(Refusal {
                    status: 408 | 425 | 429 | 502..=504,
                    ..
                }),
            ) => {}
            Err(_) => repository.host.learn(|learned| learned.no_mounts = true),
        }
        Ok(false)
    }

    /// Sends what is missing, and commits; after failures, only if the blob did not get there.
    pub(super) fn attempt(&mut self, failures: u32) -> Result<(), ErrorKind> {
        // A response that was lost does not mean that the blob was.
        if failures > 0 && self.is_there()? {
            self.abandon();
            return Ok(());
        }
        loop {
            self.find_session()?;
            let result = match self.strategy {
                Strategy::OnePut => self.one_put(),
                Strategy::Patches(chunk) => self.patches(chunk),
            };
            let (stage, kind) = match result {
                Ok(()) => {
                    self.learn();
                    self.session = None;
                    self.saved.remove();
                    return Ok(());
                }
                Err(failed) => failed,
            };
            if self.is_resumed && is_digest_invalid(&kind) {
                // What the registry had was not what it should have been.
                self.abandon();
                continue;
            }
            self.count(&kind);
            match self
                .strategy
                .after(&kind, stage, self.size(), &self.refused)
            {
                Some(_) if is_lost(&kind) && self.breaks < 2 => return Err(kind),
                Some(strategy) => self.change_to(strategy),
                None => return Err(self.excused(kind, stage)),
            }
        }
    }

    /// A registry that lost count is asked for it, and the upload resumes from there.
    fn excused(&mut self, kind: ErrorKind, stage: Stage) -> ErrorKind {
        match kind {
            ErrorKind::Status(Refusal { status: 416, .. }) if stage != Stage::First => {
                self.is_broken = true;
                ErrorKind::Transport(
                    "the registry lost count of the upload (status 416)".to_owned(),
                )
            }
            kind => kind,
        }
    }

    /// Counts what ended without a response, and changes the strategy if that continues.
    fn count(&mut self, kind: &ErrorKind) {
        let broke = match kind {
            ErrorKind::Connect(_) | ErrorKind::Transport(_) | ErrorKind::Stalled(_) => true,
            ErrorKind::Status(refusal) => refusal.status >= 500 || refusal.is_lost_session(),
            _ => false,
        };
        if !broke {
            return;
        }
        self.breaks += 1;
        self.is_broken = true;
        let strategy = self
            .strategy
            .after_breaks(self.breaks, self.size(), &self.refused);
        if strategy != self.strategy {
            self.change_to(strategy);
        }
    }

    fn change_to(&mut self, strategy: Strategy) {
        self.refused.push(self.strategy);
        self.strategy = strategy;
        // What the session has of the other strategy may be anything.
        self.abandon();
    }

    fn learn(&self) {
        if !self.refused.is_empty() {
            let (strategy, size) = (self.strategy, self.size());
            self.repository
                .host
                .learn(|learned| strategy.remember(size, learned));
        }
    }

    /// Whether the blob is there; a registry that refuses to say is taken not to have it.
    fn is_there(&self) -> Result<bool, ErrorKind> {
        let repository = self.repository;
        if repository.host.learned().no_head {
            return Ok(false);
        }
        let path = repository.path(&format!("blobs/{}", self.source.descriptor().digest));
        let request = Request::new("HEAD", path, repository.pull_scope());
        match repository.transport.attempt(&repository.host, &request) {
            Ok(_) => Ok(true),
            Err(ErrorKind::NotFound(_) | ErrorKind::Forbidden { .. }) => Ok(false),
            Err(kind) if repository.is_head_refused(&kind) => Ok(false),
            Err(kind) => Err(kind),
        }
    }

    /// Makes sure that there is a session, and that it is known where it stands.
    fn find_session(&mut self) -> Result<(), ErrorKind> {
        if let Some(session) = &mut self.session {
            if !self.is_broken {
                return Ok(());
            }
            let offset = match self.strategy {
                // A PUT begins at the beginning.
                Strategy::OnePut => None,
                Strategy::Patches(_) => self.repository.session_offset(session)?,
            };
            if let Some(offset) = offset.filter(|at| (self.offset..=self.sent).contains(at)) {
                self.is_broken = false;
                self.is_resumed = true;
                self.advance_to(offset);
                return Ok(());
            }
            self.abandon();
        }
        let session = self.repository.open_session()?;
        self.saved.save(&session, 0);
        self.session = Some(session);
        Ok(())
    }

    fn advance_to(&mut self, offset: u64) {
        self.offset = offset;
        self.furthest = self.furthest.max(offset);
        self.sent = self.sent.max(offset);
    }

    /// Ends the session and forgets it.
    pub(super) fn abandon(&mut self) {
        if let Some(session) = self.session.take() {
            self.saved.remove();
            self.repository.end_session(&session);
        }
        (self.offset, self.sent) = (0, 0);
        (self.is_broken, self.is_resumed) = (false, false);
    }

    /// Ends the upload after a failure: the session stays if a later run can resume it.
    pub(super) fn end_after(&mut self, kind: &ErrorKind) {
        let may_pass = kind.is_transient() || matches!(kind, ErrorKind::Cancelled(_));
        let is_own = |session: &Session| session.origin == self.repository.host.origin;
        let can_resume = may_pass
            && self.saved.is_kept()
            && matches!(self.strategy, Strategy::Patches(_))
            && self.session.as_ref().is_some_and(is_own);
        if !can_resume {
            self.abandon();
        }
    }

    fn one_put(&mut self) -> Result<(), Failed> {
        let mut content = None;
        let response = self.request("PUT", self.size(), &mut content);
        self.committed(response)
    }

    fn patches(&mut self, chunk: u64) -> Result<(), Failed> {
        let size = self.size();
        let least = self.session.as_ref().map_or(0, |session| session.min_chunk);
        let chunk = chunk.max(least);
        let mut content = None;
        let mut stage = if self.offset == 0 {
            Stage::First
        } else {
            Stage::Later
        };
        while self.offset < size {
            let length = chunk.min(size - self.offset);
            let response = self
                .request("PATCH", length, &mut content)
                .map_err(|kind| (stage, kind))?;
            if let Some(session) = &mut self.session {
                self.repository
                    .moved(session, response)
                    .map_err(|kind| (stage, kind))?;
                self.saved.save(session, self.offset + length);
            }
            self.advance_to(self.offset + length);
            stage = Stage::Later;
        }
        self.content(&mut content)
            .and_then(Content::finish)
            .map_err(|kind| (Stage::Commit, kind))?;
        let response = self.request("PUT", 0, &mut content);
        self.committed(response)
    }

    /// Judges the response to the PUT that commits.
    fn committed(&self, response: Result<Response, ErrorKind>) -> Result<(), Failed> {
        let response = response.map_err(|kind| (Stage::Commit, kind))?;
        let expected = self.source.descriptor().digest;
        let stored = response
            .header("docker-content-digest")
            .and_then(|stored| stored.parse().ok());
        response.finish();
        // Registries that know only SHA-256 name that digest of the same bytes.
        match stored {
            Some(actual) if is_other(&expected, &actual) => Err((
                Stage::Commit,
                ErrorKind::OtherContent {
                    expected,
                    actual: actual.to_string(),
                },
            )),
            _ => Ok(()),
        }
    }

    /// The content from where the session stands.
    fn content<'c>(
        &self,
        content: &'c mut Option<Content<'a>>,
    ) -> Result<&'c mut Content<'a>, ErrorKind> {
        let options = self.repository.transport.options();
        let at = self.offset;
        let kept = match content.take().filter(|content| content.position() == at) {
            Some(kept) => kept,
            None => Content::open(self.source, at, &options.cancel, options.rate.clone())?,
        };
        Ok(content.insert(kept))
    }

    /// Sends the next `length` bytes in one request, which is repeated for formal reasons: a token that
    /// expired, or a server that does not know `Expect`.
    fn request(
        &mut self,
        method: &'static str,
        length: u64,
        content: &mut Option<Content<'a>>,
    ) -> Result<Response, ErrorKind> {
        for _ in 0..MAX_FORMALITIES {
            let content = self.content(content)?;
            let part = Part {
                repository: self.repository,
                blob: self.source.descriptor(),
                session: self.session.as_ref().ok_or_else(no_session)?,
                method,
                offset: self.offset,
                length,
            };
            let result = part.send(content);
            self.sent = self.sent.max(content.position());
            self.is_broken = result.is_err();
            match result? {
                Outcome::Accepted(response) => return Ok(response),
                Outcome::Refused(kind) => return Err(kind),
                Outcome::Repeat => {}
            }
        }
        Err(ErrorKind::Protocol(
            "the registry asks for credentials again and again".to_owned(),
        ))
    }
}

fn no_session() -> ErrorKind {
    ErrorKind::Protocol("there is no upload session".to_owned())
}

fn is_lost(kind: &ErrorKind) -> bool {
    matches!(kind, ErrorKind::Status(refusal) if refusal.is_lost_session())
}

fn is_digest_invalid(kind: &ErrorKind) -> bool {
    kind.refusal()
        .is_some_and(|refusal| refusal.is(&SpecCode::DigestInvalid))
}

/// Whether two digests of one algorithm differ.
fn is_other(expected: &Digest, actual: &Digest) -> bool {
    expected.algorithm() == actual.algorithm() && expected != actual
}

use std::io::Read;

use sealift_oci::Digest;
use ureq::http::Request;
use ureq::http::request::Builder;

use super::BlobSource;
use super::content::Content;
use super::session::Session;
use super::way::{Stage, Way};
use crate::answer::{Answer, plain_words};
use crate::error::{ErrorKind, Refusal};
use crate::repository::{Repository, query_value};
use crate::request::Call;

/// From this size on a body waits for the registry's leave: a refusal comes before it was sent, and is not
/// lost in a connection that the registry ended meanwhile.
const EXPECT_FROM: u64 = 1 << 20;

/// One request is not made more often for matters of form: `Expect`, and a token twice.
const MAX_FORMALITIES: usize = 4;

/// One blob on its way into one repository.
pub(super) struct Upload<'a> {
    repository: &'a Repository,
    source: &'a dyn BlobSource,
    session: Option<Session>,
    /// What the session has, as far as answers came.
    offset: u64,
    /// What was handed over to the session, answered or not.
    sent: u64,
    /// The largest offset that there ever was.
    furthest: u64,
    /// Whether an answer is missing: where the session stands is not known.
    is_broken: bool,
    /// Connections that ended without getting further.
    breaks: u32,
    /// Ways that were refused.
    refused: Vec<Way>,
    way: Way,
}

/// What went wrong, and at which request.
type Failed = (Stage, ErrorKind);

impl<'a> Upload<'a> {
    pub(super) fn new(repository: &'a Repository, source: &'a dyn BlobSource) -> Self {
        let size = source.descriptor().size;
        Self {
            repository,
            source,
            session: None,
            offset: 0,
            sent: 0,
            furthest: 0,
            is_broken: false,
            breaks: 0,
            refused: Vec::new(),
            way: Way::first(size, &repository.host.profile()),
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

    /// Mounts the blob; whether that was done. Any refusal means: send it. A session that is opened
    /// instead is kept for that.
    pub(super) fn mount(&mut self, from: &str) -> Result<bool, ErrorKind> {
        let repository = self.repository;
        if repository.host.profile().no_mounts {
            return Ok(false);
        }
        let query = format!(
            "blobs/uploads/?mount={}&from={}",
            query_value(&self.source.descriptor().digest.to_string()),
            query_value(from)
        );
        // The token has to allow reading the other repository as well.
        let scope = format!("{} repository:{from}:pull", repository.push_scope());
        let call = Call::new("POST", repository.path(&query), scope);
        let opened = match repository.client.attempt(&repository.host, &call) {
            Ok(answer) if answer.status == 201 => {
                answer.finish();
                return Ok(true);
            }
            Ok(answer) => repository.session(answer, call.scope),
            Err(kind) => Err(kind),
        };
        match opened {
            Ok(session) => self.session = Some(session),
            Err(kind @ (ErrorKind::Cancelled(_) | ErrorKind::Keychain(_))) => return Err(kind),
            // Whether it mounts is still open; the upload has patience enough.
            Err(
                ErrorKind::Transport(_)
                | ErrorKind::Stalled(_)
                | ErrorKind::Status(Refusal {
                    status: 408 | 425 | 429 | 502..=504,
                    ..
                }),
            ) => {}
            Err(_) => repository.host.learn(|profile| profile.no_mounts = true),
        }
        Ok(false)
    }

    /// Sends what is missing, and commits; after failures, only if the blob did not get there.
    pub(super) fn attempt(&mut self, failures: u32) -> Result<(), ErrorKind> {
        // An answer that was lost does not mean that the blob was.
        if failures > 0 && self.is_there()? {
            self.abandon();
            return Ok(());
        }
        loop {
            self.find_session()?;
            let result = match self.way {
                Way::OnePut => self.one_put(),
                Way::Patches(chunk) => self.patches(chunk),
            };
            let (stage, kind) = match result {
                Ok(()) => {
                    self.learn();
                    self.session = None;
                    return Ok(());
                }
                Err(failed) => failed,
            };
            self.count(&kind);
            match self.way.after(&kind, stage, self.size(), &self.refused) {
                Some(_) if is_lost(&kind) && self.breaks < 2 => return Err(kind),
                Some(way) => self.change_to(way),
                None => return Err(self.excused(kind, stage)),
            }
        }
    }

    /// A registry that lost count is asked for it, and the upload goes on from there.
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

    /// Counts what ended without an answer, and changes the way where that goes on.
    fn count(&mut self, kind: &ErrorKind) {
        let broke = match kind {
            ErrorKind::Transport(_) | ErrorKind::Stalled(_) => true,
            ErrorKind::Status(refusal) => refusal.status >= 500 || refusal.is_lost_session(),
            _ => false,
        };
        if !broke {
            return;
        }
        self.breaks += 1;
        self.is_broken = true;
        let way = self
            .way
            .after_breaks(self.breaks, self.size(), &self.refused);
        if way != self.way {
            self.change_to(way);
        }
    }

    fn change_to(&mut self, way: Way) {
        self.refused.push(self.way);
        self.way = way;
        // What the session has of the other way may be anything.
        self.abandon();
    }

    fn learn(&self) {
        if !self.refused.is_empty() {
            let (way, size) = (self.way, self.size());
            self.repository
                .host
                .learn(|profile| way.teach(size, profile));
        }
    }

    fn is_there(&self) -> Result<bool, ErrorKind> {
        let repository = self.repository;
        let path = repository.path(&format!("blobs/{}", self.source.descriptor().digest));
        let call = Call::new("HEAD", path, repository.pull_scope());
        match repository.client.attempt(&repository.host, &call) {
            Ok(_) => Ok(true),
            Err(ErrorKind::NotFound(_)) => Ok(false),
            Err(kind) => Err(kind),
        }
    }

    /// Makes sure that there is a session, and that it is known where it stands.
    fn find_session(&mut self) -> Result<(), ErrorKind> {
        if let Some(session) = &mut self.session {
            if !self.is_broken {
                return Ok(());
            }
            let offset = match self.way {
                // A PUT begins at the beginning.
                Way::OnePut => None,
                Way::Patches(_) => self.repository.session_offset(session)?,
            };
            if let Some(offset) = offset.filter(|at| (self.offset..=self.sent).contains(at)) {
                self.is_broken = false;
                self.advance_to(offset);
                return Ok(());
            }
            self.abandon();
        }
        self.session = Some(self.repository.open_session()?);
        Ok(())
    }

    fn advance_to(&mut self, offset: u64) {
        self.offset = offset;
        self.furthest = self.furthest.max(offset);
        self.sent = self.sent.max(offset);
    }

    /// Forgets the session, and tells the registry.
    pub(super) fn abandon(&mut self) {
        if let Some(session) = self.session.take() {
            self.repository.end_session(&session);
        }
        (self.offset, self.sent, self.is_broken) = (0, 0, false);
    }

    fn one_put(&mut self) -> Result<(), Failed> {
        let mut content = None;
        let answer = self.request("PUT", self.size(), &mut content);
        self.committed(answer)
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
            let answer = self
                .request("PATCH", length, &mut content)
                .map_err(|kind| (stage, kind))?;
            if let Some(session) = &mut self.session {
                self.repository
                    .moved(session, answer)
                    .map_err(|kind| (stage, kind))?;
            }
            self.advance_to(self.offset + length);
            stage = Stage::Later;
        }
        self.content(&mut content)
            .and_then(Content::finish)
            .map_err(|kind| (Stage::Commit, kind))?;
        let answer = self.request("PUT", 0, &mut content);
        self.committed(answer)
    }

    /// Judges the answer to the PUT that commits.
    fn committed(&self, answer: Result<Answer, ErrorKind>) -> Result<(), Failed> {
        let answer = answer.map_err(|kind| (Stage::Commit, kind))?;
        let expected = self.source.descriptor().digest;
        let stored = answer.header("docker-content-digest").map(plain_words);
        answer.finish();
        // Registries that know SHA-256 alone name that digest of the same bytes.
        match stored.as_ref().and_then(|stored| stored.parse().ok()) {
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
        let cancel = &self.repository.client.options.cancel;
        let at = self.offset;
        let kept = match content.take().filter(|content| content.position() == at) {
            Some(kept) => kept,
            None => Content::open(self.source, at, cancel)?,
        };
        Ok(content.insert(kept))
    }

    /// Sends the next `length` bytes in one request, which is made again where that is only a matter of
    /// form: a token that expired, or a server that does not know `Expect`.
    fn request(
        &mut self,
        method: &'static str,
        length: u64,
        content: &mut Option<Content<'a>>,
    ) -> Result<Answer, ErrorKind> {
        let host = &self.repository.host;
        let client = &self.repository.client;
        for _ in 0..MAX_FORMALITIES {
            let content = self.content(content)?;
            let session = self.session.as_ref().ok_or_else(no_session)?;
            // What belongs to another origin gets no credentials, and cannot ask for any.
            let own = session.origin == host.origin;
            let sent = if own {
                client.authorization(host, &session.scope)?
            } else {
                None
            };
            let (path, mut request) = self.head(session, method, length);
            if let Some(sent) = &sent {
                request = request.header("authorization", sent.expose());
            }
            self.is_broken = true;
            let mut body = content.take(length);
            let answer = client.exchange_stream(host, &session.origin, &path, request, &mut body);
            self.sent = self.sent.max(content.position());
            let answer = answer.map_err(|kind| content.judge(kind))?;
            self.is_broken = false;
            match answer.status {
                200..=204 => return Ok(answer),
                401 if own => client.authenticate(host, &session.scope, answer, sent.as_ref())?,
                417 => {
                    answer.finish();
                    host.learn(|profile| profile.no_expect = true);
                }
                300..=399 => {
                    return Err(ErrorKind::Protocol(format!(
                        "status {} to a {method} (redirects of it are not followed)",
                        answer.status
                    )));
                }
                _ => return Err(answer.kind(client.has_credentials(host, &session.scope))),
            }
        }
        Err(ErrorKind::Protocol(
            "the registry asks for credentials again and again".to_owned(),
        ))
    }

    /// Path and head of a request that carries the next `length` bytes.
    fn head(&self, session: &Session, method: &'static str, length: u64) -> (String, Builder) {
        let mut path = session.path.clone();
        if method == "PUT" {
            let digest = query_value(&self.source.descriptor().digest.to_string());
            path.push(if path.contains('?') { '&' } else { '?' });
            path.push_str("digest=");
            path.push_str(&digest);
        }
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", session.origin))
            .header("content-type", "application/octet-stream")
            .header("content-length", length);
        if method == "PATCH" && length < self.size() {
            let last = self.offset + length - 1;
            request = request.header("content-range", format!("{}-{last}", self.offset));
        }
        if length >= EXPECT_FROM && !self.repository.host.profile().no_expect {
            request = request.header("expect", "100-continue");
        }
        (path, request)
    }
}

fn no_session() -> ErrorKind {
    ErrorKind::Protocol("there is no upload session".to_owned())
}

fn is_lost(kind: &ErrorKind) -> bool {
    matches!(kind, ErrorKind::Status(refusal) if refusal.is_lost_session())
}

/// Whether two digests of one algorithm differ.
fn is_other(expected: &Digest, actual: &Digest) -> bool {
    expected.algorithm() == actual.algorithm() && expected != actual
}

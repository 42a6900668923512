//! Uploads: a ladder of ways, since no single one works with every registry (docs: "registry quirks").
//!
//! A blob that is there is not sent; one that another repository has is mounted; small ones go in one
//! PUT; larger ones in one PATCH of known length and a PUT, as Docker does it; in several PATCHes where a
//! proxy or the registry refuses large ones; in one PUT where PATCH is refused. What a host teaches is kept
//! for the run.

use std::io::{self, Read};

use sealift_oci::Descriptor;
use sealift_pipeline::mismatch_of;
use ureq::http::Request;

use crate::error::{Problem, RegistryError};
use crate::origin::Origin;
use crate::repository::{Repository, query_value};
use crate::request::{Answer, Call, check_redirect, run_stream};

/// Up to this size a blob goes in one PUT: the answer to a PATCH costs more than sending it twice.
const ONE_PUT: u64 = 256 << 10;
/// The first chunk size that is tried after a whole blob was too large.
const FIRST_CHUNK: u64 = 32 << 20;
/// No chunk is smaller: ECR refuses chunks below 5 MB, GHCR such above 4 MiB.
const MIN_CHUNK: u64 = 4 << 20;

/// Content that can be read as often as an upload has to begin again.
pub trait BlobSource: Sync {
    /// Digest and size.
    fn descriptor(&self) -> &Descriptor;

    /// Reads from byte `offset` on. From 0 on, the reader must fail at its end if the content is not what
    /// the digest says.
    fn open(&self, offset: u64) -> io::Result<Box<dyn Read + Send + '_>>;

    /// Hears how many bytes of the content have been handed over so far; it may go back after a failure.
    fn sent(&self, bytes: u64) {
        let _ = bytes;
    }
}

/// How a blob got where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It was sent.
    Sent,
    /// It was mounted from another repository of the registry.
    Mounted {
        /// Which.
        from: String,
    },
    /// It was there.
    Present,
}

/// An upload session: where its next request goes.
struct Session {
    origin: Origin,
    path: String,
    /// The smallest chunk that the registry takes, where it says so.
    min_chunk: u64,
}

enum Opened {
    Mounted(String),
    Session(Session),
}

impl Repository {
    /// Brings a blob into the repository, from `mount_from` if one of those repositories has it.
    pub fn push_blob(
        &self,
        source: &dyn BlobSource,
        mount_from: &[String],
    ) -> Result<Pushed, RegistryError> {
        let digest = source.descriptor().digest;
        if self.head_blob(&digest)?.is_some() {
            return Ok(Pushed::Present);
        }
        self.upload_blob(source, mount_from)
    }

    /// The same for a blob that is known not to be there.
    pub fn upload_blob(
        &self,
        source: &dyn BlobSource,
        mount_from: &[String],
    ) -> Result<Pushed, RegistryError> {
        let digest = source.descriptor().digest;
        let what = || format!("sending blob {digest} to {}", self.name);
        for from in mount_from {
            if let Some(pushed) = self.try_mount(source, from)? {
                return Ok(pushed);
            }
        }
        let mut first = true;
        self.client.retrying(&self.host, &what, || {
            // An answer that was lost does not mean that the blob was.
            if !std::mem::take(&mut first) && self.head_blob_once(source)? {
                return Ok(Pushed::Sent);
            }
            let session = self.open_session()?;
            self.fill(source, session).map(|()| Pushed::Sent)
        })
    }

    fn head_blob_once(&self, source: &dyn BlobSource) -> Result<bool, Problem> {
        let path = self.path(&format!("blobs/{}", source.descriptor().digest));
        match self
            .client
            .attempt(&self.host, &Call::new("HEAD", path, self.pull_scope()))
        {
            Ok(_) => Ok(true),
            Err(Problem::NotFound(_)) => Ok(false),
            Err(problem) => Err(problem),
        }
    }

    /// Mounts the blob; nothing where it has to be sent. Any refusal means: send it.
    fn try_mount(
        &self,
        source: &dyn BlobSource,
        from: &str,
    ) -> Result<Option<Pushed>, RegistryError> {
        if self.host.profile().no_mounts || from == self.name {
            return Ok(None);
        }
        let digest = source.descriptor().digest;
        let what = || format!("mounting blob {digest} from {from} into {}", self.name);
        let query = format!(
            "blobs/uploads/?mount={}&from={}",
            query_value(&digest.to_string()),
            query_value(from)
        );
        // The token has to allow reading the other repository as well.
        let scope = format!("{} repository:{from}:pull", self.push_scope());
        let opened = self
            .client
            .send(
                &self.host,
                &Call::new("POST", self.path(&query), scope),
                &what,
            )
            .and_then(|answer| {
                self.opened(answer, from)
                    .map_err(|problem| self.fail(what(), problem))
            });
        match opened {
            Ok(Opened::Mounted(from)) => Ok(Some(Pushed::Mounted { from })),
            Ok(Opened::Session(session)) => match self.fill(source, session) {
                Ok(()) => Ok(Some(Pushed::Sent)),
                Err(problem) if problem.is_transient() => Ok(None),
                Err(problem) => Err(self.fail(what(), problem)),
            },
            Err(error) if error.is_cancelled() => Err(error),
            Err(_) => {
                self.host.learn(|profile| profile.no_mounts = true);
                Ok(None)
            }
        }
    }

    fn opened(&self, answer: Answer, from: &str) -> Result<Opened, Problem> {
        match answer.status {
            201 => {
                answer.finish();
                Ok(Opened::Mounted(from.to_owned()))
            }
            _ => self.session(answer).map(Opened::Session),
        }
    }

    fn open_session(&self) -> Result<Session, Problem> {
        let call = Call::new("POST", self.path("blobs/uploads/"), self.push_scope());
        let answer = self.client.attempt(&self.host, &call)?;
        self.session(answer)
    }

    /// Where the session that an answer names goes on. A registry behind a proxy names its own scheme or
    /// port there; one on the same host name means itself.
    fn session(&self, answer: Answer) -> Result<Session, Problem> {
        let min_chunk = answer
            .header("oci-chunk-min-length")
            .and_then(|length| length.parse().ok())
            .unwrap_or(0);
        let location = answer.header("location").ok_or_else(|| {
            Problem::Protocol(format!("status {} without a Location", answer.status))
        })?;
        let (origin, path) = answer
            .origin
            .resolve(&answer.path, location)
            .ok_or_else(|| Problem::Protocol("the upload's Location is no URL".to_owned()))?;
        answer.finish();
        let origin = if origin.host() == self.host.origin.host() {
            self.host.origin.clone()
        } else {
            origin
        };
        check_redirect(&self.host.origin, &origin)?;
        Ok(Session {
            origin,
            path,
            min_chunk,
        })
    }

    /// Sends the content into a session by the way that the host takes, and commits it.
    fn fill(&self, source: &dyn BlobSource, session: Session) -> Result<(), Problem> {
        let size = source.descriptor().size;
        let profile = self.host.profile();
        if size <= ONE_PUT || profile.one_put {
            return self.one_put(source, &session);
        }
        let chunk = profile.chunk.unwrap_or(u64::MAX).max(session.min_chunk);
        match self.patches(source, session, chunk) {
            Err(Problem::Status {
                status: 413 | 416, ..
            }) if chunk > MIN_CHUNK => {
                let smaller = if chunk > FIRST_CHUNK {
                    FIRST_CHUNK
                } else {
                    (chunk / 2).max(MIN_CHUNK)
                };
                self.host.learn(|profile| profile.chunk = Some(smaller));
                let session = self.open_session()?;
                self.fill(source, session)
            }
            Err(
                Problem::Status {
                    status: 400 | 405 | 501,
                    ..
                }
                | Problem::NotFound(_),
            ) if chunk == u64::MAX => {
                self.host.learn(|profile| profile.one_put = true);
                let session = self.open_session()?;
                self.fill(source, session)
            }
            result => result,
        }
    }

    fn one_put(&self, source: &dyn BlobSource, session: &Session) -> Result<(), Problem> {
        let size = source.descriptor().size;
        let mut reader = Tracked::new(source, 0)?;
        // A small blob is hashed before its first byte leaves; a large one is judged by the registry.
        let mut small = Vec::new();
        if size <= ONE_PUT {
            reader.read_to_end(&mut small).map_err(Problem::Source)?;
            let mut body = small.as_slice();
            return self.put(source, session, size, &mut body);
        }
        let result = self.put(source, session, size, &mut reader);
        reader.judge(result)
    }

    fn patches(
        &self,
        source: &dyn BlobSource,
        mut session: Session,
        chunk: u64,
    ) -> Result<(), Problem> {
        let size = source.descriptor().size;
        let mut reader = Tracked::new(source, 0)?;
        let mut done = 0;
        while done < size {
            let length = chunk.min(size - done);
            let mut headers = vec![("content-type", "application/octet-stream".to_owned())];
            if length < size {
                headers.push(("content-range", format!("{done}-{}", done + length - 1)));
            }
            let mut piece = (&mut reader).take(length);
            let result = self.stream("PATCH", &session, &headers, length, &mut piece);
            let answer = match result {
                // ECR answers 201, others 204.
                Ok(answer) if matches!(answer.status, 200..=204) => answer,
                Ok(answer) => {
                    return self.give_up(&session, reader.judge(Err(answer.problem(true))));
                }
                Err(problem) => return self.give_up(&session, reader.judge(Err(problem))),
            };
            let min_chunk = session.min_chunk;
            session = Session {
                min_chunk,
                ..self.session(answer)?
            };
            done += length;
        }
        if let Err(problem) = reader.end() {
            return self.give_up(&session, Err(problem));
        }
        self.put(source, &session, 0, &mut io::empty())
    }

    /// Commits: `PUT ?digest=`, with `length` bytes of content in it.
    fn put(
        &self,
        source: &dyn BlobSource,
        session: &Session,
        length: u64,
        body: &mut dyn Read,
    ) -> Result<(), Problem> {
        let digest = query_value(&source.descriptor().digest.to_string());
        let separator = if session.path.contains('?') { '&' } else { '?' };
        let commit = Session {
            path: format!("{}{separator}digest={digest}", session.path),
            origin: session.origin.clone(),
            min_chunk: 0,
        };
        let headers = [("content-type", "application/octet-stream".to_owned())];
        let answer = self.stream("PUT", &commit, &headers, length, body)?;
        match answer.status {
            200..=204 => {
                answer.finish();
                Ok(())
            }
            _ => Err(answer.problem(true)),
        }
    }

    /// One request with a body that is read once. A token that expired is renewed, and the request counts
    /// as one that failed in passing.
    fn stream(
        &self,
        method: &'static str,
        session: &Session,
        headers: &[(&str, String)],
        length: u64,
        body: &mut dyn Read,
    ) -> Result<Answer, Problem> {
        self.client.options.cancel.check()?;
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{}", session.origin, session.path))
            .header("content-length", length);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        if session.origin == self.host.origin
            && let Some(authorization) =
                self.client.authorization(&self.host, &self.push_scope())?
        {
            request = request.header("authorization", authorization.expose());
        }
        let answer = run_stream(&self.host, request, body, &session.origin, &session.path)?;
        if answer.status != 401 {
            return Ok(answer);
        }
        self.client
            .authenticate(&self.host, &self.push_scope(), answer)?;
        Err(Problem::Transport(
            "the credentials expired during the upload".to_owned(),
        ))
    }

    /// Ends a session that will not be committed; whether the registry minds is of no matter.
    fn give_up(&self, session: &Session, result: Result<(), Problem>) -> Result<(), Problem> {
        if session.origin == self.host.origin && !matches!(result, Err(Problem::Transport(_))) {
            let call = Call::new("DELETE", session.path.clone(), self.push_scope());
            if let Ok(answer) = self.client.attempt(&self.host, &call) {
                answer.finish();
            }
        }
        result
    }
}

/// The content of one upload: remembers a fault of its own, and tells how far it is.
struct Tracked<'a> {
    inner: Box<dyn Read + Send + 'a>,
    source: &'a dyn BlobSource,
    position: u64,
    fault: Option<io::Error>,
}

impl<'a> Tracked<'a> {
    fn new(source: &'a dyn BlobSource, offset: u64) -> Result<Self, Problem> {
        let inner = source.open(offset).map_err(Problem::Source)?;
        Ok(Self {
            inner,
            source,
            position: offset,
            fault: None,
        })
    }

    /// What an upload's failure comes from: the content itself, if it could not be read.
    fn judge(&mut self, result: Result<(), Problem>) -> Result<(), Problem> {
        match (self.fault.take(), result) {
            (Some(fault), Err(_)) => Err(Problem::Source(fault)),
            (_, result) => result,
        }
    }

    /// Reads the end, which is where damaged content shows.
    fn end(&mut self) -> Result<(), Problem> {
        let mut one = [0];
        match self.inner.read(&mut one) {
            Ok(0) => Ok(()),
            Ok(_) => Err(Problem::Source(io::Error::other(
                "the content is longer than its descriptor says",
            ))),
            Err(error) => Err(Problem::Source(error)),
        }
    }
}

impl Read for Tracked<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.inner.read(buffer) {
            Ok(read) => {
                self.position += read as u64;
                self.source.sent(self.position);
                Ok(read)
            }
            Err(error) => {
                // The error goes two ways: to the client, which ends the request, and to `judge`.
                let copy = match mismatch_of(&error) {
                    Some(mismatch) => mismatch.clone().into(),
                    None => io::Error::new(error.kind(), error.to_string()),
                };
                self.fault = Some(copy);
                Err(error)
            }
        }
    }
}

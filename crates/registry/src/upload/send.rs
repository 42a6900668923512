//! One request that carries a part of a blob.

use std::io::Read;
use std::time::Duration;

use sealift_oci::Descriptor;
use ureq::http;
use ureq::http::request::Builder;

use super::content::Content;
use super::session::Session;
use crate::error::ErrorKind;
use crate::exchange::Target;
use crate::origin::percent_encoded;
use crate::repository::Repository;
use crate::response::Response;

/// From this size on a body waits for the registry's permission: a refusal comes before it was sent, and is
/// not lost in a connection that the registry ended meanwhile.
const EXPECT_FROM: u64 = 1 << 20;
/// A registry that hashes or moves a blob before it responds is at least this fast, in bytes a second.
const MIN_HASH_RATE: u64 = 8 << 20;

/// A part of a blob and the session that it is sent to.
pub(super) struct Part<'a> {
    pub(super) repository: &'a Repository,
    pub(super) blob: &'a Descriptor,
    pub(super) session: &'a Session,
    pub(super) method: &'static str,
    pub(super) offset: u64,
    pub(super) length: u64,
}

/// What the registry answered.
pub(super) enum Outcome {
    /// The part is there.
    Accepted(Response),
    /// It is not.
    Refused(ErrorKind),
    /// The same request has to be sent again: now it carries what the registry wants.
    Repeat,
}

impl Part<'_> {
    /// Sends the part, which `content` is about to give.
    ///
    /// # Errors
    /// If there is no response.
    pub(super) fn send(&self, content: &mut Content<'_>) -> Result<Outcome, ErrorKind> {
        let host = &self.repository.host;
        let transport = &self.repository.transport;
        // What belongs to another origin gets no credentials, and cannot ask for any.
        let own = self.session.origin == host.origin;
        let scope = &self.session.scope;
        let shown = if own {
            transport.auth.authorization(host, scope)?
        } else {
            None
        };
        let path = self.path();
        let mut head = self.head(&path);
        if let Some(shown) = &shown {
            head = head.header("authorization", shown.expose());
        }
        let target = Target {
            origin: &self.session.origin,
            path: &path,
            response_timeout: self.response_timeout(),
        };
        let mut body = content.by_ref().take(self.length);
        let response = transport
            .exchange
            .send_stream(host, &target, head, &mut body);
        let response = response.map_err(|kind| content.cause(kind))?;
        Ok(match response.status {
            200..=204 => Outcome::Accepted(response),
            401 if own => match transport.auth.answer(host, scope, response, shown.as_ref()) {
                Ok(()) => Outcome::Repeat,
                Err(kind) => Outcome::Refused(kind),
            },
            417 => {
                response.finish();
                host.learn(|learned| learned.no_expect = true);
                Outcome::Repeat
            }
            300..=399 => Outcome::Refused(ErrorKind::Protocol(format!(
                "status {} to a {} (its redirects are not followed)",
                response.status, self.method
            ))),
            _ => Outcome::Refused(response.into_error(transport.auth.carried(host, scope))),
        })
    }

    fn path(&self) -> String {
        let mut path = self.session.path.clone();
        if self.method == "PUT" {
            path.push(if path.contains('?') { '&' } else { '?' });
            path.push_str("digest=");
            path.push_str(&percent_encoded(&self.blob.digest.to_string()));
        }
        path
    }

    fn head(&self, path: &str) -> Builder {
        let mut request = http::Request::builder()
            .method(self.method)
            .uri(format!("{}{path}", self.session.origin))
            .header("content-type", "application/octet-stream")
            .header("content-length", self.length);
        if self.method == "PATCH" && self.length < self.blob.size {
            let last = self.offset + self.length - 1;
            request = request.header("content-range", format!("{}-{last}", self.offset));
        }
        if self.length >= EXPECT_FROM && !self.repository.host.learned().no_expect {
            request = request.header("expect", "100-continue");
        }
        request
    }

    /// How long the registry may take to respond: some hash or move the complete blob first.
    fn response_timeout(&self) -> Duration {
        let options = self.repository.transport.options();
        let hashing = Duration::from_secs(self.blob.size / MIN_HASH_RATE);
        (options.idle_timeout + hashing).min(options.answer_timeout)
    }
}

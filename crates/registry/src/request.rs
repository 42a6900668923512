//! One request: authentication, redirects, retries.

use std::io::Read;
use std::time::Instant;

use sealift_pipeline::Event;
use ureq::http::{Request, Response, request::Builder};
use ureq::{Agent, AsSendBody, Body, SendBody};

use crate::answer::{Answer, plain_words};
use crate::challenge::asks_for_more;
use crate::client::{Client, Host};
use crate::error::{ErrorKind, RegistryError};
use crate::origin::{Origin, check_lead};
use crate::retry::sleep;
use crate::secret::Secret;

/// How many redirects are followed.
const MAX_REDIRECTS: usize = 5;
/// A host that never answered is a wrong name more often than one that is about to come up.
const RETRIES_OF_A_STRANGER: u32 = 2;
/// No warning is shown further (distribution-spec, "Warnings"), and no more of one host.
const MAX_WARNING_BYTES: usize = 4096;
const MAX_WARNINGS: usize = 20;

/// A request that can be made again: its body, if any, is in memory.
pub(crate) struct Call<'a> {
    pub(crate) method: &'static str,
    /// Path and query on the registry.
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: &'a [u8],
    /// The scopes that a token needs, separated by spaces.
    pub(crate) scope: String,
}

impl Call<'_> {
    pub(crate) fn new(
        method: &'static str,
        path: impl Into<String>,
        scope: impl Into<String>,
    ) -> Self {
        Self {
            method,
            path: path.into(),
            headers: Vec::new(),
            body: &[],
            scope: scope.into(),
        }
    }

    pub(crate) fn get(path: impl Into<String>, scope: impl Into<String>) -> Self {
        Self::new("GET", path, scope)
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn follows_redirects(&self) -> bool {
        matches!(self.method, "GET" | "HEAD")
    }
}

impl Client {
    /// Makes a request until it is answered with something that is neither an error nor transient.
    /// Every answer of the 2xx kind is returned; redirects are followed.
    pub(crate) fn send(
        &self,
        host: &Host,
        call: &Call<'_>,
        what: &dyn Fn() -> String,
    ) -> Result<Answer, RegistryError> {
        self.retrying(host, what, || self.attempt(host, call))
    }

    /// Does `work` until it succeeds, fails for good or has failed too often.
    pub(crate) fn retrying<T>(
        &self,
        host: &Host,
        what: &dyn Fn() -> String,
        mut work: impl FnMut() -> Result<T, ErrorKind>,
    ) -> Result<T, RegistryError> {
        let mut failures = 0;
        loop {
            let kind = match self.hold(host).and_then(|()| work()) {
                Ok(done) => return Ok(done),
                Err(kind) => kind,
            };
            failures += 1;
            if let Err(kind) = self.wait_after(host, what, kind, failures) {
                return Err(RegistryError {
                    host: host.name.clone(),
                    what: what(),
                    kind,
                });
            }
        }
    }

    /// Waits before the next attempt, and says so; the kind comes back where there is to be none.
    pub(crate) fn wait_after(
        &self,
        host: &Host,
        what: &dyn Fn() -> String,
        kind: ErrorKind,
        failures: u32,
    ) -> Result<(), ErrorKind> {
        let options = &self.options;
        let retries = match kind {
            ErrorKind::Transport(_) | ErrorKind::Stalled(_) if !host.was_reached() => {
                options.retry.retries.min(RETRIES_OF_A_STRANGER)
            }
            _ => options.retry.retries,
        };
        if !kind.is_transient() || failures > retries {
            return Err(kind);
        }
        let asked = match &kind {
            ErrorKind::Status(refusal) => refusal.retry_after,
            _ => None,
        };
        let wait = options.retry.wait(failures, asked);
        if asked.is_some() {
            // The registry means all of us.
            host.pause_until(Instant::now() + wait);
        }
        let (text, words) = (what(), kind.to_string());
        options.observer.event(&Event::Retry {
            host: &host.name,
            what: &text,
            error: &words,
            wait,
        });
        sleep(wait, &options.cancel)?;
        Ok(())
    }

    /// Waits while the registry wants to be left alone.
    pub(crate) fn hold(&self, host: &Host) -> Result<(), ErrorKind> {
        self.options.cancel.check()?;
        let left = host.pause_left();
        Ok(sleep(left, &self.options.cancel)?)
    }

    /// Makes a request once; a challenge is answered, and an expired token renewed, on the way.
    pub(crate) fn attempt(&self, host: &Host, call: &Call<'_>) -> Result<Answer, ErrorKind> {
        let sent = self.authorization(host, &call.scope)?;
        let first = self.exchange(host, call, sent.as_ref())?;
        if !is_challenge(&first) {
            return self.judge(host, call, first);
        }
        self.authenticate(host, &call.scope, first, sent.as_ref())?;
        let sent = self.authorization(host, &call.scope)?;
        let second = self.exchange(host, call, sent.as_ref())?;
        self.judge(host, call, second)
    }

    fn judge(&self, host: &Host, call: &Call<'_>, answer: Answer) -> Result<Answer, ErrorKind> {
        match answer.status {
            200..=299 => Ok(answer),
            300..=399 => Err(ErrorKind::Protocol(format!(
                "status {} to a {} (redirects of it are not followed)",
                answer.status, call.method
            ))),
            _ => Err(answer.kind(self.has_credentials(host, &call.scope))),
        }
    }

    /// Sends the request and follows redirects; no credentials leave the registry's origin.
    fn exchange(
        &self,
        host: &Host,
        call: &Call<'_>,
        authorization: Option<&Secret>,
    ) -> Result<Answer, ErrorKind> {
        let mut answer = self.exchange_once(host, &host.origin, call, authorization)?;
        for _ in 0..MAX_REDIRECTS {
            let location = match (answer.status, answer.header("location")) {
                (301 | 302 | 303 | 307 | 308, Some(location)) if call.follows_redirects() => {
                    answer.origin.resolve(&answer.path, location)
                }
                _ => return Ok(answer),
            };
            answer.finish();
            let (origin, path) = location.ok_or_else(|| {
                ErrorKind::Refused("the registry redirects to something that is no URL".to_owned())
            })?;
            check_lead(&host.origin, &origin)?;
            let authorization = authorization.filter(|_| origin == host.origin);
            let next = Call {
                method: call.method,
                path,
                headers: call.headers.clone(),
                body: &[],
                scope: String::new(),
            };
            answer = self.exchange_once(host, &origin, &next, authorization)?;
        }
        Err(ErrorKind::Protocol(format!(
            "more than {MAX_REDIRECTS} redirects"
        )))
    }

    /// Sends the request to `origin` and returns whatever comes.
    pub(crate) fn exchange_once(
        &self,
        host: &Host,
        origin: &Origin,
        call: &Call<'_>,
        authorization: Option<&Secret>,
    ) -> Result<Answer, ErrorKind> {
        let agent = self.agents.get(&host.origin, origin)?;
        let request = builder(call, origin, authorization);
        let response = if matches!(call.method, "GET" | "HEAD" | "DELETE") {
            run(&agent, request, ())
        } else {
            run(&agent, request, call.body)
        };
        self.answer(host, response, origin, &call.path)
    }

    /// Sends a body that can be read once. The registry may think as long as it needs afterwards: some hash
    /// a whole blob before they answer.
    pub(crate) fn exchange_stream(
        &self,
        host: &Host,
        origin: &Origin,
        path: &str,
        request: Builder,
        body: &mut dyn Read,
    ) -> Result<Answer, ErrorKind> {
        let agent = self.agents.get(&host.origin, origin)?;
        let request = request
            .body(SendBody::from_reader(body))
            .map_err(|error| cannot_be_made(&error))?;
        let request = agent
            .configure_request(request)
            .timeout_per_read(Some(self.options.answer_timeout))
            .build();
        self.answer(
            host,
            agent.run(request).map_err(ErrorKind::from),
            origin,
            path,
        )
    }

    /// The same after stopping was asked for, and without a body: a last word that may be lost.
    pub(crate) fn last_word(&self, host: &Host, call: &Call<'_>) {
        let Ok(agent) = self.agents.last(&host.origin) else {
            return;
        };
        let sent = self.authorization(host, &call.scope).ok().flatten();
        let _ = run(&agent, builder(call, &host.origin, sent.as_ref()), ());
    }

    fn answer(
        &self,
        host: &Host,
        response: Result<Response<Body>, ErrorKind>,
        origin: &Origin,
        path: &str,
    ) -> Result<Answer, ErrorKind> {
        // What stopping does to a connection looks like a fault of it.
        let response = response.map_err(|kind| match self.options.cancel.check() {
            Err(cancelled) => cancelled.into(),
            Ok(()) => kind,
        })?;
        let (parts, body) = response.into_parts();
        let answer = Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
            origin: origin.clone(),
            path: path.to_owned(),
            idle_timeout: self.options.idle_timeout,
        };
        if *origin == host.origin {
            host.note_reached();
            self.pass_warnings_on(host, &answer);
        }
        Ok(answer)
    }

    /// Tells what the registry wants people to know, each thing once (distribution-spec, "Warnings").
    fn pass_warnings_on(&self, host: &Host, answer: &Answer) {
        for value in answer.headers.get_all("warning") {
            let text = value
                .to_str()
                .ok()
                .filter(|text| text.len() <= MAX_WARNING_BYTES);
            let Some(text) = text.and_then(warning_text) else {
                continue;
            };
            if host.is_new_warning(&text, MAX_WARNINGS) {
                self.options.observer.event(&Event::Warning {
                    text: &format!("{} says: {text}", host.name),
                });
            }
        }
    }
}

/// The words of `299 - "words"`; other codes are not for people.
fn warning_text(value: &str) -> Option<String> {
    let rest = value.trim().strip_prefix("299 ")?;
    let words = rest.split_once('"')?.1.rsplit_once('"')?.0;
    let words = plain_words(&words.replace("\\\"", "\"").replace("\\\\", "\\"));
    (!words.is_empty()).then_some(words)
}

/// Whether an answer asks for a token, or for one that allows more.
fn is_challenge(answer: &Answer) -> bool {
    let mut headers = answer.headers.get_all("www-authenticate").iter();
    match answer.status {
        401 => true,
        403 => headers.any(|value| value.to_str().is_ok_and(asks_for_more)),
        _ => false,
    }
}

fn builder(call: &Call<'_>, origin: &Origin, authorization: Option<&Secret>) -> Builder {
    let mut request = Request::builder()
        .method(call.method)
        .uri(format!("{origin}{}", call.path));
    for (name, value) in &call.headers {
        request = request.header(*name, value);
    }
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization.expose());
    }
    request
}

fn run(
    agent: &Agent,
    request: Builder,
    body: impl AsSendBody,
) -> Result<Response<Body>, ErrorKind> {
    let request = request.body(body).map_err(|error| cannot_be_made(&error))?;
    agent.run(request).map_err(ErrorKind::from)
}

/// The words of `http`'s errors repeat no value.
fn cannot_be_made(error: &ureq::http::Error) -> ErrorKind {
    ErrorKind::Refused(format!("the request cannot be made: {error}"))
}

/// Percent-encodes everything but unreserved characters (RFC 3986, section 2.3).
pub(crate) fn encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            for nibble in [byte >> 4, byte & 15] {
                encoded.extend(
                    char::from_digit(u32::from(nibble), 16).map(|c| c.to_ascii_uppercase()),
                );
            }
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_words_without_anything_a_terminal_obeys() {
        let words = |value| warning_text(value);
        assert_eq!(
            words("299 - \"old \\\"API\\\"\u{1b}[2J\"").as_deref(),
            Some("old \"API\"[2J")
        );
        for none in ["199 - \"x\"", "299 - x", "299 - \"\"", ""] {
            assert_eq!(words(none), None);
        }
    }

    #[test]
    fn everything_but_unreserved_characters_is_encoded() {
        assert_eq!(encode("a/b:c d&é~"), "a%2Fb%3Ac%20d%26%C3%A9~");
    }
}

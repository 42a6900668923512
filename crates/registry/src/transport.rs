//! Requests as the registry wants them: with what it wants to be shown, along its redirects, and repeated where
//! a failure may pass.

use std::time::{Duration, Instant};

use sealift_pipeline::Event;

use crate::auth::{Authenticator, is_challenge};
use crate::error::{ErrorKind, RegistryError};
use crate::exchange::Exchange;
use crate::host::Host;
use crate::leads;
use crate::options::ClientOptions;
use crate::request::Request;
use crate::response::Response;
use crate::retry::sleep;
use crate::secret::Secret;

/// How many redirects are followed.
const MAX_REDIRECTS: usize = 5;
/// A host that never responded is a wrong name more often than one that is about to come up.
const RETRIES_OF_A_STRANGER: u32 = 2;
/// A host that is connected and silent has cost a minute each time.
const RETRIES_OF_A_STALL: u32 = 1;

/// Sends requests until there is a response that is neither an error nor transient.
#[derive(Clone)]
pub(crate) struct Transport {
    pub(crate) exchange: Exchange,
    pub(crate) auth: Authenticator,
}

impl Transport {
    pub(crate) fn new(exchange: Exchange) -> Self {
        Self {
            auth: Authenticator::new(exchange.clone()),
            exchange,
        }
    }

    pub(crate) fn options(&self) -> &ClientOptions {
        &self.exchange.options
    }

    /// Sends a request, with retries. Every response of the 2xx kind is returned; redirects are followed.
    pub(crate) fn send(
        &self,
        host: &Host,
        request: &Request<'_>,
        what: &dyn Fn() -> String,
    ) -> Result<Response, RegistryError> {
        self.retrying(host, what, || self.attempt(host, request))
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

    /// Waits before the next attempt, and reports it; returns the error if there is to be none.
    pub(crate) fn wait_after(
        &self,
        host: &Host,
        what: &dyn Fn() -> String,
        kind: ErrorKind,
        failures: u32,
    ) -> Result<(), ErrorKind> {
        if !kind.is_transient() || failures > self.retries_after(&kind, host) {
            return Err(kind);
        }
        let retry = self.options().retry;
        let asked = kind.refusal().and_then(|refusal| refusal.retry_after);
        if let (Some(wait), ErrorKind::Status(refusal)) = (asked, &kind)
            && wait > retry.retry_after_cap
        {
            return Err(ErrorKind::WaitTooLong {
                wait,
                limit: retry.retry_after_cap,
                refusal: refusal.clone(),
            });
        }
        let wait = retry.wait(failures, asked);
        if asked.is_some() {
            // The registry means all connections.
            host.pause_until(Instant::now() + wait);
        }
        self.report_retry(host, &what(), &kind, wait);
        Ok(sleep(wait, &self.options().cancel)?)
    }

    fn retries_after(&self, kind: &ErrorKind, host: &Host) -> u32 {
        let retries = self.options().retry.retries;
        match kind {
            ErrorKind::Stalled(_) => retries.min(RETRIES_OF_A_STALL),
            ErrorKind::Connect(_) | ErrorKind::Transport(_) if !host.was_reached() => {
                retries.min(RETRIES_OF_A_STRANGER)
            }
            _ => retries,
        }
    }

    /// Reports that a request failed and will be repeated.
    pub(crate) fn report_retry(&self, host: &Host, what: &str, kind: &ErrorKind, wait: Duration) {
        self.options().observer.event(&Event::Retry {
            host: &host.name,
            what,
            error: &kind.to_string(),
            wait,
        });
    }

    /// Waits while the registry wants no requests.
    pub(crate) fn hold(&self, host: &Host) -> Result<(), ErrorKind> {
        let cancel = &self.options().cancel;
        cancel.check()?;
        Ok(sleep(host.pause_left(), cancel)?)
    }

    /// Sends a request without a body after stopping was asked for; its response does not matter.
    pub(crate) fn send_last(&self, host: &Host, request: &Request<'_>) {
        let shown = self.auth.authorization(host, &request.scope).ok().flatten();
        self.exchange.send_last(host, request, shown.as_ref());
    }

    /// Sends a request once; a challenge is answered, and an expired token renewed, on the way.
    pub(crate) fn attempt(
        &self,
        host: &Host,
        request: &Request<'_>,
    ) -> Result<Response, ErrorKind> {
        let sent = self.auth.authorization(host, &request.scope)?;
        let first = self.follow(host, request, sent.as_ref())?;
        if !is_challenge(&first) {
            return self.judge(host, request, first);
        }
        self.auth
            .answer(host, &request.scope, first, sent.as_ref())?;
        let sent = self.auth.authorization(host, &request.scope)?;
        let second = self.follow(host, request, sent.as_ref())?;
        self.judge(host, request, second)
    }

    fn judge(
        &self,
        host: &Host,
        request: &Request<'_>,
        response: Response,
    ) -> Result<Response, ErrorKind> {
        match response.status {
            200..=299 => Ok(response),
            300..=399 => Err(ErrorKind::Protocol(format!(
                "status {} to a {} (its redirects are not followed)",
                response.status, request.method
            ))),
            _ => Err(response.into_error(self.auth.carried(host, &request.scope))),
        }
    }

    /// Sends the request and follows redirects; no credentials leave the registry's origin.
    fn follow(
        &self,
        host: &Host,
        request: &Request<'_>,
        authorization: Option<&Secret>,
    ) -> Result<Response, ErrorKind> {
        let mut response = self
            .exchange
            .send(host, &host.origin, request, authorization)?;
        for _ in 0..MAX_REDIRECTS {
            let location = match (response.status, response.header("location")) {
                (301 | 302 | 303 | 307 | 308, Some(location)) if request.follows_redirects() => {
                    response.origin.resolve(&response.path, location)
                }
                _ => return Ok(response),
            };
            response.finish();
            let (origin, path) = location.ok_or_else(|| {
                ErrorKind::Refused(
                    "the registry redirects to something that is not a URL".to_owned(),
                )
            })?;
            leads::check(&host.origin, &origin, self.options())?;
            let authorization = authorization.filter(|_| origin == host.origin);
            let next = Request {
                path,
                body: &[],
                scope: String::new(),
                ..request.clone()
            };
            response = self.exchange.send(host, &origin, &next, authorization)?;
        }
        Err(ErrorKind::Protocol(format!(
            "more than {MAX_REDIRECTS} redirects"
        )))
    }
}

//! One request to one origin: no retries, no redirects, no answers to challenges.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use sealift_pipeline::Event;
use ureq::http;
use ureq::http::request::Builder;
use ureq::{Agent, AsSendBody, Body, SendBody};

use crate::connect::Connections;
use crate::error::{ErrorKind, TlsError};
use crate::host::Host;
use crate::options::ClientOptions;
use crate::origin::Origin;
use crate::request::Request;
use crate::response::Response;
use crate::secret::Secret;

/// No warning is read further (distribution-spec, "Warnings").
const MAX_WARNING_BYTES: usize = 4096;

/// Sends requests and returns whatever comes.
#[derive(Clone)]
pub(crate) struct Exchange {
    pub(crate) options: Arc<ClientOptions>,
    connections: Arc<Connections>,
}

/// Where a request with a streamed body goes, and how long its response may take.
pub(crate) struct Target<'a> {
    pub(crate) origin: &'a Origin,
    pub(crate) path: &'a str,
    /// How long the registry may take to respond once it has the body.
    pub(crate) response_timeout: Duration,
}

impl Exchange {
    pub(crate) fn new(options: Arc<ClientOptions>) -> Self {
        Self {
            connections: Connections::new(Arc::clone(&options)),
            options,
        }
    }

    /// Checks what can be checked of a connection before it is opened: certificates and proxy.
    pub(crate) fn prepare(&self, origin: &Origin) -> Result<(), ErrorKind> {
        self.connections.get(origin, origin).map(drop)
    }

    /// Sends `request` to `origin`.
    pub(crate) fn send(
        &self,
        host: &Host,
        origin: &Origin,
        request: &Request<'_>,
        authorization: Option<&Secret>,
    ) -> Result<Response, ErrorKind> {
        let agent = self.connections.get(&host.origin, origin)?;
        let builder = builder(request, origin, authorization);
        // Trailers may follow a body without end; a blob is read only to the end of its content.
        let limit = (!request.streams).then(|| self.options.idle_timeout.saturating_mul(2));
        let result = if matches!(request.method, "GET" | "HEAD" | "DELETE") {
            run(&agent, builder, (), limit)
        } else {
            run(&agent, builder, request.body, limit)
        };
        self.received(host, result, origin, &request.path)
    }

    /// Sends a body that can be read once.
    pub(crate) fn send_stream(
        &self,
        host: &Host,
        target: &Target<'_>,
        request: Builder,
        body: &mut dyn Read,
    ) -> Result<Response, ErrorKind> {
        let agent = self.connections.get(&host.origin, target.origin)?;
        let request = request
            .body(SendBody::from_reader(body))
            .map_err(|error| invalid(&error))?;
        let request = agent
            .configure_request(request)
            .timeout_per_read(Some(target.response_timeout))
            .timeout_recv_response(Some(target.response_timeout))
            .timeout_recv_body(Some(self.options.idle_timeout))
            .build();
        let result = agent.run(request).map_err(ErrorKind::from);
        self.received(host, result, target.origin, target.path)
    }

    /// Sends a request without a body after stopping was asked for; its response does not matter.
    pub(crate) fn send_last(
        &self,
        host: &Host,
        request: &Request<'_>,
        authorization: Option<&Secret>,
    ) {
        let Ok(agent) = self.connections.last(&host.origin) else {
            return;
        };
        let _ = run(
            &agent,
            builder(request, &host.origin, authorization),
            (),
            None,
        );
    }

    fn received(
        &self,
        host: &Host,
        result: Result<http::Response<Body>, ErrorKind>,
        origin: &Origin,
        path: &str,
    ) -> Result<Response, ErrorKind> {
        // What stopping does to a connection looks like a fault of it.
        self.options.cancel.check()?;
        if *origin == host.origin && !host.was_reached() && self.was_plain_to_tls(origin, &result) {
            return Err(TlsError::TlsOnly.into());
        }
        let (parts, body) = result?.into_parts();
        let response = Response {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
            origin: origin.clone(),
            path: path.to_owned(),
            idle_timeout: self.options.idle_timeout,
            shown: Arc::clone(&host.shown),
        };
        if *origin == host.origin {
            host.note_reached();
            self.report_warnings(host, &response);
        }
        Ok(response)
    }

    /// Whether the first request to a host failed as plain HTTP does with a server that speaks TLS: most
    /// answer with 400, some with an alert or by closing the connection.
    fn was_plain_to_tls(
        &self,
        origin: &Origin,
        result: &Result<http::Response<Body>, ErrorKind>,
    ) -> bool {
        let suspicious = match result {
            Ok(response) => response.status().as_u16() == 400,
            Err(kind) => matches!(kind, ErrorKind::Protocol(_) | ErrorKind::Transport(_)),
        };
        !origin.https && suspicious && self.speaks_tls(origin) == Some(true)
    }

    /// Whether what listens at the authority of `origin` speaks TLS; `None` if it does not say.
    pub(crate) fn speaks_tls(&self, origin: &Origin) -> Option<bool> {
        let https = Origin {
            https: true,
            authority: origin.authority.clone(),
        };
        let agent = self.connections.get(&https, &https).ok()?;
        let result = agent.get(format!("{https}/v2/")).call();
        match result.map_err(ErrorKind::from) {
            Ok(_) => Some(true),
            Err(ErrorKind::Tls(error)) => Some(error != TlsError::NotTls),
            Err(_) => None,
        }
    }

    /// Reports what the registry wants people to know, each thing once (distribution-spec, "Warnings").
    fn report_warnings(&self, host: &Host, response: &Response) {
        for value in response.headers.get_all("warning") {
            let text = value
                .to_str()
                .ok()
                .filter(|text| text.len() <= MAX_WARNING_BYTES)
                .and_then(warning_text);
            let Some(text) = text.map(|text| response.words(&text)) else {
                continue;
            };
            if !text.is_empty() && host.is_new_warning(&text) {
                self.options.observer.event(&Event::Warning {
                    text: &format!("{}: {text}", host.name),
                });
            }
        }
    }
}

/// The text of `299 - "text"`; other codes are not for people.
fn warning_text(value: &str) -> Option<String> {
    let rest = value.trim().strip_prefix("299 ")?;
    let text = rest.split_once('"')?.1.rsplit_once('"')?.0;
    Some(text.replace("\\\"", "\"").replace("\\\\", "\\"))
}

fn builder(request: &Request<'_>, origin: &Origin, authorization: Option<&Secret>) -> Builder {
    let mut builder = http::Request::builder()
        .method(request.method)
        .uri(format!("{origin}{}", request.path));
    for (name, value) in &request.headers {
        builder = builder.header(*name, value);
    }
    if let Some(authorization) = authorization {
        builder = builder.header("authorization", authorization.expose());
    }
    builder
}

fn run(
    agent: &Agent,
    request: Builder,
    body: impl AsSendBody,
    body_timeout: Option<Duration>,
) -> Result<http::Response<Body>, ErrorKind> {
    let request = request.body(body).map_err(|error| invalid(&error))?;
    let request = agent
        .configure_request(request)
        .timeout_recv_body(body_timeout)
        .build();
    agent.run(request).map_err(ErrorKind::from)
}

/// The messages of `http`'s errors repeat no value.
fn invalid(error: &http::Error) -> ErrorKind {
    ErrorKind::Refused(format!("the request is invalid: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_the_quoted_text_of_code_299() {
        assert_eq!(
            warning_text("299 - \"old \\\"API\\\"\"").as_deref(),
            Some("old \"API\"")
        );
        for none in ["199 - \"x\"", "299 - x", ""] {
            assert_eq!(warning_text(none), None);
        }
    }
}

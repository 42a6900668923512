//! A response, and what is made of it.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use ureq::http::HeaderMap;
use ureq::{Body, BodyReader};

use crate::body::{Framing, SteadyReader};
use crate::error::{ErrorCode, ErrorKind, Refusal};
use crate::origin::Origin;
use crate::retry::retry_after;
use crate::text::{printable, without};
use crate::tokens::Shown;

/// The body of an error response is not read further.
const MAX_ERROR_BYTES: u64 = 64 << 10;

/// A response whose body is still to be read.
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
    /// Where it came from, for what it names relatively.
    pub(crate) origin: Origin,
    pub(crate) path: String,
    /// How long its body may stand still.
    pub(crate) idle_timeout: Duration,
    /// What was sent to the host, to be kept out of messages.
    pub(crate) shown: Arc<Shown>,
}

/// What a refused request carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carried {
    /// No credentials, or those of nobody in particular.
    Nothing,
    /// User name and password, or a refresh token.
    Password,
    /// A token that was issued for them.
    Token,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The number that a header is.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.header(name)?.trim().parse().ok()
    }

    /// The encoding of the body, if it has one that was not requested.
    pub(crate) fn encoding(&self) -> Option<&str> {
        self.header("content-encoding")
            .filter(|encoding| !encoding.eq_ignore_ascii_case("identity"))
    }

    pub(crate) fn framing(&self) -> Framing {
        if self.headers.contains_key("transfer-encoding") {
            Framing::Chunked
        } else if self.number("content-length").is_some() {
            Framing::Length
        } else {
            Framing::Close
        }
    }

    pub(crate) fn into_reader(self) -> SteadyReader<BodyReader<'static>> {
        SteadyReader::new(self.body.into_reader(), self.idle_timeout)
    }

    /// Text of the response as it can be shown: nothing that a terminal obeys, and none of our secrets.
    pub(crate) fn words(&self, text: &str) -> String {
        let secrets = self.shown.secrets();
        printable(&without(text, secrets.iter().map(String::as_str)))
    }

    /// Reads the body, which may have at most `limit` bytes.
    pub(crate) fn bytes(self, limit: u64) -> Result<Vec<u8>, ErrorKind> {
        if let Some(encoding) = self.encoding() {
            return Err(encoded(&self.words(encoding)));
        }
        if self
            .number("content-length")
            .is_some_and(|length| length > limit)
        {
            return Err(ErrorKind::TooLarge { limit });
        }
        let mut bytes = Vec::new();
        let mut reader = self.into_reader().take(limit + 1);
        reader.read_to_end(&mut bytes).map_err(|error| {
            match ErrorKind::from(ureq::Error::from(error)) {
                ErrorKind::Transport(words) => {
                    ErrorKind::Transport(format!("the response ended early: {words}"))
                }
                kind => kind,
            }
        })?;
        if bytes.len() as u64 > limit {
            return Err(ErrorKind::TooLarge { limit });
        }
        Ok(bytes)
    }

    /// Reads what is left, so that the connection can be used again.
    pub(crate) fn finish(self) {
        // What fails here fails again, and visibly, on the next use.
        let _ = std::io::copy(
            &mut self.into_reader().take(MAX_ERROR_BYTES),
            &mut std::io::sink(),
        );
    }

    /// The error that an unexpected response stands for.
    pub(crate) fn into_error(self, carried: Carried) -> ErrorKind {
        let status = self.status;
        let retry_after = self.header("retry-after").and_then(retry_after);
        let shown = Arc::clone(&self.shown);
        let mut body = Vec::new();
        // What came of a body that breaks off may still say what is wrong.
        let _ = self
            .into_reader()
            .take(MAX_ERROR_BYTES)
            .read_to_end(&mut body);
        let (code, message) = first_error(&body);
        let secrets = shown.secrets();
        let refusal = Refusal {
            status,
            code,
            message: printable(&without(&message, secrets.iter().map(String::as_str))),
            retry_after,
        };
        match (status, carried) {
            (401, Carried::Nothing) => ErrorKind::LoginRequired(refusal),
            (401, Carried::Password) => ErrorKind::CredentialsRejected(refusal),
            // The token service accepted the credentials.
            (401 | 403, _) => ErrorKind::Forbidden {
                refusal,
                with_credentials: carried != Carried::Nothing,
            },
            (404, _) if !refusal.is_lost_session() => ErrorKind::NotFound(refusal),
            _ => ErrorKind::Status(refusal),
        }
    }
}

/// The error of a body that is encoded though plain bytes were requested: they would not have the digest.
pub(crate) fn encoded(encoding: &str) -> ErrorKind {
    let encoding: String = encoding.chars().take(40).collect();
    ErrorKind::Protocol(format!(
        "the body is encoded as {encoding:?}, though plain bytes were requested (look for a proxy that compresses)"
    ))
}

/// Code and message of the first error in a body of the specification's form.
fn first_error(body: &[u8]) -> (Option<ErrorCode>, String) {
    let json: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let first = &json["errors"][0];
    let text = |name: &str| first[name].as_str().unwrap_or_default();
    (ErrorCode::parse(text("code")), text("message").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_its_first_code_and_message() {
        let body = br#"{"errors":[{"code":"DENIED","message":"no way"},{"code":"B"}]}"#;
        let expected = (ErrorCode::parse("DENIED"), "no way".to_owned());
        assert_eq!(first_error(body), expected);
        for other in [
            &b"<html>"[..],
            b"",
            b"{\"errors\":[{\"co",
            b"[1]",
            b"{\"errors\":{}}",
        ] {
            assert_eq!(first_error(other), (None, String::new()));
        }
    }
}

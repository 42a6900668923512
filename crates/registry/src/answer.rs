//! An answer and what is made of it.

use std::io::Read;
use std::time::Duration;

use ureq::http::HeaderMap;
use ureq::{Body, BodyReader};

use crate::body::Steady;
use crate::error::{ErrorCode, ErrorKind, Refusal};
use crate::origin::Origin;
use crate::retry::retry_after;

/// No error's body is read further.
const MAX_ERROR_BYTES: u64 = 64 << 10;
/// No message of a registry is shown further.
const MAX_MESSAGE_CHARS: usize = 300;

/// An answer; its body is still to be read.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
    /// Where the answer came from, for what it names relatively.
    pub(crate) origin: Origin,
    pub(crate) path: String,
    /// How long its body may stand still.
    pub(crate) idle_timeout: Duration,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The number that a header is.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.header(name)?.trim().parse().ok()
    }

    /// The encoding of the body, if it has one that was not asked for.
    pub(crate) fn encoding(&self) -> Option<&str> {
        self.header("content-encoding")
            .filter(|encoding| !encoding.eq_ignore_ascii_case("identity"))
    }

    pub(crate) fn into_reader(self) -> Steady<BodyReader<'static>> {
        Steady::new(self.body.into_reader(), self.idle_timeout)
    }

    /// Reads the whole body, which may not have more than `limit` bytes.
    pub(crate) fn bytes(self, limit: u64) -> Result<Vec<u8>, ErrorKind> {
        if let Some(encoding) = self.encoding() {
            return Err(encoded(encoding));
        }
        if self
            .number("content-length")
            .is_some_and(|length| length > limit)
        {
            return Err(ErrorKind::TooLarge { limit });
        }
        let mut bytes = Vec::new();
        let mut reader = self.into_reader().take(limit + 1);
        reader
            .read_to_end(&mut bytes)
            .map_err(|error| ErrorKind::Transport(format!("the answer broke off: {error}")))?;
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

    /// The error that an unexpected answer stands for.
    pub(crate) fn kind(self, with_credentials: bool) -> ErrorKind {
        let status = self.status;
        let retry_after = self.header("retry-after").and_then(retry_after);
        let mut body = Vec::new();
        // What came of a body that breaks off may still say what is wrong.
        let _ = self
            .into_reader()
            .take(MAX_ERROR_BYTES)
            .read_to_end(&mut body);
        let (code, message) = first_error(&body);
        let refusal = Refusal {
            status,
            code,
            message,
            retry_after,
        };
        match status {
            401 if with_credentials => ErrorKind::CredentialsRejected(refusal),
            401 => ErrorKind::LoginRequired(refusal),
            403 => ErrorKind::Forbidden {
                refusal,
                with_credentials,
            },
            404 if !refusal.is_lost_session() => ErrorKind::NotFound(refusal),
            _ => ErrorKind::Status(refusal),
        }
    }
}

/// The error of a body that is encoded though plain bytes were asked for: they would not have the digest.
pub(crate) fn encoded(encoding: &str) -> ErrorKind {
    let encoding: String = encoding.chars().take(40).collect();
    ErrorKind::Protocol(format!(
        "the body is encoded as {encoding:?}, though plain bytes were asked for; look for a proxy that compresses"
    ))
}

/// Code and message of the first error in a body of the specification's form; the message cut to a line.
fn first_error(body: &[u8]) -> (Option<ErrorCode>, String) {
    let json: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let first = &json["errors"][0];
    let text = |name: &str| first[name].as_str().unwrap_or_default();
    (ErrorCode::parse(text("code")), plain_words(text("message")))
}

/// `text` from outside as it can be shown: no control characters, and not too much.
pub(crate) fn plain_words(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(MAX_MESSAGE_CHARS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_its_first_code_and_message() {
        let body = br#"{"errors":[{"code":"DENIED","message":"no\u001b[2J\nway"},{"code":"B"}]}"#;
        let expected = (ErrorCode::parse("DENIED"), "no[2Jway".to_owned());
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

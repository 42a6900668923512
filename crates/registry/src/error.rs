//! What can go wrong with a request: typed here, worded once. What a person can do about it is the command
//! line's to say.

mod code;

use std::fmt;
use std::io;
use std::time::Duration;

use sealift_oci::{Digest, ManifestError};
use sealift_pipeline::Cancelled;

pub use code::{ErrorCode, SpecCode};

/// A request to a registry that failed, retries included.
#[derive(Debug, thiserror::Error)]
#[error("{host}: {what}: {kind}")]
pub struct RegistryError {
    /// The registry, with its port where one was given.
    pub host: String,
    /// What was requested, in words: "manifest v1 of calico/node".
    pub what: String,
    /// Why it failed.
    #[source]
    pub kind: ErrorKind,
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No connection: unknown host, refused, nobody there.
    #[error("{0}")]
    Connect(String),
    /// The connection broke: reset, early end.
    #[error("{0}")]
    Transport(String),
    /// Connected, but too few bytes came through for too long.
    #[error("{0}")]
    Stalled(String),
    /// The other side cannot be trusted, or does not speak TLS, or nothing else.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The registry does not know the name, the tag or the digest.
    #[error("not found{}", in_parentheses(.0))]
    NotFound(Refusal),
    /// The registry wants credentials, and there are none for it.
    #[error("login required (status 401){}", in_parentheses(.0))]
    LoginRequired(Refusal),
    /// The registry or its token service does not accept the user name and password or token.
    #[error("the user name or password was rejected (status {}){}", .0.status, in_parentheses(.0))]
    CredentialsRejected(Refusal),
    /// The account, or everybody without one, may not do this.
    #[error("access denied (status {}){}", .refusal.status, in_parentheses(.refusal))]
    Forbidden {
        /// What the registry says.
        refusal: Refusal,
        /// Whether credentials were sent.
        with_credentials: bool,
    },
    /// The registry does not accept content of this media type.
    #[error("the registry does not accept the media type {media_type} (status {}){}", .refusal.status, in_parentheses(.refusal))]
    UnsupportedType {
        /// The media type that was sent.
        media_type: String,
        /// What the registry says.
        refusal: Refusal,
    },
    /// The registry asks to wait for longer than anyone would.
    #[error("the registry asks to wait {} before the next request (status {}, at most {} are accepted)", in_words(.wait), .refusal.status, in_words(.limit))]
    WaitTooLong {
        /// How long it asks to wait.
        wait: Duration,
        /// The longest wait that is accepted.
        limit: Duration,
        /// What the registry says.
        refusal: Refusal,
    },
    /// Any other response that was not expected.
    #[error("unexpected status {}{}", .0.status, in_parentheses(.0))]
    Status(Refusal),
    /// The response breaks the protocol.
    #[error("invalid response from the registry: {0}")]
    Protocol(String),
    /// The response is larger than any valid one.
    #[error("the response has more than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// The manifest is invalid, or another than requested.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The registry accepts no manifests whose layers name URLs; no retry changes that.
    #[error("the registry refuses manifests whose layers are stored elsewhere (layers with urls){}", in_parentheses(.0))]
    ForeignLayers(Refusal),
    /// The registry stored or served something else.
    #[error("the registry has {actual} where {expected} was expected")]
    OtherContent {
        /// What was requested or sent.
        expected: Digest,
        /// What the registry says it has.
        actual: String,
    },
    /// What was to be sent cannot be read, or does not match its digest.
    #[error("the content to send is corrupt or unreadable: {0}")]
    Source(#[source] io::Error),
    /// A response tries to lead the client, or its credentials, elsewhere; or an option is invalid.
    #[error("{0}")]
    Refused(String),
    /// The registry wants its credentials sent to a host that nobody named.
    #[error(
        "the registry requests credentials for the token service {realm}, which is not known to belong to it"
    )]
    TokenHost {
        /// The token service: scheme, host and port.
        realm: String,
        /// Host and port, as they would be named to allow it.
        authority: String,
    },
    /// The credentials cannot be read.
    #[error(transparent)]
    Keychain(#[from] crate::keychain::KeychainError),
    /// It was asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// Why a connection is not trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The other side does not speak TLS.
    #[error("the registry does not speak TLS")]
    NotTls,
    /// The other side speaks only TLS, and was addressed in plain HTTP.
    #[error("the registry speaks TLS, not plain HTTP")]
    TlsOnly,
    /// The certificate is for other names.
    #[error("TLS verification failed: the certificate is not valid for {expected}{}", valid_for(.presented))]
    WrongName {
        /// The name that was connected to.
        expected: String,
        /// The names that the certificate is for.
        presented: Vec<String>,
    },
    /// Nobody who is trusted has signed the certificate.
    #[error("TLS verification failed: the certificate is signed by an unknown authority")]
    UnknownIssuer,
    /// The certificate has expired, or is not valid yet.
    #[error("TLS verification failed: the certificate {0}")]
    Validity(String),
    /// Anything else.
    #[error("TLS failed: {0}")]
    Other(String),
}

/// An error response: what the registry says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    /// The status.
    pub status: u16,
    /// The first error code of the body, if it has one.
    pub code: Option<ErrorCode>,
    /// The first message of the body, cut to a line and safe to show.
    pub message: String,
    /// How long it asks to wait.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// Whether the code is this one.
    pub fn is(&self, code: &SpecCode) -> bool {
        matches!(&self.code, Some(ErrorCode::Spec(own)) if own == code)
    }

    /// Whether the upload session no longer exists.
    pub(crate) fn is_lost_session(&self) -> bool {
        self.code.as_ref().is_some_and(ErrorCode::is_lost_session)
    }
}

/// Code and message, as far as there are any.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.code, self.message.as_str()) {
            (Some(code), "") => write!(f, "{code}"),
            (Some(code), message) => write!(f, "{code}: {message}"),
            (None, message) => f.write_str(message),
        }
    }
}

fn in_parentheses(refusal: &Refusal) -> String {
    let words = refusal.to_string();
    if words.is_empty() {
        words
    } else {
        format!(" ({words})")
    }
}

fn valid_for(names: &[String]) -> String {
    if names.is_empty() {
        String::new()
    } else {
        format!(" (only for {})", names.join(", "))
    }
}

/// A duration in the largest unit that has at least two of it.
fn in_words(duration: &Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        172_800.. => format!("{} days", seconds / 86_400),
        7200.. => format!("{} hours", seconds / 3600),
        120.. => format!("{} minutes", seconds / 60),
        _ => format!("{} s", duration.as_secs_f64()),
    }
}

impl ErrorKind {
    /// The error response, if the registry gave one.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::NotFound(refusal)
            | Self::LoginRequired(refusal)
            | Self::CredentialsRejected(refusal)
            | Self::Forbidden { refusal, .. }
            | Self::UnsupportedType { refusal, .. }
            | Self::WaitTooLong { refusal, .. }
            | Self::ForeignLayers(refusal)
            | Self::Status(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// Whether the same request may succeed a little later.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Transport(_) | Self::Stalled(_) => true,
            Self::Status(refusal) => {
                matches!(refusal.status, 408 | 425 | 429 | 500 | 502 | 503 | 504)
                    || refusal.is_lost_session()
            }
            _ => false,
        }
    }
}

impl RegistryError {
    /// The error response, if the registry gave one.
    pub fn refusal(&self) -> Option<&Refusal> {
        self.kind.refusal()
    }

    /// Whether the registry refused a manifest because something that it refers to does not exist; that a
    /// blob was mounted or was there a moment ago is no proof against garbage collection.
    pub fn is_blob_unknown(&self) -> bool {
        self.refusal()
            .and_then(|refusal| refusal.code.as_ref())
            .is_some_and(ErrorCode::is_blob_unknown)
    }

    /// Whether the registry says that it has no such thing.
    pub fn is_not_found(&self) -> bool {
        matches!(self.kind, ErrorKind::NotFound(_))
    }

    /// Whether there was no complete response, so that other requests to the host would fail as well.
    pub fn is_unreachable(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::Connect(_) | ErrorKind::Transport(_) | ErrorKind::Stalled(_)
        )
    }

    /// Whether it was stopped on purpose.
    pub fn is_cancelled(&self) -> bool {
        matches!(self.kind, ErrorKind::Cancelled(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_worded_by_what_it_has() {
        let mut refusal = Refusal {
            status: 400,
            ..Refusal::default()
        };
        let words = |refusal: &Refusal| ErrorKind::Status(refusal.clone()).to_string();
        assert_eq!(words(&refusal), "unexpected status 400");
        refusal.code = ErrorCode::parse("NAME_INVALID");
        assert_eq!(words(&refusal), "unexpected status 400 (NAME_INVALID)");
        refusal.message = "no".to_owned();
        assert_eq!(words(&refusal), "unexpected status 400 (NAME_INVALID: no)");
        refusal.code = None;
        assert_eq!(words(&refusal), "unexpected status 400 (no)");
    }

    #[test]
    fn a_wait_is_worded_in_a_unit_that_fits_it() {
        for (seconds, words) in [
            (90, "90 s"),
            (600, "10 minutes"),
            (7200, "2 hours"),
            (300_000, "3 days"),
        ] {
            assert_eq!(in_words(&Duration::from_secs(seconds)), words);
        }
    }
}

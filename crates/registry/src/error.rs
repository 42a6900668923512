use std::io;
use std::time::Duration;

use sealift_oci::{Digest, ManifestError};
use sealift_pipeline::Cancelled;

use crate::answer::{is_lost_session, plain_words};

/// What a registry was asked, and what went wrong.
#[derive(Debug, thiserror::Error)]
#[error("{host}: {what}: {problem}")]
pub struct RegistryError {
    /// The registry, with its port where one was given.
    pub host: String,
    /// What was asked of it, in words: "manifest v1 of calico/node".
    pub what: String,
    /// What went wrong.
    #[source]
    pub problem: Problem,
}

/// What went wrong with one request, all retries included.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// No answer: no such host, no connection, TLS, a reset, a timeout.
    #[error("{0}")]
    Transport(String),
    /// No trust: the certificate is not accepted, or the other side does not speak TLS.
    #[error("no trusted connection: {0}")]
    Tls(String),
    /// The registry does not know the name, the tag or the digest.
    #[error("not found{}", in_parentheses(.0))]
    NotFound(String),
    /// It wants other credentials, or any.
    #[error("access denied (status {status}){}", in_parentheses(.message))]
    Denied {
        /// 401 or 403.
        status: u16,
        /// What the registry says.
        message: String,
        /// Whether credentials were sent.
        with_credentials: bool,
    },
    /// Any other answer that was not expected.
    #[error("unexpected status {status}{}", in_parentheses(.message))]
    Status {
        /// The status.
        status: u16,
        /// The first error code of the answer's body: `MANIFEST_INVALID`.
        code: String,
        /// What the registry says.
        message: String,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// The answer is not what the protocol says.
    #[error("the registry's answer makes no sense: {0}")]
    Protocol(String),
    /// The answer has more bytes than any right one.
    #[error("the answer has more than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// The manifest is none that can be carried, or another than asked for.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The registry takes no manifests whose layers name URLs; no retry changes that.
    #[error("the registry refuses manifests whose layers are kept elsewhere (layers with urls){}", in_parentheses(.0))]
    ForeignLayers(String),
    /// The registry stored or served something else.
    #[error("the registry has {actual} where {expected} was expected")]
    OtherContent {
        /// What was asked for or sent.
        expected: Digest,
        /// What the registry says it has.
        actual: String,
    },
    /// What was to be sent cannot be read, or is not what its digest says.
    #[error("the content to send is damaged or unreadable: {0}")]
    Source(#[source] io::Error),
    /// An answer tries to lead the client, or its credentials, elsewhere.
    #[error("{0}")]
    Refused(String),
    /// Credentials cannot be had.
    #[error(transparent)]
    Keychain(#[from] crate::keychain::KeychainError),
    /// It was asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

fn is_blob_unknown(code: &str) -> bool {
    matches!(code, "MANIFEST_BLOB_UNKNOWN" | "BLOB_UNKNOWN")
}

fn in_parentheses(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!(" ({text})")
    }
}

impl Problem {
    /// Whether the same request may succeed a little later (facts: registries answer these in passing).
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Transport(_) => true,
            Self::Status { status, code, .. } => {
                matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504) || is_lost_session(code)
            }
            _ => false,
        }
    }
}

impl From<ureq::Error> for Problem {
    /// Sorts what may pass from what will not. The words repeat no header and no proxy's password.
    fn from(error: ureq::Error) -> Self {
        use ureq::{Error, Timeout};
        match error {
            Error::Timeout(Timeout::PerRead | Timeout::PerWrite) => {
                Self::Transport("no byte came through for too long".to_owned())
            }
            Error::Timeout(Timeout::Connect | Timeout::Resolve) => {
                Self::Transport("no connection in time".to_owned())
            }
            Error::HostNotFound => Self::Transport("no such host".to_owned()),
            Error::Io(error) if is_about_trust(&error.to_string()) => Self::Tls(error.to_string()),
            Error::Io(error) => Self::Transport(error.to_string()),
            Error::Rustls(error) => Self::Tls(error.to_string()),
            Error::Tls(words) => Self::Tls(words.to_owned()),
            Error::LargeResponseHeader(_, limit) => {
                Self::Protocol(format!("its header has more than {limit} bytes"))
            }
            Error::Protocol(error) => Self::Protocol(error.to_string()),
            Error::Http(error) => Self::Protocol(error.to_string()),
            Error::BadUri(_) => Self::Refused("the host's name is no name".to_owned()),
            Error::Other(words) => Self::Refused(words.to_string()),
            Error::ConnectProxyFailed(words) => {
                Self::Transport(format!("the proxy refused: {}", plain_words(&words)))
            }
            other => Self::Transport(other.to_string()),
        }
    }
}

/// Whether a connection ended for a reason that another attempt would meet again (the words are those of
/// rustls; what they do not name is tried again, which costs time and harms nothing).
fn is_about_trust(words: &str) -> bool {
    [
        "invalid peer certificate",
        "corrupt message",
        "peer is incompatible",
        "received fatal alert",
    ]
    .iter()
    .any(|known| words.contains(known))
}

impl RegistryError {
    /// Whether the registry refused a manifest since something that it names is not there; that a blob was
    /// mounted or was there a moment ago is no proof against garbage collection.
    pub fn is_blob_unknown(&self) -> bool {
        match &self.problem {
            Problem::Status { code, .. } => is_blob_unknown(code),
            Problem::NotFound(words) => {
                is_blob_unknown(words.split(':').next().unwrap_or_default())
            }
            _ => false,
        }
    }

    /// Whether the registry says that it has no such thing.
    pub fn is_not_found(&self) -> bool {
        matches!(self.problem, Problem::NotFound(_))
    }

    /// Whether it was stopped on purpose.
    pub fn is_cancelled(&self) -> bool {
        matches!(self.problem, Problem::Cancelled(_))
    }

    /// What a person can try.
    pub fn hint(&self) -> Option<String> {
        match &self.problem {
            Problem::Denied { with_credentials: false, .. } => Some(format!(
                "log in first (skopeo login {0}, podman login {0} or docker login {0}), or give --username and --password-stdin",
                self.host
            )),
            Problem::Denied { with_credentials: true, .. } => Some(
                "the credentials were refused: check the account's rights, and whether the project exists".to_owned(),
            ),
            Problem::Tls(words) if words.contains("corrupt message") => Some(format!(
                "{0} does not speak TLS; if it speaks plain HTTP, say --plain-http {0}",
                self.host
            )),
            Problem::Tls(_) => Some(format!(
                "if the certificate of {} is private, give its authority with --ca-file, or put both in a certs.d folder",
                self.host
            )),
            Problem::ForeignLayers(_) => Some(
                "allow the URLs in the registry's configuration (distribution: validation.manifests.urls.allow), or leave the image out".to_owned(),
            ),
            Problem::NotFound(words) if words.starts_with("NAME_UNKNOWN") => Some(
                "some registries need the project or repository to be made beforehand: check its name, or make it".to_owned(),
            ),
            Problem::Transport(_) => Some("check the host's name, the network and the proxy; then run the same command again, it goes on where it stopped".to_owned()),
            _ => None,
        }
    }
}

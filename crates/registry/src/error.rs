use std::io;
use std::time::Duration;

use sealift_oci::{Digest, ManifestError};
use sealift_pipeline::Cancelled;

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
            Self::Status { status, .. } => {
                matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504)
            }
            _ => false,
        }
    }
}

impl RegistryError {
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
            Problem::Transport(message) if message.contains("HTTP") || message.contains("tls") => Some(format!(
                "if {0} speaks plain HTTP, say --plain-http {0}; if its certificate is private, give --ca-file",
                self.host
            )),
            Problem::Transport(_) => Some("check the host's name, the network and the proxy; then run the same command again, it goes on where it stopped".to_owned()),
            _ => None,
        }
    }
}

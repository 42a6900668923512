//! What a failure of the HTTP library means.

use std::io;

use ureq::{Error, Timeout};

use crate::error::{ErrorKind, TlsError};
use crate::text::printable;

/// No more names of one certificate are shown.
const MAX_NAMES: usize = 8;

impl From<Error> for ErrorKind {
    /// Sorts what may pass from what will not. The words repeat no header and no proxy's password.
    fn from(error: Error) -> Self {
        match error {
            Error::Timeout(timeout) => timed_out(timeout),
            Error::HostNotFound => Self::Connect("the host's name cannot be resolved".to_owned()),
            Error::Io(error) => from_io(&error),
            Error::Tls(words) => TlsError::Other(words.to_owned()).into(),
            Error::LargeResponseHeader(_, limit) => {
                Self::Protocol(format!("its header has more than {limit} bytes"))
            }
            Error::Protocol(error) => Self::Protocol(error.to_string()),
            Error::Http(error) => Self::Protocol(error.to_string()),
            Error::BadUri(_) => Self::Refused("the host's name is invalid".to_owned()),
            Error::Other(words) => Self::Refused(words.to_string()),
            Error::ConnectProxyFailed(words) => {
                Self::Transport(format!("the proxy refused: {}", printable(&words)))
            }
            other => Self::Transport(other.to_string()),
        }
    }
}

fn timed_out(timeout: Timeout) -> ErrorKind {
    match timeout {
        Timeout::Connect | Timeout::Resolve => {
            ErrorKind::Connect("no connection in time".to_owned())
        }
        Timeout::PerWrite | Timeout::SendRequest | Timeout::SendBody => {
            ErrorKind::Stalled("the registry accepts no more data".to_owned())
        }
        Timeout::RecvResponse => ErrorKind::Stalled("no complete response head in time".to_owned()),
        Timeout::RecvBody => ErrorKind::Stalled("no complete response in time".to_owned()),
        _ => ErrorKind::Stalled("no data for too long".to_owned()),
    }
}

fn from_io(error: &io::Error) -> ErrorKind {
    let tls = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(error) => tls_error(error).into(),
        None => match error.kind() {
            io::ErrorKind::ConnectionRefused => ErrorKind::Connect("connection refused".to_owned()),
            io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::AddrNotAvailable => {
                ErrorKind::Connect(format!("no connection: {error}"))
            }
            io::ErrorKind::TimedOut => ErrorKind::Stalled(error.to_string()),
            io::ErrorKind::ConnectionReset => {
                ErrorKind::Transport("connection reset by the registry".to_owned())
            }
            io::ErrorKind::UnexpectedEof => {
                ErrorKind::Transport("connection closed by the registry".to_owned())
            }
            _ => ErrorKind::Transport(error.to_string()),
        },
    }
}

/// A name that a certificate is for, from the debugging form that rustls gives: `DnsName("registry.corp")`.
fn plain_name(presented: &str) -> String {
    let inner = presented
        .split_once('(')
        .and_then(|(_, rest)| rest.strip_suffix(')'))
        .unwrap_or(presented);
    printable(inner.trim_matches('"'))
}

fn tls_error(error: &rustls::Error) -> TlsError {
    use rustls::{CertificateError, InvalidMessage};
    match error {
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => TlsError::NotTls,
        rustls::Error::InvalidCertificate(error) => match error {
            // An authority of the same name with another key signed it: nobody who is trusted.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                TlsError::UnknownIssuer
            }
            CertificateError::NotValidForName => TlsError::WrongName {
                expected: "this host".to_owned(),
                presented: Vec::new(),
            },
            CertificateError::NotValidForNameContext {
                expected,
                presented,
            } => TlsError::WrongName {
                expected: expected.to_str().into_owned(),
                presented: presented
                    .iter()
                    .take(MAX_NAMES)
                    .map(|it| plain_name(it))
                    .collect(),
            },
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                TlsError::Validity("has expired".to_owned())
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                TlsError::Validity("is not valid yet (check this machine's clock)".to_owned())
            }
            other => TlsError::Other(other.to_string()),
        },
        other => TlsError::Other(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificates_name_is_shown_without_its_form() {
        for (presented, name) in [
            ("DnsName(\"registry.corp\")", "registry.corp"),
            ("IpAddress(127.0.0.1)", "127.0.0.1"),
            ("DnsName(\"a\u{1b}[2J\")", r"a\u{1b}[2J"),
            ("DirectoryName", "DirectoryName"),
        ] {
            assert_eq!(plain_name(presented), name);
        }
    }
}

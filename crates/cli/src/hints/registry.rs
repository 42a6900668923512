//! What to try after a registry refused a request.

use sealift_registry::{ErrorKind, RegistryError, SpecCode, TlsError, is_loopback_authority};

use super::Hint;

/// What to try after this error, if there is anything that is not obvious.
pub(crate) fn hint(error: &RegistryError) -> Option<Hint> {
    let host = &error.host;
    let text = match &error.kind {
        ErrorKind::LoginRequired(_)
        | ErrorKind::Forbidden {
            with_credentials: false,
            ..
        } => format!(
            "log in first (skopeo login {host}, podman login {host} or docker login {host}), or use --username and --password-stdin"
        ),
        ErrorKind::CredentialsRejected(_) => {
            format!("check the user name and password, or log in to {host} again")
        }
        ErrorKind::Forbidden { .. } => {
            "check what the account may do, and whether the project exists".to_owned()
        }
        ErrorKind::TokenHost { authority, .. } => format!(
            "if {authority} is the registry's token service, use --token-host {authority}"
        ),
        ErrorKind::Tls(error) => return tls(host, error).map(Hint::Text),
        ErrorKind::UnsupportedType { .. } => {
            "the registry is too old for OCI media types, or configured to refuse them".to_owned()
        }
        ErrorKind::ForeignLayers(_) => {
            "allow the URLs in the registry's configuration (distribution: validation.manifests.urls.allow), or skip the image".to_owned()
        }
        ErrorKind::NotFound(refusal) if refusal.is(&SpecCode::NameUnknown) => {
            "some registries need the project or repository to be created first: check its name, or create it".to_owned()
        }
        ErrorKind::Connect(_) => {
            return Some(Hint::Again(Some("check the host's name, the network and the proxy")));
        }
        ErrorKind::Transport(_) | ErrorKind::Stalled(_) => {
            return Some(Hint::Again(Some("check the network and the proxy")));
        }
        ErrorKind::WaitTooLong { .. } => return Some(Hint::Again(Some("wait as long as the registry asks"))),
        _ => return None,
    };
    Some(Hint::Text(text))
}

fn tls(host: &str, error: &TlsError) -> Option<String> {
    Some(match error {
        TlsError::NotTls => format!("if {host} speaks plain HTTP, use --plain-http {host}"),
        // Loopback addresses are contacted over plain HTTP unless there is something to verify TLS with.
        TlsError::TlsOnly if is_loopback_authority(host) => {
            "use --ca-file or a certs.d folder with the registry's certificate".to_owned()
        }
        TlsError::TlsOnly => format!("omit --plain-http {host}"),
        TlsError::UnknownIssuer => format!(
            "if the certificate of {host} is private, use --ca-file with it or with its certificate authority, or put either into a certs.d folder"
        ),
        TlsError::WrongName { presented, .. } if !presented.is_empty() => {
            "use a name that the certificate is valid for".to_owned()
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use sealift_registry::Refusal;

    use super::*;
    use crate::interruption::Kept;

    fn hint_for(kind: ErrorKind) -> Option<Hint> {
        hint(&RegistryError {
            host: "r.corp".to_owned(),
            what: "manifest v1 of a/b".to_owned(),
            kind,
        })
    }

    #[test]
    fn each_kind_of_refusal_has_its_own_hint() {
        let refusal = || Refusal {
            status: 401,
            ..Refusal::default()
        };
        let name_unknown = Refusal {
            code: Some(sealift_registry::ErrorCode::Spec(SpecCode::NameUnknown)),
            ..refusal()
        };
        for (kind, part) in [
            (ErrorKind::LoginRequired(refusal()), "podman login r.corp"),
            (ErrorKind::CredentialsRejected(refusal()), "password"),
            (ErrorKind::NotFound(name_unknown), "project"),
            (ErrorKind::Tls(TlsError::NotTls), "--plain-http r.corp"),
            (ErrorKind::Tls(TlsError::TlsOnly), "omit --plain-http"),
            (ErrorKind::Tls(TlsError::UnknownIssuer), "--ca-file"),
            (ErrorKind::Connect(String::new()), "host's name"),
        ] {
            let words = kind.to_string();
            let hint = hint_for(kind).expect(&words).words(Kept::Progress);
            assert!(hint.contains(part), "{words}: {hint}");
        }
        assert_eq!(hint_for(ErrorKind::NotFound(refusal())), None);
    }
}

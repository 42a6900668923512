//! The certificate that the server shows: read from PEM files, or created for some names.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{InconsistentKeys, ServerConfig};
use sealift_oci::Digest;
use webpki::{EndEntityCert, KeyUsage};

/// How long a certificate of our own is valid.
const VALIDITY: Duration = Duration::from_secs(365 * 24 * 3600);
/// How long before now it begins to be valid: clocks differ.
const CLOCK_SKEW: Duration = Duration::from_secs(24 * 3600);

/// The content of a PEM file.
#[derive(Clone, Copy, Debug)]
pub struct PemFile<'a> {
    /// The file's name, for messages.
    pub name: &'a str,
    /// What is in it.
    pub content: &'a [u8],
}

/// A certificate with its key, ready to be served with.
pub struct ServerCertificate {
    config: Arc<ServerConfig>,
}

/// A certificate that is its own authority, as its clients need it.
#[derive(Clone, Debug)]
pub struct SelfSigned {
    /// The certificate as PEM.
    pub pem: String,
    /// Its SHA-256 fingerprint: pairs of hexadecimal digits with colons between them.
    pub fingerprint: String,
    /// When it expires.
    pub not_after: SystemTime,
}

/// Why there is no certificate to serve with.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file without a certificate.
    #[error("{file} contains no certificate in PEM form")]
    NoCertificate {
        /// The file's name.
        file: String,
    },
    /// A file without a key.
    #[error("{file} contains no private key in PEM form")]
    NoKey {
        /// The file's name.
        file: String,
    },
    /// A key that needs a passphrase.
    #[error("the private key in {file} is encrypted")]
    EncryptedKey {
        /// The file's name.
        file: String,
    },
    /// A file that begins like PEM and is not.
    #[error("{file} is not valid PEM: {source}")]
    Malformed {
        /// The file's name.
        file: String,
        /// What is wrong.
        source: pem::Error,
    },
    /// A certificate that no client would accept any more.
    #[error("the certificate in {file} expired at {}", rfc3339(.not_after))]
    Expired {
        /// The file's name.
        file: String,
        /// Until when it was valid.
        not_after: SystemTime,
    },
    /// A certificate that no client would accept yet.
    #[error("the certificate in {file} is not valid before {}", rfc3339(.not_before))]
    NotYetValid {
        /// The file's name.
        file: String,
        /// From when on it is valid.
        not_before: SystemTime,
    },
    /// A certificate and the key of another one.
    #[error("the private key in {key} does not belong to the certificate in {certificate}")]
    Mismatch {
        /// The certificate's file.
        certificate: String,
        /// The key's file.
        key: String,
    },
    /// A certificate or key of a kind that is not supported.
    #[error("{certificate} and {key} cannot be used: {source}")]
    Unusable {
        /// The certificate's file.
        certificate: String,
        /// The key's file.
        key: String,
        /// Why not.
        source: rustls::Error,
    },
    /// A name that no certificate can be for.
    #[error("{name:?} is not a host name or an IP address")]
    Name {
        /// The name.
        name: String,
    },
    /// A certificate could not be created.
    #[error("cannot create a certificate: {0}")]
    Create(#[source] io::Error),
}

impl ServerCertificate {
    /// Reads a certificate, followed by those of intermediate authorities if there are any, and its key.
    ///
    /// # Errors
    /// If a file does not contain what it should, the certificate is not valid now, or the key is another one's.
    pub fn from_pem(certificate: PemFile<'_>, key: PemFile<'_>) -> Result<Self, CertificateError> {
        let chain = chain(certificate)?;
        check_validity(certificate.name, &chain[0])?;
        let config = config(chain, private_key(key)?).map_err(|source| match source {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                CertificateError::Mismatch {
                    certificate: certificate.name.to_owned(),
                    key: key.name.to_owned(),
                }
            }
            source => CertificateError::Unusable {
                certificate: certificate.name.to_owned(),
                key: key.name.to_owned(),
                source,
            },
        })?;
        Ok(Self { config })
    }

    /// Creates a certificate for `names`, which are host names and IP addresses, with a new key that is never
    /// written anywhere. It is valid for a year.
    ///
    /// # Errors
    /// If a name is not one that a certificate can be for.
    pub fn self_signed(names: &[String]) -> Result<(Self, SelfSigned), CertificateError> {
        if let Some(name) = names
            .iter()
            .find(|name| ServerName::try_from(name.as_str()).is_err())
        {
            return Err(CertificateError::Name { name: name.clone() });
        }
        let now = SystemTime::now();
        let create = |error: rcgen::Error| CertificateError::Create(io::Error::other(error));
        let key = KeyPair::generate().map_err(create)?;
        let not_after = now + VALIDITY;
        let certificate = params(names, now - CLOCK_SKEW, not_after)
            .and_then(|params| params.self_signed(&key))
            .map_err(create)?;
        let private = PrivateKeyDer::try_from(key.serialize_der())
            .map_err(|error| CertificateError::Create(io::Error::other(error)))?;
        let config = config(vec![certificate.der().clone()], private)
            .map_err(|error| CertificateError::Create(io::Error::other(error)))?;
        let written = SelfSigned {
            pem: certificate.pem(),
            fingerprint: fingerprint(certificate.der()),
            not_after,
        };
        Ok((Self { config }, written))
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }
}

fn chain(file: PemFile<'_>) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(file.content)
        .collect::<Result<_, _>>()
        .map_err(|source| CertificateError::Malformed {
            file: file.name.to_owned(),
            source,
        })?;
    if chain.is_empty() {
        return Err(CertificateError::NoCertificate {
            file: file.name.to_owned(),
        });
    }
    Ok(chain)
}

fn private_key(file: PemFile<'_>) -> Result<PrivateKeyDer<'static>, CertificateError> {
    let name = || file.name.to_owned();
    PrivateKeyDer::from_pem_slice(file.content).map_err(|error| match error {
        pem::Error::NoItemsFound if is_encrypted(file.content) => {
            CertificateError::EncryptedKey { file: name() }
        }
        pem::Error::NoItemsFound => CertificateError::NoKey { file: name() },
        source => CertificateError::Malformed {
            file: name(),
            source,
        },
    })
}

fn is_encrypted(content: &[u8]) -> bool {
    const LABEL: &[u8] = b"BEGIN ENCRYPTED PRIVATE KEY";
    content.windows(LABEL.len()).any(|part| part == LABEL)
}

/// Refuses a certificate that is not valid now. Who issued it is the clients' question: webpki looks at the time
/// before it looks for an issuer, and its other answers are ignored here.
fn check_validity(file: &str, certificate: &CertificateDer<'_>) -> Result<(), CertificateError> {
    let unreadable = |source: webpki::Error| CertificateError::Unusable {
        certificate: file.to_owned(),
        key: "its key".to_owned(),
        source: rustls::Error::General(source.to_string()),
    };
    let certificate = EndEntityCert::try_from(certificate).map_err(unreadable)?;
    let algorithms = default_provider().signature_verification_algorithms;
    let verified = certificate.verify_for_usage(
        algorithms.all,
        &[],
        &[],
        UnixTime::now(),
        KeyUsage::server_auth(),
        None,
        None,
    );
    match verified.map(drop) {
        Err(webpki::Error::CertExpired { not_after, .. }) => Err(CertificateError::Expired {
            file: file.to_owned(),
            not_after: time(not_after),
        }),
        Err(webpki::Error::CertNotValidYet { not_before, .. }) => {
            Err(CertificateError::NotYetValid {
                file: file.to_owned(),
                not_before: time(not_before),
            })
        }
        _ => Ok(()),
    }
}

fn config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn params(
    names: &[String],
    not_before: SystemTime,
    not_after: SystemTime,
) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    let name = names.first().map_or("sealift", String::as_str);
    params.distinguished_name.push(DnType::CommonName, name);
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let since = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default();
    params.not_before = epoch + since(not_before);
    params.not_after = epoch + since(not_after);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

fn time(time: UnixTime) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(time.as_secs())
}

fn rfc3339(time: &SystemTime) -> humantime::Rfc3339Timestamp {
    humantime::format_rfc3339_seconds(*time)
}

/// As `openssl x509 -fingerprint -sha256` prints it.
fn fingerprint(certificate: &[u8]) -> String {
    let digest = Digest::sha256(certificate);
    let pairs: Vec<String> = digest
        .as_bytes()
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    pairs.join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate and its key as PEM.
    fn made(change: impl FnOnce(&mut CertificateParams)) -> (String, String) {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    fn read(certificate: &str, key: &str) -> Result<(), String> {
        let file = |name, content: &'static str| PemFile {
            name,
            content: content.as_bytes(),
        };
        let leak = |text: &str| -> &'static str { text.to_owned().leak() };
        ServerCertificate::from_pem(
            file("tls.crt", leak(certificate)),
            file("tls.key", leak(key)),
        )
        .map(drop)
        .map_err(|error| error.to_string())
    }

    #[test]
    fn a_certificate_is_read_with_its_key() {
        let (certificate, key) = made(|_| {});
        read(&certificate, &key).unwrap();
        // What openssl req -x509 creates is an authority too.
        let (certificate, key) =
            made(|params| params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained));
        read(&certificate, &key).unwrap();
    }

    #[test]
    fn what_cannot_be_served_with_is_named() {
        let (certificate, key) = made(|_| {});
        let (_, other) = made(|_| {});
        let (expired, expired_key) =
            made(|params| params.not_after = rcgen::date_time_ymd(2020, 2, 3));
        let (future, future_key) =
            made(|params| params.not_before = rcgen::date_time_ymd(2999, 2, 3));
        let encrypted =
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n";
        let cut = &certificate[..certificate.len() / 2];
        for (certificate, key, expected) in [
            (
                certificate.as_str(),
                other.as_str(),
                "the private key in tls.key does not belong to the certificate in tls.crt",
            ),
            (&key, &key, "tls.crt contains no certificate in PEM form"),
            (
                &certificate,
                &certificate,
                "tls.key contains no private key in PEM form",
            ),
            (
                &certificate,
                encrypted,
                "the private key in tls.key is encrypted",
            ),
            (
                &expired,
                &expired_key,
                "the certificate in tls.crt expired at 2020-02-03T00:00:00Z",
            ),
            (
                &future,
                &future_key,
                "the certificate in tls.crt is not valid before 2999-02-03T00:00:00Z",
            ),
            (cut, &key, "tls.crt is not valid PEM: "),
        ] {
            let error = read(certificate, key).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn a_certificate_of_our_own_is_for_its_names_and_for_no_others() {
        let names = ["10.0.0.5", "node-1.corp", "::1"].map(str::to_owned);
        let (_, written) = ServerCertificate::self_signed(&names).unwrap();
        let der = CertificateDer::from_pem_slice(written.pem.as_bytes()).unwrap();
        let certificate = EndEntityCert::try_from(&der).unwrap();
        let is_for = |name: &str| {
            let name = ServerName::try_from(name).unwrap();
            certificate.verify_is_valid_for_subject_name(&name).is_ok()
        };
        for name in &names {
            assert!(is_for(name), "{name}");
        }
        assert!(!is_for("10.0.0.6") && !is_for("node-2.corp"));
        assert_eq!(written.fingerprint.len(), 32 * 3 - 1);
        for name in ["", "a b", "*.corp", "node_1/x"] {
            assert!(
                ServerCertificate::self_signed(&[name.to_owned()]).is_err(),
                "{name}"
            );
        }
    }
}

//! Verifying a registry's certificate.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// Checks that the other end has its certificate's key, and that the certificate is one to accept.
#[derive(Debug)]
pub(super) struct Verifier {
    accepted: Accepted,
    provider: Arc<CryptoProvider>,
}

/// Which certificates are accepted.
#[derive(Debug)]
enum Accepted {
    Trusted(Trusted),
    All,
}

/// Accepts a chain that ends at a trusted certificate, as webpki does, and in addition the trusted certificate
/// itself where it is authority and server at once: what `openssl req -x509` makes, and what docker, skopeo
/// and curl accept.
#[derive(Debug)]
struct Trusted {
    /// `None` if nothing at all is trusted.
    webpki: Option<Arc<WebPkiServerVerifier>>,
    certificates: Vec<CertificateDer<'static>>,
}

impl Verifier {
    /// Trusts these certificates; those that cannot be read are no use to anyone and are left out.
    pub(super) fn trusting(
        certificates: Vec<CertificateDer<'static>>,
        provider: Arc<CryptoProvider>,
    ) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates.iter().cloned());
        let webpki =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let trusted = Trusted {
            webpki: webpki.build().ok(),
            certificates,
        };
        Self {
            accepted: Accepted::Trusted(trusted),
            provider,
        }
    }

    /// Accepts every certificate: for hosts that the user called insecure. That the other end has its key is
    /// still checked, which costs nothing and finds broken servers.
    pub(super) fn insecure(provider: Arc<CryptoProvider>) -> Self {
        Self {
            accepted: Accepted::All,
            provider,
        }
    }
}

impl Trusted {
    fn verify(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(webpki) = &self.webpki else {
            return Err(CertificateError::UnknownIssuer.into());
        };
        let result =
            webpki.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match result {
            Err(error) if is_authority_itself(&error) => {
                if !self.certificates.contains(end_entity) {
                    return Err(CertificateError::UnknownIssuer.into());
                }
                // webpki looks at the time before it looks for this: the certificate is valid now.
                let certificate = ParsedCertificate::try_from(end_entity)?;
                rustls::client::verify_server_name(&certificate, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            result => result,
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match &self.accepted {
            Accepted::All => Ok(ServerCertVerified::assertion()),
            Accepted::Trusted(trusted) => {
                trusted.verify(end_entity, intermediates, server_name, ocsp_response, now)
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

/// Whether a certificate was refused only since it is an authority's.
fn is_authority_itself(error: &Error) -> bool {
    let Error::InvalidCertificate(CertificateError::Other(other)) = error else {
        return false;
    };
    other.0.downcast_ref::<webpki::Error>() == Some(&webpki::Error::CaUsedAsEndEntity)
}

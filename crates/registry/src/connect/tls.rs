//! TLS over a connection, with the trust of one host.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::{Arc, OnceLock};

use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use ureq::Error;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport,
    TransportAdapter,
};

use super::trust::HostTrust;
use super::verify::Verifier;

/// The system's certificates, read when the first host needs them.
pub(super) type SystemCertificates = Arc<OnceLock<Vec<CertificateDer<'static>>>>;

/// Speaks TLS where the URL says https.
pub(super) struct TlsConnector {
    trust: HostTrust,
    system: SystemCertificates,
    config: OnceLock<Result<Arc<ClientConfig>, rustls::Error>>,
}

impl TlsConnector {
    pub(super) fn new(trust: HostTrust, system: SystemCertificates) -> Self {
        Self {
            trust,
            system,
            config: OnceLock::new(),
        }
    }

    fn config(&self) -> Result<Arc<ClientConfig>, Error> {
        let config = self.config.get_or_init(|| self.build().map(Arc::new));
        config.clone().map_err(wrapped)
    }

    fn build(&self) -> Result<ClientConfig, rustls::Error> {
        let provider = Arc::new(default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?
            .dangerous();
        let verifier = if self.trust.insecure {
            Verifier::insecure(provider)
        } else {
            Verifier::trusting(self.trusted(), provider)
        };
        let builder = builder.with_custom_certificate_verifier(Arc::new(verifier));
        match &self.trust.client {
            Some(client) => {
                builder.with_client_auth_cert(client.chain.clone(), client.key.clone_key())
            }
            None => Ok(builder.with_no_client_auth()),
        }
    }

    /// What was given is trusted in addition to the system's certificates: a public registry stays one.
    fn trusted(&self) -> Vec<CertificateDer<'static>> {
        let system = self
            .system
            // A system without certificates, or with some that cannot be read, still has the others.
            .get_or_init(|| rustls_native_certs::load_native_certs().certs);
        self.trust.given.iter().chain(system).cloned().collect()
    }
}

impl fmt::Debug for TlsConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsConnector")
    }
}

impl<In: Transport> Connector<In> for TlsConnector {
    type Out = Either<In, TlsTransport>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        let Some(transport) = chained else {
            return Ok(None);
        };
        if !details.needs_tls() || transport.is_tls() {
            return Ok(Some(Either::A(transport)));
        }
        let host = details.uri.host().unwrap_or_default();
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
            .map_err(|_| Error::Tls("the host's name is not one that a certificate can be for"))?;
        let mut connection = ClientConnection::new(self.config()?, name).map_err(wrapped)?;
        let mut socket =
            TransportAdapter::new(transport.boxed(), Arc::clone(&details.current_time));
        socket.set_timeout(details.timeout);
        connection.complete_io(&mut socket)?;
        Ok(Some(Either::B(TlsTransport {
            stream: StreamOwned::new(connection, socket),
            buffers: LazyBuffers::new(
                details.config.input_buffer_size(),
                details.config.output_buffer_size(),
            ),
        })))
    }
}

/// As [`super::failure`] finds it again.
fn wrapped(error: rustls::Error) -> Error {
    io::Error::other(error).into()
}

/// One encrypted connection.
pub(super) struct TlsTransport {
    stream: StreamOwned<ClientConnection, TransportAdapter>,
    buffers: LazyBuffers,
}

impl fmt::Debug for TlsTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsTransport")
    }
}

impl Transport for TlsTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream.sock.set_timeout(timeout);
        Ok(self.stream.write_all(&self.buffers.output()[..amount])?)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.sock.set_timeout(timeout);
        let read = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(read);
        Ok(read > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.sock.get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

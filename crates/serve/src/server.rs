//! Listening: how many clients are served at once, and the end of serving.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use sealift_pipeline::Cancel;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use crate::access::{AccessLog, QueuedLog};
use crate::connection::{Client, Service, serve};
use crate::contents::Contents;
use crate::tls::ServerCertificate;
use crate::users::Users;

/// How many clients are served at once; the next ones wait.
const MAX_CONNECTIONS: usize = 256;
/// How often a stop is looked for while nobody comes.
const STOP_INTERVAL: Duration = Duration::from_millis(100);

/// Who may read what is served, and how.
#[derive(Default)]
pub struct ServerOptions {
    /// The certificate to speak TLS with; plain HTTP without.
    pub certificate: Option<ServerCertificate>,
    /// Who may pull; everyone if there is no list.
    pub users: Option<Users>,
}

/// Why a bundle is not served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be taken.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address, as it was given.
        address: String,
        /// Why not.
        source: io::Error,
    },
    /// The system gives no threads or timers.
    #[error("cannot start serving: {0}")]
    Runtime(#[source] io::Error),
}

/// A registry that listens.
pub struct Server {
    contents: Contents,
    options: ServerOptions,
    listener: TcpListener,
}

impl Server {
    /// Takes `address` (`ADDR:PORT`; port 0 for any that is free); nothing is served yet.
    ///
    /// # Errors
    /// Where the address cannot be taken.
    pub fn bind(
        contents: Contents,
        address: &str,
        options: ServerOptions,
    ) -> Result<Self, ServeError> {
        let listen = |source| ServeError::Listen {
            address: address.to_owned(),
            source,
        };
        let listener = TcpListener::bind(address).map_err(listen)?;
        listener.set_nonblocking(true).map_err(listen)?;
        Ok(Self {
            contents,
            options,
            listener,
        })
    }

    /// The address that was taken.
    ///
    /// # Errors
    /// Where the system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until `cancel` is raised; then every connection ends.
    ///
    /// # Errors
    /// Where the system gives no threads or timers.
    pub fn run(self, cancel: &Cancel, log: &Arc<dyn AccessLog>) -> Result<(), ServeError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .max_blocking_threads(MAX_CONNECTIONS)
            .enable_all()
            .build()
            .map_err(ServeError::Runtime)?;
        let log = QueuedLog::start(Arc::clone(log)).map_err(ServeError::Runtime)?;
        let log = Arc::new(log);
        let served = runtime.block_on(self.accept(cancel, &log));
        // Threads that wait for slow clients are not waited for.
        runtime.shutdown_background();
        log.finish();
        served
    }

    async fn accept(self, cancel: &Cancel, log: &Arc<QueuedLog>) -> Result<(), ServeError> {
        let listener =
            tokio::net::TcpListener::from_std(self.listener).map_err(ServeError::Runtime)?;
        let tls = self.options.certificate;
        let tls = tls.map(|certificate| TlsAcceptor::from(certificate.config()));
        let service = Arc::new(Service::new(self.contents, self.options.users, log));
        let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        while !cancel.is_cancelled() {
            let free = Arc::clone(&slots).acquire_owned();
            let slot = match tokio::time::timeout(STOP_INTERVAL, free).await {
                Ok(Ok(slot)) => slot,
                Ok(Err(_)) => return Ok(()),
                // All slots are taken: a stop is looked for meanwhile.
                Err(_) => continue,
            };
            let Ok(accepted) = tokio::time::timeout(STOP_INTERVAL, listener.accept()).await else {
                continue;
            };
            // A client that is gone already, or no file descriptor left: the next one may do better.
            let Ok((stream, address)) = accepted else {
                tokio::time::sleep(STOP_INTERVAL).await;
                continue;
            };
            let (service, tls) = (Arc::clone(&service), tls.clone());
            let client = Client {
                address,
                slot: Arc::new(slot),
            };
            tokio::spawn(async move { serve(&service, tls.as_ref(), stream, client).await });
        }
        Ok(())
    }
}

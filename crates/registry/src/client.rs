//! The client: what all hosts share, and the hosts it has spoken to.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sealift_pipeline::{Cancelled, Event};

use crate::connect::{has_folder, proxy_secrets};
use crate::error::{ErrorKind, RegistryError};
use crate::exchange::Exchange;
use crate::host::Host;
use crate::options::ClientOptions;
use crate::origin::Origin;
use crate::quirks::known;
use crate::repository::Repository;
use crate::request::Request;
use crate::retry::{RetryPolicy, sleep};
use crate::session::SessionStore;
use crate::tokens::Shown;
use crate::transport::Transport;

/// How long an optional query may stand still.
const OPTIONAL_IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// A client for any number of registries, shared by all threads.
#[derive(Clone)]
pub struct Client {
    transport: Transport,
    hosts: Arc<Mutex<HashMap<String, Arc<Host>>>>,
    sessions: Option<Arc<dyn SessionStore>>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

impl Client {
    /// A client with these options.
    pub fn new(options: ClientOptions) -> Self {
        Self {
            transport: Transport::new(Exchange::new(Arc::new(options))),
            hosts: Arc::default(),
            sessions: None,
        }
    }

    /// A client for optional queries: no retries, and an idle timeout of at most 10 s.
    #[must_use]
    pub fn impatient(&self) -> Self {
        let own = self.transport.options();
        Self::new(ClientOptions {
            retry: RetryPolicy {
                retries: 0,
                ..own.retry
            },
            idle_timeout: own.idle_timeout.min(OPTIONAL_IDLE_TIMEOUT),
            ..own.clone()
        })
    }

    /// The same client, which keeps its upload sessions in `store` and resumes those that it finds there.
    #[must_use]
    pub fn with_sessions(&self, store: Arc<dyn SessionStore>) -> Self {
        Self {
            sessions: Some(store),
            ..self.clone()
        }
    }

    /// A repository on a registry; nothing is sent yet.
    ///
    /// # Errors
    /// If the certificates or the proxy for the registry cannot be used, or its name contains credentials.
    pub fn repository(
        &self,
        registry: &str,
        repository: &str,
    ) -> Result<Repository, RegistryError> {
        Ok(Repository::new(
            self.transport.clone(),
            self.host(registry)?,
            repository.to_owned(),
            self.sessions.clone(),
        ))
    }

    /// When and how often requests are repeated; for those who resume a response that ended early.
    pub fn retry(&self) -> RetryPolicy {
        self.transport.options().retry
    }

    /// Waits, unless stopping is asked for meanwhile.
    ///
    /// # Errors
    /// If stopping was asked for.
    pub fn pause(&self, wait: Duration) -> Result<(), Cancelled> {
        sleep(wait, &self.transport.options().cancel)
    }

    /// Asks the registry whether it speaks the protocol and accepts the credentials, if any.
    ///
    /// # Errors
    /// If it does not.
    pub fn ping(&self, registry: &str) -> Result<(), RegistryError> {
        let host = self.host(registry)?;
        let what = || "the API's root".to_owned();
        let response = self
            .transport
            .send(&host, &Request::get("/v2/", ""), &what)?;
        response.finish();
        Ok(())
    }

    /// Downloads a file of at most `limit` bytes from a URL of a server that is not a registry, such as a chart
    /// repository. The same certificates, credentials, proxies and retries apply.
    ///
    /// # Errors
    /// If it is not such a URL, or the server does not give the file.
    pub fn download(&self, url: &str, limit: u64) -> Result<Vec<u8>, RegistryError> {
        let (origin, path) = Origin::split(url).ok_or_else(|| not_a_file("", NO_URL))?;
        let host = self.host(&origin.authority)?;
        if host.origin.https != origin.https {
            let reason = if origin.https {
                "the URL uses https, but this host is configured for plain HTTP"
            } else {
                "the URL is plain HTTP, which has to be allowed for this host"
            };
            return Err(not_a_file(&origin.authority, reason));
        }
        self.file(&host, &path, limit)
    }

    /// Downloads a file of at most `limit` bytes from a host, which is reached as a registry of this name is. `path`
    /// begins with a slash.
    ///
    /// # Errors
    /// If that is not the URL of a file, or the server does not give it.
    pub fn download_from(
        &self,
        host: &str,
        path: &str,
        limit: u64,
    ) -> Result<Vec<u8>, RegistryError> {
        let split = Origin::split(&format!("https://{host}{path}"));
        let (_, path) = split.ok_or_else(|| not_a_file(host, NO_URL))?;
        let host = self.host(host)?;
        self.file(&host, &path, limit)
    }

    fn file(&self, host: &Host, path: &str, limit: u64) -> Result<Vec<u8>, RegistryError> {
        let request = Request::get(path, "").header("accept", "*/*");
        let what = || format!("file {}", path.split('?').next().unwrap_or_default());
        self.transport.retrying(host, &what, || {
            self.transport.attempt(host, &request)?.bytes(limit)
        })
    }

    fn host(&self, registry: &str) -> Result<Arc<Host>, RegistryError> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = hosts.get(registry) {
            return Ok(Arc::clone(host));
        }
        let host = self.new_host(registry).map_err(|kind| RegistryError {
            // What stands before an `@` is a password.
            host: registry.rsplit('@').next().unwrap_or_default().to_owned(),
            what: "preparing the connection".to_owned(),
            kind,
        })?;
        let host = Arc::new(host);
        hosts.insert(registry.to_owned(), Arc::clone(&host));
        Ok(host)
    }

    fn new_host(&self, registry: &str) -> Result<Host, ErrorKind> {
        if registry.contains('@') {
            return Err(ErrorKind::Refused(
                "a registry's name cannot contain a user name or password".to_owned(),
            ));
        }
        let authority = known::api(&registry.to_ascii_lowercase()).to_owned();
        let mut origin = Origin {
            https: true,
            authority,
        };
        origin.https = !self.speaks_plain_http(registry, &origin);
        // What is wrong with its certificates or its proxy shows here.
        self.transport.exchange.prepare(&origin)?;
        if origin.https && is_listed(&self.transport.options().insecure, registry, &origin) {
            self.transport.options().observer.event(&Event::Warning {
                text: &format!(
                    "the TLS certificate of {registry} is not verified: anyone on the network can read and change what is transferred, passwords included"
                ),
            });
        }
        let shown = Shown::behind(proxy_secrets(self.transport.options()));
        Ok(Host::new(registry.to_owned(), origin, shown))
    }

    /// Whether the registry was said to speak plain HTTP, or does so on loopback.
    fn speaks_plain_http(&self, registry: &str, origin: &Origin) -> bool {
        let options = self.transport.options();
        if is_listed(&options.plain_http, registry, origin) {
            return true;
        }
        let is_tls = is_listed(&options.insecure, registry, origin)
            || has_folder(registry, &options.certificate_folders);
        if is_tls || !origin.is_loopback() {
            return false;
        }
        // Certificates may have been given for it or for another: what listens on this machine shows it.
        options.ca_file.is_none() || self.transport.exchange.speaks_tls(origin) == Some(false)
    }
}

/// Why something is not a URL to download from.
const NO_URL: &str = "the URL is not a plain http or https URL";

fn not_a_file(host: &str, reason: &str) -> RegistryError {
    RegistryError {
        host: host.to_owned(),
        what: "the file".to_owned(),
        kind: ErrorKind::Refused(reason.to_owned()),
    }
}

/// Whether a list of hosts contains a registry, by its name or by its API's host with or without the port.
fn is_listed(hosts: &[String], registry: &str, origin: &Origin) -> bool {
    hosts
        .iter()
        .any(|host| host == registry || origin.is_called(host))
}

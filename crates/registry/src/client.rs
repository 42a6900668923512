use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sealift_pipeline::{Cancel, Cancelled, NoObserver, Observer};
use ureq::Agent;

use crate::auth::AuthState;
use crate::error::{Problem, RegistryError};
use crate::keychain::Keychain;
use crate::origin::{Origin, is_loopback_authority};
use crate::repository::Repository;
use crate::request::Call;
use crate::retry::RetryPolicy;
use crate::tls::HostTrust;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a registry may think before it answers: some hash a whole blob before a commit is confirmed.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(900);

/// What a client is given; nothing of it is looked up in the environment.
#[derive(Clone)]
pub struct ClientOptions {
    /// Where credentials come from.
    pub keychain: Keychain,
    /// Hosts that speak plain HTTP; loopback hosts do without being listed.
    pub plain_http: Vec<String>,
    /// Authorities to trust instead of the system's, a PEM file.
    pub ca_file: Option<PathBuf>,
    /// Folders of the `certs.d` kind, first match wins.
    pub certificate_folders: Vec<PathBuf>,
    /// Token services that may have credentials though they are on another host than the registry.
    pub token_hosts: Vec<String>,
    /// The proxy for https hosts, a URL.
    pub https_proxy: Option<String>,
    /// The proxy for http hosts, a URL.
    pub http_proxy: Option<String>,
    /// Hosts that are reached without a proxy, separated by commas.
    pub no_proxy: Option<String>,
    /// When and how often requests are made again.
    pub retry: RetryPolicy,
    /// How long a connection may stand still.
    pub idle_timeout: Duration,
    /// How many connections are kept for each host.
    pub connections: usize,
    /// Stops everything that waits or transfers.
    pub cancel: Cancel,
    /// Hears of retries and warnings.
    pub observer: Arc<dyn Observer>,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            keychain: Keychain::anonymous(),
            plain_http: Vec::new(),
            ca_file: None,
            certificate_folders: Vec::new(),
            token_hosts: Vec::new(),
            https_proxy: None,
            http_proxy: None,
            no_proxy: None,
            retry: RetryPolicy::default(),
            idle_timeout: Duration::from_secs(60),
            connections: 8,
            cancel: Cancel::new(),
            observer: Arc::new(NoObserver),
        }
    }
}

/// A client for any number of registries, shared by all threads.
#[derive(Clone)]
pub struct Client {
    pub(crate) options: Arc<ClientOptions>,
    hosts: Arc<Mutex<HashMap<String, Arc<Host>>>>,
}

/// What is known of one registry.
pub(crate) struct Host {
    /// As references name it.
    pub(crate) name: String,
    /// Where its API is.
    pub(crate) origin: Origin,
    pub(crate) agent: Agent,
    pub(crate) auth: AuthState,
    pub(crate) profile: Mutex<Profile>,
}

/// What a run has learned about a registry; see the ladder in `upload`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Profile {
    /// Mounts are answered with errors.
    pub(crate) no_mounts: bool,
    /// There is no referrers API.
    pub(crate) no_referrers: bool,
    /// PATCH is refused; uploads are one PUT.
    pub(crate) one_put: bool,
    /// The largest PATCH that passed through, where a larger one did not.
    pub(crate) chunk: Option<u64>,
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
            options: Arc::new(options),
            hosts: Arc::default(),
        }
    }

    /// A repository on a registry; nothing is sent yet.
    ///
    /// # Errors
    /// Where the certificates or the proxy for the registry cannot be used.
    pub fn repository(
        &self,
        registry: &str,
        repository: &str,
    ) -> Result<Repository, RegistryError> {
        Ok(Repository::new(
            self.clone(),
            self.host(registry)?,
            repository.to_owned(),
        ))
    }

    /// When and how often requests are made again; for whoever goes on with an answer that broke off.
    pub fn retry(&self) -> RetryPolicy {
        self.options.retry
    }

    /// Waits, unless stopping is asked for meanwhile.
    pub fn pause(&self, wait: Duration) -> Result<(), Cancelled> {
        crate::retry::sleep(wait, &self.options.cancel)
    }

    /// Asks the registry whether it speaks the protocol and accepts the credentials, if any.
    pub fn ping(&self, registry: &str) -> Result<(), RegistryError> {
        let host = self.host(registry)?;
        let what = || "the API's root".to_owned();
        self.send(&host, &Call::get("/v2/", ""), &what).map(drop)
    }

    fn host(&self, registry: &str) -> Result<Arc<Host>, RegistryError> {
        let mut hosts = self
            .hosts
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(host) = hosts.get(registry) {
            return Ok(Arc::clone(host));
        }
        let host = Arc::new(self.new_host(registry).map_err(|problem| RegistryError {
            host: registry.to_owned(),
            what: "preparing the connection".to_owned(),
            problem,
        })?);
        hosts.insert(registry.to_owned(), Arc::clone(&host));
        Ok(host)
    }

    fn new_host(&self, registry: &str) -> Result<Host, Problem> {
        let options = &self.options;
        let trust = HostTrust::read(
            registry,
            options.ca_file.as_deref(),
            &options.certificate_folders,
        )
        .map_err(Problem::Refused)?;
        let told = options.plain_http.iter().any(|host| host == registry);
        let https = !told && (!is_loopback_authority(registry) || !trust.is_empty());
        let authority = if registry == "docker.io" {
            "registry-1.docker.io"
        } else {
            registry
        };
        let origin = Origin {
            https,
            authority: authority.to_ascii_lowercase(),
        };
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .accept_encoding("identity")
            .user_agent(concat!("sealift/", env!("CARGO_PKG_VERSION")))
            .proxy(self.proxy(&origin)?)
            .no_delay(true)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_recv_response(Some(ANSWER_TIMEOUT))
            .timeout_per_read(Some(options.idle_timeout))
            .timeout_per_write(Some(options.idle_timeout))
            .max_idle_connections(64)
            .max_idle_connections_per_host(options.connections + 2)
            .input_buffer_size(256 << 10)
            .output_buffer_size(256 << 10)
            .tls_config(trust.config())
            .build();
        Ok(Host {
            name: registry.to_owned(),
            origin,
            agent: config.new_agent(),
            auth: AuthState::default(),
            profile: Mutex::default(),
        })
    }

    /// The proxy for `origin`; loopback is never reached through one.
    fn proxy(&self, origin: &Origin) -> Result<Option<ureq::Proxy>, Problem> {
        let options = &self.options;
        let url = if origin.https {
            &options.https_proxy
        } else {
            &options.http_proxy
        };
        let excepted = options
            .no_proxy
            .as_deref()
            .is_some_and(|list| matches_no_proxy(list, origin.host()));
        match url {
            Some(url) if !excepted && !origin.is_loopback() => ureq::Proxy::new(url)
                .map(Some)
                // The URL may carry a password.
                .map_err(|_| Problem::Refused("the proxy's URL is malformed".to_owned())),
            _ => Ok(None),
        }
    }
}

impl Host {
    pub(crate) fn profile(&self) -> Profile {
        *self
            .profile
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn learn(&self, update: impl FnOnce(&mut Profile)) {
        update(
            &mut self
                .profile
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner),
        );
    }
}

/// Whether `host` is in a `NO_PROXY` list: `*`, the host itself, or a domain above it.
fn matches_no_proxy(list: &str, host: &str) -> bool {
    list.split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .any(|entry| {
            let entry = entry
                .split(':')
                .next()
                .unwrap_or_default()
                .trim_start_matches("*.")
                .trim_start_matches('.');
            entry == "*"
                || host == entry
                || host
                    .strip_suffix(entry)
                    .is_some_and(|rest| rest.ends_with('.') && !entry.is_empty())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_proxy_lists_hosts_and_domains() {
        assert!(matches_no_proxy("a.b, r.corp", "r.corp"));
        assert!(matches_no_proxy(".corp", "r.corp"));
        assert!(matches_no_proxy("*", "r.corp"));
        assert!(!matches_no_proxy("corp.example,orp", "r.corp"));
        assert!(!matches_no_proxy("", "r.corp"));
    }
}

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sealift_pipeline::{Cancel, Cancelled, NoObserver, Observer};

use crate::agents::Agents;
use crate::auth::AuthState;
use crate::error::{ErrorKind, RegistryError, TlsError};
use crate::keychain::Keychain;
use crate::origin::{Origin, is_loopback_authority};
use crate::repository::Repository;
use crate::request::Call;
use crate::retry::RetryPolicy;
use crate::tls::HostTrust;

/// What a client is given; nothing of it is looked up in the environment.
#[derive(Clone)]
pub struct ClientOptions {
    /// Where credentials come from.
    pub keychain: Keychain,
    /// Hosts that speak plain HTTP; loopback hosts do without being listed.
    pub plain_http: Vec<String>,
    /// Authorities to trust beside the system's, a PEM file.
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
    /// How long a registry may think about a blob that it was sent: some hash the whole before they answer.
    pub answer_timeout: Duration,
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
            answer_timeout: Duration::from_secs(900),
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
    pub(crate) agents: Arc<Agents>,
    hosts: Arc<Mutex<HashMap<String, Arc<Host>>>>,
}

/// What is known of one registry.
pub(crate) struct Host {
    /// As references name it.
    pub(crate) name: String,
    /// Where its API is.
    pub(crate) origin: Origin,
    pub(crate) auth: AuthState,
    profile: Mutex<Profile>,
    passing: Mutex<Passing>,
}

/// What happens to be so with a host.
#[derive(Default)]
struct Passing {
    /// It answered at least once.
    reached: bool,
    /// It asked to be left alone until then.
    pause: Option<Instant>,
    warnings: HashSet<String>,
}

/// What a run has learned about a registry; see the ladder in `upload`.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::struct_excessive_bools)] // each was learned on its own
pub(crate) struct Profile {
    /// Mounts are answered with errors.
    pub(crate) no_mounts: bool,
    /// There is no referrers API.
    pub(crate) no_referrers: bool,
    /// Whether it said that it keeps track of subjects itself, when one was pushed.
    pub(crate) keeps_referrers: Option<bool>,
    /// What it takes `Expect: 100-continue` for is an error.
    pub(crate) no_expect: bool,
    /// Uploads are one PUT, since PATCH is refused; or never, since that is.
    pub(crate) one_put: Option<bool>,
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
        let options = Arc::new(options);
        Self {
            agents: Agents::new(Arc::clone(&options)),
            options,
            hosts: Arc::default(),
        }
    }

    /// A client for questions whose answer can be done without: it asks once, and waits ten seconds at
    /// most where nothing moves.
    #[must_use]
    pub fn impatient(&self) -> Self {
        let own = &*self.options;
        Self::new(ClientOptions {
            retry: RetryPolicy {
                retries: 0,
                ..own.retry
            },
            idle_timeout: own.idle_timeout.min(Duration::from_secs(10)),
            ..own.clone()
        })
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
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = hosts.get(registry) {
            return Ok(Arc::clone(host));
        }
        let host = Arc::new(self.new_host(registry).map_err(|kind| RegistryError {
            host: registry.to_owned(),
            what: "preparing the connection".to_owned(),
            kind,
        })?);
        hosts.insert(registry.to_owned(), Arc::clone(&host));
        Ok(host)
    }

    fn new_host(&self, registry: &str) -> Result<Host, ErrorKind> {
        let name = registry.to_ascii_lowercase();
        let authority = if name == "docker.io" {
            "registry-1.docker.io".to_owned()
        } else {
            name
        };
        let mut origin = Origin {
            https: true,
            authority,
        };
        origin.https = !self.speaks_plain_http(registry, &origin);
        // What is wrong with its certificates or its proxy shows here.
        self.agents.get(&origin, &origin)?;
        Ok(Host {
            name: registry.to_owned(),
            origin,
            auth: AuthState::default(),
            profile: Mutex::default(),
            passing: Mutex::default(),
        })
    }

    /// Whether the registry was said to speak plain HTTP, or does so on loopback.
    fn speaks_plain_http(&self, registry: &str, origin: &Origin) -> bool {
        let options = &self.options;
        let told = |host: &String| host == registry || host.eq_ignore_ascii_case(origin.host());
        if options.plain_http.iter().any(told) {
            return true;
        }
        if !is_loopback_authority(registry)
            || HostTrust::has_folder(registry, &options.certificate_folders)
        {
            return false;
        }
        // Authorities may have been given for it or for another: what answers on this machine shows it.
        options.ca_file.is_none() || self.refuses_tls(origin)
    }

    /// Whether what listens at `origin` does not speak TLS at all.
    fn refuses_tls(&self, origin: &Origin) -> bool {
        let Ok(agent) = self.agents.get(origin, origin) else {
            return false;
        };
        let answer = agent.get(format!("{origin}/v2/")).call();
        matches!(
            answer.map_err(ErrorKind::from),
            Err(ErrorKind::Tls(TlsError::NotTls))
        )
    }
}

impl Host {
    pub(crate) fn profile(&self) -> Profile {
        *self.profile.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn learn(&self, update: impl FnOnce(&mut Profile)) {
        update(&mut self.profile.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn passing(&self) -> MutexGuard<'_, Passing> {
        self.passing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn was_reached(&self) -> bool {
        self.passing().reached
    }

    pub(crate) fn note_reached(&self) {
        self.passing().reached = true;
    }

    /// No request is begun before `end`.
    pub(crate) fn pause_until(&self, end: Instant) {
        let mut passing = self.passing();
        passing.pause = passing.pause.max(Some(end));
    }

    pub(crate) fn pause_left(&self) -> Duration {
        let pause = self.passing().pause;
        pause.map_or(Duration::ZERO, |end| {
            end.saturating_duration_since(Instant::now())
        })
    }

    /// Whether a warning has not been seen yet, and `most` are not reached.
    pub(crate) fn is_new_warning(&self, text: &str, most: usize) -> bool {
        let mut passing = self.passing();
        passing.warnings.len() < most && passing.warnings.insert(text.to_owned())
    }
}

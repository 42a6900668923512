//! What a client is given.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sealift_pipeline::{Cancel, NoObserver, Observer, RateLimit};

use crate::keychain::Keychain;
use crate::retry::RetryPolicy;

/// What a client is given; nothing of it is looked up in the environment.
#[derive(Clone)]
pub struct ClientOptions {
    /// Where credentials come from.
    pub keychain: Keychain,
    /// Hosts that speak plain HTTP, with or without a port; loopback hosts need not be listed.
    pub plain_http: Vec<String>,
    /// Hosts, with or without a port, whose TLS certificates are not verified: anyone on the network can read
    /// and change what is transferred. A warning is reported for each.
    pub insecure: Vec<String>,
    /// Certificates to trust in addition to the system's, a PEM file.
    pub ca_file: Option<PathBuf>,
    /// Folders of the `certs.d` kind, first match wins.
    pub certificate_folders: Vec<PathBuf>,
    /// Token services that may have credentials though they are not on the registry's own host and port.
    pub token_hosts: Vec<String>,
    /// The proxy for https hosts, a URL.
    pub https_proxy: Option<String>,
    /// The proxy for http hosts, a URL.
    pub http_proxy: Option<String>,
    /// Hosts that are reached without a proxy, separated by commas.
    pub no_proxy: Option<String>,
    /// When and how often requests are repeated.
    pub retry: RetryPolicy,
    /// How long a connection may stand still, and how long the head of a response may take.
    pub idle_timeout: Duration,
    /// The longest that a registry may take to respond to a blob that it was sent: some hash all of it first.
    /// Small blobs get less.
    pub answer_timeout: Duration,
    /// How many connections are kept for each host.
    pub connections: usize,
    /// How many bytes of blobs all connections together move in a second; `None` for no limit.
    pub rate: Option<RateLimit>,
    /// Stops everything that waits or transfers.
    pub cancel: Cancel,
    /// Gets retries and warnings.
    pub observer: Arc<dyn Observer>,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            keychain: Keychain::anonymous(),
            plain_http: Vec::new(),
            insecure: Vec::new(),
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
            rate: None,
            cancel: Cancel::new(),
            observer: Arc::new(NoObserver),
        }
    }
}

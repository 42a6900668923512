//! Connections: one pool for every origin, each with its own trust, client certificate and proxy.
//!
//! A host that a registry leads to is another origin: it is never shown the registry's client certificate.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Error};

use crate::client::ClientOptions;
use crate::error::ErrorKind;
use crate::origin::{Origin, stays_inside};
use crate::proxy::is_excepted;
use crate::tls::HostTrust;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the registry's leave to send a large body is waited for.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(1);
/// How long the last requests may take that are made after stopping was asked for.
const LAST_TIMEOUT: Duration = Duration::from_secs(5);
/// One transfer is moved in pieces of this size.
const BUFFER_BYTES: usize = sealift_pipeline::BUFFER_BYTES;
/// How often the wish to stop is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// More origins than any registry leads to; beyond it the pools are made anew.
const MAX_POOLS: usize = 64;

/// An origin, and whether it is one that this machine's own addresses are hidden from.
type Key = (Origin, bool);

/// The pools of one client.
pub(crate) struct Agents {
    options: Arc<ClientOptions>,
    pools: Mutex<Pools>,
}

#[derive(Default)]
struct Pools {
    agents: HashMap<Key, Agent>,
    watched: bool,
}

impl Agents {
    pub(crate) fn new(options: Arc<ClientOptions>) -> Arc<Self> {
        Arc::new(Self {
            options,
            pools: Mutex::default(),
        })
    }

    /// The connections to `origin`, where `registry` led: one elsewhere does not lead to this machine, by
    /// whatever name.
    pub(crate) fn get(
        self: &Arc<Self>,
        registry: &Origin,
        origin: &Origin,
    ) -> Result<Agent, ErrorKind> {
        self.options.cancel.check()?;
        let guarded = origin.host() != registry.host() && !registry.is_loopback();
        let key = (origin.clone(), guarded);
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(agent) = pools.agents.get(&key) {
            return Ok(agent.clone());
        }
        let agent = self.agent(origin, guarded, None)?;
        if pools.agents.len() >= MAX_POOLS {
            pools.agents.clear();
        }
        pools.agents.insert(key, agent.clone());
        if !std::mem::replace(&mut pools.watched, true) {
            watch(Arc::downgrade(self));
        }
        Ok(agent)
    }

    /// Connections of their own for what is still to be said after stopping was asked for.
    pub(crate) fn last(&self, origin: &Origin) -> Result<Agent, ErrorKind> {
        self.agent(origin, false, Some(LAST_TIMEOUT))
    }

    fn agent(
        &self,
        origin: &Origin,
        guarded: bool,
        total: Option<Duration>,
    ) -> Result<Agent, ErrorKind> {
        let options = &self.options;
        let trust = HostTrust::read(
            &origin.authority,
            options.ca_file.as_deref(),
            &options.certificate_folders,
        )
        .map_err(ErrorKind::Refused)?;
        let proxy = self.proxy(origin)?;
        // Through a proxy, names are the proxy's to look up.
        let guarded = guarded && proxy.is_none();
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .accept_encoding("identity")
            .user_agent(concat!("sealift/", env!("CARGO_PKG_VERSION")))
            .proxy(proxy)
            .no_delay(true)
            .timeout_global(total)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_await_100(Some(LEAVE_TIMEOUT))
            .timeout_per_read(Some(options.idle_timeout))
            .timeout_per_write(Some(options.idle_timeout))
            .max_idle_connections(128)
            .max_idle_connections_per_host(options.connections + 2)
            .input_buffer_size(BUFFER_BYTES)
            .output_buffer_size(BUFFER_BYTES)
            .tls_config(trust.config())
            .build();
        Ok(Agent::with_parts(
            config,
            DefaultConnector::default(),
            Guard(guarded),
        ))
    }

    /// The proxy for `origin`; loopback is never reached through one.
    fn proxy(&self, origin: &Origin) -> Result<Option<ureq::Proxy>, ErrorKind> {
        let options = &self.options;
        let url = if origin.https {
            &options.https_proxy
        } else {
            &options.http_proxy
        };
        let excepted = options
            .no_proxy
            .as_deref()
            .is_some_and(|list| is_excepted(list, origin));
        match url {
            Some(url) if !excepted && !origin.is_loopback() => ureq::Proxy::new(url)
                .map(Some)
                // The URL may carry a password.
                .map_err(|_| ErrorKind::Refused("the proxy's URL is malformed".to_owned())),
            _ => Ok(None),
        }
    }
}

/// Ends all connections as soon as stopping is asked for: a thread that waits for a registry does not look
/// at flags.
fn watch(agents: Weak<Agents>) {
    thread::spawn(move || {
        while let Some(agents) = agents.upgrade() {
            if agents.options.cancel.is_cancelled() {
                let mut pools = agents.pools.lock().unwrap_or_else(PoisonError::into_inner);
                for (_, agent) in pools.agents.drain() {
                    agent.shutdown();
                }
                // A flag is never lowered, so nothing is made after this.
                return;
            }
            drop(agents);
            thread::sleep(LOOK);
        }
    });
}

/// Looks names up, and forgets the addresses of this machine and link where it guards.
struct Guard(bool);

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Guard({})", self.0)
    }
}

impl Resolver for Guard {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let all = DefaultResolver::default().resolve(uri, config, timeout)?;
        if !self.0 {
            return Ok(all);
        }
        let mut outside = self.empty();
        for address in all.iter().filter(|address| !inward(address.ip())) {
            outside.push(*address);
        }
        if outside.is_empty() {
            return Err(Error::Other(
                "the name leads to an address of this machine or link, which the registry may not ask for"
                    .into(),
            ));
        }
        Ok(outside)
    }
}

fn inward(address: IpAddr) -> bool {
    stays_inside(address)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn resolve(url: &str) -> Result<ResolvedSocketAddrs, Error> {
        let timeout = NextTimeout::default();
        Guard(true).resolve(&url.parse().unwrap(), &Config::default(), timeout)
    }

    #[test]
    fn no_spelling_of_loopback_passes_the_guard() {
        for host in ["localhost", "127.0.0.1", "127.1", "2130706433", "[::1]"] {
            let found = resolve(&format!("http://{host}:1/"));
            assert!(found.is_err(), "{host}: {found:?}");
        }
        assert!(resolve("http://192.0.2.1/").is_ok());
    }
}

//! Connections: one pool for every origin, each with its own trust, client certificate and proxy.
//!
//! A host that a registry leads to is another origin: it is never shown the registry's client certificate.

mod failure;
mod forward;
mod proxy;
mod resolve;
mod tcp;
mod tls;
mod trust;
mod verify;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use ureq::Agent;
use ureq::unversioned::transport::{ConnectProxyConnector, Connector, SocksConnector};

use crate::error::ErrorKind;
use crate::leads::was_named;
use crate::options::ClientOptions;
use crate::origin::Origin;
use forward::{ForwardConnector, ForwardProxy};
use proxy::Route;
pub(crate) use proxy::proxy_secrets;
use resolve::HostResolver;
use tcp::TcpConnector;
use tls::{SystemCertificates, TlsConnector};
use trust::HostTrust;
pub(crate) use trust::has_folder;

/// How long opening a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long to wait for the registry's permission to send a large body.
const CONTINUE_TIMEOUT: Duration = Duration::from_secs(1);
/// How long the last requests may take, those made after stopping was asked for.
const LAST_TIMEOUT: Duration = Duration::from_secs(5);
/// One transfer is moved in pieces of this size.
const BUFFER_BYTES: usize = sealift_pipeline::BUFFER_BYTES;
/// How often the flag that asks to stop is read.
const POLL: Duration = Duration::from_millis(50);
/// More origins than any registry leads to; beyond it all pools are closed.
const MAX_POOLS: usize = 64;

/// An origin, and whether local addresses are hidden from it.
type Key = (Origin, bool);

/// The pools of one client.
pub(crate) struct Connections {
    options: Arc<ClientOptions>,
    system: SystemCertificates,
    pools: Mutex<Pools>,
}

#[derive(Default)]
struct Pools {
    agents: HashMap<Key, Agent>,
    watched: bool,
}

impl Connections {
    pub(crate) fn new(options: Arc<ClientOptions>) -> Arc<Self> {
        Arc::new(Self {
            options,
            system: SystemCertificates::default(),
            pools: Mutex::default(),
        })
    }

    /// The connections to `origin`, where `registry` led.
    pub(crate) fn get(
        self: &Arc<Self>,
        registry: &Origin,
        origin: &Origin,
    ) -> Result<Agent, ErrorKind> {
        self.options.cancel.check()?;
        let guarded = !was_named(registry, origin, &self.options);
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
        if !pools.watched {
            watch(Arc::downgrade(self))?;
            pools.watched = true;
        }
        Ok(agent)
    }

    /// Connections of their own for what is still to be sent after stopping was asked for.
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
        let route = Route::to(origin, options).map_err(ErrorKind::Refused)?;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .accept_encoding("identity")
            .user_agent(concat!("sealift/", env!("CARGO_PKG_VERSION")))
            .no_delay(true)
            .timeout_global(total)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_await_100(Some(CONTINUE_TIMEOUT))
            .timeout_recv_response(Some(options.idle_timeout))
            .timeout_per_read(Some(options.idle_timeout))
            .max_idle_connections(128)
            .max_idle_connections_per_host(options.connections + 2)
            .input_buffer_size(BUFFER_BYTES)
            .output_buffer_size(BUFFER_BYTES);
        let (config, resolver, forward) = match route {
            Route::Direct if guarded => (config.proxy(None), HostResolver::Remote, None),
            Route::Direct => (config.proxy(None), HostResolver::Any, None),
            // Through a proxy, names are the proxy's to look up.
            Route::Tunnel(proxy) => {
                // SOCKS opens its own sockets, which have no least speed.
                let config = config
                    .timeout_per_write(Some(options.idle_timeout))
                    .proxy(Some(proxy));
                (config, HostResolver::Any, None)
            }
            Route::Forward {
                proxy,
                authorization,
            } => (
                config.proxy(None),
                HostResolver::Proxy(proxy),
                Some(ForwardProxy { authorization }),
            ),
        };
        let connector = ()
            .chain(SocksConnector::default())
            .chain(ConnectProxyConnector::default())
            .chain(TcpConnector {
                idle_timeout: options.idle_timeout,
            })
            .chain(ForwardConnector { proxy: forward })
            .chain(TlsConnector::new(
                self.trust(origin)?,
                Arc::clone(&self.system),
            ));
        Ok(Agent::with_parts(config.build(), connector, resolver))
    }

    fn trust(&self, origin: &Origin) -> Result<HostTrust, ErrorKind> {
        let options = &self.options;
        let trust = HostTrust::read(
            &origin.authority,
            options.ca_file.as_deref(),
            &options.certificate_folders,
        );
        let insecure = options.insecure.iter().any(|name| origin.is_called(name));
        Ok(HostTrust {
            insecure,
            ..trust.map_err(ErrorKind::Refused)?
        })
    }
}

/// Ends all connections as soon as stopping is asked for: a thread that waits for a registry does not look
/// at flags.
fn watch(connections: Weak<Connections>) -> Result<(), ErrorKind> {
    let watcher = move || {
        while let Some(connections) = connections.upgrade() {
            if connections.options.cancel.is_cancelled() {
                let pools = connections.pools.lock();
                let mut pools = pools.unwrap_or_else(PoisonError::into_inner);
                for (_, agent) in pools.agents.drain() {
                    agent.shutdown();
                }
                // The flag stays raised, so nothing is opened after this.
                return;
            }
            drop(connections);
            thread::sleep(POLL);
        }
    };
    thread::Builder::new()
        .spawn(watcher)
        .map(drop)
        .map_err(|error| ErrorKind::Refused(format!("cannot start a thread: {error}")))
}

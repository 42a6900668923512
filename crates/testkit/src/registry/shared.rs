//! What all connections of a registry share.

use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::auth::{Auth, Tokens};
use super::behaviour::Behaviour;
use super::fault::Script;
use super::record::Recorded;
use super::store::{State, Storage, lock};

/// The state of a registry.
pub(crate) struct Shared {
    pub(crate) address: SocketAddr,
    pub(crate) behaviour: Mutex<Behaviour>,
    pub(crate) auth: Auth,
    pub(crate) latency: Duration,
    pub(crate) state: Mutex<State>,
    pub(crate) storage: Storage,
    pub(crate) tokens: Tokens,
    pub(crate) script: Script,
    pub(crate) traffic: Mutex<Vec<Recorded>>,
    pub(crate) ended: AtomicBool,
    pub(super) open: Mutex<Vec<(u64, TcpStream)>>,
    pub(super) connections: AtomicU64,
    pub(super) concurrent: Mutex<(u64, u64)>,
}

impl Shared {
    pub(crate) fn new(
        address: SocketAddr,
        behaviour: Behaviour,
        auth: Auth,
        latency: Duration,
        storage: Storage,
    ) -> Self {
        Self {
            address,
            behaviour: Mutex::new(behaviour),
            auth,
            latency,
            state: Mutex::default(),
            storage,
            tokens: Tokens::default(),
            script: Script::default(),
            traffic: Mutex::default(),
            ended: AtomicBool::new(false),
            open: Mutex::default(),
            connections: AtomicU64::new(0),
            concurrent: Mutex::default(),
        }
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// The most requests that were in work at one time.
    pub(crate) fn peak(&self) -> u64 {
        lock(&self.concurrent).1
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    /// Ends every connection, whatever it is doing.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
        for (_, stream) in lock(&self.open).iter() {
            // It may be closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

//! One repository on one registry.

pub(crate) mod blob;
pub(crate) mod delete;
mod list;
pub(crate) mod manifest;
mod referrers;

use std::fmt;
use std::sync::Arc;

use crate::error::{ErrorKind, RegistryError};
use crate::host::Host;
use crate::request::Request;
use crate::response::Response;
use crate::session::SessionStore;
use crate::transport::Transport;

/// One repository on one registry.
#[derive(Clone)]
pub struct Repository {
    pub(crate) transport: Transport,
    pub(crate) host: Arc<Host>,
    pub(crate) name: String,
    pub(crate) sessions: Option<Arc<dyn SessionStore>>,
}

impl fmt::Debug for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host.name, self.name)
    }
}

impl Repository {
    pub(crate) fn new(
        transport: Transport,
        host: Arc<Host>,
        name: String,
        sessions: Option<Arc<dyn SessionStore>>,
    ) -> Self {
        Self {
            transport,
            host,
            name,
            sessions,
        }
    }

    /// The registry, as references name it.
    pub fn registry(&self) -> &str {
        &self.host.name
    }

    /// The repository's name, without the registry.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn pull_scope(&self) -> String {
        format!("repository:{}:pull", self.name)
    }

    pub(crate) fn push_scope(&self) -> String {
        format!("repository:{}:pull,push", self.name)
    }

    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/v2/{}/{rest}", self.name)
    }

    pub(crate) fn fail(
        &self,
        what: impl Into<String>,
        kind: impl Into<ErrorKind>,
    ) -> RegistryError {
        RegistryError {
            host: self.host.name.clone(),
            what: what.into(),
            kind: kind.into(),
        }
    }

    pub(crate) fn send(
        &self,
        request: &Request<'_>,
        what: &dyn Fn() -> String,
    ) -> Result<Response, RegistryError> {
        self.transport.send(&self.host, request, what)
    }
}

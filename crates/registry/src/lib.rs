//! The wire: everything that is said to a registry.
//!
//! A [`Client`] holds what all hosts share (credentials, trust, retries, what was learned about each
//! host); a [`Repository`] is one repository on one host. Nothing here reads the environment: whoever
//! builds [`ClientOptions`] says where credentials and certificates are.
//!
//! Rules that hold for every request: credentials go to the registry itself and to a token service that
//! is known or was named, and nowhere else; what has a digest is compared with it; answers are read up to
//! a limit.

mod agents;
mod answer;
mod auth;
mod body;
mod challenge;
mod client;
mod error;
mod failure;
mod keychain;
mod origin;
mod proxy;
mod referrers;
mod repository;
mod request;
mod retry;
mod secret;
mod tls;
mod token;
mod upload;

pub use client::{Client, ClientOptions};
pub use error::{ErrorCode, ErrorKind, Refusal, RegistryError, SpecCode, TlsError};
pub use keychain::{Credential, Keychain, KeychainError};
pub use origin::is_loopback_authority;
pub use repository::{BlobBody, Repository};
pub use retry::RetryPolicy;
pub use secret::Secret;
pub use upload::{BlobSource, Pushed};

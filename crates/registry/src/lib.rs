//! The wire: everything that is sent to a registry.
//!
//! A [`Client`] holds what all hosts share (credentials, trust, retries, what was learned about each host); a
//! [`Repository`] is one repository on one host. Nothing here reads the environment: [`ClientOptions`] say
//! where credentials and certificates are.
//!
//! Rules that hold for every request: credentials are sent to the registry itself and to a token service that
//! is known or was named, and nowhere else; what has a digest is compared with it; responses are read up to a
//! limit, in size and in time.
//!
//! The modules, from below: [`connect`] opens connections; [`exchange`] sends one request; [`auth`] answers
//! challenges; [`transport`] follows redirects and retries; [`repository`] and [`upload`] speak the protocol.
//! What is known and learned of particular registries is in [`quirks`].

mod auth;
mod body;
mod client;
mod connect;
mod error;
mod exchange;
mod host;
mod keychain;
mod leads;
mod options;
mod origin;
mod pace;
mod quirks;
mod repository;
mod request;
mod response;
mod retry;
mod secret;
mod session;
mod text;
mod tokens;
mod transport;
mod upload;

pub use client::Client;
pub use error::{ErrorCode, ErrorKind, Refusal, RegistryError, SpecCode, TlsError};
pub use keychain::{Credential, Keychain, KeychainError};
pub use options::ClientOptions;
pub use origin::{is_loopback_authority, resolve_url};
pub use repository::Repository;
pub use repository::blob::BlobBody;
pub use repository::delete::Deletion;
pub use repository::manifest::SparseIndex;
pub use retry::RetryPolicy;
pub use secret::Secret;
pub use session::{SessionStore, UploadSession};
pub use upload::{BlobSource, Pushed};

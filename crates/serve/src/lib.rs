//! A read-only OCI registry straight from the bundle file: a first node's registry, or a small site's.
//!
//! [`Contents`] knows what is in which repository, under the names that the loader writes, and responds to
//! requests without a network; [`Server`] moves the bytes. Nothing is unpacked and nothing is written. With a
//! [`ServerCertificate`] it speaks TLS, with [`Users`] it wants a name and a password, and an [`AccessLog`] learns of
//! every request.
//!
//! Content is checked where it leaves: a blob's last piece is held back until the digest of the whole is
//! known, and the connection is cut if it is wrong. Before the first range of a blob is served, the whole
//! blob is read once.

mod access;
mod blob;
mod connection;
mod contents;
mod query;
mod response;
mod server;
mod stall;
mod tls;
mod users;

pub use access::{Access, AccessLog};
pub use contents::{Contents, ContentsError};
pub use server::{ServeError, Server, ServerOptions};
pub use tls::{CertificateError, PemFile, SelfSigned, ServerCertificate};
pub use users::{HashError, Users, UsersError, user_line};

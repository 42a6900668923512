//! What the client says to registries, and how it lives with what they answer.
#![allow(clippy::unwrap_used)]

mod credentials;
mod download;
mod limits;
mod lists;
mod proxies;
mod quirks;
mod rates;
mod real;
mod resuming;
mod support;
mod tls;
mod upload;
mod upload_faults;

//! What is found in images, of which the databases were written by the package managers themselves.
#![allow(clippy::unwrap_used, missing_docs)]

mod comparing;
mod databases;
mod hostile;
mod programs;
mod support;

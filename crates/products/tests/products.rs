//! What the crate promises, against upstream's own files where they are at hand.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "products/calico_sets.rs"]
mod calico_sets;
#[path = "products/coverage.rs"]
mod coverage;
#[path = "products/shared.rs"]
mod shared;

//! What a load promises, against a registry that remembers every request and can misbehave.
#![allow(clippy::unwrap_used, missing_docs)]

mod at_once;
mod checking;
mod choosing;
mod deltas;
mod failing;
mod pruning;
mod pushing;
mod real;
mod referrers;
mod refusing;
mod support;

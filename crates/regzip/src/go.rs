//! Go's `compress/flate` as it was from Go 1.9 (levels 2 to 9: 1.8) up to 1.26.

pub(crate) mod block;
pub(crate) mod fast;
mod greedy;
pub(crate) mod lazy;
pub(crate) mod simple;

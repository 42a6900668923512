//! Go's `compress/flate` as it was from Go 1.9 (levels 2 to 9: 1.8) up to 1.26.

mod block;
mod descriptor;
mod fast;
mod greedy;
mod lazy;
mod simple;

pub use descriptor::Go;

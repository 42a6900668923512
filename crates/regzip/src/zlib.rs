//! zlib's deflate and GNU gzip's, its ancestor; and pigz, which runs zlib on blocks.
//!
//! An own port rather than the C library: it stays within safe Rust, can be stopped and restarted
//! at any block, and GNU gzip's variant, which no library offers, is nearly the same code.

mod deflate;
mod descriptor;
mod gzips;
mod pigz;
mod trees;

pub use deflate::Strategy;
pub use descriptor::Zlib;
pub use gzips::{BusyBox, GnuGzip};
pub use pigz::Pigz;
pub(crate) use trees::code_lengths;

//! Finds out which encoder wrote a gzip, zlib or raw deflate stream, and later writes the same
//! stream again, bit for bit, from the plain content and a recipe of a few bytes.
//!
//! A deflate stream is not determined by its content: every encoder chooses other matches, other
//! block boundaries and other codes. But a given encoder with given settings always chooses the
//! same. So this crate carries the encoders that the world's streams come from, finds the one that
//! made a stream by trying, and proves it by comparing every byte.
//!
//! ```
//! use regzip::{Analysis, Options};
//! # fn main() -> Result<(), regzip::Error> {
//! // "hello" as Go's gzip writer writes it.
//! let stream = [
//!     0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 0xca, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x04, 0, 0, 0xff,
//!     0xff, 0x86, 0xa6, 0x10, 0x36, 5, 0, 0, 0,
//! ];
//! let analysis = regzip::analyse(std::io::Cursor::new(&stream), &Options::default())?;
//! let Analysis::Recipe(recipe) = analysis else { panic!("not rebuilt") };
//! let mut again = Vec::new();
//! regzip::rebuild(&recipe, &b"hello"[..], &mut again)?;
//! assert_eq!(again, stream);
//! # Ok(())
//! # }
//! ```
// Deflate is arithmetic on small fields of wider integers: truncation is meant throughout.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap
)]

mod analyse;
mod checkpoint;
mod clues;
mod coding;
mod compress;
mod corrections;
mod descriptor;
mod encode;
mod encoder;
mod error;
#[doc = include_str!("../FORMAT.md")]
#[allow(clippy::doc_markdown, reason = "names of programs in prose")]
pub mod format {}
mod go;
mod inflate;
mod input;
mod klauspost;
pub mod nested;
mod open;
mod rebuild;
mod recipe;
mod rolling_hash;
mod search;
mod stored;
mod varint;
mod wrapper;
mod zlib;

pub use analyse::{Analysis, Options, Reason, analyse};
pub use compress::Compressor;
pub use encoder::Encoder;
pub use error::{Error, Result};
pub use go::Go;
pub use klauspost::{Klauspost, Pgzip, Version};
pub use open::open;
pub use rebuild::{RebuildReader, Workers, rebuild, rebuild_with};
pub use recipe::Recipe;
pub use stored::Stored;
pub use wrapper::Wrapper;
pub use zlib::{BusyBox, GnuGzip, Pigz, Strategy, Zlib};

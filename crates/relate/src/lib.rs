//! Stores a content as its differences from earlier contents (its bases), exactly.
//!
//! [`encode`] turns a content into separate raw streams by kind (control, literals, differences and so
//! on), which compress far better than the content does; the caller compresses them, for example with
//! zstd. [`decode`] turns the streams back into the content, given the same bases. What the streams mean is
//! defined by a [`Codec`], a name and a version that the caller stores with them.
//!
//! ```
//! use relate::{Options, decode, encode};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let old: &[u8] = b"the quick brown fox jumps over the lazy dog, and the dog sleeps on";
//! let new: &[u8] = b"the quick brown cat jumps over the lazy dog, and the dog wakes up";
//! let encoded = encode(&new, &[&old], &Options::default())?;
//!
//! let mut decoded = vec![0; new.len()];
//! decode(encoded.codec, encoded.inputs(), &[&old], &mut decoded)?;
//! assert_eq!(decoded, new);
//! # Ok(())
//! # }
//! ```
//!
//! The same contents, bases and options give the same streams on every processor. Decoding trusts nothing:
//! damaged streams or wrong bases give an error, and time and memory are bounded by the lengths of the
//! contents.
// Positions and small fields of machine code are arithmetic on integers of several widths: truncation is
// meant throughout.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap
)]

mod ahead;
mod bytes;
mod channel;
mod codec;
mod content;
mod copies;
mod decode;
mod encode;
mod error;
mod field;
mod layout;
mod matching;
mod object;
mod output;
mod program;
mod python;
mod stream;
mod transfer;
mod varint;

pub use codec::Codec;
pub use content::{Content, Target, Window};
pub use decode::decode;
pub use encode::{LOADED, Options, TOGETHER, encode, encoding_memory, is_program};
pub use error::{DecodeError, Error};
pub use python::is_compiled as is_compiled_python;
pub use stream::{Class, Encoded, Input, Kind, Stream, StreamId};

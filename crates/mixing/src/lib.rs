//! Compresses short streams by context mixing: several contexts predict each bit, a mixer that learns weighs them, and an
//! arithmetic coder stores what was not predicted.
//!
//! It is slow in both directions (one to three megabytes a second, where most bits are predicted more), and stores what
//! zstd's highest levels store in five sixths of the bytes. It is made for streams that are short against the content
//! that is made of them: control, differences, literals.
//!
//! A stream is compressed by a [`Model`], which the caller stores with it, and with its length.
//!
//! ```
//! use std::io::Read;
//! use sealift_mixing::{Decoder, Model, compress};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let raw = b"one fish, two fish, red fish, blue fish".as_slice();
//! let stored = compress(Model::Bytes, raw).ok_or("not bytes")?;
//!
//! let mut decoder = Decoder::new(Model::Bytes, stored.bytes.as_slice(), raw.len() as u64);
//! let mut decoded = Vec::new();
//! decoder.read_to_end(&mut decoded)?;
//! assert_eq!(decoded, raw);
//! # Ok(())
//! # }
//! ```
//!
//! All arithmetic is on integers, so that results are the same on every processor. `FORMAT.md` describes it for a second
//! implementation. A decoder takes at most [`MEMORY`] bytes, whatever it reads, and time in proportion to the length.
// Probabilities, weights and hashes are arithmetic on integers of several widths: truncation is meant throughout.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap
)]

mod bytes;
mod coder;
mod decoder;
mod error;
mod history;
mod numbers;
mod predictor;
mod tables;

use crate::bytes::Bytes;
use crate::coder::{Coder, Encoder};
use crate::numbers::Numbers;

pub use decoder::Decoder;
pub use error::Error;

/// Resident bytes that an encoder or decoder takes at most.
pub const MEMORY: u64 = 16 << 20;

/// What a stream is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Model {
    /// Any bytes.
    Bytes,
    /// Unsigned integers in groups of seven bits, the least significant first (LEB128), each in its shortest form.
    Numbers,
    /// The same, most of them 0.
    SparseNumbers,
}

impl Model {
    /// All models, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Bytes, Self::Numbers, Self::SparseNumbers];

    /// The number that a container stores: 1, 2 or 3.
    pub fn number(self) -> u8 {
        match self {
            Self::Bytes => 1,
            Self::Numbers => 2,
            Self::SparseNumbers => 3,
        }
    }

    /// The model with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|model| model.number() == number)
    }
}

/// A compressed stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compressed {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// How many bits a decoder has to predict: what decoding costs.
    pub work: u64,
}

/// Compresses a stream; `None` if it does not consist of what the model is for.
pub fn compress(model: Model, raw: &[u8]) -> Option<Compressed> {
    let mut encoder = Encoder::new();
    match model {
        Model::Bytes => {
            let mut bytes = Bytes::new(raw.len() as u64);
            for &byte in raw {
                code(bytes.code(&mut encoder, byte));
            }
        }
        Model::Numbers => {
            let mut model = Numbers::new(raw.len() as u64);
            for number in numbers::parse(raw)? {
                code(model.code(&mut encoder, 0, number));
            }
        }
        Model::SparseNumbers => {
            let mut model = Numbers::new(raw.len() as u64);
            let mut zeros = 0;
            for number in numbers::parse(raw)? {
                if number == 0 {
                    zeros += 1;
                    continue;
                }
                code(model.code(&mut encoder, 0, zeros));
                code(model.code(&mut encoder, 1, number));
                zeros = 0;
            }
            if zeros > 0 {
                code(model.code(&mut encoder, 0, zeros));
            }
        }
    }
    Some(encoder.finish())
}

/// The encoder cannot fail.
fn code<T>(result: Result<T, <Encoder as Coder>::Error>) -> T {
    match result {
        Ok(value) => value,
        Err(never) => match never {},
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_have_numbers() {
        for model in Model::ALL {
            assert_eq!(Model::from_number(model.number()), Some(model));
        }
        assert_eq!(Model::from_number(0), None);
        assert_eq!(Model::from_number(4), None);
    }

    #[test]
    fn only_numbers_in_their_shortest_form_are_numbers() {
        assert!(compress(Model::Numbers, &[0x80, 0]).is_none());
        assert!(compress(Model::SparseNumbers, &[5, 0x80]).is_none());
        assert!(compress(Model::Numbers, &[0xff; 11]).is_none());
        assert!(compress(Model::Numbers, &[0x80, 1, 7]).is_some());
    }
}

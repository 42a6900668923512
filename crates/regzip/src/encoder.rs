//! What all encoders have in common, and the list of them.

use crate::error::{Error, Result};
use crate::go::fast::Fast;
use crate::go::lazy::Lazy;
use crate::go::simple::Simple;
use crate::varint::Fields;

/// A replayed encoder: plain bytes go in by `write`, compressed bytes collect in `output`.
pub(crate) trait Encode: Send {
    /// Takes plain bytes. How they are cut into calls makes no difference.
    fn write(&mut self, data: &[u8]);
    /// The original writer ended a write here, and that may make a difference.
    fn boundary(&mut self) {}
    /// A sync flush.
    fn flush(&mut self);
    /// Plain positions, latest first, at which a write that ended there would have mattered.
    fn sensitive(&self) -> Vec<u64> {
        Vec::new()
    }
    /// The end of the content.
    fn finish(&mut self);
    /// Compressed bytes so far, for the caller to drain.
    fn output(&mut self) -> &mut Vec<u8>;
}

/// An encoder with its settings, as a recipe names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Encoder {
    /// Go's `compress/flate` up to 1.26, levels -2 to 9 (-1 is 6).
    Go {
        /// The level.
        level: i8,
    },
}

/// First byte of an encoder in a recipe; 0 stands for no encoder.
const GO: u8 = 1;

impl Encoder {
    /// Appends the encoder in the recipe's notation.
    pub(crate) fn put(self, out: &mut Vec<u8>) {
        match self {
            Self::Go { level } => out.extend_from_slice(&[GO, level as u8]),
        }
    }

    /// Reads what [`Encoder::put`] wrote, after its first byte.
    pub(crate) fn get(kind: u8, fields: &mut Fields<'_>) -> Result<Self> {
        match kind {
            GO => {
                let level = fields.byte()? as i8;
                if !(-2..=9).contains(&level) || level == -1 {
                    return Err(Error::BadRecipe("unknown level"));
                }
                Ok(Self::Go { level })
            }
            _ => Err(Error::BadRecipe("unknown encoder")),
        }
    }

    /// Whether empty stored blocks are the encoder's own, so that they do not stand for flushes.
    pub(crate) fn writes_flush_marks(self) -> bool {
        match self {
            Self::Go { .. } => false,
        }
    }

    /// Starts the encoder.
    pub(crate) fn start(self) -> Box<dyn Encode> {
        match self {
            Self::Go { level } => match level {
                -2 => Box::new(Simple::new(true)),
                0 => Box::new(Simple::new(false)),
                1 => Box::new(Fast::new()),
                2..=9 => Box::new(Lazy::new(level as u8)),
                _ => Box::new(Lazy::new(6)),
            },
        }
    }
}

impl std::fmt::Display for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Go { level } => write!(f, "Go compress/flate <=1.26, level {level}"),
        }
    }
}

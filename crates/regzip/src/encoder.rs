//! What all encoders have in common, and the list of them.

use crate::error::{Error, Result};
use crate::go::fast::Fast;
use crate::go::lazy::Lazy;
use crate::go::simple::Simple;
use crate::klauspost::level5::Level5;
use crate::klauspost::pgzip::Pgzip;
use crate::klauspost::stream::Stream;
use crate::varint::{self, Fields};

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
    /// `github.com/klauspost/compress/flate`, versions 1.15.10 to 1.18.0.
    Klauspost {
        /// The level.
        level: i8,
    },
    /// `github.com/klauspost/pgzip` with that encoder.
    Pgzip {
        /// The level.
        level: i8,
        /// Bytes in a block.
        block_size: u32,
    },
}

/// First byte of an encoder in a recipe; 0 stands for no encoder.
const GO: u8 = 1;
const KLAUSPOST: u8 = 2;
const PGZIP: u8 = 3;

/// Larger blocks than this are not taken from a recipe: a block is held in memory.
const MAX_BLOCK: u64 = 1 << 26;

impl Encoder {
    /// Appends the encoder in the recipe's notation.
    pub(crate) fn put(self, out: &mut Vec<u8>) {
        match self {
            Self::Go { level } => out.extend_from_slice(&[GO, level as u8]),
            Self::Klauspost { level } => out.extend_from_slice(&[KLAUSPOST, level as u8]),
            Self::Pgzip { level, block_size } => {
                out.extend_from_slice(&[PGZIP, level as u8]);
                varint::put(out, u64::from(block_size));
            }
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
            KLAUSPOST => Ok(Self::Klauspost {
                level: klauspost_level(fields.byte()?)?,
            }),
            PGZIP => {
                let level = klauspost_level(fields.byte()?)?;
                let block_size = fields.number()?;
                if block_size == 0 || block_size > MAX_BLOCK {
                    return Err(Error::BadRecipe("impossible block size"));
                }
                Ok(Self::Pgzip {
                    level,
                    block_size: block_size as u32,
                })
            }
            _ => Err(Error::BadRecipe("unknown encoder")),
        }
    }

    /// The number of plain bytes after which the encoder flushes of its own accord.
    pub(crate) fn block_size(self) -> Option<u64> {
        match self {
            Self::Pgzip { block_size, .. } => Some(u64::from(block_size)),
            Self::Go { .. } | Self::Klauspost { .. } => None,
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
            Self::Klauspost { level } => Box::new(klauspost(level)),
            Self::Pgzip { level, block_size } => {
                Box::new(Pgzip::new(klauspost(level), block_size as usize))
            }
        }
    }
}

fn klauspost_level(level: u8) -> Result<i8> {
    if level == 5 {
        Ok(5)
    } else {
        Err(Error::BadRecipe("unknown level"))
    }
}

fn klauspost(_level: i8) -> Stream {
    Stream::new(Box::new(Level5::new()))
}

impl std::fmt::Display for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Go { level } => write!(f, "Go compress/flate <=1.26, level {level}"),
            Self::Klauspost { level } => write!(f, "klauspost 1.15.10 to 1.18.0, level {level}"),
            Self::Pgzip { level, block_size } => write!(
                f,
                "pgzip with klauspost 1.15.10 to 1.18.0, level {level}, blocks of {block_size}"
            ),
        }
    }
}

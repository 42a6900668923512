//! What the crate has to know of an encoder apart from how it compresses.

use std::fmt::Display;

use crate::checkpoint::{Checkpoint, Limits};
use crate::clues::Clues;
use crate::encode::Encode;
use crate::error::{Error, Result};
use crate::varint::Fields;

/// An encoder with its settings. Each implementation is next to its encoder; `Display` is its name for people.
pub(crate) trait Descriptor: Copy + Display {
    /// The encoder's number in a recipe: neither 0 nor 255, and never used again for another.
    const NUMBER: u8;

    /// An encoder that writes the same until the end of the first block; `Self` if there is none.
    type Opening: Descriptor;

    /// Appends the settings.
    fn put(self, out: &mut Vec<u8>);

    /// Reads what [`Descriptor::put`] wrote; fails on settings that the encoder does not have.
    fn get(fields: &mut Fields<'_>) -> Result<Self>;

    /// The settings to try on a stream with these clues.
    fn candidates(clues: &Clues) -> Vec<(Rank, Self)>;

    /// Starts the encoder.
    fn start(self) -> Box<dyn Encode>;

    /// Resumes from a checkpoint within the limits, after the bytes before it that it needs.
    fn resume(self, checkpoint: &Checkpoint, history: &[u8]) -> Box<dyn Encode>;

    /// What its checkpoints may contain; `None` if it takes none.
    fn limits(self) -> Option<Limits>;

    /// An encoder that writes the same until the end of the first block, without waiting for that, and
    /// the plain bytes in the block.
    fn opening(self) -> Option<(Self::Opening, u64)> {
        None
    }

    /// Whether the encoder leaves a flush mark of its own accord at the plain position `at`, after
    /// the last mark at `before`.
    fn marks(self, _at: u64, _before: u64) -> bool {
        false
    }

    /// Whether the encoder differs from one with the usual, larger blocks in nothing but their size,
    /// which does not show in content of this length.
    fn has_unusual_blocks(self, _plain_len: u64) -> bool {
        false
    }

    /// Whether its blocks end where the writes ended.
    fn ends_blocks_with_writes(self) -> bool {
        false
    }

    /// Whether a full flush differs from a sync flush.
    fn flushes_fully(self) -> bool {
        false
    }

    /// Whether the encoder flushes before it ends the stream.
    fn flushes_at_the_end(self) -> bool {
        false
    }
}

/// When candidates are tried: all with the lowest rank first, those of the next only if none of these fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank(pub(crate) u8, pub(crate) u8);

impl Rank {
    /// After all others.
    pub(crate) const LAST: Self = Self(u8::MAX, 0);
}

/// Reads a byte that has to lie between two others.
pub(crate) fn within(fields: &mut Fields<'_>, low: u8, high: u8) -> Result<u8> {
    let value = fields.byte()?;
    if (low..=high).contains(&value) {
        Ok(value)
    } else {
        Err(Error::BadRecipe("setting out of range"))
    }
}

/// Larger blocks than this are not accepted from a recipe: a block is held in memory.
const MAX_BLOCK: u64 = 1 << 26;

/// Reads the size of a block, of `least` bytes at least.
pub(crate) fn block_size(fields: &mut Fields<'_>, least: usize) -> Result<u32> {
    let size = fields.number()?;
    if (least as u64..=MAX_BLOCK).contains(&size) {
        Ok(size as u32)
    } else {
        Err(Error::BadRecipe("impossible block size"))
    }
}

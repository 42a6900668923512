//! What the beginning of a stream shows of its writer, before any encoder is tried.

use std::io::Cursor;

use crate::inflate::{BlockKind, Inflater};
use crate::input::Input;
use crate::zlib::pigz::{DICTIONARY, Hash};

/// Signs of a writer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Signs {
    /// Tokens of the first coded block that is not the last: some encoders end a block when a buffer
    /// is full.
    pub(crate) tokens: Option<u64>,
    /// The plain position of the first end of a block at whole kilobytes: more than chance where a
    /// writer cuts its input.
    pub(crate) cut: Option<u64>,
    /// The first empty block is at a place that pigz's hash chooses.
    pub(crate) chosen: bool,
}

impl Signs {
    /// Reads the beginning of a deflate stream; what is damaged or cut short shows less.
    pub(crate) fn of(start: &[u8]) -> Self {
        let mut signs = Self::default();
        let mut inflater = Inflater::new(Input::new(Cursor::new(start), 0));
        inflater.restart();
        let mut hash = Hash::default();
        let mut plain = 0;
        while let Ok(ended) = inflater.step() {
            inflater.bits.input.skip_comparison();
            let bytes = inflater.plain();
            plain += bytes.len() as u64;
            let hit = bytes.iter().fold(None, |_, &byte| Some(hash.roll(byte)));
            signs.chosen = hit.unwrap_or(signs.chosen);
            let Some(block) = ended else { continue };
            if block.last {
                signs.chosen = false;
                break;
            }
            if block.kind != BlockKind::Stored && signs.tokens.is_none() {
                signs.tokens = Some(block.tokens);
            }
            let whole = plain.is_multiple_of(1 << 10) && plain >= DICTIONARY as u64;
            if whole && signs.cut.is_none() {
                signs.cut = Some(plain);
            }
            if block.is_empty() {
                return signs;
            }
        }
        signs.chosen = false;
        signs
    }

    /// zlib's `memLevel`, by the size of its buffer of tokens.
    pub(crate) fn mem_level(self) -> Option<u8> {
        let full = self.tokens? + 1;
        let level = full.trailing_zeros().checked_sub(6)? as u8;
        (full.is_power_of_two() && (1..=9).contains(&level)).then_some(level)
    }

    /// The block size of a writer that cuts its input in blocks of some kilobytes.
    pub(crate) fn block_size(self) -> Option<u32> {
        u32::try_from(self.cut?).ok()
    }
}

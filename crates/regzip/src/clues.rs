//! What a stream shows of its writer before any encoder is tried.

use std::io::Cursor;

use crate::coding::token::WINDOW;
use crate::inflate::{BlockKind, Inflater};
use crate::input::Input;
use crate::rolling_hash::RollingHash;
use crate::wrapper::Wrapper;

/// What is known of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Clues {
    pub(crate) header: Header,
    /// Levels, the likeliest first, by what the header says of them.
    pub(crate) levels: &'static [u8],
    /// The window's size as a power of two, as the header states it.
    pub(crate) window_bits: u8,
    pub(crate) opening: Opening,
}

/// What a header says of the writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Header {
    /// gzip with Go's zero time, which klauspost writes as it is.
    GoZeroTime,
    /// gzip by an unknown operating system, as Go, klauspost and Python write it.
    UnknownSystem,
    /// gzip by a known operating system, mostly Unix, as gzip and pigz write it.
    KnownSystem,
    /// zlib at its fastest level: Go's linker compresses debug information so.
    FastZlib,
    /// Any other, or none.
    Other,
}

impl Header {
    fn of(wrapper: Wrapper, header: &[u8]) -> Self {
        match (wrapper, header) {
            (Wrapper::Gzip, [_, _, _, _, 0x00, 0x09, 0x6e, 0x88, ..]) => Self::GoZeroTime,
            (Wrapper::Gzip, [.., 0xff]) => Self::UnknownSystem,
            (Wrapper::Gzip, _) => Self::KnownSystem,
            (Wrapper::Zlib, [0x78, 0x01, ..]) => Self::FastZlib,
            _ => Self::Other,
        }
    }
}

impl Clues {
    /// The clues of a header and the beginning of the deflate stream after it.
    pub(crate) fn of(wrapper: Wrapper, header: &[u8], start: &[u8]) -> Self {
        Self {
            header: Header::of(wrapper, header),
            levels: levels(wrapper, header),
            window_bits: match (wrapper, header) {
                (Wrapper::Zlib, [cmf, ..]) => (cmf >> 4).clamp(1, 7) + 8,
                _ => 15,
            },
            opening: Opening::of(start),
        }
    }
}

/// Levels by gzip's extra flags or zlib's two bits.
fn levels(wrapper: Wrapper, header: &[u8]) -> &'static [u8] {
    match (wrapper, header) {
        (Wrapper::Gzip, [_, _, _, _, _, _, _, _, 4, ..])
        | (Wrapper::Zlib, [_, 0x01 | 0x19 | 0x15, ..]) => &[1, 6, 9, 2, 3, 4, 5, 7, 8],
        (Wrapper::Gzip, [_, _, _, _, _, _, _, _, 2, ..]) | (Wrapper::Zlib, [_, 0xda, ..]) => {
            &[9, 6, 8, 7, 5, 4, 3, 2, 1]
        }
        (Wrapper::Zlib, [_, 0x5e, ..]) => &[5, 4, 3, 2, 6, 7, 8, 9, 1],
        _ => &[6, 9, 5, 3, 1, 4, 7, 8, 2],
    }
}

/// What the beginning of a deflate stream shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Opening {
    /// Tokens of the first coded block that is not the last: some encoders end a block when a buffer
    /// is full.
    pub(crate) tokens: Option<u64>,
    /// The plain position of the first end of a block at a multiple of a kilobyte: more than chance if a
    /// writer cuts its input.
    pub(crate) cut: Option<u64>,
    /// The first empty block is where pigz's hash ends one.
    pub(crate) chosen: bool,
}

impl Opening {
    /// Reads the beginning of a deflate stream; what is damaged or cut short shows less.
    fn of(start: &[u8]) -> Self {
        let mut opening = Self::default();
        let mut inflater = Inflater::new(Input::new(Cursor::new(start), 0));
        inflater.restart();
        let mut hash = RollingHash::default();
        let mut plain = 0;
        while let Ok(ended) = inflater.step() {
            inflater.bits.input.skip_comparison();
            let bytes = inflater.plain();
            plain += bytes.len() as u64;
            let hit = bytes.iter().fold(None, |_, &byte| Some(hash.roll(byte)));
            opening.chosen = hit.unwrap_or(opening.chosen);
            let Some(block) = ended else { continue };
            if block.last {
                opening.chosen = false;
                break;
            }
            if block.kind != BlockKind::Stored && opening.tokens.is_none() {
                opening.tokens = Some(block.tokens);
            }
            let whole = plain.is_multiple_of(1 << 10) && plain >= WINDOW as u64;
            if whole && opening.cut.is_none() {
                opening.cut = Some(plain);
            }
            if block.is_empty() {
                return opening;
            }
        }
        opening.chosen = false;
        opening
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

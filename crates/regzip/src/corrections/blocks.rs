//! The stream as blocks: what both sides code, in the order in which they code it.

use super::coder::{Chance, Coder, Number};
use super::codes::Headers;
use super::finder::{Effort, Finder};
use super::tokens::Tokens;
use crate::coding::token::MAX_STORED;
use crate::inflate::BlockKind;

/// A piece ends after so many tokens, if its block does not end before.
pub(crate) const PIECE_TOKENS: usize = 1 << 18;
/// So many blocks in a row may be empty, as after flushes.
const MAX_EMPTY: u32 = 64;

/// What a block starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) kind: BlockKind,
    pub(crate) last: bool,
}

/// How long a piece is, in tokens or stored bytes, and whether its block ends with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) len: usize,
    pub(crate) ends: bool,
}

/// All that is learnt on the way through a stream, the same on both sides.
pub(crate) struct Model {
    pub(crate) finder: Finder,
    pub(crate) tokens: Tokens,
    pub(crate) headers: Headers,
    last: Chance,
    kinds: [[Chance; 2]; 3],
    before: BlockKind,
    ends: Chance,
    lengths: [Length; 3],
    empty: u32,
}

/// Lengths of blocks of one kind: often the same again.
#[derive(Default)]
struct Length {
    before: usize,
    same: Chance,
    number: Number,
}

impl Model {
    pub(crate) fn new(effort: Effort) -> Self {
        Self {
            finder: Finder::new(effort),
            tokens: Tokens::new(),
            headers: Headers::new(),
            last: Chance::default(),
            kinds: [[Chance::default(); 2]; 3],
            before: BlockKind::Dynamic,
            ends: Chance::default(),
            lengths: std::array::from_fn(|_| Length::default()),
            empty: 0,
        }
    }

    pub(crate) fn start<C: Coder>(&mut self, coder: &mut C, actual: Start) -> Start {
        let last = coder.bit(&mut self.last, actual.last);
        let chances = &mut self.kinds[self.before as usize];
        let kind = if coder.bit(&mut chances[0], actual.kind == BlockKind::Dynamic) {
            BlockKind::Dynamic
        } else if coder.bit(&mut chances[1], actual.kind == BlockKind::Fixed) {
            BlockKind::Fixed
        } else {
            BlockKind::Stored
        };
        self.before = kind;
        Start { kind, last }
    }

    /// The extent of a piece; `None` for one that is too long, and after too many empty ones.
    pub(crate) fn extent<C: Coder>(
        &mut self,
        coder: &mut C,
        kind: BlockKind,
        actual: Extent,
    ) -> Option<Extent> {
        let ends = coder.bit(&mut self.ends, actual.ends);
        let length = &mut self.lengths[kind as usize];
        let len = if coder.bit(&mut length.same, length.before == actual.len) {
            length.before
        } else {
            length.number.code(coder, actual.len as u32) as usize
        };
        length.before = len;
        self.empty = if len == 0 { self.empty + 1 } else { 0 };
        let fits = match kind {
            BlockKind::Stored => len <= MAX_STORED && ends,
            _ => len <= PIECE_TOKENS,
        };
        (fits && self.empty <= MAX_EMPTY).then_some(Extent { len, ends })
    }
}

//! The search of level 1: one candidate a hash.

use crate::coding::token::{MAX_MATCH, Token, WINDOW};
use crate::go::block::Tokens;
use crate::search::matching::{common_prefix, load32, load64, zeros};

const TABLE_BITS: u32 = 14;
/// No match starts in the last bytes of a block.
const MARGIN: usize = 15;

/// A position and the four bytes there.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) value: u32,
    /// The position, modulo 2^32.
    pub(super) at: u32,
}

impl Entry {
    /// The distance from the position `at`, if a match reaches so far.
    #[inline]
    pub(super) fn distance(self, at: u32) -> Option<u32> {
        let distance = at.wrapping_sub(self.at);
        (distance <= WINDOW as u32).then_some(distance)
    }

    /// The distance to it from the other if a match is there.
    #[inline]
    fn matching(self, here: Self) -> Option<u32> {
        self.distance(here.at).filter(|_| here.value == self.value)
    }
}

/// What a table holds.
pub(super) trait Slot: Copy + Default {
    fn new(entry: Entry) -> Self;
    /// The distance from an entry to the one that is held, if a match is there. `note` is called if
    /// another search would find something else.
    fn candidate(self, here: Entry, note: impl FnOnce()) -> Option<u32>;
}

impl Slot for Entry {
    #[inline]
    fn new(entry: Entry) -> Self {
        entry
    }

    #[inline]
    fn candidate(self, here: Entry, _: impl FnOnce()) -> Option<u32> {
        self.matching(here)
    }
}

/// The entries of two searches, until the first replaces its own. The search proceeds as the first does.
#[derive(Clone, Copy, Default)]
pub(super) struct DualEntry {
    pub(super) mine: Entry,
    pub(super) theirs: Entry,
}

impl Slot for DualEntry {
    fn new(entry: Entry) -> Self {
        Self {
            mine: entry,
            theirs: entry,
        }
    }

    fn candidate(self, here: Entry, note: impl FnOnce()) -> Option<u32> {
        let found = self.mine.matching(here);
        if found != self.theirs.matching(here) {
            note();
        }
        found
    }
}

/// A block in a buffer, up to whose end it goes.
#[derive(Clone, Copy)]
pub(super) struct Block<'a> {
    pub(super) buffer: &'a [u8],
    /// Where it starts.
    pub(super) start: usize,
    /// The position of its first byte in Go's count, modulo 2^32.
    pub(super) at: u32,
}

/// The table, and slots in which another search would find something else.
#[derive(Clone)]
pub(super) struct Search<S> {
    pub(super) table: Box<[S; 1 << TABLE_BITS]>,
    pub(super) noted: Vec<u32>,
}

impl<S: Slot> Search<S> {
    pub(super) fn new() -> Self {
        Self {
            table: zeros(),
            noted: Vec::new(),
        }
    }

    /// Goes through the block; notes the tokens if they are wanted.
    pub(super) fn tokenize<const NOTE: bool>(&mut self, block: Block<'_>, tokens: &mut Tokens) {
        tokens.clear();
        let Block { buffer, start, at } = block;
        let end = buffer.len();
        // Positions below are indexes into `buffer`; `offset` turns them into Go's count.
        let offset = at.wrapping_sub(start as u32);
        let limit = end.saturating_sub(MARGIN);
        let literals = |tokens: &mut Tokens, from: usize, to: usize| {
            if NOTE {
                tokens.literals(&buffer[from..to]);
            }
        };
        let mut emitted = start;
        let mut pos = start;
        while let Some((at, mut distance)) = self.seek(buffer, pos, limit, offset) {
            pos = at;
            literals(tokens, emitted, pos);
            loop {
                let length = match_length(buffer, pos, distance);
                if NOTE {
                    tokens.matched(Token::new_match(length as u32, distance));
                }
                pos += length;
                emitted = pos;
                if pos >= limit {
                    literals(tokens, emitted, end);
                    return;
                }
                let bytes = load64(buffer, pos - 1);
                let at = offset.wrapping_add(pos as u32);
                let (before, value) = (bytes as u32, (bytes >> 8) as u32);
                self.table[hash(before)] = S::new(Entry {
                    value: before,
                    at: at.wrapping_sub(1),
                });
                let Some(found) = self.enter(Entry { value, at }) else {
                    pos += 1;
                    break;
                };
                distance = found;
            }
        }
        literals(tokens, emitted, end);
    }

    /// Looks for the next match from `pos` on, in growing steps; its position and distance.
    #[inline]
    fn seek(
        &mut self,
        buffer: &[u8],
        pos: usize,
        limit: usize,
        offset: u32,
    ) -> Option<(usize, u32)> {
        let mut skip = 32;
        let mut next = pos;
        let mut value = load32(buffer, next);
        loop {
            let pos = next;
            let step = skip >> 5;
            next = pos + step;
            skip += step;
            if next > limit {
                return None;
            }
            let at = offset.wrapping_add(pos as u32);
            if let Some(distance) = self.enter(Entry { value, at }) {
                return Some((pos, distance));
            }
            value = load32(buffer, next);
        }
    }

    /// Enters a position; the distance to one before it with the same bytes.
    #[inline]
    fn enter(&mut self, here: Entry) -> Option<u32> {
        let slot = hash(here.value);
        let found = std::mem::replace(&mut self.table[slot], S::new(here));
        found.candidate(here, || self.noted.push(slot as u32))
    }
}

impl Search<Entry> {
    /// Distances from the position `at` to what the table holds, 0 where no match reaches.
    pub(super) fn distances(&self, at: u32) -> Vec<u16> {
        let distance = |entry: &Entry| entry.distance(at).unwrap_or(0) as u16;
        self.table.iter().map(distance).collect()
    }
}

#[inline]
fn hash(value: u32) -> usize {
    (value.wrapping_mul(0x1e35_a7bd) >> (32 - TABLE_BITS)) as usize
}

/// How long the match at `pos` is; four bytes are known to be equal.
#[inline]
fn match_length(buffer: &[u8], pos: usize, distance: u32) -> usize {
    let longest = MAX_MATCH.min(buffer.len() - pos);
    // Bytes from before the previous block are dropped: such a match keeps its four bytes.
    let more = (pos + 4)
        .checked_sub(distance as usize)
        .map_or(0, |from| common_prefix(buffer, from, pos + 4, longest - 4));
    4 + more
}

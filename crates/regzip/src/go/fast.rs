//! Go's level 1: a Snappy-like search with one candidate a hash, over blocks of 65,535 bytes.

use super::block::{self, MAX_STORED, Tokens};
use crate::bits::BitWriter;
use crate::checkpoint::{Checkpoint, Mend, State, TableState};
use crate::encoder::Encode;
use crate::matching::{common_prefix, load32, load64, zeros};
use crate::past::Past;
use crate::token::{MAX_MATCH, Token, WINDOW};

const TABLE_BITS: u32 = 14;
/// No match starts in the last bytes of a block.
const MARGIN: usize = 15;
/// Go rebases its offsets here; the table is swept at the same age.
const SWEEP: u32 = 1 << 30;
/// No match reaches an entry so far back.
const FORGOTTEN: u32 = WINDOW as u32 + 1;

#[derive(Clone, Copy, Default)]
struct Entry {
    /// The four bytes at the position.
    value: u32,
    /// The position, modulo 2^32.
    at: u32,
}

/// The encoder of level 1.
#[derive(Clone)]
pub(crate) struct Fast {
    bits: BitWriter,
    /// The previous block (or nothing), then the block being filled.
    buffer: Vec<u8>,
    /// Where in `buffer` the block being filled starts.
    start: usize,
    /// The position of the block's first byte in Go's count, modulo 2^32.
    current: u32,
    swept: u32,
    tokens: Tokens,
    table: Box<[Entry; 1 << TABLE_BITS]>,
    past: Past,
}

#[inline]
fn hash(value: u32) -> usize {
    (value.wrapping_mul(0x1e35_a7bd) >> (32 - TABLE_BITS)) as usize
}

impl Fast {
    pub(crate) fn new() -> Self {
        Self {
            bits: BitWriter::default(),
            buffer: Vec::with_capacity(2 * MAX_STORED),
            start: 0,
            current: MAX_STORED as u32,
            swept: MAX_STORED as u32,
            tokens: Tokens::with_capacity(MAX_STORED),
            table: zeros(),
            past: Past::default(),
        }
    }

    /// Goes on from a checkpoint, after the bytes before it that it asks for.
    pub(crate) fn resume(checkpoint: &Checkpoint, history: &[u8]) -> Self {
        let mut new = Self::new();
        new.bits = checkpoint.writer();
        new.past.skip_to(checkpoint.plain);
        for piece in history.chunks_exact(MAX_STORED) {
            new.buffer.extend_from_slice(piece);
            new.tokenize::<false>();
            new.next_piece(MAX_STORED);
        }
        if let State::Table(state) = &checkpoint.state {
            new.mend(&state.mends);
        }
        new
    }

    /// Makes the table what it was, after a search that began too late.
    fn mend(&mut self, mends: &[Mend]) {
        for mend in mends {
            let distance = u32::from(mend.distance);
            let Some(from) = self.start.checked_sub(distance as usize) else {
                continue;
            };
            let value = load32(&self.buffer, from);
            let distance = if mend.empty { FORGOTTEN } else { distance };
            self.table[hash(value)] = Entry {
                value,
                at: self.current.wrapping_sub(distance),
            };
        }
    }

    /// How far before the next piece an entry lies, if a match can still reach it.
    fn distance(&self, entry: Entry) -> Option<u32> {
        let distance = self.current.wrapping_sub(entry.at);
        (distance <= WINDOW as u32).then_some(distance)
    }

    /// What makes the other's table find what this one finds from here on, if it is worth it.
    fn mends(&self, other: &Self) -> Option<Vec<Mend>> {
        let mut mends = Vec::new();
        for (&mine, &theirs) in self.table.iter().zip(other.table.iter()) {
            let (mine, theirs) = (self.distance(mine), other.distance(theirs));
            if mine == theirs {
                continue;
            }
            let distance = mine.or(theirs).filter(|d| Mend::DISTANCES.contains(d))?;
            mends.push(Mend {
                distance: distance as u16,
                empty: mine.is_none(),
            });
            if mends.len() > TableState::MOST {
                return None;
            }
        }
        mends.sort_unstable_by_key(|mend| mend.distance);
        Some(mends)
    }

    /// Whether both find the same from here on.
    fn agrees(&self, other: &Self) -> bool {
        let seen = |encoder: &Self, &entry: &Entry| {
            let distance = encoder.distance(entry)?;
            Some((distance, entry.value))
        };
        let mut entries = self.table.iter().zip(other.table.iter());
        entries.all(|(a, b)| seen(self, a) == seen(other, b))
    }

    #[cold]
    fn take_checkpoint(&mut self) {
        for warm in Past::WARM {
            let Some(history) = self.past.pieces(warm) else {
                return;
            };
            let mut state = TableState {
                warm,
                ..TableState::default()
            };
            let at = |state| Checkpoint::new(self.past.plain(), &self.bits, State::Table(state));
            let mut other = Self::resume(&at(state.clone()), history);
            let Some(mends) = self.mends(&other) else {
                continue;
            };
            other.mend(&mends);
            if self.agrees(&other) {
                state.mends = mends;
                self.past.take(at(state));
                return;
            }
        }
    }

    /// Matches must not reach what came before: the positions jump by `distance`.
    fn forget(&mut self, distance: usize) {
        self.past.cut();
        self.buffer.clear();
        self.start = 0;
        self.current = self.current.wrapping_add(distance as u32);
    }

    fn sweep(&mut self) {
        if self.current.wrapping_sub(self.swept) < SWEEP {
            return;
        }
        self.swept = self.current;
        for entry in self.table.iter_mut() {
            if self.current.wrapping_sub(entry.at) > WINDOW as u32 {
                entry.at = self.current.wrapping_sub(FORGOTTEN);
            }
        }
    }

    fn write_piece(&mut self) {
        let len = self.buffer.len() - self.start;
        self.past.add(&self.buffer[self.start..]);
        if len < 128 {
            match len {
                0 => return,
                1..=16 => block::write_stored(&mut self.bits, &self.buffer[self.start..]),
                _ => block::write_literals(&mut self.bits, &self.buffer[self.start..]),
            }
            self.forget(WINDOW);
            return;
        }
        self.sweep();
        self.tokenize::<true>();
        let plain = &self.buffer[self.start..];
        if self.tokens.len() > len - (len >> 4) {
            block::write_literals(&mut self.bits, plain);
        } else {
            block::write_dynamic(&mut self.bits, &mut self.tokens, plain);
        }
        self.next_piece(len);
    }

    fn next_piece(&mut self, len: usize) {
        self.current = self.current.wrapping_add(len as u32);
        self.buffer.drain(..self.start);
        self.start = len;
    }

    /// Goes through the block; notes the tokens if they are wanted.
    fn tokenize<const NOTE: bool>(&mut self) {
        self.tokens.clear();
        let end = self.buffer.len();
        // Positions below are indexes into `buffer`; `offset` turns them into Go's count.
        let offset = self.current.wrapping_sub(self.start as u32);
        let limit = end - MARGIN;
        let mut emitted = self.start;
        let mut pos = self.start;
        while let Some((at, mut candidate)) = self.seek(&mut pos, limit, offset) {
            pos = at;
            self.literals::<NOTE>(emitted, pos);
            loop {
                pos = self.extend::<NOTE>(pos, candidate, end, offset);
                emitted = pos;
                if pos >= limit {
                    self.literals::<NOTE>(emitted, end);
                    return;
                }
                let bytes = load64(&self.buffer, pos - 1);
                let before = bytes as u32;
                let here = (bytes >> 8) as u32;
                let absolute = offset.wrapping_add(pos as u32);
                self.table[hash(before)] = Entry {
                    value: before,
                    at: absolute.wrapping_sub(1),
                };
                let slot = &mut self.table[hash(here)];
                let found = *slot;
                *slot = Entry {
                    value: here,
                    at: absolute,
                };
                if absolute.wrapping_sub(found.at) > WINDOW as u32 || here != found.value {
                    pos += 1;
                    break;
                }
                candidate = found.at;
            }
        }
        self.literals::<NOTE>(emitted, end);
    }

    /// Looks for the next match from `pos` on, in growing steps; its place and the candidate's.
    #[inline]
    fn seek(&mut self, pos: &mut usize, limit: usize, offset: u32) -> Option<(usize, u32)> {
        let mut skip = 32;
        let mut next = *pos;
        let mut value = load32(&self.buffer, next);
        loop {
            let at = next;
            let step = skip >> 5;
            next = at + step;
            skip += step;
            if next > limit {
                return None;
            }
            let absolute = offset.wrapping_add(at as u32);
            let slot = &mut self.table[hash(value)];
            let found = *slot;
            *slot = Entry {
                value,
                at: absolute,
            };
            if value == found.value && absolute.wrapping_sub(found.at) <= WINDOW as u32 {
                return Some((at, found.at));
            }
            value = load32(&self.buffer, next);
        }
    }

    /// Emits the match at `pos`; four bytes are known to be equal. Returns where it ends.
    #[inline]
    fn extend<const NOTE: bool>(
        &mut self,
        pos: usize,
        candidate: u32,
        end: usize,
        offset: u32,
    ) -> usize {
        let distance = offset.wrapping_add(pos as u32).wrapping_sub(candidate) as usize;
        let longest = MAX_MATCH.min(end - pos);
        // Bytes from before the previous block are gone: such a match stays at four bytes.
        let more = (pos + 4).checked_sub(distance).map_or(0, |from| {
            common_prefix(&self.buffer, from, pos + 4, longest - 4)
        });
        let length = 4 + more;
        if NOTE {
            let token = Token::new_match(length as u32, distance as u32);
            self.tokens.matched(token);
        }
        pos + length
    }

    #[inline]
    fn literals<const NOTE: bool>(&mut self, from: usize, to: usize) {
        if NOTE {
            self.tokens.literals(&self.buffer[from..to]);
        }
    }
}

impl Encode for Fast {
    fn write(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            if self.buffer.len() - self.start == MAX_STORED {
                self.write_piece();
                if self.past.wants() {
                    self.take_checkpoint();
                }
            }
            let room = MAX_STORED - (self.buffer.len() - self.start);
            let (now, later) = data.split_at(data.len().min(room));
            self.buffer.extend_from_slice(now);
            data = later;
        }
    }

    fn flush(&mut self) {
        self.write_piece();
        self.bits.stored_header(0, false);
    }

    fn finish(&mut self) {
        self.write_piece();
        self.bits.stored_header(0, true);
    }

    fn want_checkpoint(&mut self, after: u64) {
        self.past.want(after);
    }

    fn checkpoint(&mut self) -> Option<Checkpoint> {
        self.past.taken()
    }

    fn output(&mut self) -> &mut Vec<u8> {
        &mut self.bits.out
    }
}

//! Go's `compress/flate` up to 1.26, levels 2 to 9: hash chains over a sliding window of 64 KiB,
//! lazy matching from level 4 on.

use std::collections::VecDeque;

use super::block;
use super::links::{Heads, LONG, Links};
use crate::bits::BitWriter;
use crate::chain::ORIGIN;
use crate::checkpoint::{Checkpoint, State, WindowState};
use crate::encoder::Encode;
use crate::matching::{common_prefix, load32};
use crate::token::{MAX_MATCH, Token, WINDOW};

/// How hard a level tries.
#[derive(Clone, Copy, Debug)]
struct Effort {
    /// Lazy matching looks further only while the match at hand is shorter than this.
    lazy: usize,
    /// A match this long ends the search.
    nice: usize,
    /// How many candidates a search may look at.
    chain: u32,
    /// Levels 2 and 3 are not lazy: longer matches than this are not inserted in the chains.
    greedy: Option<usize>,
}

const fn effort(level: u8) -> Effort {
    let (lazy, nice, chain, greedy) = match level {
        2 => (0, 16, 8, Some(5)),
        3 => (0, 32, 32, Some(6)),
        4 => (4, 16, 16, None),
        5 => (16, 32, 32, None),
        7 => (32, 128, 256, None),
        8 => (128, 258, 1024, None),
        9 => (258, 258, 4096, None),
        _ => (16, 128, 128, None),
    };
    Effort {
        lazy,
        nice,
        chain,
        greedy,
    }
}

const MIN_MATCH: usize = 4;
/// Matches of the minimum length are not taken from further away.
const NEAR: usize = 4096;
const MAX_TOKENS: usize = 1 << 14;
/// Work needs this much input ahead, except at a flush.
const LOOKAHEAD: usize = MIN_MATCH + MAX_MATCH;
/// What this port waits for instead, so that every string it enters has eight bytes.
const AHEAD: usize = LOOKAHEAD + 8;
/// From here on in its window of 64 KiB, Go shifts before it takes more input.
const SHIFT_AT: usize = 2 * WINDOW - LOOKAHEAD;
/// Size of the buffer that holds the window and what is not processed yet.
const BUFFER: usize = 1 << 20;
/// How many windows are searched again at a checkpoint: what levels that do not enter every string
/// try, and what is kept in the buffer for it.
const WARM: [u8; 3] = [1, 2, 4];
const KEPT: usize = 4 * WINDOW;
/// How many sensitive places are remembered: more than one block can pass.
const SENSITIVE: usize = 32;

/// The encoder of levels 2 to 9.
#[derive(Clone)]
pub(crate) struct Lazy {
    level: u8,
    effort: Effort,
    bits: BitWriter,
    /// Input from `base` on, in places more.
    buffer: Vec<u8>,
    /// The position of `buffer[0]`, modulo 2^32.
    origin: u32,
    /// Bytes dropped from the buffer's front.
    dropped: u64,
    /// Where an end of a write would have made a difference, the latest last.
    sensitive: VecDeque<u64>,
    /// All below are indexes into `buffer`: the next byte to look at, the start of Go's window,
    /// the start of the block (`None` when it left the window).
    pos: usize,
    base: usize,
    block: Option<usize>,
    /// The byte before `pos` is not in a token yet.
    pending: bool,
    length: usize,
    distance: usize,
    tokens: Vec<Token>,
    links: Links,
    /// Up to here not all strings in reach are in the long chains.
    short_until: usize,
    /// A write ended here: if Go's index was far enough, its next write shifts at once.
    boundary: bool,
    /// A block was written and the next token is still to come.
    fresh: bool,
    /// From here on a checkpoint is wanted, and the last one taken.
    wanted: Option<u64>,
    taken: Option<Checkpoint>,
    /// The checkpoint to go on from, until the tables are filled.
    resuming: Option<Box<(Checkpoint, usize)>>,
}

impl Lazy {
    pub(crate) fn new(level: u8) -> Self {
        Self {
            level,
            effort: effort(level),
            bits: BitWriter::default(),
            buffer: Vec::with_capacity(BUFFER),
            origin: ORIGIN,
            dropped: 0,
            sensitive: VecDeque::with_capacity(SENSITIVE),
            pos: 0,
            base: 0,
            block: Some(0),
            pending: false,
            length: MIN_MATCH - 1,
            distance: 0,
            tokens: Vec::with_capacity(MAX_TOKENS),
            links: Links::new(ORIGIN),
            short_until: 0,
            boundary: false,
            fresh: false,
            wanted: None,
            taken: None,
            resuming: None,
        }
    }

    /// Goes on from a checkpoint, after `history`, whose first byte has the position `origin`.
    fn resume_at(level: u8, checkpoint: &Checkpoint, history: &[u8], origin: u32) -> Self {
        let mut new = Self::new(level);
        new.origin = origin;
        new.links = Links::new(origin);
        new.dropped = checkpoint.plain - history.len() as u64;
        new.buffer.extend_from_slice(history);
        new.resuming = Some(Box::new((checkpoint.clone(), history.len())));
        new
    }

    /// Goes on from a checkpoint, after the bytes before it that it asks for.
    pub(crate) fn resume(level: u8, checkpoint: &Checkpoint, history: &[u8]) -> Self {
        Self::resume_at(level, checkpoint, history, ORIGIN)
    }

    /// Fills the tables up to a checkpoint's position, once the bytes after it are there.
    #[cold]
    fn warm_up(&mut self, checkpoint: &Checkpoint, target: usize) {
        let State::Window(state) = checkpoint.state else {
            return;
        };
        if self.effort.greedy.is_some() {
            while self.pos < target {
                self.step();
            }
            self.sensitive.clear();
        } else {
            if self.buffer.len() >= MIN_MATCH {
                self.insert(0);
            }
            self.insert_up_to(target);
        }
        self.tokens.clear();
        self.bits = checkpoint.writer();
        self.pending = state.pending;
        self.block = Some(target - usize::from(state.pending));
        let after = self.buffer.len() - self.pos;
        if state.pending && usize::from(state.length) <= after + 1 {
            self.length = usize::from(state.length);
            self.distance = usize::from(state.distance);
        }
    }

    /// Takes a checkpoint if one is wanted and what comes after would be the same from there.
    #[cold]
    fn take_checkpoint(&mut self) {
        let plain = self.dropped + self.pos as u64;
        // Close before a shift it would depend on the ends of writes.
        if self.wanted.is_none_or(|at| plain < at) || self.pos - self.base >= SHIFT_AT {
            return;
        }
        let attempts = if self.effort.greedy.is_some() {
            &WARM[..]
        } else {
            &[0]
        };
        for &warm in attempts {
            let Some(from) = self.base.checked_sub(usize::from(warm) * WINDOW) else {
                continue;
            };
            let state = WindowState {
                back: (self.pos - self.base) as u32,
                pending: self.pending,
                length: if self.pending { self.length as u16 } else { 0 },
                distance: if self.pending {
                    self.distance as u16
                } else {
                    0
                },
                warm,
            };
            let checkpoint = Checkpoint::new(plain, &self.bits, State::Window(state));
            let origin = self.origin.wrapping_add(from as u32);
            let history = &self.buffer[from..self.pos];
            let mut other = Self::resume_at(self.level, &checkpoint, history, origin);
            other.buffer.extend_from_slice(&self.buffer[self.pos..]);
            other.warm_up(&checkpoint, self.pos - from);
            if self.agrees(&other, from) {
                self.taken = Some(checkpoint);
                self.wanted = None;
                return;
            }
        }
    }

    fn agrees(&self, other: &Self, from: usize) -> bool {
        let base = self.origin.wrapping_add(self.base as u32);
        let at = self.origin.wrapping_add(self.pos as u32);
        self.pos == other.pos + from
            && self.base == other.base + from
            && (!self.pending || self.length == other.length)
            && self.links.agrees(&other.links, base, at)
    }

    /// Drops what lies before the window once the buffer is full.
    fn make_room(&mut self) {
        let kept = if self.effort.greedy.is_some() {
            KEPT
        } else {
            0
        };
        let drop = self.base.saturating_sub(kept);
        self.buffer.drain(..drop);
        self.pos -= drop;
        self.base -= drop;
        self.dropped += drop as u64;
        self.block = self.block.and_then(|b| b.checked_sub(drop));
        self.origin = self.origin.wrapping_add(drop as u32);
        self.links.sweep(self.origin);
        self.short_until = self.short_until.saturating_sub(drop);
    }

    /// Go stands where it shifts only if a write ended just now: the one place where the sizes of
    /// writes show. Had one ended here, what is at the far end of the window would be out of reach.
    #[cold]
    fn note_sensitive(&mut self) {
        if self.sensitive.len() == SENSITIVE {
            self.sensitive.pop_front();
        }
        self.sensitive
            .push_back(self.dropped + (self.pos + LOOKAHEAD - 1) as u64);
    }

    fn shift(&mut self) {
        self.base += WINDOW;
        self.block = self.block.filter(|&b| b >= self.base);
    }

    /// Enters the string at `pos` in its chains.
    #[inline]
    fn insert(&mut self, pos: usize) -> Heads {
        let at = self.origin.wrapping_add(pos as u32);
        if let Some(bytes) = self.buffer.get(pos..).and_then(<[u8]>::first_chunk) {
            return self.links.insert(u64::from_le_bytes(*bytes), at);
        }
        self.short_until = pos + WINDOW + 1;
        self.links.insert_short(load32(&self.buffer, pos), at)
    }

    /// The longest match at `pos` above `best` bytes, the nearest of equals.
    ///
    /// Go starts at three bytes and drops a result that is not longer than the pending match;
    /// starting there gives the same and rejects more.
    #[inline]
    fn find(&self, heads: Heads, mut best: usize, lookahead: usize) -> Option<(usize, usize)> {
        let (pos, buffer) = (self.pos, self.buffer.as_slice());
        let reach = WINDOW.min(pos - self.base);
        let longest = MAX_MATCH.min(lookahead);
        let nice = self.effort.nice.min(longest);
        let at = self.origin.wrapping_add(pos as u32);
        // Where not every string is entered, the long chains cannot be trusted.
        let short = pos < self.short_until || self.effort.greedy.is_some();
        let switch = if short { usize::MAX } else { LONG - 1 };
        if best >= switch {
            return self.find_long(heads, 0, best, lookahead);
        }
        let mut found = None;
        let mut tries = self.effort.chain;
        let mut distance = heads.four;
        let mut tail = load32(buffer, pos + best - 3);
        while distance <= reach {
            let candidate = pos - distance;
            let step = self.links.step(at, distance);
            if load32(buffer, candidate + best - 3) == tail {
                let n = common_prefix(buffer, candidate, pos, longest);
                if n > best && (n > MIN_MATCH || distance <= NEAR) {
                    best = n;
                    found = Some((n, distance));
                    if n >= nice {
                        break;
                    }
                    if best >= switch {
                        return self.find_long(heads, distance, best, lookahead).or(found);
                    }
                    tail = load32(buffer, pos + best - 3);
                }
            }
            tries -= 1;
            if tries == 0 || step == 0 || distance == WINDOW {
                break;
            }
            distance += step;
        }
        found
    }

    /// As `find`, among the candidates further than `after`, where only long matches are of use.
    #[inline]
    fn find_long(
        &self,
        heads: Heads,
        after: usize,
        mut best: usize,
        lookahead: usize,
    ) -> Option<(usize, usize)> {
        let (pos, buffer) = (self.pos, self.buffer.as_slice());
        let reach = WINDOW.min(pos - self.base);
        let longest = MAX_MATCH.min(lookahead);
        let nice = self.effort.nice.min(longest);
        let at = self.origin.wrapping_add(pos as u32);
        let mut found = None;
        let mut distance = heads.long;
        let mut tail = load32(buffer, pos + best - 3);
        while distance != 0 && distance <= reach {
            let candidate = pos - distance;
            let (step, tried) = self.links.long_step(at, distance, heads);
            // Strings that only share the hash may have any number.
            if tried > self.effort.chain && load32(buffer, candidate) == load32(buffer, pos) {
                break;
            }
            if distance > after && load32(buffer, candidate + best - 3) == tail {
                let n = common_prefix(buffer, candidate, pos, longest);
                if n > best {
                    best = n;
                    found = Some((n, distance));
                    if n >= nice {
                        break;
                    }
                    tail = load32(buffer, pos + best - 3);
                }
            }
            if step == 0 || distance == WINDOW {
                break;
            }
            distance += step;
        }
        found
    }

    /// Processes what can be processed; everything when `flush` is set.
    fn run(&mut self, flush: bool) {
        self.run_with(flush, AHEAD);
    }

    /// As `run`, leaving less than `ahead` bytes.
    fn run_with(&mut self, flush: bool, ahead: usize) {
        if let Some(resuming) = &self.resuming {
            let target = resuming.1;
            if !flush && self.buffer.len() < target + AHEAD {
                return;
            }
            if let Some(resuming) = self.resuming.take() {
                self.warm_up(&resuming.0, target);
            }
        }
        let end = self.buffer.len();
        loop {
            let lookahead = end - self.pos;
            if lookahead < ahead {
                if !flush {
                    return;
                }
                if lookahead == 0 {
                    self.finish_block();
                    return;
                }
            }
            if self.fresh {
                self.fresh = false;
                self.take_checkpoint();
            }
            self.step();
        }
    }

    /// One place in the input; some is left.
    #[inline]
    fn step(&mut self) {
        let end = self.buffer.len();
        let lookahead = end - self.pos;
        if self.pos - self.base >= SHIFT_AT {
            if self.pos - self.base == SHIFT_AT && lookahead >= LOOKAHEAD {
                self.note_sensitive();
            }
            if self.pos - self.base > SHIFT_AT && end > self.base + 2 * WINDOW {
                self.shift();
            }
        }
        let heads = if lookahead > MIN_MATCH - 1 {
            self.insert(self.pos)
        } else {
            Heads::default()
        };
        if let Some(greedy) = self.effort.greedy {
            self.step_greedy(heads, lookahead, greedy);
        } else {
            self.step_lazy(heads, lookahead);
        }
    }

    #[inline]
    fn step_lazy(&mut self, heads: Heads, lookahead: usize) {
        let (length, previous) = (self.length, self.distance);
        self.length = MIN_MATCH - 1;
        self.distance = 0;
        if heads.four != 0
            && lookahead > length
            && length < self.effort.lazy
            && let Some((n, d)) = self.find(heads, length, lookahead)
        {
            self.length = n;
            self.distance = d;
        }
        if length >= MIN_MATCH && self.length <= length {
            self.tokens
                .push(Token::new_match(length as u32, previous as u32));
            self.insert_up_to(self.pos + length - 1);
            self.pending = false;
            self.length = MIN_MATCH - 1;
            if self.tokens.len() == MAX_TOKENS {
                self.write_block(self.pos);
            }
        } else {
            if self.pending {
                self.tokens.push(Token::literal(self.buffer[self.pos - 1]));
                if self.tokens.len() == MAX_TOKENS {
                    self.write_block(self.pos);
                }
            }
            self.pos += 1;
            self.pending = true;
        }
    }

    #[inline]
    fn step_greedy(&mut self, heads: Heads, lookahead: usize, greedy: usize) {
        let found = if heads.four == 0 {
            None
        } else {
            self.find(heads, MIN_MATCH - 1, lookahead)
        };
        if let Some((length, distance)) = found {
            self.tokens
                .push(Token::new_match(length as u32, distance as u32));
            if length <= greedy {
                self.insert_up_to(self.pos + length);
            } else {
                self.pos += length;
            }
        } else {
            self.tokens.push(Token::literal(self.buffer[self.pos]));
            self.pos += 1;
        }
        if self.tokens.len() == MAX_TOKENS {
            self.write_block(self.pos);
        }
    }

    /// Inserts the strings after `pos` and before `next`, where four bytes are at hand.
    #[inline]
    fn insert_up_to(&mut self, next: usize) {
        let hashable = self.buffer.len().saturating_sub(MIN_MATCH - 1);
        for index in self.pos + 1..next.min(hashable) {
            self.insert(index);
        }
        self.pos = next;
    }

    fn finish_block(&mut self) {
        if self.pending {
            self.tokens.push(Token::literal(self.buffer[self.pos - 1]));
            self.pending = false;
        }
        if !self.tokens.is_empty() {
            self.write_block(self.pos);
        }
    }

    fn write_block(&mut self, end: usize) {
        let plain = self
            .block
            .filter(|&b| b >= self.base)
            .map(|start| &self.buffer[start..end]);
        block::write_best(&mut self.bits, &self.tokens, plain);
        self.tokens.clear();
        self.block = Some(end);
        self.fresh = true;
    }
}

impl Encode for Lazy {
    fn write(&mut self, mut data: &[u8]) {
        if self.boundary && !data.is_empty() {
            self.boundary = false;
            if self.pos - self.base >= SHIFT_AT {
                self.shift();
            }
        }
        while !data.is_empty() {
            if self.buffer.len() >= BUFFER {
                self.make_room();
            }
            let n = data.len().min(BUFFER - self.buffer.len());
            self.buffer.extend_from_slice(&data[..n]);
            data = &data[n..];
            self.run(false);
        }
    }

    fn boundary(&mut self) {
        // As far as Go would be.
        self.run_with(false, LOOKAHEAD);
        self.boundary = true;
    }

    fn sensitive(&self) -> Vec<u64> {
        self.sensitive.iter().rev().copied().collect()
    }

    fn flush(&mut self) {
        self.run(true);
        self.bits.stored_header(0, false);
        self.boundary = true;
    }

    fn finish(&mut self) {
        self.run(true);
        self.bits.stored_header(0, true);
    }

    fn want_checkpoint(&mut self, after: u64) {
        self.wanted = Some(after);
    }

    fn checkpoint(&mut self) -> Option<Checkpoint> {
        self.taken.take()
    }

    fn output(&mut self) -> &mut Vec<u8> {
        &mut self.bits.out
    }
}

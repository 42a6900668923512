//! Go's `compress/flate` up to 1.26, levels 2 to 9: hash chains over a sliding window of 64 KiB,
//! lazy matching from level 4 on.

use std::collections::VecDeque;

use super::block::{self, Tokens};
use super::greedy::Greedy;
use crate::bits::BitWriter;
use crate::chain::ORIGIN;
use crate::checkpoint::{Checkpoint, State, WindowState};
use crate::encoder::Encode;
use crate::links::{Limits, Links, START, STRETCH, STRING, Strings};
use crate::matching::load32;
use crate::token::{MAX_MATCH, Token, WINDOW};

/// How hard a lazy level tries.
#[derive(Clone, Copy, Debug)]
struct Effort {
    /// Looks further only while the match at hand is shorter than this.
    lazy: usize,
    /// A match this long ends the search.
    nice: usize,
    /// How many candidates a search may look at.
    chain: u16,
}

const fn effort(level: u8) -> Effort {
    let (lazy, nice, chain) = match level {
        4 => (4, 16, 16),
        5 => (16, 32, 32),
        7 => (32, 128, 256),
        8 => (128, 258, 1024),
        9 => (258, 258, 4096),
        _ => (16, 128, 128),
    };
    Effort { lazy, nice, chain }
}

const MIN_MATCH: usize = 4;
const MAX_TOKENS: usize = 1 << 14;
/// Work needs this much input ahead, except at a flush.
const LOOKAHEAD: usize = MIN_MATCH + MAX_MATCH;
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

/// Strings of four bytes.
#[derive(Clone)]
pub(crate) struct Fours;

/// Places for their hashes.
const FOURS: usize = 1 << 17;

impl Strings for Fours {
    const MIN: u16 = 4;
    const SECOND: u16 = 5;
    const NEAR: u16 = 4096;

    #[inline]
    fn hash(&self, bytes: u32) -> usize {
        const SHIFT: u32 = u32::BITS - FOURS.trailing_zeros();
        (bytes.swap_bytes().wrapping_mul(0x1e35_a7bd) >> SHIFT) as usize
    }

    #[inline]
    fn part(bytes: u32) -> u32 {
        bytes
    }
}

/// Levels 2 and 3 enter strings as they go, the others all of them and ahead.
#[derive(Clone)]
enum Search {
    Greedy(Greedy),
    Lazy(Effort, Links<Fours, FOURS>),
}

/// The encoder of levels 2 to 9.
#[derive(Clone)]
pub(crate) struct Lazy {
    level: u8,
    search: Search,
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
    tokens: Tokens,
    /// Up to here text is known to the links, and strings are entered.
    known: usize,
    entered: usize,
    /// From the first of these to the second the longer chains lack some strings.
    short: (usize, usize),
    /// The last position that is in no chain, plus one.
    skipped: usize,
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
        let origin = match level {
            2 | 3 => ORIGIN,
            _ => u32::from(START),
        };
        Self::new_at(level, origin)
    }

    fn new_at(level: u8, origin: u32) -> Self {
        let search = match level {
            2 | 3 => Search::Greedy(Greedy::new(level, origin)),
            _ => Search::Lazy(effort(level), Links::new(Fours)),
        };
        Self {
            level,
            search,
            bits: BitWriter::default(),
            buffer: Vec::with_capacity(BUFFER),
            origin,
            dropped: 0,
            sensitive: VecDeque::with_capacity(SENSITIVE),
            pos: 0,
            base: 0,
            block: Some(0),
            pending: false,
            length: MIN_MATCH - 1,
            distance: 0,
            tokens: Tokens::with_capacity(MAX_TOKENS),
            known: 0,
            entered: 0,
            short: (0, 0),
            skipped: 0,
            boundary: false,
            fresh: false,
            wanted: None,
            taken: None,
            resuming: None,
        }
    }

    /// Goes on from a checkpoint, after `history`, whose first byte has the position `origin`.
    fn resume_at(level: u8, checkpoint: &Checkpoint, history: &[u8], origin: u32) -> Self {
        let mut new = Self::new_at(level, origin);
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
        if let Search::Greedy(_) = self.search {
            while self.pos < target {
                self.shift_if_due();
                self.step_greedy();
            }
            self.sensitive.clear();
        } else {
            self.pos = target;
            self.known = target.saturating_sub(WINDOW);
            self.entered = self.known;
            self.origin = u32::from(START).wrapping_sub(self.entered as u32);
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
        let attempts = match self.search {
            Search::Greedy(_) => &WARM[..],
            Search::Lazy(..) => &[0],
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
            if self.agrees(&checkpoint, from) {
                self.taken = Some(checkpoint);
                self.wanted = None;
                return;
            }
        }
    }

    /// Whether an encoder that goes on from the checkpoint finds the same; it is given the bytes
    /// from the index `from` on.
    fn agrees(&self, checkpoint: &Checkpoint, from: usize) -> bool {
        let Search::Greedy(greedy) = &self.search else {
            // Which strings are entered depends on nothing but the content and the flushes.
            return self.skipped <= from;
        };
        let origin = self.origin.wrapping_add(from as u32);
        let history = &self.buffer[from..self.pos];
        let mut other = Self::resume_at(self.level, checkpoint, history, origin);
        other.buffer.extend_from_slice(&self.buffer[self.pos..]);
        other.warm_up(checkpoint, self.pos - from);
        let Search::Greedy(again) = &other.search else {
            return false;
        };
        let base = self.origin.wrapping_add(self.base as u32);
        let at = self.origin.wrapping_add(self.pos as u32);
        self.pos == other.pos + from
            && self.base == other.base + from
            && greedy.agrees(again, base, at)
    }

    /// Drops what lies before the window once the buffer is full.
    fn make_room(&mut self) {
        let kept = match self.search {
            Search::Greedy(_) => KEPT,
            Search::Lazy(..) => 0,
        };
        let drop = self.base.saturating_sub(kept);
        self.buffer.drain(..drop);
        self.pos -= drop;
        self.base -= drop;
        self.dropped += drop as u64;
        self.block = self.block.and_then(|b| b.checked_sub(drop));
        self.origin = self.origin.wrapping_add(drop as u32);
        for index in [&mut self.known, &mut self.entered, &mut self.skipped] {
            *index = index.saturating_sub(drop);
        }
        self.short = (
            self.short.0.saturating_sub(drop),
            self.short.1.saturating_sub(drop),
        );
        if let Search::Greedy(greedy) = &mut self.search {
            greedy.sweep(self.origin);
        }
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

    fn shift_if_due(&mut self) {
        let index = self.pos - self.base;
        let end = self.buffer.len();
        if index == SHIFT_AT && end - self.pos >= LOOKAHEAD {
            self.note_sensitive();
        }
        if index > SHIFT_AT && end > self.base + 2 * WINDOW {
            self.shift();
        }
    }

    /// Processes what can be processed; everything when `flush` is set.
    fn run(&mut self, flush: bool) {
        self.run_with(flush, LOOKAHEAD + STRING);
    }

    /// As `run`, leaving less than `ahead` bytes.
    fn run_with(&mut self, flush: bool, ahead: usize) {
        if let Some(resuming) = &self.resuming {
            let target = resuming.1;
            if !flush && self.buffer.len() < target + LOOKAHEAD + STRING {
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
            self.shift_if_due();
            if let Search::Greedy(_) = self.search {
                self.step_greedy();
            } else {
                self.enter(flush);
                let last = if flush { end } else { end - ahead + 1 };
                self.step_lazy(last);
            }
            if self.tokens.len() == MAX_TOKENS {
                self.write_block(self.pos - usize::from(self.pending));
            }
        }
    }

    /// Tells the links of more text, if the search needs it soon, and enters strings.
    fn enter(&mut self, flush: bool) {
        let Search::Lazy(_, links) = &mut self.search else {
            return;
        };
        let end = self.buffer.len();
        let at = |index: usize| self.origin.wrapping_add(index as u32) as u16;
        let done = self.known == end && !(flush && self.entered < end);
        if done || self.known > self.pos + LOOKAHEAD + STRING {
            return;
        }
        let known = end.min(self.pos + STRETCH);
        links.put(&self.buffer[self.known..known], at(self.known));
        self.known = known;
        let whole = (known + 1).saturating_sub(STRING);
        if whole > self.entered {
            links.enter(at(self.entered), whole - self.entered);
            self.entered = whole;
        }
        if !flush || self.known < end {
            return;
        }
        if self.entered < end {
            let still = self.short.1 > self.pos;
            // A search looks for strings that end where its longest match would.
            let first = self.entered.saturating_sub(MAX_MATCH);
            let from = if still { self.short.0 } else { first };
            self.short = (from, end + WINDOW + MAX_MATCH);
            self.skipped = end;
        }
        for index in self.entered..end {
            if index + MIN_MATCH <= end {
                links.enter_short(load32(&self.buffer, index), at(index));
            } else {
                links.skip(at(index));
            }
        }
        self.entered = end;
    }

    /// Searches from `pos` on, to `last` or where something else is to be done first.
    fn step_lazy(&mut self, last: usize) {
        let Search::Lazy(effort, links) = &self.search else {
            return;
        };
        let end = self.buffer.len();
        let mut stop = last;
        if self.known < end {
            stop = stop.min(self.known - LOOKAHEAD - STRING + 1);
        }
        let shift = self.base + SHIFT_AT;
        stop = stop.min(if self.pos < shift {
            shift
        } else {
            self.pos + 1
        });
        let (mut pos, mut pending) = (self.pos, self.pending);
        let (mut length, mut distance) = (self.length, self.distance);
        while pos < stop && self.tokens.len() < MAX_TOKENS {
            let (before, previous) = (length, distance);
            (length, distance) = (MIN_MATCH - 1, 0);
            let at = self.origin.wrapping_add(pos as u32) as u16;
            let longest = MAX_MATCH.min(end - pos);
            if before < effort.lazy && before < longest {
                let limits = Limits {
                    reach: WINDOW.min(pos - self.base) as u16,
                    longest: longest as u16,
                    nice: effort.nice.min(longest) as u16,
                    chain: effort.chain,
                    base_only: (self.short.0..self.short.1).contains(&pos),
                };
                if let Some(found) = links.find(at, before as u16, &limits) {
                    (length, distance) = (usize::from(found.0), usize::from(found.1));
                }
            }
            if before >= MIN_MATCH && length <= before {
                let token = Token::new_match(before as u32, previous as u32);
                self.tokens.matched(token);
                pos += before - 1;
                pending = false;
                length = MIN_MATCH - 1;
            } else {
                if pending {
                    let byte = links.byte(at.wrapping_sub(1));
                    self.tokens.literal(byte);
                }
                pos += 1;
                pending = true;
            }
        }
        (self.pos, self.pending) = (pos, pending);
        (self.length, self.distance) = (length, distance);
    }

    fn step_greedy(&mut self) {
        let Search::Greedy(greedy) = &mut self.search else {
            return;
        };
        let (token, next) = greedy.step(&self.buffer, self.origin, self.base, self.pos);
        self.tokens.push(token);
        self.pos = next;
    }

    fn finish_block(&mut self) {
        if self.pending {
            self.tokens.literal(self.buffer[self.pos - 1]);
            self.pending = false;
        }
        if self.tokens.len() > 0 {
            self.write_block(self.pos);
        }
    }

    fn write_block(&mut self, end: usize) {
        let plain = self
            .block
            .filter(|&b| b >= self.base)
            .map(|start| &self.buffer[start..end]);
        block::write_best(&mut self.bits, &mut self.tokens, plain);
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

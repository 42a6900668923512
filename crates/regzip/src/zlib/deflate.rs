//! zlib's `deflate` and GNU gzip's: hash chains over three bytes, lazy from level 4 on.

use super::trees::{self, Block};
use crate::bits::BitWriter;
use crate::chain::{Chain, ORIGIN};
use crate::checkpoint::{Checkpoint, State, WindowState};
use crate::encoder::Encode;
use crate::matching::common_prefix;
use crate::token::MAX_MATCH;

/// Which of the two programs, and what may be set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) level: u8,
    /// GNU gzip ends blocks by its own rules.
    pub(crate) gnu: bool,
    pub(crate) window_bits: u8,
    pub(crate) mem_level: u8,
    pub(crate) strategy: Strategy,
}

impl Settings {
    /// Whether matches are looked for only among runs of one byte, or not at all.
    fn without_chains(self) -> bool {
        matches!(self.strategy, Strategy::HuffmanOnly | Strategy::Rle)
    }

    /// Whether every string is entered in its chain.
    pub(crate) fn enters_all(self) -> bool {
        self.level > 3 || self.without_chains()
    }

    /// Whether a match waits for a better one at the next byte.
    pub(crate) fn is_lazy(self) -> bool {
        self.level > 3 && !self.without_chains()
    }
}

/// zlib's strategies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Strategy {
    /// Matches as they are found.
    Default,
    /// Short matches are not taken: for small numbers that are nearly random.
    Filtered,
    /// No matches.
    HuffmanOnly,
    /// Runs of one byte only.
    Rle,
    /// Fixed codes only.
    Fixed,
}

#[derive(Clone, Copy)]
struct Effort {
    good: usize,
    lazy: usize,
    nice: usize,
    chain: u32,
}

const fn effort(level: u8) -> Effort {
    let (good, lazy, nice, chain) = match level {
        0 | 1 => (4, 4, 8, 4),
        2 => (4, 5, 16, 8),
        3 => (4, 6, 32, 32),
        4 => (4, 4, 16, 16),
        5 => (8, 16, 32, 32),
        7 => (8, 32, 128, 256),
        8 => (32, 128, 258, 1024),
        9 => (32, 258, 258, 4096),
        _ => (8, 16, 128, 128),
    };
    Effort {
        good,
        lazy,
        nice,
        chain,
    }
}

const MIN_MATCH: usize = 3;
const LOOKAHEAD: usize = MAX_MATCH + MIN_MATCH + 1;
/// Matches of three bytes are not taken from further away.
const TOO_FAR: usize = 4096;
const BUFFER: usize = 1 << 20;
/// How many windows are searched again at a checkpoint by levels that do not enter every string,
/// and what is kept in the buffer for it.
const WARM: [u8; 3] = [1, 2, 4];
const KEPT: usize = 4;

/// The encoder.
#[derive(Clone)]
pub(crate) struct Deflate {
    settings: Settings,
    effort: Effort,
    pub(crate) bits: BitWriter,
    pub(crate) block: Block,
    max_tokens: usize,
    buffer: Vec<u8>,
    origin: u32,
    /// Bytes dropped from the buffer's front.
    dropped: u64,
    /// Indexes into `buffer`: the next byte, the start of the window, the start of the block.
    pos: usize,
    base: usize,
    start: Option<usize>,
    /// Plain bytes in the block.
    block_len: usize,
    available: bool,
    length: usize,
    distance: usize,
    window: usize,
    hash_shift: u32,
    hash_mask: usize,
    chain: Chain,
    /// Positions before `pos` that lacked bytes for a hash at the last flush.
    uninserted: usize,
    ended: bool,
    /// A block was written and the next token is still to come.
    fresh: bool,
    /// From here on a checkpoint is wanted, and the last one taken.
    wanted: Option<u64>,
    taken: Option<Checkpoint>,
    /// The checkpoint to go on from, until the tables are filled.
    resuming: Option<Box<(Checkpoint, usize)>>,
}

impl Deflate {
    pub(crate) fn new(settings: Settings) -> Self {
        let hash_bits = if settings.gnu {
            15
        } else {
            u32::from(settings.mem_level) + 7
        };
        let max_tokens = if settings.gnu {
            (1 << 15) - 1
        } else {
            (1 << (settings.mem_level + 6)) - 1
        };
        let window = 1 << settings.window_bits;
        Self {
            settings,
            effort: effort(settings.level),
            bits: BitWriter::default(),
            block: Block::new(),
            max_tokens,
            buffer: Vec::with_capacity(BUFFER),
            origin: ORIGIN,
            dropped: 0,
            pos: 0,
            base: 0,
            start: Some(0),
            block_len: 0,
            available: false,
            length: MIN_MATCH - 1,
            distance: 0,
            window,
            hash_shift: hash_bits.div_ceil(3),
            hash_mask: (1 << hash_bits) - 1,
            chain: Chain::new(hash_bits),
            uninserted: 0,
            ended: false,
            fresh: false,
            wanted: None,
            taken: None,
            resuming: None,
        }
    }

    /// Starts over with another stream, after a dictionary; the output goes on.
    pub(crate) fn restart(&mut self, dictionary: &[u8]) {
        // So far on that nothing entered before is in reach.
        let skipped = self.buffer.len() as u32 + ORIGIN;
        self.origin = self.origin.wrapping_add(skipped);
        self.chain.sweep(self.origin);
        self.dropped += self.buffer.len() as u64;
        self.buffer.clear();
        self.buffer.extend_from_slice(dictionary);
        self.block.clear();
        self.pos = dictionary.len();
        self.base = 0;
        self.start = Some(self.pos);
        self.block_len = 0;
        self.available = false;
        self.length = MIN_MATCH - 1;
        self.uninserted = self.pos.min(MIN_MATCH - 1);
        self.ended = false;
        self.fresh = false;
        for index in 0..self.pos - self.uninserted {
            self.insert(index);
        }
    }

    /// Ends the block at hand without a mark.
    pub(crate) fn end_block(&mut self) {
        self.drain();
        if !self.block.tokens.is_empty() {
            self.write_block(false);
        }
    }

    /// Goes on from a checkpoint, after `history`, whose first byte has the position `origin`.
    fn resume_at(settings: Settings, checkpoint: &Checkpoint, history: &[u8], origin: u32) -> Self {
        let mut new = Self::new(settings);
        new.origin = origin;
        new.chain = new.chain.starting_at(origin);
        new.dropped = checkpoint.plain - history.len() as u64;
        new.buffer.extend_from_slice(history);
        new.resuming = Some(Box::new((checkpoint.clone(), history.len())));
        new
    }

    /// Goes on from a checkpoint, after the bytes before it that it asks for.
    pub(crate) fn resume(settings: Settings, checkpoint: &Checkpoint, history: &[u8]) -> Self {
        Self::resume_at(settings, checkpoint, history, ORIGIN)
    }

    /// Fills the tables up to a checkpoint's position, once the bytes after it are there.
    #[cold]
    fn warm_up(&mut self, checkpoint: &Checkpoint, target: usize) {
        let State::Window(state) = checkpoint.state else {
            return;
        };
        if !self.settings.enters_all() {
            while self.pos < target {
                self.slide(false);
                self.step();
            }
        } else if self.settings.is_lazy() {
            for index in 0..target {
                self.insert(index);
            }
        }
        // A made-up checkpoint need not lie where the search comes by.
        self.pos = target;
        self.base = target.saturating_sub(state.back as usize);
        self.block.clear();
        self.bits = checkpoint.writer();
        self.available = state.pending;
        self.start = Some(target - usize::from(state.pending));
        self.block_len = 0;
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
        if self.wanted.is_none_or(|at| plain < at) || self.uninserted > 0 {
            return;
        }
        let attempts = if self.settings.enters_all() {
            &[0]
        } else {
            &WARM[..]
        };
        let matched = self.available && self.length >= MIN_MATCH;
        for &warm in attempts {
            let Some(from) = self.base.checked_sub(usize::from(warm) * self.window) else {
                continue;
            };
            let state = WindowState {
                back: (self.pos - self.base) as u32,
                pending: self.available,
                length: if self.available {
                    self.length as u16
                } else {
                    0
                },
                distance: if matched { self.distance as u16 } else { 0 },
                warm,
            };
            let checkpoint = Checkpoint::new(plain, &self.bits, State::Window(state));
            let origin = self.origin.wrapping_add(from as u32);
            let history = &self.buffer[from..self.pos];
            let mut other = Self::resume_at(self.settings, &checkpoint, history, origin);
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
            && (!self.available || self.length == other.length)
            && self.chain.agrees(&other.chain, base, at)
    }

    fn make_room(&mut self) {
        let kept = if self.settings.enters_all() {
            0
        } else {
            KEPT * self.window
        };
        let drop = self.base.saturating_sub(kept);
        self.buffer.drain(..drop);
        self.pos -= drop;
        self.base -= drop;
        self.dropped += drop as u64;
        self.start = self.start.and_then(|s| s.checked_sub(drop));
        self.origin = self.origin.wrapping_add(drop as u32);
        self.chain.sweep(self.origin);
    }

    #[inline]
    fn max_distance(&self) -> usize {
        self.window - LOOKAHEAD
    }

    /// Slides the window when zlib would: it is low on input and far into the window.
    fn slide(&mut self, flush: bool) {
        loop {
            let lookahead = self.buffer.len().min(self.base + 2 * self.window) - self.pos;
            if lookahead >= LOOKAHEAD {
                return;
            }
            if self.settings.gnu && flush && self.buffer.len() <= self.base + 2 * self.window {
                // gzip asks for input once more and then knows that there is none.
                if std::mem::replace(&mut self.ended, true) {
                    return;
                }
            }
            if self.pos - self.base < self.window + self.max_distance() {
                return;
            }
            self.base += self.window;
            self.start = self.start.filter(|&s| s >= self.base);
        }
    }

    /// Enters the string at `pos` in its chain; the distance to the one before, 0 if too far.
    #[inline]
    fn insert(&mut self, pos: usize) -> usize {
        let Some(&[a, b, c]) = self.buffer.get(pos..pos + 3).and_then(|s| s.first_chunk()) else {
            return 0;
        };
        let hash = (usize::from(a) << (2 * self.hash_shift))
            ^ (usize::from(b) << self.hash_shift)
            ^ usize::from(c);
        let absolute = self.origin.wrapping_add(pos as u32);
        let distance = self.chain.insert(hash & self.hash_mask, absolute);
        if distance <= self.window { distance } else { 0 }
    }

    /// The longest match above `best` bytes; the caller checked the first distance.
    #[inline]
    fn find(
        &self,
        mut distance: usize,
        mut best: usize,
        lookahead: usize,
    ) -> Option<(usize, usize)> {
        let (pos, buffer) = (self.pos, self.buffer.as_slice());
        // The window's first byte is never matched: its index stands for "none".
        let reach = (self.max_distance() - 1).min((pos - self.base).saturating_sub(1));
        let longest = MAX_MATCH.min(lookahead);
        if best >= longest {
            return None;
        }
        let nice = self.effort.nice.min(longest);
        let mut tries = self.effort.chain;
        if best >= self.effort.good {
            tries >>= 2;
        }
        let absolute = self.origin.wrapping_add(pos as u32);
        let mut found = None;
        let pair = |at: usize| buffer.get(at..at + 2);
        let mut tail = pair(pos + best - 1);
        loop {
            let candidate = pos - distance;
            if pair(candidate + best - 1) == tail {
                let n = common_prefix(buffer, candidate, pos, longest);
                if n > best {
                    best = n;
                    found = Some((n, distance));
                    if n >= nice {
                        break;
                    }
                    tail = pair(pos + best - 1);
                }
            }
            let step = self.chain.step(absolute, distance);
            distance += step;
            tries -= 1;
            if step == 0 || distance > reach || tries == 0 {
                break;
            }
        }
        found
    }

    fn run(&mut self, flush: bool) {
        if let Some(resuming) = &self.resuming {
            let target = resuming.1;
            if !flush && self.buffer.len() < target + LOOKAHEAD {
                return;
            }
            if let Some(resuming) = self.resuming.take() {
                self.warm_up(&resuming.0, target);
            }
        }
        let end = self.buffer.len();
        while end - self.pos >= LOOKAHEAD || (flush && end > self.pos) {
            if self.fresh {
                self.fresh = false;
                self.take_checkpoint();
            }
            self.slide(flush);
            self.insert_late();
            self.step();
        }
    }

    /// One place in the input; some is left.
    #[inline]
    fn step(&mut self) {
        let lookahead = self.buffer.len() - self.pos;
        match (self.settings.strategy, self.settings.level) {
            (Strategy::HuffmanOnly, _) => self.step_literal(),
            (Strategy::Rle, _) => self.step_rle(lookahead),
            (_, 0..=3) => self.step_fast(lookahead),
            _ => self.step_lazy(lookahead),
        }
    }

    /// Strings at the end of a flush get their hash once the bytes after them are known.
    fn insert_late(&mut self) {
        while self.uninserted > 0 && self.buffer.len() >= self.pos - self.uninserted + MIN_MATCH {
            self.insert(self.pos - self.uninserted);
            self.uninserted -= 1;
        }
    }

    /// The distance of the first candidate if it is within reach.
    #[inline]
    fn candidate(&mut self, lookahead: usize) -> Option<usize> {
        let distance = if lookahead >= MIN_MATCH {
            self.insert(self.pos)
        } else {
            0
        };
        // At the end of the input gzip may stand where it does not search any more.
        if self.settings.gnu && self.pos - self.base > 2 * self.window - LOOKAHEAD {
            return None;
        }
        (distance != 0 && distance <= self.max_distance() && distance < self.pos - self.base)
            .then_some(distance)
    }

    #[inline]
    fn step_lazy(&mut self, lookahead: usize) {
        let candidate = self.candidate(lookahead);
        let (length, previous) = (self.length, self.distance);
        self.length = MIN_MATCH - 1;
        if let Some(distance) = candidate
            && length < self.effort.lazy
            && let Some((n, distance)) = self.find(distance, length, lookahead)
        {
            let poor = n == MIN_MATCH && distance > TOO_FAR;
            if !(poor || (n <= 5 && self.settings.strategy == Strategy::Filtered)) {
                self.length = n;
                self.distance = distance;
            }
        }
        if length >= MIN_MATCH && self.length <= length {
            self.block.add_match(length, previous);
            // Until here zlib stands at the match's second byte.
            let full = self.is_full(self.block_len + 1);
            for index in self.pos + 1..self.pos + length - 1 {
                self.insert(index);
            }
            self.pos += length - 1;
            self.block_len += length;
            self.available = false;
            self.length = MIN_MATCH - 1;
            if full {
                self.write_block(false);
            }
        } else if self.available {
            self.block.literal(self.buffer[self.pos - 1]);
            let full = self.is_full(self.block_len + 1);
            self.block_len += 1;
            if full {
                self.write_block(false);
            }
            self.pos += 1;
        } else {
            self.available = true;
            self.pos += 1;
        }
    }

    #[inline]
    fn step_fast(&mut self, lookahead: usize) {
        let found = self
            .candidate(lookahead)
            .and_then(|d| self.find(d, MIN_MATCH - 1, lookahead));
        let length = if let Some((length, distance)) = found {
            self.block.add_match(length, distance);
            length
        } else {
            self.block.literal(self.buffer[self.pos]);
            1
        };
        let full = self.is_full(self.block_len);
        let rest = lookahead - length;
        if length > 1 && length <= self.effort.lazy && (rest >= MIN_MATCH || self.settings.gnu) {
            for index in self.pos + 1..self.pos + length {
                self.insert(index);
            }
        }
        self.advance(length, full);
    }

    fn step_literal(&mut self) {
        self.block.literal(self.buffer[self.pos]);
        self.advance(1, self.block.tokens.len() == self.max_tokens);
    }

    /// Runs of one byte only.
    fn step_rle(&mut self, lookahead: usize) {
        let pos = self.pos;
        let run = if pos > 0 && lookahead >= MIN_MATCH {
            common_prefix(&self.buffer, pos - 1, pos, MAX_MATCH.min(lookahead))
        } else {
            0
        };
        let length = if run >= MIN_MATCH {
            self.block.add_match(run, 1);
            run
        } else {
            self.block.literal(self.buffer[pos]);
            1
        };
        self.advance(length, self.block.tokens.len() == self.max_tokens);
    }

    fn advance(&mut self, length: usize, full: bool) {
        self.pos += length;
        self.block_len += length;
        if full {
            self.write_block(false);
        }
    }

    /// Whether the block ends after this token; `len` are the bytes that gzip counts.
    #[inline]
    fn is_full(&self, len: usize) -> bool {
        let count = self.block.tokens.len();
        if self.settings.gnu && self.settings.level > 2 && count.is_multiple_of(1 << 12) {
            let rough = self.block.rough_bits() >> 3;
            if self.block.matches < count / 2 && rough < len / 2 {
                return true;
            }
        }
        count == self.max_tokens
    }

    fn write_block(&mut self, last: bool) {
        let end = self.start.map(|start| start + self.block_len);
        let plain = self
            .start
            .filter(|&start| start >= self.base)
            .and_then(|start| self.buffer.get(start..end?));
        let fixed = self.settings.strategy == Strategy::Fixed;
        self.block
            .write(&mut self.bits, plain, self.block_len, last, fixed);
        self.start = Some(self.pos);
        self.block_len = 0;
        self.fresh = true;
    }

    /// Everything so far becomes tokens.
    fn drain(&mut self) {
        self.run(true);
        if self.available {
            self.block.literal(self.buffer[self.pos - 1]);
            self.block_len += 1;
            self.available = false;
        }
        self.uninserted = self.pos.min(MIN_MATCH - 1);
    }
}

impl Encode for Deflate {
    fn write(&mut self, mut data: &[u8]) {
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

    fn flush(&mut self) {
        self.end_block();
        trees::write_stored(&mut self.bits, &[], false);
    }

    fn full_flush(&mut self) {
        self.flush();
        self.restart(&[]);
    }

    fn finish(&mut self) {
        self.drain();
        self.write_block(true);
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

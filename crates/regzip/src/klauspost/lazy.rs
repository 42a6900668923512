//! Levels 7 to 9 from 1.14.0 on: hash chains over a window of 64 KiB, lazy matching with a look at
//! where a match ends, steps over what does not match.
//!
//! It works on complete windows only, so that the sizes of writes make no difference.

use super::behaviour::LazyRule;
use super::effort::{Effort, Scale};
use super::estimate::double_bits;
use super::hasher::hash4;
use super::restart::Restart;
use super::tokens::Tokens;
use super::version::Version;
use super::writer::{BlockWriter, Plain};
use crate::coding::bits::BitWriter;
use crate::coding::huffman::{Code, build};
use crate::coding::token::{
    DISTANCE_EXTRA, LENGTH_CODE, LENGTH_EXTRA, MAX_MATCH, WINDOW, distance_code,
};
use crate::encode::{Encode, fill};
use crate::search::matching::{common_prefix, load32};

const MIN_MATCH: usize = 4;
const LOOKAHEAD: usize = MIN_MATCH + MAX_MATCH;
const BUFFER: usize = 2 * WINDOW;
const MAX_TOKENS: usize = 1 << 15;
const HASH_BITS: u32 = 17;
/// Positions are lowered from here on.
const REBASE: i32 = 1 << 28;
/// The bytes at a match's beginning that a better one may lack at first.
const SKIP: usize = 2;
/// Extra bits that a match at the largest distance is assumed to cost.
const WRAPPED_EXTRA: u8 = 6;

/// The encoder of levels 7 to 9.
pub(super) struct Lazy {
    effort: Effort,
    rule: LazyRule,
    writer: BlockWriter,
    tokens: Tokens,
    window: Vec<u8>,
    /// Indexes into `window`: the next byte to look at, the start of the block (`None` when it left
    /// the window), and from where on strings are not entered.
    index: usize,
    block: Option<usize>,
    insert_end: usize,
    /// Positions in the chains count from here.
    offset: i32,
    heads: Box<[i32]>,
    before: Box<[i32]>,
    /// The newest position with the hash of the string that was entered last.
    candidate: i32,
    pending: bool,
    /// All of the window is processed; every block is written as if it were the last.
    sync: bool,
    length: usize,
    distance: usize,
    /// Literals since the last match; it wraps.
    run: u16,
    /// What bytes cost as literals: by their codes, or the same for all.
    codes: [Code; 256],
    bits_a_byte: i32,
}

impl Lazy {
    pub(super) fn new(level: i8, version: Version) -> Self {
        let behaviour = version.behaviour();
        Self {
            effort: Effort::new(level, behaviour.lazy),
            rule: behaviour.lazy,
            writer: BlockWriter::new(level, &behaviour),
            tokens: Tokens::new(behaviour.whole_pieces),
            window: Vec::with_capacity(BUFFER),
            index: 0,
            block: Some(0),
            insert_end: 0,
            offset: 1,
            heads: vec![0; 1 << HASH_BITS].into_boxed_slice(),
            before: vec![0; WINDOW].into_boxed_slice(),
            candidate: -1,
            pending: false,
            sync: false,
            length: MIN_MATCH - 1,
            distance: 0,
            run: 0,
            codes: [Code::default(); 256],
            bits_a_byte: 8,
        }
    }

    /// Moves the window if its second half is full.
    fn shift(&mut self) {
        if self.index < BUFFER - LOOKAHEAD {
            return;
        }
        self.window.drain(..WINDOW);
        self.index -= WINDOW;
        self.block = self.block.and_then(|at| at.checked_sub(WINDOW));
        self.offset += WINDOW as i32;
        if self.offset > REBASE {
            let by = self.offset - 1;
            self.offset = 1;
            self.candidate -= by;
            for at in self.heads.iter_mut().chain(&mut self.before) {
                *at = (*at - by).max(0);
            }
        }
    }

    #[inline]
    fn hash(&self, at: usize) -> usize {
        hash4(u64::from(load32(&self.window, at)), HASH_BITS)
    }

    /// Enters the string at `at`; the newest one before it with the same hash.
    #[inline]
    fn insert(&mut self, at: usize) -> i32 {
        let hash = self.hash(at);
        let newest = std::mem::replace(&mut self.heads[hash], at as i32 + self.offset);
        self.before[at % WINDOW] = newest;
        newest
    }

    #[inline]
    fn insert_next(&mut self) {
        if self.index < self.insert_end {
            self.candidate = self.insert(self.index);
        }
    }

    #[inline]
    fn literal(&mut self, at: usize) {
        self.tokens.add_literals(&[self.window[at]]);
        self.end_full_block();
    }

    fn end_full_block(&mut self) {
        if self.tokens.list.len() == MAX_TOKENS {
            self.write_block();
        }
    }

    fn write_block(&mut self) {
        if self.index > 0 {
            let bytes = self
                .block
                .filter(|&block| block <= self.index)
                .map(|block| &self.window[block..self.index]);
            self.block = Some(self.index);
            let sync = self.sync;
            self.writer.dynamic(&mut self.tokens, Plain { bytes, sync });
        }
        self.tokens.reset();
    }

    /// What bytes would cost as literals, by the counts of those that come next.
    #[allow(clippy::cast_precision_loss)]
    fn weigh(&mut self) {
        let ahead = &self.window[self.index..];
        match self.effort.scale {
            Scale::Length => {}
            Scale::Entropy if self.sync => self.bits_a_byte = 8,
            Scale::Entropy => {
                let mut counts = [0u32; 256];
                for &byte in ahead {
                    counts[usize::from(byte)] += 1;
                }
                let bits = double_bits(&counts, ahead.len(), 0) as f64;
                self.bits_a_byte = (1.0 + bits / ahead.len() as f64) as i32;
            }
            Scale::Codes { .. } if ahead.is_empty() => {}
            Scale::Codes { .. } => {
                let ahead = if self.rule == LazyRule::Ahead {
                    &ahead[..ahead.len().min(MAX_TOKENS)]
                } else {
                    ahead
                };
                let mut counts = [0u16; 256];
                for &byte in ahead {
                    // Older versions count a window of equal bytes as none.
                    counts[usize::from(byte)] = counts[usize::from(byte)].wrapping_add(1);
                }
                build(&counts.map(u32::from), 15, &mut self.codes);
            }
        }
    }

    /// What a match saves, which has to be more than what any saved before.
    fn gain(&self, length: usize, distance: usize, before: i32) -> i32 {
        match self.effort.scale {
            Scale::Length => before + 1,
            Scale::Entropy => {
                length as i32 * self.bits_a_byte - (usize::BITS - distance.leading_zeros()) as i32
            }
            Scale::Codes { cost, .. } => {
                let bytes = &self.window[self.index..self.index + length];
                let literals: i32 = bytes
                    .iter()
                    .map(|&byte| i32::from(self.codes[usize::from(byte)].len))
                    .sum();
                // The code of the next larger distance is used; beyond the largest the look-up
                // wraps.
                let distance = match distance {
                    WINDOW => WRAPPED_EXTRA,
                    _ => DISTANCE_EXTRA[distance_code(distance)],
                };
                let length = LENGTH_EXTRA[usize::from(LENGTH_CODE[(length - 3) & 255])];
                literals - i32::from(distance) - cost - i32::from(length)
            }
        }
    }

    /// The best match at `index` among the candidates from `from` on.
    fn find(&self, mut from: usize, lookahead: usize) -> Option<(usize, usize)> {
        let (window, at) = (self.window.as_slice(), self.index);
        let longest = MAX_MATCH.min(lookahead);
        let nice = self.effort.nice.min(longest);
        let oldest = at.saturating_sub(WINDOW);
        let mut best = MIN_MATCH - 1;
        let mut gain = self.effort.least_gain(self.bits_a_byte);
        let mut found = None;
        for _ in 0..self.effort.chain {
            if window[from + best] == window[at + best] {
                let n = common_prefix(window, from, at, longest);
                if n > best {
                    let new = self.gain(n, at - from, gain);
                    if new > gain {
                        (best, gain) = (n, new);
                        found = Some((n, at - from));
                        if n >= nice {
                            break;
                        }
                    }
                }
            }
            if from <= oldest {
                break;
            }
            match usize::try_from(self.before[from % WINDOW] - self.offset) {
                Ok(next) if next >= oldest => from = next,
                _ => break,
            }
        }
        found
    }

    /// As [`Lazy::improve`] up to 1.15.14: another that is longer may begin at the same position.
    fn improve_in_place(&self, lookahead: usize, length: usize, distance: usize) -> (usize, usize) {
        let unchanged = (length, distance);
        let start = self.index - 1;
        if start + length + SKIP >= self.insert_end {
            return unchanged;
        }
        let oldest = self.index.saturating_sub(WINDOW);
        let newest = self.heads[self.hash(start + length - SKIP)] - self.offset;
        let from = match usize::try_from(newest - (length - SKIP) as i32) {
            Ok(from) if from > oldest => from,
            _ => return unchanged,
        };
        let n = common_prefix(&self.window, from, start, lookahead.min(MAX_MATCH));
        if n > length {
            (n, start - from)
        } else {
            unchanged
        }
    }

    /// Where a match ends, another may have begun a little later and be longer.
    fn improve(&mut self, lookahead: usize, length: usize, distance: usize) -> (usize, usize) {
        if self.rule < LazyRule::Cheaper {
            return self.improve_in_place(lookahead, length, distance);
        }
        let unchanged = (length, distance);
        let start = self.index - 1;
        if length >= MAX_MATCH - SKIP || start + length >= self.insert_end {
            return unchanged;
        }
        let oldest = self.index.saturating_sub(WINDOW);
        let newest = self.heads[self.hash(start + length)] - self.offset;
        let Ok(from) = usize::try_from(newest - length as i32) else {
            return unchanged;
        };
        if from <= oldest + SKIP || start - from == distance {
            return unchanged;
        }
        let limit = lookahead.min(MAX_MATCH + SKIP) - SKIP;
        let mut best = common_prefix(&self.window, from + SKIP, start + SKIP, limit);
        if best <= length {
            return unchanged;
        }
        for back in (0..SKIP).rev() {
            if best >= MAX_MATCH || self.window[start + back] != self.window[from + back] {
                for at in start..=start + back {
                    self.literal(at);
                    self.index += 1;
                    self.insert_next();
                }
                break;
            }
            best += 1;
        }
        (best, start - from)
    }

    /// Processes as much as the window allows; all of it with `sync`.
    fn run(&mut self, sync: bool) {
        self.sync = sync;
        let end = self.window.len();
        if end - self.index < LOOKAHEAD && !sync {
            return;
        }
        self.weigh();
        self.insert_end = end.saturating_sub(MIN_MATCH - 1);
        loop {
            let lookahead = end - self.index;
            if lookahead < LOOKAHEAD && !sync {
                return;
            }
            if lookahead == 0 {
                if std::mem::take(&mut self.pending) {
                    self.tokens.add_literals(&[self.window[self.index - 1]]);
                }
                if self.tokens.len() > 0 {
                    self.write_block();
                }
                return;
            }
            self.step(lookahead);
        }
    }

    fn step(&mut self, lookahead: usize) {
        self.insert_next();
        let (length, distance) = (self.length, self.distance);
        (self.length, self.distance) = (MIN_MATCH - 1, 0);
        let oldest = self.index.saturating_sub(WINDOW);
        if lookahead > length
            && length < self.effort.lazy
            && let Ok(from) = usize::try_from(self.candidate - self.offset)
            && from >= oldest
            && let Some(found) = self.find(from, lookahead)
        {
            (self.length, self.distance) = found;
        }
        if length >= MIN_MATCH && self.length <= length {
            let (length, distance) = self.improve(lookahead, length, distance);
            self.tokens.add_match(length, distance);
            let next = self.index + length - 1;
            for at in self.index + 1..next.min(self.insert_end) {
                self.insert(at);
            }
            self.index = next;
            self.pending = false;
            self.length = MIN_MATCH - 1;
            self.end_full_block();
            self.run = 0;
            return;
        }
        if self.length >= MIN_MATCH {
            self.run = 0;
        }
        if self.pending {
            self.run = self.run.wrapping_add(1);
            self.literal(self.index - 1);
            self.index += 1;
            self.skip();
        } else {
            self.index += 1;
            self.pending = true;
        }
    }

    /// After a long run of literals the search leaves entries out.
    fn skip(&mut self) {
        let over = i32::from(self.run) - self.effort.chain;
        if over <= 0 {
            return;
        }
        for _ in 0..=over >> 6 {
            if self.index + 1 >= self.window.len() {
                break;
            }
            self.literal(self.index - 1);
            self.insert_next();
            self.index += 1;
        }
        self.pending = false;
        self.literal(self.index - 1);
    }
}

impl Encode for Lazy {
    fn write(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            if self.window.len() == BUFFER {
                self.run(false);
            }
            self.shift();
            data = fill(&mut self.window, BUFFER, data);
        }
    }

    fn flush(&mut self) {
        self.run(true);
        self.writer.flush_mark();
    }

    fn finish(&mut self) {
        self.run(true);
        self.writer.finish();
    }

    fn output(&mut self) -> &mut Vec<u8> {
        &mut self.writer.bits.out
    }
}

impl Restart for Lazy {
    fn restart(&mut self, dictionary: &[u8]) {
        self.writer.reset();
        self.tokens.reset();
        self.window.clear();
        self.window.extend_from_slice(dictionary);
        self.heads.fill(0);
        self.before.fill(0);
        self.offset = 1;
        for at in 0..dictionary.len().saturating_sub(MIN_MATCH - 1) {
            self.insert(at);
        }
        self.index = dictionary.len();
        // The block begins with the dictionary: what may be stored includes it.
        self.block = Some(0);
        self.insert_end = 0;
        self.candidate = -1;
        self.pending = false;
        self.length = MIN_MATCH - 1;
        self.distance = 0;
        self.run = 0;
    }

    fn bits(&self) -> &BitWriter {
        &self.writer.bits
    }
}

//! Go's `compress/flate` up to 1.26, levels 2 to 9: hash chains over a sliding window of 64 KiB,
//! lazy matching from level 4 on.

use std::collections::VecDeque;

use super::block;
use crate::bits::BitWriter;
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
const HASH_BITS: u32 = 17;
const MAX_TOKENS: usize = 1 << 14;
/// Work needs this much input ahead, except at a flush.
const LOOKAHEAD: usize = MIN_MATCH + MAX_MATCH;
/// From here on in its window of 64 KiB, Go shifts before it takes more input.
const SHIFT_AT: usize = 2 * WINDOW - LOOKAHEAD;
/// Size of the buffer that holds the window and what is not processed yet.
const BUFFER: usize = 1 << 20;
/// Head entries are compared modulo 2^32, so that old ones are swept before they can alias.
const SWEEP: u32 = 1 << 30;
/// How many sensitive places are remembered: more than one block can pass.
const SENSITIVE: usize = 32;

/// The encoder of levels 2 to 9.
#[derive(Clone)]
pub(crate) struct Lazy {
    effort: Effort,
    bits: BitWriter,
    /// Input from `base` on, in places more.
    buffer: Vec<u8>,
    /// The position of `buffer[0]`, modulo 2^32, and how far the head entries are swept.
    origin: u32,
    swept: u32,
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
    /// Position of the newest string with a hash.
    head: Box<[u32]>,
    /// Distance from a position to the one before it in its chain; 0 ends the chain.
    prev: Box<[u16; WINDOW]>,
    /// A write ended here: if Go's index was far enough, its next write shifts at once.
    boundary: bool,
}

impl Lazy {
    #[allow(clippy::large_stack_arrays, reason = "it goes to the heap at once")]
    pub(crate) fn new(level: u8) -> Self {
        // Positions start far enough from the zeros in `head` for those to be out of reach.
        let origin = 1 << 17;
        Self {
            effort: effort(level),
            bits: BitWriter::default(),
            buffer: Vec::with_capacity(BUFFER),
            origin,
            swept: origin,
            dropped: 0,
            sensitive: VecDeque::with_capacity(SENSITIVE),
            pos: 0,
            base: 0,
            block: Some(0),
            pending: false,
            length: MIN_MATCH - 1,
            distance: 0,
            tokens: Vec::with_capacity(MAX_TOKENS),
            head: vec![0; 1 << HASH_BITS].into_boxed_slice(),
            prev: Box::new([0; WINDOW]),
            boundary: false,
        }
    }

    /// Drops what lies before the window once the buffer is full, and sweeps old head entries.
    fn make_room(&mut self) {
        let drop = self.base;
        self.buffer.drain(..drop);
        self.pos -= drop;
        self.base = 0;
        self.dropped += drop as u64;
        self.block = self.block.and_then(|b| b.checked_sub(drop));
        self.origin = self.origin.wrapping_add(drop as u32);
        if self.origin.wrapping_sub(self.swept) >= SWEEP {
            self.swept = self.origin;
            let oldest = self.origin.wrapping_sub(1 << 17);
            for head in &mut self.head {
                if self.origin.wrapping_sub(*head) > 1 << 17
                    && head.wrapping_sub(self.origin) > 1 << 21
                {
                    *head = oldest;
                }
            }
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

    /// Enters the string at `pos` in its chain; the distance to the previous one, 0 if too far.
    #[inline]
    fn insert(&mut self, pos: usize) -> usize {
        let hash = load32(&self.buffer, pos)
            .swap_bytes()
            .wrapping_mul(0x1e35_a7bd)
            >> (32 - HASH_BITS);
        let absolute = self.origin.wrapping_add(pos as u32);
        let slot = &mut self.head[hash as usize];
        let distance = absolute.wrapping_sub(*slot);
        *slot = absolute;
        let distance = if distance <= WINDOW as u32 {
            distance
        } else {
            0
        };
        self.prev[absolute as usize % WINDOW] = distance as u16;
        distance as usize
    }

    /// The longest match at `pos` above `best` bytes, the nearest of equals.
    ///
    /// `distance` is that of the first candidate. Go starts at three bytes and drops a result that
    /// is not longer than the pending match; starting there gives the same and rejects more.
    #[inline]
    fn find(
        &self,
        mut distance: usize,
        mut best: usize,
        lookahead: usize,
    ) -> Option<(usize, usize)> {
        let (pos, buffer) = (self.pos, self.buffer.as_slice());
        let reach = WINDOW.min(pos - self.base);
        let longest = MAX_MATCH.min(lookahead);
        let nice = self.effort.nice.min(longest);
        let absolute = self.origin.wrapping_add(pos as u32) as usize;
        let mut found = None;
        let mut tries = self.effort.chain;
        let mut tail = load32(buffer, pos + best - 3);
        while distance <= reach {
            let candidate = pos - distance;
            if load32(buffer, candidate + best - 3) == tail {
                let n = common_prefix(buffer, candidate, pos, longest);
                if n > best && (n > MIN_MATCH || distance <= NEAR) {
                    best = n;
                    found = Some((n, distance));
                    if n >= nice {
                        break;
                    }
                    tail = load32(buffer, pos + best - 3);
                }
            }
            tries -= 1;
            let step = usize::from(self.prev[absolute.wrapping_sub(distance) % WINDOW]);
            if tries == 0 || step == 0 || distance == WINDOW {
                break;
            }
            distance += step;
        }
        found
    }

    /// Processes what can be processed; everything when `flush` is set.
    fn run(&mut self, flush: bool) {
        let end = self.buffer.len();
        loop {
            let lookahead = end - self.pos;
            if lookahead < LOOKAHEAD {
                if !flush {
                    return;
                }
                if lookahead == 0 {
                    self.finish_block();
                    return;
                }
            }
            if self.pos - self.base == SHIFT_AT && lookahead >= LOOKAHEAD {
                self.note_sensitive();
            }
            if self.pos - self.base > SHIFT_AT && end > self.base + 2 * WINDOW {
                self.shift();
            }
            let distance = if lookahead > MIN_MATCH - 1 {
                self.insert(self.pos)
            } else {
                0
            };
            if let Some(greedy) = self.effort.greedy {
                self.step_greedy(distance, lookahead, greedy);
            } else {
                self.step_lazy(distance, lookahead);
            }
        }
    }

    #[inline]
    fn step_lazy(&mut self, distance: usize, lookahead: usize) {
        let (length, previous) = (self.length, self.distance);
        self.length = MIN_MATCH - 1;
        self.distance = 0;
        if distance != 0
            && lookahead > length
            && length < self.effort.lazy
            && let Some((n, d)) = self.find(distance, length, lookahead)
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
    fn step_greedy(&mut self, distance: usize, lookahead: usize, greedy: usize) {
        let found = if distance == 0 {
            None
        } else {
            self.find(distance, MIN_MATCH - 1, lookahead)
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

    fn output(&mut self) -> &mut Vec<u8> {
        &mut self.bits.out
    }
}

//! Go's `compress/flate` up to 1.26, levels 2 to 9: hash chains over a sliding window of 64 KiB,
//! lazy matching from level 4 on.

use std::collections::VecDeque;

use super::block::{self, Tokens};
use super::greedy::Greedy;
use crate::checkpoint::{Checkpoint, Slot};
use crate::coding::bits::BitWriter;
use crate::coding::token::{MAX_MATCH, WINDOW};
use crate::encode::{Encode, fill};
use crate::search::ahead::Ahead;
use crate::search::chain::ORIGIN;
use crate::search::links::{START, STRING};
use strings::{Effort, FOURS, Fours, effort};

mod checkpoints;
mod steps;
mod strings;

const MIN_MATCH: usize = 4;
const MAX_TOKENS: usize = 1 << 14;
/// Work needs this much input ahead, except at a flush.
const LOOKAHEAD: usize = MIN_MATCH + MAX_MATCH;
/// From here on in its window of 64 KiB, Go shifts before it takes more input.
const SHIFT_AT: usize = 2 * WINDOW - LOOKAHEAD;
/// Size of the buffer that holds the window and what is not processed yet.
const BUFFER: usize = 1 << 20;
/// What is kept in the buffer so that windows can be searched again at a checkpoint.
const KEPT: usize = 4 * WINDOW;
/// How many sensitive positions are remembered: more than one block can pass.
const SENSITIVE: usize = 32;

/// Levels 2 and 3 enter strings as they go, the others all of them and ahead.
#[derive(Clone)]
enum Search {
    Greedy(Greedy),
    Lazy(Effort, Ahead<Fours, FOURS>),
}

/// The encoder of levels 2 to 9.
#[derive(Clone)]
pub(crate) struct Lazy {
    level: u8,
    search: Search,
    bits: BitWriter,
    /// Input from `base` on, and for some levels some of what was before.
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
    /// The last position that is in no chain, plus one.
    skipped: usize,
    /// A write ended here: if Go's index was far enough, its next write shifts at once.
    boundary: bool,
    /// A block was written and the next token is still to come.
    fresh: bool,
    slot: Slot,
    /// The checkpoint to resume from and its position, until the tables are filled.
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
            _ => Search::Lazy(effort(level), Ahead::new(Fours)),
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
            skipped: 0,
            boundary: false,
            fresh: false,
            slot: Slot::default(),
            resuming: None,
        }
    }

    /// Drops what lies before the window once the buffer is full.
    fn drop_front(&mut self) {
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
        self.skipped = self.skipped.saturating_sub(drop);
        match &mut self.search {
            Search::Greedy(greedy) => greedy.sweep(self.origin),
            Search::Lazy(_, ahead) => ahead.drop_front(drop),
        }
    }

    /// Go's index is where it shifts only if a write ended just now: the only position at which the sizes of
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
                self.drop_front();
            }
            data = fill(&mut self.buffer, BUFFER, data);
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

    fn slot(&mut self) -> Option<&mut Slot> {
        Some(&mut self.slot)
    }

    fn output(&mut self) -> &mut Vec<u8> {
        &mut self.bits.out
    }
}

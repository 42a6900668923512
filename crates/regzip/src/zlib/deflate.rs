//! zlib's `deflate` and GNU gzip's: hash chains over three bytes, lazy from level 4 on.

mod checkpoints;
mod search;
mod settings;
mod steps;
mod window;

use super::trees::{self, Block};
use crate::checkpoint::{Checkpoint, Slot};
use crate::coding::bits::BitWriter;
use crate::coding::token::Token;
use crate::encode::{Encode, fill};
use crate::search::chain::ORIGIN;
use search::Search;
use settings::{Effort, LOOKAHEAD, MIN_MATCH, effort};

pub use settings::Strategy;
pub(crate) use settings::{Family, Settings};

/// Matches of three bytes are not accepted from further away.
const TOO_FAR: usize = 4096;
const BUFFER: usize = 1 << 20;
/// Windows that stay in the buffer where a checkpoint may have them searched again.
const KEPT: usize = 4;

/// What is known of the input to come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// There may be more.
    More,
    /// There is none, but gzip has not tried to read it yet.
    Last,
    /// gzip has seen the end.
    Seen,
}

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
    search: Search,
    /// Positions before `pos` that lacked bytes for a hash at the last flush.
    uninserted: usize,
    rest: Rest,
    /// GNU gzip compares beyond the end of the input: so many bytes at the end of the buffer are for that.
    beyond: usize,
    /// A block was written and the next token is still to come.
    fresh: bool,
    slot: Slot,
    /// The checkpoint to resume from and its position, until the tables are filled.
    resuming: Option<Box<(Checkpoint, usize)>>,
}

impl Deflate {
    pub(crate) fn new(settings: Settings) -> Self {
        let search = Search::new(settings);
        let window = 1 << settings.window_bits;
        Self {
            settings,
            effort: effort(settings.level),
            bits: BitWriter::default(),
            block: Block::new(),
            max_tokens: settings.max_tokens(),
            buffer: Vec::with_capacity(BUFFER),
            origin: search.origin(),
            dropped: 0,
            pos: 0,
            base: 0,
            start: Some(0),
            block_len: 0,
            available: false,
            length: MIN_MATCH - 1,
            distance: 0,
            window,
            search,
            uninserted: 0,
            rest: Rest::More,
            beyond: 0,
            fresh: false,
            slot: Slot::default(),
            resuming: None,
        }
    }

    /// Starts over with another stream, after a dictionary; the output continues.
    pub(crate) fn restart(&mut self, dictionary: &[u8]) {
        let len = self.buffer.len();
        match &mut self.search {
            Search::Chain(_, chain) => {
                // So far on that nothing entered before is in reach.
                self.origin = self.origin.wrapping_add(len as u32 + ORIGIN);
                chain.sweep(self.origin);
            }
            Search::Links(ahead) => {
                ahead.start_over(len, self.origin);
                self.origin = self.origin.wrapping_add(len as u32);
            }
        }
        self.dropped += len as u64;
        self.buffer.clear();
        self.beyond = 0;
        self.buffer.extend_from_slice(dictionary);
        self.block.clear();
        self.pos = dictionary.len();
        self.base = 0;
        self.start = Some(self.pos);
        self.block_len = 0;
        self.available = false;
        self.length = MIN_MATCH - 1;
        self.uninserted = self.pos.min(MIN_MATCH - 1);
        self.rest = Rest::More;
        self.fresh = false;
        if let Search::Chain(..) = self.search {
            self.insert_all(0..self.pos - self.uninserted);
        }
    }

    /// Ends the current block without a mark.
    pub(crate) fn end_block(&mut self) {
        self.drain();
        if !self.block.tokens.is_empty() {
            self.write_block(false);
        }
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
        let end = self.end();
        while end - self.pos >= LOOKAHEAD || (flush && end > self.pos) {
            if self.fresh {
                self.fresh = false;
                self.take_checkpoint();
            }
            self.slide();
            self.enter_ahead();
            self.insert_late();
            self.step();
        }
    }

    #[inline]
    fn enter_ahead(&mut self) {
        let end = self.end();
        if let Search::Links(ahead) = &mut self.search {
            ahead.enter(&self.buffer[..end], self.pos, self.origin);
        }
    }

    /// Strings at the end of a flush get their hash once the bytes after them are known.
    fn insert_late(&mut self) {
        while self.uninserted > 0 && self.buffer.len() >= self.pos - self.uninserted + MIN_MATCH {
            self.insert(self.pos - self.uninserted);
            self.uninserted -= 1;
        }
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
        if self.settings.family == Family::Zlib {
            // zlib tries to read once more before it sees that there is no more input.
            self.slide();
        }
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
                self.drop_front();
            }
            data = fill(&mut self.buffer, BUFFER, data);
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
        self.rest = Rest::Last;
        self.drain();
        self.write_block(true);
    }

    fn slot(&mut self) -> Option<&mut Slot> {
        Some(&mut self.slot)
    }

    /// Ends of writes make a difference only near the end of a window, where zlib reads input.
    fn tokens(&self) -> Option<&[Token]> {
        Some(&self.block.tokens)
    }

    fn output(&mut self) -> &mut Vec<u8> {
        &mut self.bits.out
    }
}

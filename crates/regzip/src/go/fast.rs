//! Go's level 1: a Snappy-like search with one candidate a hash, over blocks of 65,535 bytes.

use super::block::{self, Tokens};
use crate::checkpoint::{Checkpoint, Progress, Resume, Slot, State, search_with_checkpoint};
use crate::coding::bits::BitWriter;
use crate::coding::token::{MAX_STORED, WINDOW};
use crate::encode::{Encode, fill};

mod checkpoints;
mod search;

use search::{Block, Entry, Search};

/// Go rebases its offsets here; the table is swept at the same age.
const SWEEP: u32 = 1 << 30;
/// No match reaches an entry so far back.
const FORGOTTEN: u32 = WINDOW as u32 + 1;

/// The encoder of level 1.
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
    search: Search<Entry>,
    progress: Progress,
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
            search: Search::new(),
            progress: Progress::default(),
        }
    }

    /// Resumes from a checkpoint, after the bytes before it that it needs.
    pub(crate) fn resume(checkpoint: &Checkpoint, history: &[u8]) -> Self {
        let mut new = Self::new();
        new.bits = checkpoint.writer();
        new.progress = Progress::at(checkpoint.plain);
        new.buffer.extend_from_slice(history);
        new.tokenize::<false>();
        new.next_piece(history.len());
        if let State::Piece(state) = &checkpoint.state {
            new.fix(&state.fixes);
        }
        new
    }

    /// Matches must not reach what came before: the positions jump by `distance`.
    fn forget(&mut self, distance: usize) {
        self.buffer.clear();
        self.start = 0;
        self.current = self.current.wrapping_add(distance as u32);
    }

    fn sweep(&mut self) {
        if self.current.wrapping_sub(self.swept) < SWEEP {
            return;
        }
        self.swept = self.current;
        for entry in self.search.table.iter_mut() {
            if self.current.wrapping_sub(entry.at) > WINDOW as u32 {
                entry.at = self.current.wrapping_sub(FORGOTTEN);
            }
        }
    }

    fn write_piece(&mut self) {
        let len = self.buffer.len() - self.start;
        if len < 128 {
            match len {
                0 => return,
                1..=16 => block::write_stored(&mut self.bits, &self.buffer[self.start..]),
                _ => block::write_literals(&mut self.bits, &self.buffer[self.start..]),
            }
            self.progress.add(len);
            self.forget(WINDOW);
            return;
        }
        self.sweep();
        if self.progress.is_wanted() && len.min(self.start) >= WINDOW {
            if let Some(checkpoint) = search_with_checkpoint(self) {
                self.progress.slot.put(checkpoint);
            }
        } else {
            self.tokenize::<true>();
        }
        self.progress.add(len);
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
        let block = Block {
            buffer: &self.buffer,
            start: self.start,
            at: self.current,
        };
        self.search.tokenize::<NOTE>(block, &mut self.tokens);
    }
}

impl Encode for Fast {
    fn write(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            if self.buffer.len() - self.start == MAX_STORED {
                self.write_piece();
            }
            data = fill(&mut self.buffer, self.start + MAX_STORED, data);
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

    fn slot(&mut self) -> Option<&mut Slot> {
        Some(&mut self.progress.slot)
    }

    fn output(&mut self) -> &mut Vec<u8> {
        &mut self.bits.out
    }
}

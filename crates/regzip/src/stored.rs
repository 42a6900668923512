//! Streams of stored blocks only, such as zlib's at level 0: how long the blocks are depends on the
//! caller's buffers, so that the ends of blocks are told.

use crate::bits::BitWriter;
use crate::checkpoint::{Checkpoint, PieceState, State};
use crate::encoder::Encode;
use crate::past::Past;

/// The most bytes that one stored block holds.
pub(crate) const MAX_STORED: usize = 65535;

/// Ends a block at each boundary, and where the format leaves no choice.
#[derive(Default)]
pub(crate) struct Stored {
    fixed_end: bool,
    bits: BitWriter,
    block: Vec<u8>,
    past: Past,
}

impl Stored {
    /// With an empty block of fixed codes at the end, or without.
    pub(crate) fn new(fixed_end: bool) -> Self {
        Self {
            fixed_end,
            ..Self::default()
        }
    }

    /// Goes on from a checkpoint; nothing before it matters.
    pub(crate) fn resume(fixed_end: bool, checkpoint: &Checkpoint) -> Self {
        let mut new = Self {
            bits: checkpoint.writer(),
            ..Self::new(fixed_end)
        };
        new.past.skip_to(checkpoint.plain);
        new
    }

    fn end_block(&mut self, last: bool) {
        self.bits.stored_header(self.block.len() as u16, last);
        self.bits.bytes(&self.block);
        self.past.add(self.block.len());
        self.block.clear();
    }
}

impl Encode for Stored {
    fn write(&mut self, mut data: &[u8]) {
        if self.block.is_empty() && !data.is_empty() && self.past.wants() {
            let state = State::Piece(PieceState::default());
            self.past
                .take(Checkpoint::new(self.past.plain(), &self.bits, state));
        }
        while !data.is_empty() {
            if self.block.len() == MAX_STORED {
                self.end_block(false);
            }
            let (now, later) = data.split_at(data.len().min(MAX_STORED - self.block.len()));
            self.block.extend_from_slice(now);
            data = later;
        }
    }

    fn boundary(&mut self) {
        self.end_block(false);
    }

    fn flush(&mut self) {
        self.end_block(false);
    }

    fn finish(&mut self) {
        if !self.fixed_end {
            return self.end_block(true);
        }
        if !self.block.is_empty() {
            self.end_block(false);
        }
        // The mark of a last block and of fixed codes; the end of a block is seven zeros.
        self.bits.put(0b011, 3 + 7);
        self.bits.align();
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

//! pigz: zlib on blocks of a fixed size, each with the end of the block before as dictionary.

use super::deflate::{Deflate, Settings};
use super::trees;
use crate::checkpoint::{Checkpoint, PieceState, State};
use crate::encoder::Encode;
use crate::past::Past;

/// Bytes of the block before that serve as dictionary.
pub(crate) const DICTIONARY: usize = 1 << 15;

/// The parallel writer, one block after the other.
pub(crate) struct Pigz {
    deflate: Deflate,
    block_size: usize,
    /// Blocks know nothing of those before.
    independent: bool,
    block: Vec<u8>,
    dictionary: Vec<u8>,
    past: Past,
}

impl Pigz {
    pub(crate) fn new(settings: Settings, block_size: usize, independent: bool) -> Self {
        Self {
            deflate: Deflate::new(settings),
            block_size,
            independent,
            block: Vec::new(),
            dictionary: Vec::new(),
            past: Past::default(),
        }
    }

    /// Goes on from a checkpoint, which lies between two blocks.
    pub(crate) fn resume(mut self, checkpoint: &Checkpoint, history: &[u8]) -> Self {
        self.dictionary.extend_from_slice(history);
        self.deflate.bits = checkpoint.writer();
        self.past.skip_to(checkpoint.plain);
        self
    }

    /// Writes a block that is not the last.
    fn end_block(&mut self) {
        self.deflate.restart(&self.dictionary);
        self.deflate.write(&self.block);
        self.deflate.end_block();
        let bits = &mut self.deflate.bits;
        let pending = bits.position() % 8;
        if self.independent {
            // Two marks, so that the start of a block can be found.
            trees::write_stored(bits, &[], false);
            trees::write_stored(bits, &[], false);
        } else if pending % 2 == 1 {
            trees::write_stored(bits, &[], false);
        } else {
            // Empty blocks with fixed codes, ten bits each, up to the next whole byte.
            while !bits.position().is_multiple_of(8) {
                bits.put(0b010, 10);
            }
        }
        self.past.add(&self.block);
        self.dictionary.clear();
        if !self.independent {
            let from = self.block.len().saturating_sub(DICTIONARY);
            self.dictionary.extend_from_slice(&self.block[from..]);
        }
        self.block.clear();
    }
}

impl Encode for Pigz {
    fn write(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            // Only now it is known that the block is not the last.
            if self.block.len() == self.block_size {
                self.end_block();
                if self.past.wants() {
                    let state = State::Piece(PieceState::default());
                    let checkpoint = Checkpoint::new(self.past.plain(), &self.deflate.bits, state);
                    self.past.take(checkpoint);
                }
            }
            let (now, later) = data.split_at(data.len().min(self.block_size - self.block.len()));
            self.block.extend_from_slice(now);
            data = later;
        }
    }

    /// pigz never does.
    fn flush(&mut self) {}

    fn finish(&mut self) {
        self.deflate.restart(&self.dictionary);
        self.deflate.write(&self.block);
        self.deflate.finish();
    }

    fn want_checkpoint(&mut self, after: u64) {
        self.past.want(after);
    }

    fn checkpoint(&mut self) -> Option<Checkpoint> {
        self.past.taken()
    }

    fn output(&mut self) -> &mut Vec<u8> {
        &mut self.deflate.bits.out
    }
}

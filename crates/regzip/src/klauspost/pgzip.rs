//! pgzip: blocks of a fixed size, each compressed with the end of the block before as dictionary,
//! flushed and put together.

use super::stream::Blocks;
use crate::checkpoint::{Checkpoint, PieceState, State};
use crate::encoder::Encode;
use crate::past::Past;

/// Bytes of the block before that serve as dictionary.
pub(crate) const TAIL: usize = 16384;

/// The parallel writer, one block after the other.
pub(crate) struct Pgzip {
    stream: Box<dyn Blocks>,
    block_size: usize,
    block: Vec<u8>,
    tail: Vec<u8>,
    past: Past,
    /// The block before is longer than what serves as dictionary, so that nothing before it matters.
    long: bool,
}

impl Pgzip {
    pub(crate) fn new(stream: Box<dyn Blocks>, block_size: usize) -> Self {
        Self {
            stream,
            block_size,
            block: Vec::new(),
            tail: Vec::new(),
            past: Past::default(),
            long: false,
        }
    }

    /// Goes on from a checkpoint, which lies between two blocks.
    pub(crate) fn resume(mut self, checkpoint: &Checkpoint, history: &[u8]) -> Self {
        self.tail.extend_from_slice(history);
        self.past.skip_to(checkpoint.plain);
        self
    }

    fn take_checkpoint(&mut self) {
        let state = State::Piece(PieceState::default());
        let bits = self.stream.bits();
        self.past
            .take(Checkpoint::new(self.past.plain(), bits, state));
    }

    fn end_block(&mut self) {
        self.stream.restart(&self.tail);
        self.stream.write(&self.block);
        self.stream.flush();
        self.past.add(self.block.len());
        self.long = self.block.len() > TAIL;
        self.tail.clear();
        if self.block.len() > TAIL {
            self.tail
                .extend_from_slice(&self.block[self.block.len() - TAIL..]);
        }
        self.block.clear();
    }
}

impl Encode for Pgzip {
    fn write(&mut self, mut data: &[u8]) {
        if self.long && self.block.is_empty() && !data.is_empty() && self.past.wants() {
            self.take_checkpoint();
        }
        while !data.is_empty() {
            let (now, later) = data.split_at(data.len().min(self.block_size - self.block.len()));
            self.block.extend_from_slice(now);
            data = later;
            if self.block.len() == self.block_size {
                self.end_block();
                if self.past.wants() && !data.is_empty() {
                    self.take_checkpoint();
                }
            }
        }
    }

    fn flush(&mut self) {
        self.end_block();
    }

    fn finish(&mut self) {
        self.end_block();
        self.stream.finish();
    }

    fn want_checkpoint(&mut self, after: u64) {
        self.past.want(after);
    }

    fn checkpoint(&mut self) -> Option<Checkpoint> {
        self.past.taken()
    }

    fn output(&mut self) -> &mut Vec<u8> {
        self.stream.output()
    }
}

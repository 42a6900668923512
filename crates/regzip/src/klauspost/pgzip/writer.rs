//! pgzip: blocks of a fixed size, each compressed with the end of the block before as dictionary,
//! flushed and put together.

use crate::checkpoint::{Checkpoint, PieceState, Progress, Slot, State};
use crate::encode::{Encode, fill};
use crate::klauspost::restart::Restart;

/// Bytes of the block before that serve as dictionary.
pub(super) const TAIL: usize = 16384;

/// The parallel writer, one block after the other.
pub(super) struct Writer {
    stream: Box<dyn Restart>,
    block_size: usize,
    block: Vec<u8>,
    tail: Vec<u8>,
    progress: Progress,
    /// The block before is longer than what serves as dictionary, so that nothing before it matters.
    long: bool,
}

impl Writer {
    pub(super) fn new(stream: Box<dyn Restart>, block_size: usize) -> Self {
        Self {
            stream,
            block_size,
            block: Vec::new(),
            tail: Vec::new(),
            progress: Progress::default(),
            long: false,
        }
    }

    /// Resumes from a checkpoint, which lies between two blocks.
    pub(super) fn resume(mut self, checkpoint: &Checkpoint, history: &[u8]) -> Self {
        self.tail.extend_from_slice(history);
        self.progress = Progress::at(checkpoint.plain);
        self
    }

    fn take_checkpoint(&mut self) {
        let state = State::Piece(PieceState::default());
        let bits = self.stream.bits();
        let checkpoint = Checkpoint::new(self.progress.plain(), bits, state);
        self.progress.slot.put(checkpoint);
    }

    fn end_block(&mut self) {
        self.stream.restart(&self.tail);
        self.stream.write(&self.block);
        self.stream.flush();
        self.progress.add(self.block.len());
        self.long = self.block.len() > TAIL;
        self.tail.clear();
        if self.block.len() > TAIL {
            self.tail
                .extend_from_slice(&self.block[self.block.len() - TAIL..]);
        }
        self.block.clear();
    }
}

impl Encode for Writer {
    fn write(&mut self, mut data: &[u8]) {
        if self.long && self.block.is_empty() && !data.is_empty() && self.progress.is_wanted() {
            self.take_checkpoint();
        }
        while !data.is_empty() {
            data = fill(&mut self.block, self.block_size, data);
            if self.block.len() == self.block_size {
                self.end_block();
                if self.progress.is_wanted() && !data.is_empty() {
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

    fn slot(&mut self) -> Option<&mut Slot> {
        Some(&mut self.progress.slot)
    }

    fn output(&mut self) -> &mut Vec<u8> {
        self.stream.output()
    }
}

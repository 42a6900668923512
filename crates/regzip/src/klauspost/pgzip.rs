//! pgzip: blocks of a fixed size, each compressed with the end of the block before as dictionary,
//! flushed and put together.

use super::stream::Stream;
use crate::encoder::Encode;

/// Bytes of the block before that serve as dictionary.
const TAIL: usize = 16384;

/// The parallel writer, one block after the other.
pub(crate) struct Pgzip {
    stream: Stream,
    block_size: usize,
    block: Vec<u8>,
    tail: Vec<u8>,
}

impl Pgzip {
    pub(crate) fn new(stream: Stream, block_size: usize) -> Self {
        Self {
            stream,
            block_size,
            block: Vec::new(),
            tail: Vec::new(),
        }
    }

    fn end_block(&mut self) {
        self.stream.restart(&self.tail);
        self.stream.write(&self.block);
        self.stream.flush();
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
        while !data.is_empty() {
            let (now, later) = data.split_at(data.len().min(self.block_size - self.block.len()));
            self.block.extend_from_slice(now);
            data = later;
            if self.block.len() == self.block_size {
                self.end_block();
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

    fn output(&mut self) -> &mut Vec<u8> {
        self.stream.output()
    }
}

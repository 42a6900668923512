//! Level -2: Huffman codes without matches, on pieces of 32 KiB.

use super::stream::{Blocks, Version};
use super::writer::BlockWriter;
use crate::bits::BitWriter;
use crate::encoder::Encode;

const PIECE: usize = 1 << 15;

/// The encoder of level -2.
pub(crate) struct HuffmanOnly {
    writer: BlockWriter,
    piece: Vec<u8>,
}

impl HuffmanOnly {
    pub(crate) fn new(version: Version) -> Self {
        Self {
            writer: BlockWriter::new(10, version >= Version::From1_18_2),
            piece: Vec::with_capacity(PIECE),
        }
    }

    fn write_piece(&mut self, sync: bool) {
        if !self.piece.is_empty() {
            self.writer.huffman(&self.piece, sync);
            self.piece.clear();
        }
    }
}

impl Encode for HuffmanOnly {
    fn write(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            if self.piece.len() == PIECE {
                self.write_piece(false);
            }
            let (now, later) = data.split_at(data.len().min(PIECE - self.piece.len()));
            self.piece.extend_from_slice(now);
            data = later;
        }
    }

    fn flush(&mut self) {
        self.write_piece(true);
        self.writer.flush_mark();
    }

    fn finish(&mut self) {
        self.write_piece(true);
        self.writer.finish();
    }

    fn output(&mut self) -> &mut Vec<u8> {
        &mut self.writer.bits.out
    }
}

impl Blocks for HuffmanOnly {
    /// A dictionary is of no use without matches.
    fn restart(&mut self, _dictionary: &[u8]) {
        self.writer.reset();
        self.piece.clear();
    }

    fn bits(&self) -> &BitWriter {
        &self.writer.bits
    }
}

//! Go's level 0 (stored) and level -2 (Huffman codes without matches).

use super::block::{self, MAX_STORED};
use crate::bits::BitWriter;
use crate::encoder::Encode;

/// Cuts the input in pieces of 65,535 bytes and writes each as one block.
#[derive(Clone)]
pub(crate) struct Simple {
    bits: BitWriter,
    piece: Vec<u8>,
    huffman: bool,
}

impl Simple {
    pub(crate) fn new(huffman: bool) -> Self {
        Self {
            bits: BitWriter::default(),
            piece: Vec::with_capacity(MAX_STORED),
            huffman,
        }
    }

    fn write_piece(&mut self) {
        if self.piece.is_empty() {
            return;
        }
        if self.huffman {
            block::write_literals(&mut self.bits, &self.piece);
        } else {
            block::write_stored(&mut self.bits, &self.piece);
        }
        self.piece.clear();
    }
}

impl Encode for Simple {
    fn write(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            if self.piece.len() == MAX_STORED {
                self.write_piece();
            }
            let (now, later) = data.split_at(data.len().min(MAX_STORED - self.piece.len()));
            self.piece.extend_from_slice(now);
            data = later;
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

    fn output(&mut self) -> &mut Vec<u8> {
        &mut self.bits.out
    }
}

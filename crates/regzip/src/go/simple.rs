//! Go's level 0 (stored) and level -2 (Huffman codes without matches).

use super::block::{self, MAX_STORED};
use crate::bits::BitWriter;
use crate::checkpoint::{Checkpoint, PieceState, State};
use crate::encoder::Encode;
use crate::past::Past;

/// Cuts the input in pieces of 65,535 bytes and writes each as one block.
#[derive(Clone)]
pub(crate) struct Simple {
    bits: BitWriter,
    piece: Vec<u8>,
    huffman: bool,
    past: Past,
}

impl Simple {
    pub(crate) fn new(huffman: bool) -> Self {
        Self {
            bits: BitWriter::default(),
            piece: Vec::with_capacity(MAX_STORED),
            huffman,
            past: Past::default(),
        }
    }

    /// Goes on from a checkpoint; nothing before it matters.
    pub(crate) fn resume(huffman: bool, checkpoint: &Checkpoint) -> Self {
        let mut new = Self::new(huffman);
        new.bits = checkpoint.writer();
        new.past.skip_to(checkpoint.plain);
        new
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
        self.past.add(self.piece.len());
        self.piece.clear();
    }
}

impl Encode for Simple {
    fn write(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            if self.piece.len() == MAX_STORED {
                self.write_piece();
                if self.past.wants() {
                    let state = State::Piece(PieceState::default());
                    let checkpoint = Checkpoint::new(self.past.plain(), &self.bits, state);
                    self.past.take(checkpoint);
                }
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

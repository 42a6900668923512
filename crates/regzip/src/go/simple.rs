//! Go's level 0 (stored) and level -2 (Huffman codes without matches).

use super::block;
use crate::checkpoint::{Checkpoint, PieceState, Progress, Slot, State};
use crate::coding::bits::BitWriter;
use crate::coding::token::MAX_STORED;
use crate::encode::{Encode, fill};

/// Cuts the input in pieces of 65,535 bytes and writes each as one block.
#[derive(Clone)]
pub(crate) struct Simple {
    bits: BitWriter,
    piece: Vec<u8>,
    huffman: bool,
    progress: Progress,
}

impl Simple {
    pub(crate) fn new(huffman: bool) -> Self {
        Self {
            bits: BitWriter::default(),
            piece: Vec::with_capacity(MAX_STORED),
            huffman,
            progress: Progress::default(),
        }
    }

    /// Resumes from a checkpoint; nothing before it matters.
    pub(crate) fn resume(huffman: bool, checkpoint: &Checkpoint) -> Self {
        let mut new = Self::new(huffman);
        new.bits = checkpoint.writer();
        new.progress = Progress::at(checkpoint.plain);
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
        self.progress.add(self.piece.len());
        self.piece.clear();
    }
}

impl Encode for Simple {
    fn write(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            if self.piece.len() == MAX_STORED {
                self.write_piece();
                if self.progress.is_wanted() {
                    let state = State::Piece(PieceState::default());
                    let checkpoint = Checkpoint::new(self.progress.plain(), &self.bits, state);
                    self.progress.slot.put(checkpoint);
                }
            }
            data = fill(&mut self.piece, MAX_STORED, data);
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

//! Level -2: Huffman codes without matches, on pieces of a fixed size.

use super::restart::Restart;
use super::version::Version;
use super::writer::BlockWriter;
use crate::checkpoint::{Checkpoint, PieceState, Progress, Slot, State};
use crate::coding::bits::BitWriter;
use crate::encode::{Encode, fill};

/// The encoder of level -2.
pub(super) struct HuffmanOnly {
    writer: BlockWriter,
    piece: Vec<u8>,
    size: usize,
    progress: Progress,
}

impl HuffmanOnly {
    pub(super) fn new(version: Version) -> Self {
        let behaviour = version.behaviour();
        Self {
            writer: BlockWriter::new(-2, &behaviour),
            piece: Vec::with_capacity(behaviour.plain_block),
            size: behaviour.plain_block,
            progress: Progress::default(),
        }
    }

    /// Resumes from a checkpoint; nothing before it is looked at.
    pub(super) fn resume(mut self, checkpoint: &Checkpoint) -> Self {
        self.writer.resume(checkpoint);
        self.progress = Progress::at(checkpoint.plain);
        self
    }

    #[cold]
    fn take_checkpoint(&mut self) {
        let open = self.writer.open_block().map(Box::new);
        let state = State::Piece(PieceState {
            open,
            ..PieceState::default()
        });
        let checkpoint = Checkpoint::new(self.progress.plain(), &self.writer.bits, state);
        self.progress.slot.put(checkpoint);
    }

    fn write_piece(&mut self, sync: bool) {
        if !self.piece.is_empty() {
            self.writer.huffman(&self.piece, sync);
            self.progress.add(self.piece.len());
            self.piece.clear();
        }
    }
}

impl Encode for HuffmanOnly {
    fn write(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            if self.piece.len() == self.size {
                self.write_piece(false);
                if self.progress.is_wanted() {
                    self.take_checkpoint();
                }
            }
            data = fill(&mut self.piece, self.size, data);
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

    fn slot(&mut self) -> Option<&mut Slot> {
        Some(&mut self.progress.slot)
    }

    fn output(&mut self) -> &mut Vec<u8> {
        &mut self.writer.bits.out
    }
}

impl Restart for HuffmanOnly {
    /// A dictionary is of no use without matches.
    fn restart(&mut self, _dictionary: &[u8]) {
        self.writer.reset();
        self.piece.clear();
    }

    fn bits(&self) -> &BitWriter {
        &self.writer.bits
    }
}

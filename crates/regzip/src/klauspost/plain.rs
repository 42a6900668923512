//! Level -2: Huffman codes without matches, on pieces of a fixed size.

use super::stream::Blocks;
use super::version::Version;
use super::writer::BlockWriter;
use crate::bits::BitWriter;
use crate::checkpoint::{Checkpoint, PieceState, State};
use crate::encoder::Encode;
use crate::past::Past;

/// The encoder of level -2.
pub(crate) struct HuffmanOnly {
    writer: BlockWriter,
    piece: Vec<u8>,
    size: usize,
    past: Past,
}

impl HuffmanOnly {
    pub(crate) fn new(version: Version) -> Self {
        let habits = version.habits();
        Self {
            writer: BlockWriter::new(-2, &habits),
            piece: Vec::with_capacity(habits.plain_block),
            size: habits.plain_block,
            past: Past::default(),
        }
    }

    /// Goes on from a checkpoint; nothing before it is looked at.
    pub(crate) fn resume(mut self, checkpoint: &Checkpoint) -> Self {
        self.writer.resume(checkpoint);
        self.past.skip_to(checkpoint.plain);
        self
    }

    #[cold]
    fn take_checkpoint(&mut self) {
        let open = self.writer.open_block().map(Box::new);
        let state = State::Piece(PieceState {
            open,
            ..PieceState::default()
        });
        self.past
            .take(Checkpoint::new(self.past.plain(), &self.writer.bits, state));
    }

    fn write_piece(&mut self, sync: bool) {
        if !self.piece.is_empty() {
            self.writer.huffman(&self.piece, sync);
            self.past.add(self.piece.len());
            self.piece.clear();
        }
    }
}

impl Encode for HuffmanOnly {
    fn write(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            if self.piece.len() == self.size {
                self.write_piece(false);
                if self.past.wants() {
                    self.take_checkpoint();
                }
            }
            let (now, later) = data.split_at(data.len().min(self.size - self.piece.len()));
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

    fn want_checkpoint(&mut self, after: u64) {
        self.past.want(after);
    }

    fn checkpoint(&mut self) -> Option<Checkpoint> {
        self.past.taken()
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

//! pigz: zlib on blocks of a fixed size, each with the end of the block before as dictionary.

use crate::checkpoint::{Checkpoint, PieceState, Progress, Slot, State};
use crate::coding::bits::BitWriter;
use crate::coding::token::WINDOW;
use crate::encode::{Encode, fill};
use crate::rolling_hash::RollingHash;
use crate::zlib::deflate::{Deflate, Settings};
use crate::zlib::trees;

/// Bytes of the block before that serve as dictionary.
pub(super) const DICTIONARY: usize = WINDOW;

/// How pigz cuts its input.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    pub(super) block_size: usize,
    /// Blocks know nothing of those before.
    pub(super) independent: bool,
    /// The content says where pieces end; a block ends where the last piece in it does.
    pub(super) rsyncable: bool,
}

/// The parallel writer, one block after the other.
pub(super) struct Writer {
    deflate: Deflate,
    cut: Cut,
    block: Vec<u8>,
    dictionary: Vec<u8>,
    hash: RollingHash,
    /// Where in the block pieces end.
    hits: Vec<usize>,
    progress: Progress,
}

impl Writer {
    pub(super) fn new(settings: Settings, cut: Cut) -> Self {
        Self {
            deflate: Deflate::new(settings),
            cut,
            block: Vec::new(),
            dictionary: Vec::new(),
            hash: RollingHash::default(),
            hits: Vec::new(),
            progress: Progress::default(),
        }
    }

    /// Resumes from a checkpoint, which lies between two blocks.
    pub(super) fn resume(mut self, checkpoint: &Checkpoint, history: &[u8]) -> Self {
        self.dictionary.extend_from_slice(history);
        self.deflate.bits = checkpoint.writer();
        self.progress = Progress::at(checkpoint.plain);
        self
    }

    /// Finds where pieces end in what was added to the block, from the index `from` on.
    fn find_ends(&mut self, from: usize) {
        if !self.cut.rsyncable {
            return;
        }
        for (index, &byte) in self.block.iter().enumerate().skip(from) {
            if self.hash.roll(byte) {
                self.hits.push(index + 1);
            }
        }
    }

    /// Writes the first `len` available bytes, a block, with all pieces in them. The last
    /// piece ends the stream if `last` is set.
    fn end_block(&mut self, len: usize, last: bool) {
        self.deflate.restart(&self.dictionary);
        let ends = self.hits.iter().take_while(|&&hit| hit < len).copied();
        let mut start = 0;
        for end in ends.chain([len]) {
            if start > 0 && self.cut.independent {
                self.deflate.restart(&[]);
            }
            self.deflate.write(&self.block[start..end]);
            start = end;
            if last && end == len {
                self.deflate.finish();
            } else {
                self.deflate.end_block();
                mark(&mut self.deflate.bits, self.cut.independent);
            }
        }
        self.progress.add(len);
        if !self.cut.independent {
            self.dictionary.extend_from_slice(&self.block[..len]);
            let from = self.dictionary.len().saturating_sub(DICTIONARY);
            self.dictionary.drain(..from);
        }
        self.block.drain(..len);
        self.hits.retain_mut(|hit| {
            let left = hit.checked_sub(len).filter(|&left| left > 0);
            *hit = left.unwrap_or(0);
            left.is_some()
        });
    }

    /// The length of the next block, while more follows the available bytes.
    fn next_len(&self) -> usize {
        self.hits.last().copied().unwrap_or(self.block.len())
    }

    /// Whether the rest lies in the last piece that pigz read: then it is one block.
    fn ends_with_a_read(&self) -> bool {
        let size = self.cut.block_size as u64;
        let start = self.progress.plain();
        start + self.block.len() as u64 <= (start / size + 1) * size
    }
}

/// Fills the last byte after a block, by empty blocks.
fn mark(bits: &mut BitWriter, independent: bool) {
    let pending = bits.position() % 8;
    if independent {
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
}

impl Encode for Writer {
    fn write(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            // Only now it is known that the block is not the last.
            if self.block.len() == self.cut.block_size {
                self.end_block(self.next_len(), false);
                if self.progress.is_wanted() {
                    let state = State::Piece(PieceState::default());
                    let checkpoint =
                        Checkpoint::new(self.progress.plain(), &self.deflate.bits, state);
                    self.progress.slot.put(checkpoint);
                }
            }
            let from = self.block.len();
            data = fill(&mut self.block, self.cut.block_size, data);
            self.find_ends(from);
        }
    }

    /// pigz never does.
    fn flush(&mut self) {}

    fn finish(&mut self) {
        while !self.hits.is_empty() && !self.ends_with_a_read() {
            let len = self.next_len();
            if len == self.block.len() {
                break;
            }
            self.end_block(len, false);
        }
        self.end_block(self.block.len(), true);
    }

    /// With `rsyncable` no checkpoints are taken, see the descriptor's limits.
    fn slot(&mut self) -> Option<&mut Slot> {
        (!self.cut.rsyncable).then_some(&mut self.progress.slot)
    }

    fn output(&mut self) -> &mut Vec<u8> {
        &mut self.deflate.bits.out
    }
}

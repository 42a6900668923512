//! pigz: zlib on blocks of a fixed size, each with the end of the block before as dictionary.

use super::deflate::{Deflate, Settings};
use super::trees;
use crate::bits::BitWriter;
use crate::checkpoint::{Checkpoint, PieceState, State};
use crate::encoder::Encode;
use crate::past::Past;

/// Bytes of the block before that serve as dictionary.
pub(crate) const DICTIONARY: usize = 1 << 15;

/// `--rsyncable` ends a block where the low bits of a running hash are these.
const HASH_MASK: u16 = (1 << 12) - 1;
const HASH_HIT: u16 = HASH_MASK >> 1;

/// The running hash, which says where pieces end.
#[derive(Clone, Copy)]
pub(crate) struct Hash(u16);

impl Default for Hash {
    fn default() -> Self {
        Self(HASH_HIT)
    }
}

impl Hash {
    /// Takes a byte; whether a piece ends after it.
    #[inline]
    pub(crate) fn roll(&mut self, byte: u8) -> bool {
        self.0 = ((self.0 << 1) ^ u16::from(byte)) & HASH_MASK;
        self.0 == HASH_HIT
    }
}

/// How pigz cuts its input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    pub(crate) block_size: usize,
    /// Blocks know nothing of those before.
    pub(crate) independent: bool,
    /// Blocks end at the last of the places inside them that the content chooses, and at each of these
    /// a piece ends.
    pub(crate) rsyncable: bool,
}

/// The parallel writer, one block after the other.
pub(crate) struct Pigz {
    deflate: Deflate,
    cut: Cut,
    block: Vec<u8>,
    dictionary: Vec<u8>,
    hash: Hash,
    /// Where in the block pieces end.
    hits: Vec<usize>,
    past: Past,
}

impl Pigz {
    pub(crate) fn new(settings: Settings, cut: Cut) -> Self {
        Self {
            deflate: Deflate::new(settings),
            cut,
            block: Vec::new(),
            dictionary: Vec::new(),
            hash: Hash::default(),
            hits: Vec::new(),
            past: Past::default(),
        }
    }

    /// Goes on from a checkpoint, which lies between two blocks.
    pub(crate) fn resume(mut self, checkpoint: &Checkpoint, history: &[u8]) -> Self {
        self.dictionary.extend_from_slice(history);
        self.deflate.bits = checkpoint.writer();
        self.past.skip_to(checkpoint.plain);
        self
    }

    /// Adds to the block, and finds where its pieces end.
    fn add(&mut self, data: &[u8]) {
        if self.cut.rsyncable {
            for (index, &byte) in data.iter().enumerate() {
                if self.hash.roll(byte) {
                    self.hits.push(self.block.len() + index + 1);
                }
            }
        }
        self.block.extend_from_slice(data);
    }

    /// Writes the first `len` bytes of what is at hand, a block, with all pieces in them. The last
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
        self.past.add(len);
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

    /// The length of the next block, while more comes after what is at hand.
    fn next_len(&self) -> usize {
        self.hits.last().copied().unwrap_or(self.block.len())
    }

    /// Whether the rest lies in the last piece that pigz read: then it is one block.
    fn ends_with_a_read(&self) -> bool {
        let size = self.cut.block_size as u64;
        let start = self.past.plain();
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

impl Encode for Pigz {
    fn write(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            // Only now it is known that the block is not the last.
            if self.block.len() == self.cut.block_size {
                self.end_block(self.next_len(), false);
                if self.past.wants() {
                    let state = State::Piece(PieceState::default());
                    let checkpoint = Checkpoint::new(self.past.plain(), &self.deflate.bits, state);
                    self.past.take(checkpoint);
                }
            }
            let (now, later) =
                data.split_at(data.len().min(self.cut.block_size - self.block.len()));
            self.add(now);
            data = later;
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

    /// Where the content chooses the ends of blocks, one shows only once the next block is at hand,
    /// so that nobody else could stop there.
    fn want_checkpoint(&mut self, after: u64) {
        if !self.cut.rsyncable {
            self.past.want(after);
        }
    }

    fn checkpoint(&mut self) -> Option<Checkpoint> {
        self.past.taken()
    }

    fn output(&mut self) -> &mut Vec<u8> {
        &mut self.deflate.bits.out
    }
}

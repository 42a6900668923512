//! Streams of stored blocks only, such as zlib's at level 0: how long the blocks are depends on the
//! caller's buffers, so that a recipe lists where they end.

use std::fmt::{Display, Formatter};

use crate::checkpoint::{Checkpoint, Limits, PieceLimits, PieceState, Progress, Slot, State};
use crate::clues::Clues;
use crate::coding::bits::BitWriter;
use crate::coding::token::MAX_STORED;
use crate::descriptor::{Descriptor, Rank, within};
use crate::encode::{Encode, fill};
use crate::error::Result;
use crate::varint::Fields;

/// Stored blocks only; the recipe lists their ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stored {
    /// An empty block of fixed codes ends the stream, as Go's from 1.27 on and klauspost's do;
    /// otherwise its last stored block does.
    pub fixed_end: bool,
}

impl Display for Stored {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str("stored blocks")?;
        f.write_str(if self.fixed_end {
            ", then a fixed one"
        } else {
            ""
        })
    }
}

impl Descriptor for Stored {
    const NUMBER: u8 = 7;
    type Opening = Self;

    fn put(self, out: &mut Vec<u8>) {
        out.push(u8::from(self.fixed_end));
    }

    fn get(fields: &mut Fields<'_>) -> Result<Self> {
        let fixed_end = within(fields, 0, 1)? == 1;
        Ok(Self { fixed_end })
    }

    fn candidates(_: &Clues) -> Vec<(Rank, Self)> {
        let ends = [false, true].into_iter();
        ends.map(|fixed_end| (Rank::LAST, Self { fixed_end }))
            .collect()
    }

    fn start(self) -> Box<dyn Encode> {
        Box::new(StoredWriter {
            fixed_end: self.fixed_end,
            ..StoredWriter::default()
        })
    }

    fn resume(self, checkpoint: &Checkpoint, _: &[u8]) -> Box<dyn Encode> {
        Box::new(StoredWriter {
            fixed_end: self.fixed_end,
            bits: checkpoint.writer(),
            progress: Progress::at(checkpoint.plain),
            ..StoredWriter::default()
        })
    }

    fn limits(self) -> Option<Limits> {
        Some(Limits::Piece(PieceLimits::independent(0)))
    }

    fn marks(self, _: u64, _: u64) -> bool {
        true
    }

    fn ends_blocks_with_writes(self) -> bool {
        true
    }
}

/// Ends a block at each boundary, and where the format leaves no choice.
#[derive(Default)]
struct StoredWriter {
    fixed_end: bool,
    bits: BitWriter,
    block: Vec<u8>,
    progress: Progress,
}

impl StoredWriter {
    fn end_block(&mut self, last: bool) {
        self.bits.stored_header(self.block.len() as u16, last);
        self.bits.bytes(&self.block);
        self.progress.add(self.block.len());
        self.block.clear();
    }
}

impl Encode for StoredWriter {
    fn write(&mut self, mut data: &[u8]) {
        if self.block.is_empty() && !data.is_empty() && self.progress.is_wanted() {
            let state = State::Piece(PieceState::default());
            let checkpoint = Checkpoint::new(self.progress.plain(), &self.bits, state);
            self.progress.slot.put(checkpoint);
        }
        while !data.is_empty() {
            if self.block.len() == MAX_STORED {
                self.end_block(false);
            }
            data = fill(&mut self.block, MAX_STORED, data);
        }
    }

    fn boundary(&mut self) {
        self.end_block(false);
    }

    fn flush(&mut self) {
        self.end_block(false);
    }

    fn finish(&mut self) {
        if !self.fixed_end {
            return self.end_block(true);
        }
        if !self.block.is_empty() {
            self.end_block(false);
        }
        // The mark of a last block and of fixed codes; the end of a block is seven zeros.
        self.bits.put(0b011, 3 + 7);
        self.bits.align();
    }

    fn slot(&mut self) -> Option<&mut Slot> {
        Some(&mut self.progress.slot)
    }

    fn output(&mut self) -> &mut Vec<u8> {
        &mut self.bits.out
    }
}

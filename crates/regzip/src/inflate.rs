//! An inflater that shows the structure: it stops at the end of every block and reports what it was.
//!
//! Analysis needs to know where blocks end and where a writer flushed, which inflaters for general
//! use do not report. Plain bytes come at four fifths of the speed of zlib-rs, and an analysis spends most of
//! its time in the encoder.

use std::io::Read;

pub(crate) use self::block::{Block, BlockKind};
use self::coded::Coded;
pub(crate) use self::codes::Codes;
pub(crate) use self::reader::{BitReader, fixed_codes};
pub(crate) use self::table::Table;
use crate::coding::token::WINDOW;
use crate::error::{Error, Result};
use crate::input::Input;

mod block;
mod coded;
mod codes;
mod quick;
mod reader;
mod table;
#[cfg(test)]
mod tests;

/// Plain bytes a step yields at most (plus one match).
const STEP: usize = 1 << 16;

/// Decodes one deflate stream after the other from an [`Input`].
pub(crate) struct Inflater<R> {
    pub(crate) bits: BitReader<R>,
    /// History and the bytes of the current step.
    window: Vec<u8>,
    fresh: usize,
    state: State,
    block: Block,
    literals: Table,
    distances: Table,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Header,
    Stored(usize),
    Coded,
    Done,
}

impl<R: Read> Inflater<R> {
    pub(crate) fn new(input: Input<R>) -> Self {
        Self {
            bits: BitReader::new(input),
            window: Vec::with_capacity(4 * STEP),
            fresh: 0,
            state: State::Header,
            block: Block {
                kind: BlockKind::Stored,
                last: false,
                len: 0,
                tokens: 0,
            },
            literals: Table::default(),
            distances: Table::default(),
        }
    }

    /// Starts over with the next stream of the input, without history.
    pub(crate) fn restart(&mut self) {
        self.bits.clear();
        self.window.clear();
        self.fresh = 0;
        self.state = State::Header;
        self.bits.input.mark();
    }

    /// The plain bytes of the last step.
    pub(crate) fn plain(&self) -> &[u8] {
        &self.window[self.fresh..]
    }

    /// Decodes some plain bytes; returns the block if one ended.
    pub(crate) fn step(&mut self) -> Result<Option<Block>> {
        if self.window.len() > WINDOW + STEP {
            let excess = self.window.len() - WINDOW;
            self.window.drain(..excess);
        }
        self.fresh = self.window.len();
        if self.state == State::Header {
            self.block_header()?;
        }
        let ended = match self.state {
            State::Stored(left) => self.stored(left)?,
            State::Coded => self.coded()?,
            State::Header | State::Done => return Err(Error::BadStream("read after its end")),
        };
        self.block.len += (self.window.len() - self.fresh) as u64;
        if !ended {
            return Ok(None);
        }
        self.state = State::Header;
        if self.block.last {
            self.state = State::Done;
            self.bits.give_back();
        }
        Ok(Some(self.block))
    }

    fn block_header(&mut self) -> Result<()> {
        let (kind, last) = self.bits.block_start()?;
        self.block = Block {
            kind,
            last,
            len: 0,
            tokens: 0,
        };
        self.state = State::Coded;
        match kind {
            BlockKind::Stored => self.state = State::Stored(self.bits.stored_len()?),
            BlockKind::Fixed => fixed_codes(&mut self.literals, &mut self.distances)?,
            BlockKind::Dynamic => {
                let codes = self.bits.codes()?;
                self.literals.build(&codes.literals)?;
                self.distances.build(&codes.distances)?;
            }
        }
        Ok(())
    }

    fn stored(&mut self, left: usize) -> Result<bool> {
        let want = left.min(STEP);
        let bytes = self.bits.input.take(want)?;
        self.window.extend_from_slice(bytes);
        self.state = State::Stored(left - want);
        Ok(left == want)
    }

    fn coded(&mut self) -> Result<bool> {
        let mut coded = Coded {
            bits: &mut self.bits,
            window: &mut self.window,
            tokens: &mut self.block.tokens,
            literals: &self.literals,
            distances: &self.distances,
        };
        coded.run(self.fresh + STEP)
    }
}

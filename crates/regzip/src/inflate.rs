//! An inflater that shows the structure: it stops at every block's end and says what it was.
//!
//! Analysis needs to know where blocks end and where a writer flushed, which inflaters for general
//! use do not tell. Plain bytes come at four fifths of the speed of zlib-rs, and an analysis spends most of
//! its time in the encoder.

use std::io::Read;

use self::quick::{Bits, Out};
pub(crate) use self::reader::{BitReader, fixed_codes};
pub(crate) use self::table::Table;
use crate::error::{Error, Result};
use crate::input::Input;
use crate::token::{CODE_LENGTH_ORDER, WINDOW};

mod quick;
mod reader;
mod table;

/// How a block is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BlockKind {
    Stored,
    Fixed,
    Dynamic,
}

/// A block that ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    pub(crate) kind: BlockKind,
    pub(crate) last: bool,
    /// Plain bytes in the block.
    pub(crate) len: u64,
    /// Literals and matches.
    pub(crate) tokens: u64,
}

impl Block {
    /// What a sync flush leaves behind.
    pub(crate) fn is_flush_mark(&self) -> bool {
        self.kind == BlockKind::Stored && self.is_empty()
    }

    /// Whether it is there only to get to a whole byte.
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0 && !self.last
    }
}

/// Plain bytes a step yields at most (plus one match).
const STEP: usize = 1 << 16;
/// The quick way needs so many compressed bytes.
const AT_HAND: usize = 256;

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
            BlockKind::Dynamic => self.dynamic_header()?,
        }
        Ok(())
    }

    fn dynamic_header(&mut self) -> Result<()> {
        let literals = self.bits.bits(5)? as usize + 257;
        let distances = self.bits.bits(5)? as usize + 1;
        let count = self.bits.bits(4)? as usize + 4;
        let mut code_lengths = [0u8; 19];
        for &symbol in &CODE_LENGTH_ORDER[..count] {
            code_lengths[symbol] = self.bits.bits(3)? as u8;
        }
        let mut table = std::mem::take(&mut self.distances);
        table.build(&code_lengths)?;
        let mut lengths = [0u8; 320];
        let mut at = 0;
        while at < literals + distances {
            let symbol = self.bits.symbol(&table)?;
            let (value, run) = match symbol {
                16 if at == 0 => return Err(Error::BadStream("repeat without a length")),
                16 => (lengths[at - 1], 3 + self.bits.bits(2)? as usize),
                17 => (0, 3 + self.bits.bits(3)? as usize),
                18 => (0, 11 + self.bits.bits(7)? as usize),
                _ => (symbol as u8, 1),
            };
            if at + run > literals + distances {
                return Err(Error::BadStream("too many code lengths"));
            }
            lengths[at..at + run].fill(value);
            at += run;
        }
        self.literals.build(&lengths[..literals])?;
        table.build(&lengths[literals..literals + distances])?;
        self.distances = table;
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
        let literals = std::mem::take(&mut self.literals);
        let distances = std::mem::take(&mut self.distances);
        let result = self.coded_with(&literals, &distances);
        self.literals = literals;
        self.distances = distances;
        result
    }

    fn coded_with(&mut self, literals: &Table, distances: &Table) -> Result<bool> {
        let end = self.fresh + STEP;
        while self.window.len() < end {
            if let Some(ended) = self.coded_quickly(literals, distances, end)? {
                return Ok(ended);
            }
            let symbol = self.bits.symbol(literals)?;
            if symbol == 256 {
                return Ok(true);
            }
            self.block.tokens += 1;
            if symbol < 256 {
                self.window.push(symbol as u8);
                continue;
            }
            let length = self.bits.length(symbol)?;
            let distance = self.bits.distance(distances)?;
            self.copy(length, distance)?;
        }
        Ok(false)
    }

    /// Decodes as long as there is plenty of input and room; whether the block ended or the room
    /// did, `None` if the input came near its end.
    fn coded_quickly(
        &mut self,
        literals: &Table,
        distances: &Table,
        end: usize,
    ) -> Result<Option<bool>> {
        let data = self.bits.input.peek(AT_HAND)?;
        if data.len() < AT_HAND {
            return Ok(None);
        }
        let mut out = Out::new(&mut self.window, end);
        let mut bits = Bits {
            acc: self.bits.acc,
            count: self.bits.count,
            data,
            at: 0,
        };
        let result = loop {
            if out.len >= end {
                break Ok(Some(false));
            }
            // One symbol fills up twice at most.
            if bits.at + 16 > data.len() {
                break Ok(None);
            }
            bits.refill();
            match quick::symbols(&mut bits, &mut out, literals, distances) {
                Ok(false) => {}
                Ok(true) => break Ok(Some(true)),
                Err(e) => break Err(e),
            }
        };
        let (acc, count, at) = (bits.acc, bits.count, bits.at);
        let len = out.len;
        self.block.tokens += out.tokens;
        self.window.truncate(len);
        // Bits above `count` would be read twice.
        self.bits.acc = acc & ((1 << count) - 1);
        self.bits.count = count;
        self.bits.input.advance(at);
        result
    }

    fn copy(&mut self, length: usize, distance: usize) -> Result<()> {
        let len = self.window.len();
        let from = len
            .checked_sub(distance)
            .ok_or(Error::BadStream("distance too far"))?;
        if distance >= length {
            self.window.extend_from_within(from..from + length);
        } else {
            for index in from..from + length {
                self.window.push(self.window[index]);
            }
        }
        Ok(())
    }
}

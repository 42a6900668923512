//! An inflater that shows the structure: it stops at every block's end and says what it was.
//!
//! Analysis needs to know where blocks end and where a writer flushed, which inflaters for general
//! use do not tell. To open a stream without analysis, [`crate::open`] uses one of those.

use std::io::Read;

use crate::error::{Error, Result};
use crate::input::Input;
use crate::token::{
    CODE_LENGTH_ORDER, DISTANCE_BASE, DISTANCE_EXTRA, LENGTH_BASE, LENGTH_EXTRA, WINDOW,
};

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
const PRIMARY: u32 = 10;

/// Decodes one deflate stream after the other from an [`Input`].
pub(crate) struct Inflater<R> {
    pub(crate) input: Input<R>,
    acc: u64,
    count: u32,
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
            input,
            acc: 0,
            count: 0,
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
        self.acc = 0;
        self.count = 0;
        self.window.clear();
        self.fresh = 0;
        self.state = State::Header;
        self.input.mark();
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
            self.give_back();
        }
        Ok(Some(self.block))
    }

    /// Returns whole unused bytes to the input.
    fn give_back(&mut self) {
        self.input.retreat((self.count / 8) as usize);
        self.acc = 0;
        self.count = 0;
    }

    fn refill(&mut self) -> Result<()> {
        let at_hand = self.input.peek(8)?;
        let mut taken = 0;
        if let Some(bytes) = at_hand.get(..8).and_then(|b| <[u8; 8]>::try_from(b).ok()) {
            self.acc |= u64::from_le_bytes(bytes) << self.count;
            taken = ((63 - self.count) / 8) as usize;
            self.count += taken as u32 * 8;
            // Bits above `count` would be read twice.
            self.acc &= (1 << self.count) - 1;
        } else {
            for &byte in at_hand {
                if self.count > 55 {
                    break;
                }
                self.acc |= u64::from(byte) << self.count;
                self.count += 8;
                taken += 1;
            }
        }
        self.input.advance(taken);
        Ok(())
    }

    fn bits(&mut self, n: u32) -> Result<u32> {
        if self.count < n {
            self.refill()?;
            if self.count < n {
                return Err(Error::BadStream("cut short"));
            }
        }
        let value = self.acc & ((1 << n) - 1);
        self.acc >>= n;
        self.count -= n;
        Ok(value as u32)
    }

    fn block_header(&mut self) -> Result<()> {
        let last = self.bits(1)? == 1;
        let kind = match self.bits(2)? {
            0 => BlockKind::Stored,
            1 => BlockKind::Fixed,
            2 => BlockKind::Dynamic,
            _ => return Err(Error::BadStream("unknown block type")),
        };
        self.block = Block {
            kind,
            last,
            len: 0,
            tokens: 0,
        };
        self.state = State::Coded;
        match kind {
            BlockKind::Stored => {
                let skip = self.count % 8;
                self.bits(skip)?;
                let len = self.bits(16)?;
                if self.bits(16)? != !len & 0xffff {
                    return Err(Error::BadStream(
                        "stored length does not match its complement",
                    ));
                }
                self.give_back();
                self.state = State::Stored(len as usize);
            }
            BlockKind::Fixed => {
                let mut lengths = [8u8; 288];
                lengths[144..256].fill(9);
                lengths[256..280].fill(7);
                self.literals.build(&lengths)?;
                self.distances.build(&[5; 30])?;
            }
            BlockKind::Dynamic => self.dynamic_header()?,
        }
        Ok(())
    }

    fn dynamic_header(&mut self) -> Result<()> {
        let literals = self.bits(5)? as usize + 257;
        let distances = self.bits(5)? as usize + 1;
        let count = self.bits(4)? as usize + 4;
        let mut code_lengths = [0u8; 19];
        for &symbol in &CODE_LENGTH_ORDER[..count] {
            code_lengths[symbol] = self.bits(3)? as u8;
        }
        let mut table = std::mem::take(&mut self.distances);
        table.build(&code_lengths)?;
        let mut lengths = [0u8; 320];
        let mut at = 0;
        while at < literals + distances {
            let symbol = self.symbol(&table)?;
            let (value, run) = match symbol {
                16 if at == 0 => return Err(Error::BadStream("repeat without a length")),
                16 => (lengths[at - 1], 3 + self.bits(2)? as usize),
                17 => (0, 3 + self.bits(3)? as usize),
                18 => (0, 11 + self.bits(7)? as usize),
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

    fn symbol(&mut self, table: &Table) -> Result<usize> {
        if self.count < 15 {
            self.refill()?;
        }
        let (symbol, len) = table
            .decode(self.acc)
            .ok_or(Error::BadStream("unknown code"))?;
        if len > self.count {
            return Err(Error::BadStream("cut short"));
        }
        self.acc >>= len;
        self.count -= len;
        Ok(symbol)
    }

    fn stored(&mut self, left: usize) -> Result<bool> {
        let want = left.min(STEP);
        let bytes = self.input.take(want)?;
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
        let mut tokens = 0;
        while self.window.len() < end {
            let symbol = self.symbol(literals)?;
            tokens += 1;
            if symbol < 256 {
                self.window.push(symbol as u8);
                continue;
            }
            if symbol == 256 {
                self.block.tokens += tokens - 1;
                return Ok(true);
            }
            let code = symbol - 257;
            let extra = *LENGTH_EXTRA
                .get(code)
                .ok_or(Error::BadStream("unknown length"))?;
            let length = usize::from(LENGTH_BASE[code]) + self.bits(u32::from(extra))? as usize + 3;
            let code = self.symbol(distances)?;
            let extra = *DISTANCE_EXTRA
                .get(code)
                .ok_or(Error::BadStream("unknown distance"))?;
            let distance =
                usize::from(DISTANCE_BASE[code]) + self.bits(u32::from(extra))? as usize + 1;
            self.copy(length, distance)?;
        }
        self.block.tokens += tokens;
        Ok(false)
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

/// A canonical code: a look-up of the first ten bits, longer codes by counting.
#[derive(Default)]
pub(crate) struct Table {
    /// Symbol and length of every code of at most ten bits; length 0 for others.
    primary: Vec<(u16, u8)>,
    counts: [u16; 16],
    symbols: Vec<u16>,
}

impl Table {
    /// Codes that leave room are accepted: Go writes such for blocks without matches.
    pub(crate) fn build(&mut self, lengths: &[u8]) -> Result<()> {
        self.counts = [0; 16];
        for &len in lengths {
            self.counts[usize::from(len & 15)] += 1;
        }
        self.counts[0] = 0;
        let mut next = [0u16; 16];
        let mut code = 0u32;
        let mut offsets = [0u16; 16];
        for len in 1..16 {
            code = (code + u32::from(self.counts[len - 1])) << 1;
            if code + u32::from(self.counts[len]) > 1 << len {
                return Err(Error::BadStream("too many codes of a length"));
            }
            next[len] = code as u16;
            offsets[len] = offsets[len - 1] + self.counts[len - 1];
        }
        self.symbols.clear();
        self.symbols.resize(lengths.len(), 0);
        self.primary.clear();
        self.primary.resize(1 << PRIMARY, (0, 0));
        for (symbol, &len) in lengths.iter().enumerate().filter(|&(_, &len)| len != 0) {
            let l = usize::from(len);
            self.symbols[usize::from(offsets[l])] = symbol as u16;
            offsets[l] += 1;
            let code = next[l];
            next[l] += 1;
            if u32::from(len) <= PRIMARY {
                let first = usize::from(code.reverse_bits() >> (16 - len));
                for slot in (first..1 << PRIMARY).step_by(1 << len) {
                    self.primary[slot] = (symbol as u16, len);
                }
            }
        }
        Ok(())
    }

    #[inline]
    pub(crate) fn decode(&self, acc: u64) -> Option<(usize, u32)> {
        let (symbol, len) = *self.primary.get(acc as usize & ((1 << PRIMARY) - 1))?;
        if len != 0 {
            return Some((usize::from(symbol), u32::from(len)));
        }
        self.decode_long(acc)
    }

    fn decode_long(&self, acc: u64) -> Option<(usize, u32)> {
        let (mut code, mut first, mut index) = (0u32, 0u32, 0u32);
        for len in 1..16u32 {
            code |= (acc >> (len - 1)) as u32 & 1;
            let count = u32::from(self.counts[len as usize]);
            if code < first + count {
                return Some((
                    usize::from(self.symbols[(index + code - first) as usize]),
                    len,
                ));
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        None
    }
}

//! The symbols of a block.

use std::io::Read;

use super::quick::{self, Bits, Out};
use super::reader::BitReader;
use super::table::Table;
use crate::error::{Error, Result};

/// The fast loop needs so many compressed bytes.
const AT_HAND: usize = 256;

/// The current block with codes.
pub(super) struct Coded<'a, R> {
    pub(super) bits: &'a mut BitReader<R>,
    /// History, then the block's plain bytes.
    pub(super) window: &'a mut Vec<u8>,
    /// Literals and matches so far.
    pub(super) tokens: &'a mut u64,
    pub(super) literals: &'a Table,
    pub(super) distances: &'a Table,
}

impl<R: Read> Coded<'_, R> {
    /// Decodes until the window is so long or the block ends; whether it did.
    pub(super) fn run(&mut self, end: usize) -> Result<bool> {
        while self.window.len() < end {
            if let Some(ended) = self.quickly(end)? {
                return Ok(ended);
            }
            let symbol = self.bits.symbol(self.literals)?;
            if symbol == 256 {
                return Ok(true);
            }
            *self.tokens += 1;
            if symbol < 256 {
                self.window.push(symbol as u8);
                continue;
            }
            let length = self.bits.length(symbol)?;
            let distance = self.bits.distance(self.distances)?;
            self.copy(length, distance)?;
        }
        Ok(false)
    }

    /// Decodes as long as there is plenty of input and space; whether the block ended or the space
    /// did, `None` if the input came near its end.
    fn quickly(&mut self, end: usize) -> Result<Option<bool>> {
        let data = self.bits.input.peek(AT_HAND)?;
        if data.len() < AT_HAND {
            return Ok(None);
        }
        let mut out = Out::new(self.window, end);
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
            match quick::symbols(&mut bits, &mut out, self.literals, self.distances) {
                Ok(false) => {}
                Ok(true) => break Ok(Some(true)),
                Err(e) => break Err(e),
            }
        };
        let (acc, count, at) = (bits.acc, bits.count, bits.at);
        let len = out.len;
        *self.tokens += out.tokens;
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

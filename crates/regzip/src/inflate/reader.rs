//! A deflate stream's bits, and the fields that need no state but theirs.

use std::io::Read;

use super::block::BlockKind;
use super::table::Table;
use crate::coding::token::{DISTANCE_BASE, DISTANCE_EXTRA, LENGTH_BASE, LENGTH_EXTRA};
use crate::error::{Error, Result};
use crate::input::Input;

/// Takes bits from an input, the least significant first.
pub(crate) struct BitReader<R> {
    pub(crate) input: Input<R>,
    /// The next bits; those above `count` are zero.
    pub(super) acc: u64,
    pub(super) count: u32,
}

impl<R: Read> BitReader<R> {
    pub(crate) fn new(input: Input<R>) -> Self {
        Self {
            input,
            acc: 0,
            count: 0,
        }
    }

    /// Drops the bits that were read ahead from the input.
    pub(super) fn clear(&mut self) {
        self.acc = 0;
        self.count = 0;
    }

    /// Returns complete unused bytes to the input.
    pub(crate) fn give_back(&mut self) {
        self.input.retreat((self.count / 8) as usize);
        self.clear();
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

    /// The next `n` bits, 16 at most.
    pub(crate) fn bits(&mut self, n: u32) -> Result<u32> {
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

    /// The next symbol.
    pub(crate) fn symbol(&mut self, table: &Table) -> Result<usize> {
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

    /// The length of the match that `symbol`, above 256, begins (RFC 1951, 3.2.5).
    pub(crate) fn length(&mut self, symbol: usize) -> Result<usize> {
        let code = symbol - 257;
        let unknown = Error::BadStream("unknown length");
        let extra = *LENGTH_EXTRA.get(code).ok_or(unknown)?;
        Ok(usize::from(LENGTH_BASE[code]) + self.bits(u32::from(extra))? as usize + 3)
    }

    /// The distance that follows a length.
    pub(crate) fn distance(&mut self, table: &Table) -> Result<usize> {
        let code = self.symbol(table)?;
        let unknown = Error::BadStream("unknown distance");
        let extra = *DISTANCE_EXTRA.get(code).ok_or(unknown)?;
        Ok(usize::from(DISTANCE_BASE[code]) + self.bits(u32::from(extra))? as usize + 1)
    }

    /// A block's kind and whether it is the last (RFC 1951, 3.2.3).
    pub(crate) fn block_start(&mut self) -> Result<(BlockKind, bool)> {
        let last = self.bits(1)? == 1;
        let kind = match self.bits(2)? {
            0 => BlockKind::Stored,
            1 => BlockKind::Fixed,
            2 => BlockKind::Dynamic,
            _ => return Err(Error::BadStream("unknown block type")),
        };
        Ok((kind, last))
    }

    /// The length of a stored block, whose bytes come next from the input (RFC 1951, 3.2.4).
    pub(crate) fn stored_len(&mut self) -> Result<usize> {
        self.bits(self.count % 8)?;
        let len = self.bits(16)?;
        if self.bits(16)? != !len & 0xffff {
            return Err(Error::BadStream(
                "stored length does not match its complement",
            ));
        }
        self.give_back();
        Ok(len as usize)
    }
}

/// The tables of blocks with fixed codes (RFC 1951, 3.2.6).
pub(crate) fn fixed_codes(literals: &mut Table, distances: &mut Table) -> Result<()> {
    let mut lengths = [8; 288];
    lengths[144..256].fill(9);
    lengths[256..280].fill(7);
    literals.build(&lengths)?;
    distances.build(&[5; 30])
}

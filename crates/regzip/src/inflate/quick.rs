//! Decoding symbols in one loop, while there is plenty of input and of space.

use super::table::Table;
use crate::coding::token::{DISTANCE_BASE, DISTANCE_EXTRA, LENGTH_BASE, LENGTH_EXTRA, MAX_MATCH};
use crate::error::{Error, Result};
use crate::search::matching::load64;

/// A match is copied in pieces of so many bytes.
const COPY: usize = 16;
/// Plain bytes that may follow a step: literals of a bit each, a match, and what a copy writes too much.
const SLACK: usize = 64 + MAX_MATCH + COPY;

/// Available compressed bits.
pub(super) struct Bits<'a> {
    /// The next bits; those above `count` may be there already.
    pub(super) acc: u64,
    pub(super) count: u32,
    pub(super) data: &'a [u8],
    pub(super) at: usize,
}

impl Bits<'_> {
    /// Makes it 56 bits or more, if eight bytes of data are left.
    #[inline]
    pub(super) fn refill(&mut self) {
        self.acc |= load64(self.data, self.at) << self.count;
        let bytes = (63 - self.count) >> 3;
        self.at += bytes as usize;
        self.count += bytes * 8;
    }

    /// The next symbol; 15 bits are there.
    #[inline]
    fn symbol(&mut self, table: &Table) -> Result<usize> {
        let unknown = Error::BadStream("unknown code");
        let (symbol, len) = table.decode(self.acc).ok_or(unknown)?;
        self.acc >>= len;
        self.count -= len;
        Ok(symbol)
    }

    #[inline]
    fn take(&mut self, count: u8) -> usize {
        let value = self.acc & ((1 << count) - 1);
        self.acc >>= count;
        self.count -= u32::from(count);
        value as usize
    }
}

/// Plain bytes on their way into the window, which is longer than they are.
pub(super) struct Out<'a> {
    window: &'a mut Vec<u8>,
    pub(super) len: usize,
    /// Literals and matches.
    pub(super) tokens: u64,
}

impl<'a> Out<'a> {
    /// Room for what one symbol after another brings until `end` is reached.
    pub(super) fn new(window: &'a mut Vec<u8>, end: usize) -> Self {
        let len = window.len();
        window.resize(end + SLACK, 0);
        Self {
            window,
            len,
            tokens: 0,
        }
    }

    #[inline]
    fn push(&mut self, byte: u8) {
        self.window[self.len] = byte;
        self.len += 1;
        self.tokens += 1;
    }

    #[inline]
    fn copy(&mut self, length: usize, distance: usize) -> Result<()> {
        let to = self.len;
        let from = to
            .checked_sub(distance)
            .ok_or(Error::BadStream("distance too far"))?;
        self.len += length;
        self.tokens += 1;
        if distance >= COPY {
            for n in (0..length).step_by(COPY) {
                self.window.copy_within(from + n..from + n + COPY, to + n);
            }
        } else {
            for n in 0..length {
                self.window[to + n] = self.window[from + n];
            }
        }
        Ok(())
    }
}

/// Decodes one symbol or a few; at least 56 bits are available. Whether the block ended.
#[inline]
pub(super) fn symbols(
    bits: &mut Bits<'_>,
    out: &mut Out<'_>,
    literals: &Table,
    distances: &Table,
) -> Result<bool> {
    let mut symbol = bits.symbol(literals)?;
    while symbol < 256 {
        out.push(symbol as u8);
        if bits.count < 15 {
            return Ok(false);
        }
        symbol = bits.symbol(literals)?;
    }
    if symbol == 256 {
        return Ok(true);
    }
    // A length's extra bits and a distance.
    if bits.count < 5 + 15 + 13 {
        bits.refill();
    }
    let code = symbol - 257;
    let unknown = Error::BadStream("unknown length");
    let extra = *LENGTH_EXTRA.get(code).ok_or(unknown)?;
    let length = usize::from(LENGTH_BASE[code]) + bits.take(extra) + 3;
    let code = bits.symbol(distances)?;
    let unknown = Error::BadStream("unknown distance");
    let extra = *DISTANCE_EXTRA.get(code).ok_or(unknown)?;
    let distance = usize::from(DISTANCE_BASE[code]) + bits.take(extra) + 1;
    out.copy(length, distance)?;
    Ok(false)
}

//! Tables that decode canonical codes.

use crate::error::{Error, Result};
use crate::search::matching::zeros;

/// Bits of a code that are looked up at once.
const PRIMARY: u32 = 10;

/// A canonical code: a look-up of the first ten bits, longer codes by counting.
pub(crate) struct Table {
    /// Symbol and length of every code of at most ten bits; length 0 for others.
    primary: Box<[(u16, u8); 1 << PRIMARY]>,
    counts: [u16; 16],
    symbols: Vec<u16>,
}

impl Default for Table {
    fn default() -> Self {
        Self {
            primary: zeros(),
            counts: [0; 16],
            symbols: Vec::new(),
        }
    }
}

impl Table {
    /// Incomplete codes are accepted.
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
        self.primary.fill((0, 0));
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
        let (symbol, len) = self.primary[acc as usize & ((1 << PRIMARY) - 1)];
        if len != 0 {
            return Some((usize::from(symbol), u32::from(len)));
        }
        self.decode_long(acc)
    }

    #[cold]
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

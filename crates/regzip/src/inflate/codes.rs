//! The header of a block with codes of its own (RFC 1951, 3.2.7).

use std::io::Read;

use super::reader::BitReader;
use super::table::Table;
use crate::coding::huffman::{CAPACITY, capacity_used};
use crate::coding::token::{CODE_LENGTH_ORDER, CODE_LENGTHS, DISTANCES, END_OF_BLOCK, LITERALS};
use crate::error::{Error, Result};

/// All that the header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Codes {
    pub(crate) literals: [u8; LITERALS],
    pub(crate) distances: [u8; DISTANCES],
    /// How many lengths of each are listed.
    pub(crate) listed: [usize; 2],
    /// The list: symbols, with the value of their extra bits.
    pub(crate) runs: Vec<(u8, u8)>,
    pub(crate) lengths: [u8; CODE_LENGTHS],
    /// How many of `lengths` are listed.
    pub(crate) lengths_listed: usize,
}

impl Codes {
    /// Nothing is listed.
    pub(crate) fn empty() -> Self {
        Self {
            literals: [0; LITERALS],
            distances: [0; DISTANCES],
            listed: [0; 2],
            runs: Vec::new(),
            lengths: [0; CODE_LENGTHS],
            lengths_listed: 0,
        }
    }

    /// As zlib checks it: Go writes a single code where there are no matches.
    fn check(&self) -> Result<()> {
        if self.literals[END_OF_BLOCK] == 0 {
            return Err(Error::BadStream("a block that cannot end"));
        }
        let alone = |lengths: &[u8]| lengths.iter().all(|&length| length <= 1);
        for lengths in [self.literals.as_slice(), &self.distances] {
            if capacity_used(lengths) < CAPACITY && !alone(lengths) {
                return Err(Error::BadStream("codes that leave room"));
            }
        }
        Ok(())
    }
}

impl<R: Read> BitReader<R> {
    /// Reads the header after the block's type.
    pub(crate) fn codes(&mut self) -> Result<Codes> {
        let mut codes = Codes::empty();
        let first = self.bits(5)? as usize + 257;
        let second = self.bits(5)? as usize + 1;
        if first > LITERALS || second > DISTANCES {
            return Err(Error::BadStream("unknown symbols"));
        }
        codes.listed = [first, second];
        codes.lengths_listed = self.bits(4)? as usize + 4;
        for &symbol in &CODE_LENGTH_ORDER[..codes.lengths_listed] {
            codes.lengths[symbol] = self.bits(3)? as u8;
        }
        // Most of what only looks like a header ends here, before a table is built.
        if capacity_used(&codes.lengths) < CAPACITY {
            return Err(Error::BadStream("codes that leave room"));
        }
        let mut table = Table::default();
        table.build(&codes.lengths)?;
        let mut list = [0; LITERALS + DISTANCES];
        let list = &mut list[..first + second];
        let mut at = 0;
        while at < list.len() {
            let symbol = self.symbol(&table)?;
            let (value, extra, run) = match symbol {
                16 if at == 0 => return Err(Error::BadStream("repeat without a length")),
                16 => {
                    let extra = self.bits(2)?;
                    (list[at - 1], extra, extra + 3)
                }
                17 => {
                    let extra = self.bits(3)?;
                    (0, extra, extra + 3)
                }
                18 => {
                    let extra = self.bits(7)?;
                    (0, extra, extra + 11)
                }
                _ => (symbol as u8, 0, 1),
            };
            codes.runs.push((symbol as u8, extra as u8));
            let end = at + run as usize;
            let run = list.get_mut(at..end);
            run.ok_or(Error::BadStream("too many code lengths"))?
                .fill(value);
            at = end;
        }
        codes.literals[..first].copy_from_slice(&list[..first]);
        codes.distances[..second].copy_from_slice(&list[first..]);
        codes.check()?;
        Ok(codes)
    }
}

//! Lists of locations and of ranges (DWARF 5).

use super::tokens::{Stop, Tokens, Width};
use crate::stream::{Column, Kind};

/// Kinds of entries (`DW_LLE_*`, `DW_RLE_*`).
const END: u8 = 0;
const BASE_INDEX: u8 = 1;
const OFFSETS: u8 = 4;

pub(crate) struct Lists {
    columns: Columns,
    has_expressions: bool,
    /// Where the unit ends; nothing is known about what is behind it.
    unit_end: u64,
    /// The index that the list before counted from.
    base: u64,
    /// Where the entry before ended.
    end: u64,
    /// Of indexes, starts and ends.
    widths: [Width; 3],
}

/// The streams of locations, or of ranges.
struct Columns {
    kinds: u8,
    bases: u8,
    starts: u8,
    lengths: u8,
}

impl Lists {
    /// The lists in parts of a kind.
    pub(super) fn new(kind: Kind) -> Self {
        let columns = if kind == Kind::Locations {
            Columns {
                kinds: Column::LocationKinds as u8,
                bases: Column::LocationBases as u8,
                starts: Column::LocationStarts as u8,
                lengths: Column::LocationLengths as u8,
            }
        } else {
            Columns {
                kinds: Column::RangeKinds as u8,
                bases: Column::RangeBases as u8,
                starts: Column::RangeStarts as u8,
                lengths: Column::RangeLengths as u8,
            }
        };
        Self {
            columns,
            has_expressions: kind == Kind::Locations,
            unit_end: 0,
            base: 0,
            end: 0,
            widths: Default::default(),
        }
    }

    /// Passes an entry, or the header of a unit.
    pub(super) fn entry(&mut self, tokens: &mut impl Tokens) -> Result<(), Stop> {
        if tokens.at() >= self.unit_end {
            return self.header(tokens);
        }
        let [kind] = tokens.fixed(self.columns.kinds)?;
        let [bases, starts, ends] = &mut self.widths;
        match kind {
            END => self.end = 0,
            BASE_INDEX => {
                self.base = tokens.number(self.columns.bases, self.base, bases)?;
                self.end = 0;
            }
            OFFSETS => {
                let start = tokens.number(self.columns.starts, self.end, starts)?;
                self.end = tokens.number(self.columns.lengths, start, ends)?;
                if self.has_expressions {
                    let len = tokens.leb(Column::Expressions as u8)?;
                    tokens.bytes(Column::Expressions as u8, len)?;
                }
            }
            _ => return Err(Stop::Unknown),
        }
        Ok(())
    }

    fn header(&mut self, tokens: &mut impl Tokens) -> Result<(), Stop> {
        let start = tokens.at();
        let header: [u8; 12] = tokens.fixed(Column::Headers as u8)?;
        let [a, b, c, d, version, ..] = header;
        let len = u32::from_le_bytes([a, b, c, d]);
        self.unit_end = start + 4 + u64::from(len);
        // Lists without a table of offsets.
        let known = version == 5 && header[8..] == [0; 4];
        known.then_some(()).ok_or(Stop::Unknown)
    }
}

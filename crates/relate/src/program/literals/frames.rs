//! Call frames: the code of each follows that of the one before.

use std::ops::Range;

use super::{PIECE, Table};
use crate::bytes::u64_at;
use crate::layout::Part;
use crate::program::address::{Addresses, Target};
use crate::program::annotate::{Common, Commons, entry_end};
use crate::transfer::{Direction, Form};

/// Of an entry: its length and its identifier.
const ENTRY: usize = 8;
/// Identifies common entries of `.debug_frame`.
const COMMON: u32 = u32::MAX;

/// The form of `.debug_frame` with addresses of eight bytes.
pub(super) fn debug() -> Box<dyn Form> {
    Box::new(Debug)
}

/// The form of `.eh_frame`.
pub(super) fn runtime(addresses: &Addresses, part: &Part) -> Box<dyn Form> {
    Box::new(Runtime {
        address: addresses.address_of(Target(part.start)) as u32,
    })
}

struct Debug;

impl Form for Debug {
    fn piece(&self) -> u64 {
        PIECE
    }

    fn change(&self, direction: Direction, offset: u64, bytes: &mut [u8]) {
        let mut table = Table { bytes, direction };
        let mut code_end = 0;
        table.each_entry(offset, |table, entry| {
            let is_frame = table.u32(entry.start + 4) != Some(COMMON);
            let code = entry.start + ENTRY;
            if is_frame && entry.end >= code + 16 {
                let start = table.relative(code, 8, code_end).unwrap_or(0);
                let len = u64_at(table.bytes, code + 8).unwrap_or(0);
                code_end = start.wrapping_add(len);
            }
        });
    }
}

struct Runtime {
    /// The address of the part.
    address: u32,
}

/// What the frames before say: where the code of the last one ends, and where its data is.
#[derive(Clone, Copy, Default)]
struct Last {
    code_end: u32,
    data: u32,
}

impl Form for Runtime {
    fn piece(&self) -> u64 {
        PIECE
    }

    fn change(&self, direction: Direction, offset: u64, bytes: &mut [u8]) {
        let mut table = Table { bytes, direction };
        let mut commons = Commons::default();
        let mut last = Last::default();
        table.each_entry(offset, |table, entry| match table.identifier(entry.start) {
            0 => {
                commons.add(&table.bytes[..entry.end], entry.start);
            }
            back => {
                let common = commons.of(entry.start, back);
                table.frame(entry, common, self.address, &mut last);
            }
        });
    }
}

impl Table<'_> {
    /// Visits the entries in order, if the bytes are at the start of the part: elsewhere it is not known where one begins.
    fn each_entry(&mut self, offset: u64, mut visit: impl FnMut(&mut Self, Range<usize>)) {
        let mut at = 0;
        while let Some(end) = entry_end(self.bytes, at).filter(|_| offset == 0) {
            visit(self, at..end);
            at = end;
        }
    }

    /// Changes the distance of a frame from its common entry to the position of that, or back; returns the distance. The
    /// change is its own inverse; zero stays zero.
    fn identifier(&mut self, at: usize) -> u32 {
        let value = self.u32(at + 4).unwrap_or(0);
        let sum = (at as u32).wrapping_add(5);
        if value == 0 || value == sum {
            return value;
        }
        let other = sum.wrapping_sub(value);
        self.bytes[at + 4..at + ENTRY].copy_from_slice(&other.to_le_bytes());
        match self.direction {
            Direction::Store => value,
            Direction::Restore => other,
        }
    }

    /// Changes where the code of a frame starts, and where its data is.
    fn frame(&mut self, entry: Range<usize>, common: Common, address: u32, last: &mut Last) {
        if !common.has_relative_code() || entry.len() < 17 {
            return;
        }
        let mut moved = |at: usize, target: u32| -> Option<u32> {
            let here = address.wrapping_add(at as u32);
            let value = self.relative(at, 4, u64::from(target.wrapping_sub(here)))?;
            (value != 0).then(|| here.wrapping_add(value as u32))
        };
        let code = moved(entry.start + 8, last.code_end);
        // Behind the length of the augmentation, which is one byte.
        let data = entry.start + 17;
        if common.has_relative_data() && data + 4 <= entry.end {
            last.data = moved(data, last.data).unwrap_or(last.data);
        }
        let len = self.u32(entry.start + 12).unwrap_or(0);
        last.code_end = code.map_or(last.code_end, |code| code.wrapping_add(len));
    }
}

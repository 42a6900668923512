//! Call frames: the code of each follows that of the one before.

use super::{PIECE, Table};
use crate::bytes::u64_at;
use crate::layout::Part;
use crate::program::address::{Addresses, Target};
use crate::program::annotate::{Common, Commons};
use crate::transfer::{Direction, Form};

/// Of an entry: its length and its identifier.
const ENTRY: usize = 8;
/// Lengths from here on have other meanings.
const RESERVED: u32 = 0xffff_fff0;
/// Identifies common entries of `.debug_frame`.
const COMMON: u32 = u32::MAX;

/// The form of `.debug_frame` with addresses of eight bytes.
pub(super) fn debug(part: &Part) -> Box<dyn Form> {
    Box::new(Debug {
        position: part.start,
    })
}

/// The form of `.eh_frame`.
pub(super) fn runtime(addresses: &Addresses, part: &Part) -> Box<dyn Form> {
    Box::new(Runtime {
        position: part.start,
        address: addresses.address_of(Target(part.start)) as u32,
    })
}

impl Table<'_> {
    /// The end of the entry at `at`, if there is one.
    fn entry_end(&self, at: usize) -> Option<usize> {
        let len = self.u32(at).filter(|len| (4..RESERVED).contains(len))?;
        let end = at.checked_add(4 + len as usize)?;
        (end <= self.bytes.len()).then_some(end)
    }
}

struct Debug {
    /// The position of the part.
    position: u64,
}

impl Form for Debug {
    fn piece(&self) -> u64 {
        PIECE
    }

    fn change(&self, direction: Direction, at: u64, bytes: &mut [u8]) {
        if at != self.position {
            return;
        }
        let mut table = Table { bytes, direction };
        let (mut at, mut code_end) = (0, 0);
        while let Some(end) = table.entry_end(at) {
            let is_frame = table.u32(at + 4) != Some(COMMON);
            if is_frame && end >= at + ENTRY + 16 {
                let start = table.relative(at + ENTRY, 8, code_end).unwrap_or(0);
                let len = u64_at(table.bytes, at + ENTRY + 8).unwrap_or(0);
                code_end = start.wrapping_add(len);
            }
            at = end;
        }
    }
}

struct Runtime {
    /// The position of the part, and its address.
    position: u64,
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

    fn change(&self, direction: Direction, at: u64, bytes: &mut [u8]) {
        if at != self.position {
            return;
        }
        let mut table = Table { bytes, direction };
        let mut commons = Commons::default();
        let mut last = Last::default();
        let mut at = 0;
        while let Some(end) = table.entry_end(at) {
            match table.identifier(at) {
                Some(0) => commons.add(&table.bytes[..end], at),
                Some(back) => {
                    let common = commons.of(at, back);
                    table.frame(at..end, common, self.address, &mut last);
                }
                None => return,
            }
            at = end;
        }
    }
}

impl Table<'_> {
    /// Changes the distance of a frame from its common entry to the position of that, or back; returns the distance. The
    /// change is its own inverse; zero stays zero.
    fn identifier(&mut self, at: usize) -> Option<u32> {
        let value = self.u32(at + 4)?;
        let sum = (at as u32).wrapping_add(5);
        if value == 0 || value == sum {
            return Some(value);
        }
        let other = sum.wrapping_sub(value);
        self.bytes[at + 4..at + ENTRY].copy_from_slice(&other.to_le_bytes());
        Some(match self.direction {
            Direction::Store => value,
            Direction::Restore => other,
        })
    }

    /// Changes where the code of a frame starts, and where its data is.
    fn frame(
        &mut self,
        entry: std::ops::Range<usize>,
        common: Common,
        address: u32,
        last: &mut Last,
    ) {
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

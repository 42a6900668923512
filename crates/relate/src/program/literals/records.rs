//! Tables of records of 24 bytes: symbols and relocations.

use super::{PIECE, Table};
use crate::bytes::u64_at;
use crate::transfer::{Direction, Form};

/// Bytes of a record.
const RECORD: usize = 24;

/// Which table it is.
enum Records {
    /// Names follow each other, and each value follows the end of the one before.
    Symbols,
    /// Places and addends follow each other.
    Relocations,
}

/// The form of a table of symbols.
pub(super) fn symbols() -> Box<dyn Form> {
    Box::new(Records::Symbols)
}

/// The form of relocations with addends.
pub(super) fn relocations() -> Box<dyn Form> {
    Box::new(Records::Relocations)
}

impl Form for Records {
    fn piece(&self) -> u64 {
        PIECE / RECORD as u64 * RECORD as u64
    }

    fn change(&self, direction: Direction, offset: u64, bytes: &mut [u8]) {
        let passed = offset % RECORD as u64;
        let mut start = (RECORD as u64 - passed) as usize % RECORD;
        let mut table = Table { bytes, direction };
        let mut before = [0; 2];
        while start + RECORD <= table.bytes.len() {
            before = match self {
                Self::Symbols => table.symbol(start, before),
                Self::Relocations => table.relocation(start, before),
            };
            start += RECORD;
        }
    }
}

impl Table<'_> {
    /// Changes a symbol, given the name and the end of the one before; returns its own.
    fn symbol(&mut self, at: usize, [name, end]: [u64; 2]) -> [u64; 2] {
        let name = self
            .relative(at, 4, name)
            .filter(|name| *name != 0)
            .unwrap_or(name);
        let value = self.relative(at + 8, 8, end).unwrap_or(0);
        let size = u64_at(self.bytes, at + 16).unwrap_or(0);
        let end = if value == 0 {
            end
        } else {
            value.wrapping_add(size)
        };
        [name, end]
    }

    /// Changes a relocation, given the place and the addend of the one before; returns its own.
    fn relocation(&mut self, at: usize, before: [u64; 2]) -> [u64; 2] {
        let mut after = before;
        for (offset, number) in [0, 16].into_iter().zip(&mut after) {
            let own = self.relative(at + offset, 8, *number);
            *number = own.filter(|own| *own != 0).unwrap_or(*number);
        }
        after
    }
}

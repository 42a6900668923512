//! The forms in which literals of a program are stored: what repeats in a hidden way becomes equal bytes, or small
//! numbers. These rules are part of the format: see the crate's documentation.

mod code;
mod frames;
mod funcs;
mod records;

use super::FORMS;
use super::address::Addresses;
use crate::bytes::{u32_at, word};
use crate::layout::{Layout, Part};
use crate::stream::Kind;
use crate::transfer::{Direction, Stored, Unchanged};

/// How the literals of a part are stored in a version of the codec.
pub(crate) fn stored(layout: &Layout, addresses: &Addresses, part: &Part, version: u8) -> Stored {
    let start = part.start;
    if version < FORMS {
        let (kind, form) = (part.kind, Box::new(Unchanged));
        return Stored { kind, form, start };
    }
    let form = match part.kind {
        Kind::Text => code::form(layout.machine, addresses, part),
        Kind::Symbols => Some(records::symbols()),
        Kind::Relocations => Some(records::relocations()),
        Kind::Funcs => Some(funcs::form(layout, part)),
        Kind::Frames => Some(frames::debug()),
        Kind::CallFrames => Some(frames::runtime(addresses, part)),
        _ => None,
    };
    let form = form.unwrap_or_else(|| Box::new(Unchanged));
    let kind = match part.kind {
        // Names of functions are among the strings of symbols, too.
        Kind::FuncNames => Kind::Strings,
        kind => kind,
    };
    Stored { kind, form, start }
}

/// Bytes of tables that are changed together.
const PIECE: u64 = 16 << 20;

/// Bytes of a table that are changed from the front, so that those before a place are the original ones.
struct Table<'a> {
    bytes: &'a mut [u8],
    direction: Direction,
}

impl Table<'_> {
    /// Changes the number of `width` bytes at `at`, 4 or 8, to its distance from the expected one, or back; returns the
    /// original number. Zero, which mostly means that there is none, stays zero; other numbers become their distance plus
    /// one, and the one that would become zero takes the value that zero would have.
    fn relative(&mut self, at: usize, width: usize, expected: u64) -> Option<u64> {
        let field = self.bytes.get_mut(at..at.checked_add(width)?)?;
        let wrapped = |value: u64| value & (u64::MAX >> (64 - 8 * width));
        let value = word(field);
        let free = wrapped(1u64.wrapping_sub(expected));
        let (changed, original) = match self.direction {
            _ if value == 0 => return Some(0),
            Direction::Store => {
                let distance = wrapped(value.wrapping_add(free));
                (if distance == 0 { free } else { distance }, value)
            }
            Direction::Restore => {
                let number = wrapped(value.wrapping_sub(free));
                let number = if number == 0 {
                    wrapped(free.wrapping_neg())
                } else {
                    number
                };
                (number, number)
            }
        };
        field.copy_from_slice(&changed.to_le_bytes()[..width]);
        Some(original)
    }

    /// The same for a number of four bytes of which the largest, too, means that there is none, and stays.
    fn relative_or_none(&mut self, at: usize, expected: u64) -> Option<u64> {
        self.add(at, 1)?;
        let original = self.relative(at, 4, expected.wrapping_add(1));
        self.add(at, u32::MAX)?;
        original.map(|original| u64::from((original as u32).wrapping_sub(1)))
    }

    fn add(&mut self, at: usize, number: u32) -> Option<()> {
        let sum = self.u32(at)?.wrapping_add(number);
        self.bytes[at..at + 4].copy_from_slice(&sum.to_le_bytes());
        Some(())
    }

    fn u32(&self, at: usize) -> Option<u32> {
        u32_at(self.bytes, at)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_expected_number_becomes_one_and_zero_stays() {
        let mut bytes = [7, 0, 0, 0, 0, 0, 0, 0];
        let direction = Direction::Store;
        let mut table = Table {
            bytes: &mut bytes,
            direction,
        };
        assert_eq!(table.relative(0, 4, 7), Some(7));
        assert_eq!(table.relative(4, 4, 7), Some(0));
        assert_eq!(bytes, [1, 0, 0, 0, 0, 0, 0, 0]);
    }

    proptest! {
        #[test]
        fn every_number_comes_back(
            value in prop_oneof![any::<u64>(), 0u64..4],
            expected in prop_oneof![any::<u64>(), 0u64..4],
            near in -2i64..3,
            wide: bool,
        ) {
            let width = if wide { 8 } else { 4 };
            for value in [value, expected.wrapping_add_signed(near)] {
                let original = value.to_le_bytes();
                let mut bytes = original;
                for direction in [Direction::Store, Direction::Restore] {
                    let mut table = Table { bytes: &mut bytes, direction };
                    let known = table.relative(0, width, expected).unwrap();
                    prop_assert_eq!(&known.to_le_bytes()[..width], &original[..width]);
                }
                prop_assert_eq!(bytes, original);
            }
        }
    }
}

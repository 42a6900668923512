//! References in literal code, stored as addresses instead of displacements: those to one target become equal bytes.

use crate::bytes::u32_at;
use crate::layout::Part;
use crate::object::Machine;
use crate::program::address::{Addresses, Target};
use crate::program::annotate::{displacement_origin, may_precede_displacement};
use crate::transfer::{Direction, Form};

/// Addresses of a program that are further apart than this do not fit the transformation.
const MAX_SPAN: u64 = 1 << 30;

/// Bytes of a displacement of amd64.
const WIDTH: usize = 4;

/// The form of code. Bytes before and behind a piece of literals are not known to it.
struct Absolute {
    machine: Machine,
    /// The address of the part.
    address: u64,
    /// The first loaded address, and how many addresses there are from it to the last one.
    low: u64,
    span: u32,
}

/// The form of a part with code; `None` if it stays as it is.
pub(super) fn form(machine: Machine, addresses: &Addresses, part: &Part) -> Option<Box<dyn Form>> {
    let (low, end) = addresses.bounds()?;
    let address = addresses.address_of(Target(part.start));
    let fits = end - low <= MAX_SPAN && (low..=end).contains(&address);
    (machine != Machine::Other && fits).then(|| {
        Box::new(Absolute {
            machine,
            address,
            low,
            span: (end - low) as u32,
        }) as Box<dyn Form>
    })
}

impl Absolute {
    /// Changes what may be displacements of amd64 within some bytes at an offset in the part. `change` is given a value and the distance
    /// of what it counts from to the first loaded address. Such a value does not count as bytes before another one: the
    /// same places are found before and after the change.
    fn change_displacements(
        &self,
        offset: u64,
        bytes: &mut [u8],
        change: impl Fn(u32, u32) -> u32,
    ) {
        let start = self.address.wrapping_add(offset);
        let start = start.wrapping_sub(self.low) as u32;
        // Behind the last value that was changed.
        let mut end = 0;
        let mut at = 1;
        while at + WIDTH <= bytes.len() {
            if !may_precede_displacement(bytes[at - 1]) {
                at += 1;
                continue;
            }
            let before = [3, 2, 1].map(|back| {
                if at >= end + back {
                    bytes[at - back]
                } else {
                    0
                }
            });
            if let Some(origin) = displacement_origin(before)
                && let Some(value) = u32_at(bytes, at)
            {
                let shift = start.wrapping_add(at as u32 + origin as u32);
                let value = change(value, shift).to_le_bytes();
                bytes[at..at + WIDTH].copy_from_slice(&value);
                end = at + WIDTH;
                // Calls have one byte before their displacement.
                at = end + 1;
            } else {
                at += 1;
            }
        }
    }

    /// A displacement whose target is loaded becomes the distance of that from the first loaded address. The values that
    /// are displaced take those that are free then.
    fn stored(&self, value: u32, shift: u32) -> u32 {
        let target = value.wrapping_add(shift);
        if target < self.span {
            target
        } else if value < self.span {
            value.wrapping_sub(shift.max(self.span))
        } else {
            value
        }
    }

    /// The inverse of [`Absolute::stored`].
    fn restored(&self, value: u32, shift: u32) -> u32 {
        if value < self.span {
            value.wrapping_sub(shift)
        } else if value.wrapping_add(shift) < self.span {
            value.wrapping_add(shift.max(self.span))
        } else {
            value
        }
    }

    /// Changes the instructions of arm64 that are completely within some bytes.
    fn change_words(&self, direction: Direction, offset: u64, bytes: &mut [u8]) {
        let skipped = (offset.wrapping_neg() % 4) as usize;
        let words = bytes.get_mut(skipped..).unwrap_or_default();
        let mut address = self.address.wrapping_add(offset + skipped as u64);
        for word in words.as_chunks_mut().0 {
            *word = changed_word(direction, u32::from_le_bytes(*word), address).to_le_bytes();
            address = address.wrapping_add(4);
        }
    }
}

impl Form for Absolute {
    fn change(&self, direction: Direction, offset: u64, bytes: &mut [u8]) {
        if self.machine == Machine::Arm64 {
            return self.change_words(direction, offset, bytes);
        }
        self.change_displacements(offset, bytes, |value, shift| match direction {
            Direction::Store => self.stored(value, shift),
            Direction::Restore => self.restored(value, shift),
        });
    }
}

/// An instruction with its displacement increased by its own address, or decreased: `bl` by words, `adrp` by pages.
fn changed_word(direction: Direction, word: u32, address: u64) -> u32 {
    let moved = |value: u32, unit: u64| {
        let distance = (address / unit) as u32;
        match direction {
            Direction::Store => value.wrapping_add(distance),
            Direction::Restore => value.wrapping_sub(distance),
        }
    };
    if word >> 26 == 0x25 {
        return word & 0xfc00_0000 | moved(word, 4) & 0x03ff_ffff;
    }
    if word & 0x9f00_0000 == 0x9000_0000 {
        let pages = moved((word >> 5 & 0x7_ffff) << 2 | word >> 29 & 3, 4096);
        return word & 0x9f00_001f | (pages & 3) << 29 | (pages >> 2 & 0x7_ffff) << 5;
    }
    word
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    fn absolute(machine: Machine, address: u64, span: u32) -> Absolute {
        Absolute {
            machine,
            address,
            low: 0x1000,
            span,
        }
    }

    fn stored(form: &Absolute, offset: u64, original: &[u8]) -> Vec<u8> {
        let mut stored = original.to_vec();
        form.change(Direction::Store, offset, &mut stored);
        stored
    }

    #[test]
    fn calls_of_one_function_are_equal_bytes() {
        let mut code = vec![0x90; 64];
        for at in [10usize, 40] {
            code[at] = 0xe8;
            let displacement = 0x200 - (at as i32 + 5);
            code[at + 1..at + 5].copy_from_slice(&displacement.to_le_bytes());
        }
        let form = absolute(Machine::Amd64, 0x3000, 0x10000);
        let stored = stored(&form, 0, &code);
        assert_eq!(stored[11..15], 0x2200u32.to_le_bytes());
        assert_eq!(stored[41..45], 0x2200u32.to_le_bytes());
    }

    #[test]
    fn branches_of_arm64_to_one_function_are_equal_words() {
        let code: Vec<u8> = [0x9400_0010u32, 0xd503_201f, 0x9400_000e]
            .into_iter()
            .flat_map(u32::to_le_bytes)
            .collect();
        let form = absolute(Machine::Arm64, 0x2000, 0x10000);
        let stored = stored(&form, 0, &code);
        assert_eq!(stored[..4], stored[8..]);
        assert_eq!(stored[..4], 0x9400_0810u32.to_le_bytes());
    }

    proptest! {
        #[test]
        fn what_is_stored_is_restored(
            bytes in vec(select(&[0, 0, 1, 5, 0x0f, 0x10, 0x84, 0x8b, 0xe8, 0xff, 0x90, 0x94][..]), 0..500),
            offset in 0u64..10,
            address in 0x1000u64..0x3000,
            span in select(&[0x10, 0x800, 0x2000, 0x10_0000, 1 << 30][..]),
            arm in any::<bool>(),
        ) {
            let machine = if arm { Machine::Arm64 } else { Machine::Amd64 };
            let form = absolute(machine, address, span);
            let mut restored = stored(&form, offset, &bytes);
            form.change(Direction::Restore, offset, &mut restored);
            prop_assert_eq!(restored, bytes);
        }

        #[test]
        fn every_value_is_restored(value: u32, shift in 0u32..1 << 31, span in 1u32..1 << 30) {
            let form = absolute(Machine::Amd64, 0x1000, span);
            for value in [value, value % span, (value % span).wrapping_sub(shift)] {
                prop_assert_eq!(form.restored(form.stored(value, shift), shift), value);
            }
        }
    }
}

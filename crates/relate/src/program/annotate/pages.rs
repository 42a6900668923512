//! Addresses that two instructions of arm64 form together: the page (`adrp`), and the offset in it, which a later
//! instruction adds to the same register. Compilers put other instructions between them.

use crate::bytes::u32_at;
use crate::field::Field;
use crate::layout::Part;
use crate::program::address::{Target, page};
use crate::program::found::Found;
use crate::program::marks::Marks;
use crate::program::source::Source;

/// How many instructions after the page may use it.
const REACH: usize = 16;
/// Calls change the registers below this.
const PRESERVED: u32 = 19;

/// Branches, pages and offsets, by the rules of version 3.
pub(super) fn arm64(source: &Source<'_>, part: &Part, bytes: &[u8]) -> Marks {
    let start = source.addresses.address_of(Target(part.start));
    let mut found = Found::in_block(bytes);
    let mut addresses = Vec::new();
    let mut at = 0;
    while let Some(instruction) = u32_at(bytes, at) {
        if is_branch(instruction) {
            found.push((at as u32, Field::Branch));
        } else if is_page(instruction) {
            let here = start.wrapping_add(at as u64);
            let address_with = |second: u32| {
                let pair = u64::from(instruction) | u64::from(second) << 32;
                Some(page::address(here, pair))
                    .filter(|address| source.addresses.is_loaded(*address))
            };
            let mut first = None;
            for (user, second) in users(bytes, at) {
                let Some(address) = address_with(second) else {
                    continue;
                };
                if first.is_none() && user == at + 4 {
                    found.push((at as u32, Field::Page));
                } else {
                    if first.is_none() {
                        found.push((at as u32, Field::PageStart));
                        addresses.push((at as u32, address));
                    }
                    found.push((user as u32, Field::PageOffset));
                    addresses.push((user as u32, address));
                }
                first = first.or(Some(user));
            }
        }
        at += 4;
    }
    addresses.sort_unstable();
    Marks::sorted(found).with_addresses(addresses)
}

pub(super) fn is_branch(instruction: u32) -> bool {
    instruction & 0x7c00_0000 == 0x1400_0000
}

pub(super) fn is_page(instruction: u32) -> bool {
    instruction & 0x9f00_0000 == 0x9000_0000
}

/// Whether an instruction adds an offset to a register: an addition, a load or a store.
pub(super) fn adds_to(register: u32, instruction: u32) -> bool {
    let adds = instruction & 0x7fc0_0000 == 0x1100_0000 || is_access(instruction);
    adds && instruction >> 5 & 31 == register
}

/// A load or store with an offset that is a multiple of its size.
fn is_access(instruction: u32) -> bool {
    instruction & 0x3b00_0000 == 0x3900_0000
}

/// The instructions that add an offset to the page that the instruction at `at` forms, as long as its register keeps it.
fn users(bytes: &[u8], at: usize) -> impl Iterator<Item = (usize, u32)> {
    let register = u32_at(bytes, at).unwrap_or(0) & 31;
    let mut kept = true;
    (1..=REACH)
        .map(move |index| at + 4 * index)
        .map_while(move |at| Some((at, u32_at(bytes, at)?)))
        .take_while(move |(_, instruction)| {
            let before = kept;
            kept = kept && keeps(register, *instruction);
            before
        })
        .filter(move |(_, instruction)| adds_to(register, *instruction))
}

/// Whether a register has the same value after an instruction, and the next one follows.
fn keeps(register: u32, instruction: u32) -> bool {
    let is_call =
        instruction & 0xfc00_0000 == 0x9400_0000 || instruction & 0xffff_fc1f == 0xd63f_0000;
    if is_call {
        return register >= PRESERVED;
    }
    let is_jump =
        instruction & 0xfc00_0000 == 0x1400_0000 || instruction & 0xff9f_fc1f == 0xd61f_0000;
    if is_jump {
        return false;
    }
    let is_pair = instruction & 0x3a00_0000 == 0x2800_0000;
    let second = is_pair && instruction >> 10 & 31 == register;
    let first = instruction & 31 == register;
    let is_single = instruction & 0x3a00_0000 == 0x3800_0000;
    if is_pair || is_single {
        // What a store writes is memory, and what a load to a vector register writes has another name.
        let is_vector = instruction & 1 << 26 != 0;
        let is_store = instruction >> 22 & if is_pair { 1 } else { 3 } == 0;
        return is_vector || is_store || !(first || second);
    }
    // Branches on a condition, a register or a bit change nothing.
    let is_conditional =
        instruction & 0xff00_0000 == 0x5400_0000 || instruction & 0x7c00_0000 == 0x3400_0000;
    is_conditional || !first
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `adrp x0`, then the instructions; positions of those that use the page.
    fn used(instructions: &[u32]) -> Vec<usize> {
        let code = [0x9000_0000].iter().chain(instructions);
        let bytes: Vec<u8> = code
            .flat_map(|instruction| instruction.to_le_bytes())
            .collect();
        users(&bytes, 0).map(|(at, _)| at / 4).collect()
    }

    const ADD_X0: u32 = 0x9104_0000;
    const ADD_X1: u32 = 0x9104_0001;
    const STORE_X1: u32 = 0xf900_0001;
    const LOAD_X0: u32 = 0xf940_0400;
    const MOVE_X0: u32 = 0xaa01_03e0;
    const MOVE_X1: u32 = 0xaa02_03e1;
    const CALL: u32 = 0x9400_0010;
    const BRANCH_IF_EQUAL: u32 = 0x5400_0040;
    const COMPARE_AND_BRANCH: u32 = 0xb400_0040;

    #[test]
    fn a_page_is_used_until_its_register_changes() {
        assert_eq!(used(&[MOVE_X1, ADD_X0, ADD_X0]), [2]);
        assert_eq!(used(&[ADD_X1, STORE_X1, LOAD_X0, ADD_X1]), [1, 2, 3]);
        assert_eq!(used(&[MOVE_X0, ADD_X0]), [0; 0]);
        assert_eq!(used(&[CALL, ADD_X0]), [0; 0]);
        assert_eq!(used(&[COMPARE_AND_BRANCH, ADD_X0]), [2]);
        assert_eq!(used(&[BRANCH_IF_EQUAL, ADD_X0]), [2]);
        assert_eq!(used(&[MOVE_X1; 20]), [0; 0]);
    }
}

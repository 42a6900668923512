//! References in machine code, recognised without disassembling from the bytes before them.

use super::pages::{adds_to, is_branch, is_page};
use crate::bytes::u32_at;
use crate::field::Field;
use crate::layout::Part;
use crate::program::address::Target;
use crate::program::found::Found;
use crate::program::source::Source;

/// Adds calls, jumps and operands relative to the instruction pointer whose target is loaded. After a field the search
/// goes on behind it.
pub(super) fn amd64(source: &Source<'_>, part: &Part, mut found: Found, bytes: &[u8]) -> Found {
    let start = source.addresses.address_of(Target(part.start));
    let mut at = 4;
    while let Some(more) = next_candidate(bytes, at) {
        at += more;
        if let Some(field) = reference([bytes[at - 3], bytes[at - 2], bytes[at - 1]])
            && let Some(value) = u32_at(bytes, at)
        {
            let from = start.wrapping_add(at as u64 + field.origin());
            let address = from.wrapping_add(i64::from(value as i32) as u64);
            if source.addresses.is_loaded(address) {
                found.push((at as u32, field));
                at += 4;
                continue;
            }
        }
        at += 1;
    }
    found
}

/// How many bytes behind `at` a field of four bytes may start next.
fn next_candidate(bytes: &[u8], at: usize) -> Option<usize> {
    let pairs = bytes.get(at - 2..bytes.len().checked_sub(4)?)?.windows(2);
    let mut kinds = pairs.map(|pair| BEGINS[usize::from(pair[0])] & ENDS[usize::from(pair[1])]);
    kinds.position(|kinds| kinds != 0)
}

/// Kinds of references, as bits: a call or jump, a conditional jump, an operand.
const CALL: u8 = 1;
const CONDITIONAL: u8 = 2;
const OPERAND: u8 = 4;

/// For each value of the byte before a displacement: the kinds of references that it may belong to. With [`BEGINS`], most
/// positions are passed quickly.
const ENDS: [u8; 256] = {
    let mut kinds = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        kinds[byte] = match byte {
            0xe8 | 0xe9 => CALL,
            0x80..=0x8f => CONDITIONAL,
            _ if byte & 0xc7 == 0x05 => OPERAND,
            _ => 0,
        };
        byte += 1;
    }
    kinds
};

/// The same for the byte before that one.
const BEGINS: [u8; 256] = {
    let mut kinds = [CALL; 256];
    let mut byte = 0;
    while byte < 256 {
        if byte == 0x0f {
            kinds[byte] |= CONDITIONAL;
        }
        if is_plain(byte as u8) || has_immediate(byte as u8) {
            kinds[byte] |= OPERAND;
        }
        byte += 1;
    }
    kinds
};

/// Opcodes with an operand in memory and an immediate, at least behind some bytes.
const fn has_immediate(opcode: u8) -> bool {
    matches!(
        opcode,
        0x69 | 0x6b | 0x70 | 0x80 | 0x81 | 0x83 | 0xa4 | 0xac | 0xba | 0xc0 | 0xc2 | 0xc6 | 0xc7
    )
}

/// Whether the three bytes before a field say that it is a displacement.
fn reference([third, second, first]: [u8; 3]) -> Option<Field> {
    // call, jmp
    if first == 0xe8 || first == 0xe9 {
        return Some(Field::Relative);
    }
    // jcc
    if second == 0x0f && first & 0xf0 == 0x80 {
        return Some(Field::Relative);
    }
    // An operand relative to the instruction pointer.
    if first & 0xc7 != 0x05 {
        return None;
    }
    let wide = if third == 0x66 {
        Field::RelativeImm16
    } else {
        Field::RelativeImm32
    };
    match (second, first) {
        (0x80 | 0x83 | 0xc0 | 0xc6 | 0x6b, _) | (0xf6, 0x05) => Some(Field::RelativeImm8),
        (0x81 | 0xc7 | 0x69, _) | (0xf7, 0x05) => Some(wide),
        (0x70 | 0xba | 0xc2 | 0xa4 | 0xac, _) if third == 0x0f => Some(Field::RelativeImm8),
        (opcode, _) => is_plain(opcode).then_some(Field::Relative),
    }
}

/// Opcodes, of one byte or behind `0f`, with an operand in memory and no immediate.
const fn is_plain(opcode: u8) -> bool {
    match opcode {
        0x00..=0x3f => opcode & 7 < 4 || matches!(opcode, 0x2c..=0x2f),
        0x40..=0x4f
        | 0x51
        | 0x54..=0x5f
        | 0x63
        | 0x6e
        | 0x6f
        | 0x7e
        | 0x7f
        | 0x84..=0x8d
        | 0xaf
        | 0xb0
        | 0xb1
        | 0xb6
        | 0xb7
        | 0xb8
        | 0xbc..=0xbf
        | 0xc1
        | 0xd3
        | 0xd6
        | 0xef
        | 0xf6..=0xf8
        | 0xfa
        | 0xfb
        | 0xfe
        | 0xff => true,
        _ => false,
    }
}

/// Branches, and pairs of neighbouring instructions that form an address in one register, by the rules of versions 1
/// and 2.
pub(super) fn arm64(bytes: &[u8]) -> Found {
    let mut found = Found::with_capacity(bytes.len() / 20);
    let mut at = 0;
    while let Some(first) = u32_at(bytes, at) {
        if is_branch(first) {
            found.push((at as u32, Field::Branch));
        } else if is_page(first)
            && u32_at(bytes, at + 4).is_some_and(|second| adds_to(first & 31, second))
        {
            found.push((at as u32, Field::Page));
            at += 4;
        }
        at += 4;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_recognised_with_their_immediates() {
        assert_eq!(reference([0x48, 0x8b, 0x05]), Some(Field::Relative));
        assert_eq!(reference([0, 0, 0xe8]), Some(Field::Relative));
        assert_eq!(reference([0, 0x83, 0x3d]), Some(Field::RelativeImm8));
        assert_eq!(reference([0x66, 0xc7, 0x05]), Some(Field::RelativeImm16));
        assert_eq!(reference([0x48, 0xc7, 0x05]), Some(Field::RelativeImm32));
        assert_eq!(reference([0, 0x0f, 0x84]), Some(Field::Relative));
        assert_eq!(reference([0, 0x8b, 0x06]), None);
    }

    #[test]
    fn no_reference_is_passed_quickly() {
        for number in 0..1u32 << 24 {
            let [third, second, first, _] = number.to_le_bytes();
            if reference([third, second, first]).is_some() {
                let kinds = ENDS[usize::from(first)] & BEGINS[usize::from(second)];
                assert_ne!(kinds, 0, "{third:02x} {second:02x} {first:02x}");
            }
        }
    }
}

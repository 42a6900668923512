//! References in machine code, recognised without disassembling from the bytes before them.

use std::ops::Range;

use super::pages::{adds_to, is_branch, is_page};
use crate::bytes::u32_at;
use crate::field::Field;
use crate::layout::Part;
use crate::program::address::{Addresses, Target};
use crate::program::found::{Found, MAX_FIELDS};
use crate::program::source::Source;

/// Adds calls, jumps and operands relative to the instruction pointer whose target is loaded. After a field the search
/// goes on behind it.
pub(super) fn amd64(source: &Source<'_>, part: &Part, mut found: Found, bytes: &[u8]) -> Found {
    let code = Code::new(source, part, bytes);
    let mut next = FIRST;
    code.each_behind(may_precede, |at| {
        if at >= next
            && let Some((field, _)) = code.field(at)
        {
            found.push((at as u32, field));
            next = at + WIDTH;
        }
    });
    found
}

/// What those fields of [`amd64`] refer to whose opcode may be that of `lea`, if it is `wanted`, in the order of the
/// fields. Other fields are passed without being looked at, except those close before one of these.
pub(super) fn addresses_taken(
    source: &Source<'_>,
    part: &Part,
    bytes: &[u8],
    wanted: impl Fn(u64) -> bool,
) -> Vec<u64> {
    let code = Code::new(source, part, bytes);
    let wanted = |at| code.address_taken(at).filter(|address| wanted(*address));
    if bytes.len() / WIDTH > MAX_FIELDS {
        // The last fields may not count.
        let all = amd64(source, part, Found::default(), bytes).into_vec();
        return all
            .iter()
            .filter_map(|mark| wanted(mark.0 as usize))
            .collect();
    }
    let mut taken = Vec::new();
    // The position that a search for all fields would go on at.
    let mut next = FIRST;
    let may_take = |before, last| before == LEA && may_precede(before, last);
    code.each_behind(may_take, |at| {
        if at >= next
            && let Some(address) = wanted(at)
        {
            next = code.resume(next, at);
            if next == at {
                taken.push(address);
                next += WIDTH;
            }
        }
    });
    taken
}

/// Bytes of a field.
const WIDTH: usize = 4;
/// The first position that a field may be at.
const FIRST: usize = 4;
/// Positions that are looked at together.
const GROUP: usize = 64;
/// Opcode of `lea`.
const LEA: u8 = 0x8d;

/// Code in which references are looked for.
struct Code<'a> {
    bytes: &'a [u8],
    /// The address of its first byte.
    start: u64,
    /// Loaded addresses around it, which most references are to.
    near: Range<u64>,
    addresses: &'a Addresses,
}

impl<'a> Code<'a> {
    fn new(source: &'a Source<'_>, part: &Part, bytes: &'a [u8]) -> Self {
        let start = source.addresses.address_of(Target(part.start));
        Self {
            bytes,
            start,
            near: source.addresses.loaded_around(start),
            addresses: &source.addresses,
        }
    }

    /// Visits the positions in order that have space for a field, and two bytes before them as a field may have.
    fn each_behind(&self, may: impl Fn(u8, u8) -> bool, mut visit: impl FnMut(usize)) {
        let end = (self.bytes.len() + 1).saturating_sub(WIDTH);
        for start in (FIRST..end).step_by(GROUP) {
            let rest = &self.bytes[start - 2..];
            let mut group = [0; GROUP + 1];
            let group = rest.first_chunk().unwrap_or_else(|| {
                group[..rest.len()].copy_from_slice(rest);
                &group
            });
            let mut found = behind(group, &may);
            while found != 0 {
                let at = start + found.trailing_zeros() as usize;
                found &= found - 1;
                if at < end {
                    visit(at);
                }
            }
        }
    }

    /// The field at a position and the address that it refers to, unless another field overlaps it.
    fn field(&self, at: usize) -> Option<(Field, u64)> {
        let field = reference(*self.bytes[..at].last_chunk()?)?;
        let value = u32_at(self.bytes, at)?;
        let from = self.start.wrapping_add(at as u64 + field.origin());
        let address = from.wrapping_add(i64::from(value as i32) as u64);
        let is_loaded = self.near.contains(&address) || self.addresses.is_loaded(address);
        is_loaded.then_some((field, address))
    }

    /// What the field at a position refers to if it takes an address, unless another field overlaps it.
    fn address_taken(&self, at: usize) -> Option<u64> {
        let (field, address) = self.field(at)?;
        (field == Field::Relative && self.bytes[at - 2] == LEA).then_some(address)
    }

    /// The first position from `at` on that a search which goes on at `next` comes to.
    fn resume(&self, next: usize, at: usize) -> usize {
        // A field that reaches beyond a position starts at one of the three before it. Behind three without one, the
        // search comes to every position.
        let mut from = at;
        let mut without = 0;
        while from > next && without < WIDTH - 1 {
            from -= 1;
            without = if self.field(from).is_some() {
                0
            } else {
                without + 1
            };
        }
        while from < at {
            from += self.field(from).map_or(1, |_| WIDTH);
        }
        from
    }
}

/// Which pairs of bytes next to each other meet a condition, as bits.
fn behind(bytes: &[u8; GROUP + 1], may: impl Fn(u8, u8) -> bool) -> u64 {
    let mut flags = [0; GROUP];
    for (flag, pair) in flags.iter_mut().zip(bytes.windows(2)) {
        *flag = u8::from(may(pair[0], pair[1]));
    }
    // Multiplication moves the lowest bits of eight bytes into the highest byte.
    let pack =
        |eight: &[u8; 8]| u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    let packed = flags.as_chunks().0.iter().rev().map(pack);
    packed.fold(0, |bits, eight| bits << 8 | eight)
}

/// Whether two bytes may be those before a field. Without branches, so that many are looked at together.
fn may_precede(before: u8, last: u8) -> bool {
    is_call(last) | ((before == 0x0f) & is_condition(last)) | is_relative(last)
}

/// Opcodes of `call` and `jmp`.
const fn is_call(byte: u8) -> bool {
    byte & 0xfe == 0xe8
}

/// Opcodes of conditional jumps, behind `0f`.
const fn is_condition(byte: u8) -> bool {
    byte & 0xf0 == 0x80
}

/// Whether a `ModRM` byte says that the operand is relative to the instruction pointer.
const fn is_relative(byte: u8) -> bool {
    byte & 0xc7 == 0x05
}

/// Whether the three bytes before a field say that it is a displacement.
fn reference([third, second, first]: [u8; 3]) -> Option<Field> {
    if is_call(first) || second == 0x0f && is_condition(first) {
        return Some(Field::Relative);
    }
    if !is_relative(first) {
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

/// How far behind a displacement of amd64 starts what it counts from, by the three bytes before it; `None` if they are not
/// those of a call or of an operand.
pub(crate) fn displacement_origin(before: [u8; 3]) -> Option<u64> {
    let known = may_precede_displacement(before[2]);
    reference(before).filter(|_| known).map(Field::origin)
}

/// Whether a byte may be the last before a displacement: the opcode of a call, or the `ModRM` byte of an operand.
pub(crate) fn may_precede_displacement(byte: u8) -> bool {
    byte == 0xe8 || is_relative(byte)
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
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::content::Content;
    use crate::layout::Layout;
    use crate::object::{Load, Machine};
    use crate::stream::Kind;

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
    fn no_reference_is_passed_without_being_looked_at() {
        for number in 0..1u32 << 24 {
            let [third, second, first, _] = number.to_le_bytes();
            if reference([third, second, first]).is_some() {
                assert!(
                    may_precede(second, first),
                    "{third:02x} {second:02x} {first:02x}"
                );
            }
        }
    }

    #[test]
    fn pairs_that_meet_a_condition_are_bits() {
        for place in 0..GROUP {
            let mut group = [0; GROUP + 1];
            group[place..place + 2].copy_from_slice(&[1, 2]);
            assert_eq!(behind(&group, |a, b| (a, b) == (1, 2)), 1 << place);
        }
    }

    /// A program of which all is code, loaded at an address that its bytes often lead to.
    fn source(content: &dyn Content) -> Source<'_> {
        let len = content.len();
        let load = Load {
            address: 0x1000,
            start: 0,
            len,
            memory: len,
        };
        let part = Part {
            kind: Kind::Text,
            start: 0,
            len,
        };
        let layout = Layout {
            machine: Machine::Amd64,
            loads: vec![load],
            parts: vec![part],
            ..Layout::default()
        };
        Source::with_layout(content, layout, 3)
    }

    proptest! {
        #[test]
        fn addresses_are_taken_by_the_same_fields_that_a_search_for_all_finds(
            bytes in vec(select(&[0, 0, 1, 5, 0x0f, 0x84, 0x8b, 0x8d, 0xe8, 0xff][..]), 0..3000)
        ) {
            let content = bytes.as_slice();
            let source = source(&content);
            let part = source.layout.parts[0];
            let all = amd64(&source, &part, Found::default(), &bytes);
            let code = Code::new(&source, &part, &bytes);
            let expected: Vec<u64> = all
                .into_vec()
                .into_iter()
                .filter_map(|(at, _)| code.address_taken(at as usize))
                .filter(|address| address % 4 == 0)
                .collect();
            let taken = addresses_taken(&source, &part, &bytes, |address| address % 4 == 0);
            prop_assert_eq!(taken, expected);
        }
    }
}

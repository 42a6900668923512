//! Addresses in data, and Go's descriptions of types.

use crate::bytes::{u8_at, u16_at, u32_at, u64_at};
use crate::field::Field;
use crate::layout::Part;
use crate::program::address::Target;
use crate::program::found::Found;
use crate::program::source::Source;

/// More methods than any type has.
const MAX_METHODS: usize = 4096;

/// Words of eight bytes, counted from the start of the part, that are addresses.
pub(super) fn addresses(source: &Source<'_>, bytes: &[u8]) -> Found {
    let words = bytes.chunks_exact(8).enumerate();
    words
        .filter(|(_, word)| {
            let value = u64_at(word, 0).unwrap_or(0);
            source.addresses.is_loaded(value)
        })
        .map(|(index, _)| ((index * 8) as u32, Field::Address))
        .collect()
}

/// The fixed part of a description of a type.
pub(crate) struct TypeHeader {
    pub(crate) size: u64,
    flags: u8,
    pub(crate) kind: u8,
    /// Hash, flags, alignments and kind: equal for the same type in two programs.
    pub(crate) identity: u64,
}

impl TypeHeader {
    /// The description at `at`, if it looks like one.
    pub(crate) fn at(source: &Source<'_>, bytes: &[u8], at: usize) -> Option<Self> {
        let go = &source.layout.go;
        let (size, pointers) = (u64_at(bytes, at)?, u64_at(bytes, at + 8)?);
        let (flags, align) = (u8_at(bytes, at + 20)?, u8_at(bytes, at + 21)?);
        let kind = u8_at(bytes, at + 23)? & 31;
        let plausible = (1..=26).contains(&kind)
            && matches!(align, 1 | 2 | 4 | 8)
            && u8_at(bytes, at + 22)? == align
            && flags < 64
            && size < 1 << 32
            && pointers <= size;
        if !plausible {
            return None;
        }
        let types_len = go.types_end.checked_sub(go.types)?;
        let (equal, gc_data) = (u64_at(bytes, at + 24)?, u64_at(bytes, at + 32)?);
        let (name, pointer) = (u32_at(bytes, at + 40)?, u32_at(bytes, at + 44)?);
        let fits = (equal == 0 || source.addresses.is_loaded(equal))
            && (gc_data == 0 || source.addresses.is_loaded(gc_data))
            && name != 0
            && u64::from(name) < types_len
            && u64::from(pointer) < types_len;
        let identity = u64_at(bytes, at + 16)?;
        fits.then_some(Self {
            size,
            flags,
            kind,
            identity,
        })
    }

    /// Where the part with the methods starts, relative to the description.
    fn methods(&self) -> Option<usize> {
        let uncommon = match self.kind {
            17 => 72,
            18 => 64,
            19 | 22 | 23 => 56,
            20 | 25 => 80,
            21 => 112,
            _ => 48,
        };
        (self.flags & 1 != 0).then_some(uncommon)
    }
}

/// Offsets in descriptions of types and their methods.
pub(super) fn types(source: &Source<'_>, part: &Part, bytes: &[u8]) -> Found {
    let mut found = Found::default();
    if source.layout.go.types == 0 {
        return found;
    }
    for at in (0..bytes.len()).step_by(8) {
        let Some(header) = TypeHeader::at(source, bytes, at) else {
            continue;
        };
        found.push((at as u32 + 40, Field::TypeOffset));
        if u32_at(bytes, at + 44).is_some_and(|pointer| pointer != 0) {
            found.push((at as u32 + 44, Field::TypeOffset));
        }
        // More would be the same ones again.
        if found.len() > bytes.len() {
            break;
        }
        if header.kind == 20 {
            interface(source, part, bytes, at, &mut found);
        }
        if let Some(uncommon) = header.methods() {
            methods(source, bytes, at + uncommon, &mut found);
        }
    }
    found
}

/// Names and types of an interface's methods.
fn interface(source: &Source<'_>, part: &Part, bytes: &[u8], at: usize, found: &mut Found) {
    let list = u64_at(bytes, at + 56).and_then(|address| source.addresses.target_of(address));
    let list = list.and_then(Target::position);
    let start = list.and_then(|position| position.checked_sub(part.start));
    let (Some(start), Some(count)) = (start, u64_at(bytes, at + 64)) else {
        return;
    };
    let fits = count < MAX_METHODS as u64
        && start
            .checked_add(count * 8)
            .is_some_and(|end| end <= bytes.len() as u64);
    if fits {
        for word in (0..count as u32 * 2).map(|word| start as u32 + word * 4) {
            found.push((word, Field::TypeOffset));
        }
    }
}

/// The package, and names, types and code of a type's methods.
fn methods(source: &Source<'_>, bytes: &[u8], at: usize, found: &mut Found) {
    let (Some(package), Some(count), Some(offset)) = (
        u32_at(bytes, at),
        u16_at(bytes, at + 4),
        u32_at(bytes, at + 8),
    ) else {
        return;
    };
    if package != 0 {
        found.push((at as u32, Field::TypeOffset));
    }
    let start = at.saturating_add(offset as usize);
    let count = usize::from(count);
    if count > MAX_METHODS || start.saturating_add(count * 16) > bytes.len() {
        return;
    }
    let types_len = source.layout.go.types_end - source.layout.go.types;
    for method in (0..count).map(|index| start + index * 16) {
        if u32_at(bytes, method).is_some_and(|name| u64::from(name) < types_len) {
            let at = method as u32;
            found.extend([(at, Field::TypeOffset), (at + 4, Field::TypeOffset)]);
            found.extend([(at + 8, Field::TextOffset), (at + 12, Field::TextOffset)]);
        }
    }
}

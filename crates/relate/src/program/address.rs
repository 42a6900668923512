//! From a field's value to what it refers to, and back.

use std::ops::{Range, RangeInclusive};

use crate::field::Field;
use crate::layout::{Go, Layout, Part};
use crate::object::Load;
use crate::stream::Kind;

/// What a field refers to: a position in the content, or an address without bytes in the file (with
/// [`Target::MEMORY`] set).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Target(pub(crate) u64);

impl Target {
    /// Marks addresses that are not in the file.
    const MEMORY: u64 = 1 << 63;

    pub(crate) fn position(self) -> Option<u64> {
        (self.0 & Self::MEMORY == 0).then_some(self.0)
    }

    /// The address, if it is not in the file.
    pub(crate) fn memory(self) -> Option<u64> {
        (self.0 & Self::MEMORY != 0).then_some(self.0 & !Self::MEMORY)
    }

    pub(crate) fn at_memory(address: u64) -> Self {
        Self(address | Self::MEMORY)
    }
}

/// Smaller values are numbers rather than addresses.
const LEAST: u64 = 0x1000;

/// Translates between values, addresses and positions of one program.
#[derive(Debug, Clone)]
pub(crate) struct Addresses {
    loads: Vec<Load>,
    /// From the first address that is loaded to the last, both included.
    span: RangeInclusive<u64>,
    /// What the values of each field are relative to, by its number.
    origins: [Origin; FIELDS],
    /// Start and length of the first part of each kind; zero if there is none.
    areas: Vec<(u64, u64)>,
}

impl Addresses {
    pub(crate) fn new(layout: &Layout) -> Self {
        let area = |kind: Kind| {
            let part = layout.part(kind);
            part.map_or((0, 0), |part: &Part| (part.start, part.len))
        };
        let areas: Vec<(u64, u64)> = Kind::ALL.into_iter().map(area).collect();
        Self {
            span: span(&layout.loads),
            loads: layout.loads.clone(),
            origins: origins(&layout.go, &areas),
            areas,
        }
    }

    pub(crate) fn area(&self, kind: Kind) -> (u64, u64) {
        self.areas[kind as usize]
    }

    /// Whether a value is likely to be an address of the program. Small numbers are not, even where a program is loaded
    /// at zero.
    pub(crate) fn is_loaded(&self, address: u64) -> bool {
        // Most values are numbers far from all addresses.
        address >= LEAST && self.span.contains(&address) && self.target_of(address).is_some()
    }

    /// The first loaded address and the end of the last load; `None` if nothing is loaded.
    pub(crate) fn bounds(&self) -> Option<(u64, u64)> {
        (!self.loads.is_empty()).then(|| (*self.span.start(), *self.span.end()))
    }

    /// Addresses around this one that count as loaded; none if it does not.
    pub(crate) fn loaded_around(&self, address: u64) -> Range<u64> {
        let index = self.loads.partition_point(|load| load.address <= address);
        let Some(load) = index.checked_sub(1).map(|index| &self.loads[index]) else {
            return 0..0;
        };
        load.address.max(LEAST)..load.address.saturating_add(load.memory)
    }

    /// What is at an address.
    pub(crate) fn target_of(&self, address: u64) -> Option<Target> {
        let index = self.loads.partition_point(|load| load.address <= address);
        let load = self.loads.get(index.checked_sub(1)?)?;
        let offset = address - load.address;
        if offset < load.len || (offset == load.len && load.memory == load.len) {
            return Some(Target(load.start + offset));
        }
        (offset <= load.memory).then(|| Target::at_memory(address))
    }

    /// The address of a position or of memory; 0 if the position is not loaded.
    pub(crate) fn address_of(&self, target: Target) -> u64 {
        if let Some(address) = target.memory() {
            return address;
        }
        let inside = |load: &&Load| {
            let offset = target.0.wrapping_sub(load.start);
            offset < load.len || (offset == load.len && load.len == load.memory)
        };
        let load = self.loads.iter().find(inside);
        load.map_or(0, |load| load.address.wrapping_add(target.0 - load.start))
    }

    /// What the field at `position` refers to; `None` if nothing of the program.
    pub(crate) fn target(&self, field: Field, position: u64, value: u64) -> Option<Target> {
        match self.origins[field as usize] {
            Origin::Address { start, end } => {
                let address = start.checked_add(value).filter(|address| *address < end)?;
                return self.target_of(address);
            }
            Origin::Area { start, len, unit } => {
                let offset = value.checked_mul(unit)?;
                return (offset <= len).then_some(Target(start + offset));
            }
            Origin::Other => {}
        }
        let here = || self.address_of(Target(position));
        match field {
            Field::Address | Field::SymbolValue | Field::Addend => self.target_of(value),
            Field::BackReference => position.checked_sub(value).map(Target),
            Field::Relative | Field::RelativeImm8 | Field::RelativeImm16 | Field::RelativeImm32 => {
                let from = here().wrapping_add(field.origin());
                self.target_of(from.wrapping_add(i64::from(value as u32 as i32) as u64))
            }
            Field::Branch => {
                let distance = i64::from((value as u32 as i32) << 6 >> 6) * 4;
                self.target_of(here().wrapping_add(distance as u64))
            }
            Field::Page => self.target_of(page::address(here(), value)),
            _ => None,
        }
    }

    /// What an instruction refers to that has a part of an address, given the expected target for the rest.
    pub(crate) fn amended(
        &self,
        field: Field,
        position: u64,
        expected: Target,
        value: u64,
    ) -> Option<Target> {
        let address = self.address_of(expected);
        let part = if field == Field::PageStart {
            page::address(self.address_of(Target(position)), value) | address & page::MASK
        } else {
            address & !page::MASK | page::address(0, value << 32) & page::MASK
        };
        self.target_of(part)
    }

    /// The value of the field at `position` that refers to `target`. `old` has the bits that are not part
    /// of the reference.
    pub(crate) fn value(&self, field: Field, position: u64, target: Target, old: u64) -> u64 {
        match self.origins[field as usize] {
            Origin::Address { start, .. } => {
                return u64::from(self.address_of(target).wrapping_sub(start) as u32);
            }
            Origin::Area { start, unit, .. } => {
                let offset = target.0.wrapping_sub(start);
                return u64::from((offset / unit) as u32);
            }
            Origin::Other => {}
        }
        let address = self.address_of(target);
        let here = || self.address_of(Target(position));
        match field {
            Field::Address | Field::SymbolValue | Field::Addend => address,
            Field::BackReference => u64::from(position.wrapping_sub(target.0) as u32),
            Field::Branch => {
                let distance = (address.wrapping_sub(here()) as i64 >> 2) as u32;
                (old & 0xfc00_0000) | u64::from(distance & 0x03ff_ffff)
            }
            Field::Page => page::value(here(), address, old),
            Field::PageStart => page::value(here(), address, old) & u64::from(u32::MAX),
            Field::PageOffset => page::value(0, address, old << 32) >> 32,
            _ => {
                let from = here().wrapping_add(field.origin());
                u64::from(address.wrapping_sub(from) as u32)
            }
        }
    }
}

/// From the first address of all loads, which are in order, to the last.
fn span(loads: &[Load]) -> RangeInclusive<u64> {
    match (loads.first(), loads.last()) {
        (Some(first), Some(last)) => first.address..=last.address.saturating_add(last.memory),
        _ => RangeInclusive::new(1, 0),
    }
}

/// Fields are numbered below this.
const FIELDS: usize = Field::PageOffset as usize + 1;

/// What the values of a field are relative to.
#[derive(Debug, Clone, Copy)]
enum Origin {
    /// Offsets from an address, to what is before `end`.
    Address { start: u64, end: u64 },
    /// Numbers of units of so many bytes from the start of an area.
    Area { start: u64, len: u64, unit: u64 },
    /// Anything else, for example the field itself.
    Other,
}

/// Fields whose values are numbers of units in the first part of a kind, and the bytes of a unit.
const AREAS: [(Field, Kind, u64); 11] = [
    (Field::NameOffset, Kind::FuncNames, 1),
    (Field::PcOffset, Kind::PcValues, 1),
    (Field::UnitIndex, Kind::UnitFiles, 4),
    (Field::FileOffset, Kind::FileNames, 1),
    (Field::StringOffset, Kind::Strings, 1),
    (Field::SymbolIndex, Kind::DynamicSymbols, 24),
    (Field::DynamicStringOffset, Kind::DynamicStrings, 1),
    (Field::InfoOffset, Kind::Info, 1),
    (Field::LineOffset, Kind::Lines, 1),
    (Field::RangesOffset, Kind::Ranges, 1),
    (Field::LocationsOffset, Kind::Locations, 1),
];

fn origins(go: &Go, areas: &[(u64, u64)]) -> [Origin; FIELDS] {
    let mut origins = [Origin::Other; FIELDS];
    for (field, start, end) in [
        (Field::TextOffset, go.text, u64::MAX),
        (Field::TypeOffset, go.types, go.types_end),
        (Field::FuncDataOffset, go.func_data, u64::MAX),
        (Field::DataOffset, go.rodata, u64::MAX),
    ] {
        origins[field as usize] = Origin::Address { start, end };
    }
    for (field, kind, unit) in AREAS {
        let (start, len) = areas[kind as usize];
        if len > 0 {
            origins[field as usize] = Origin::Area { start, len, unit };
        }
    }
    origins
}

/// Addresses in two instructions of arm64: the page (`adrp`), and the offset in it (`add`, load or store).
pub(super) mod page {
    /// The bits of an address that are not of its page.
    pub(crate) const MASK: u64 = 0xfff;

    /// How far the offset of the second instruction is shifted.
    fn shift(instruction: u32) -> u32 {
        if instruction & 0x3b00_0000 != 0x3900_0000 {
            return 0;
        }
        if instruction & 0x0480_0000 == 0x0480_0000 {
            4
        } else {
            instruction >> 30
        }
    }

    pub(crate) fn address(here: u64, value: u64) -> u64 {
        let (first, second) = (value as u32, (value >> 32) as u32);
        let pages = (first >> 5 & 0x7_ffff) << 2 | (first >> 29 & 3);
        let pages = i64::from((pages << 11) as i32 >> 11);
        let page = (here & !MASK).wrapping_add((pages << 12) as u64);
        page.wrapping_add(u64::from((second >> 10 & 0xfff) << shift(second)))
    }

    pub(crate) fn value(here: u64, address: u64, old: u64) -> u64 {
        let (first, second) = (old as u32, (old >> 32) as u32);
        let pages = ((address & !MASK).wrapping_sub(here & !MASK) >> 12) as u32 & 0x1f_ffff;
        let first = first & 0x9f00_001f | (pages & 3) << 29 | (pages >> 2) << 5;
        let offset = (address as u32 & 0xfff) >> shift(second);
        let second = second & !(0xfff << 10) | offset << 10;
        u64::from(first) | u64::from(second) << 32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses() -> Addresses {
        let load = |address, start, len, memory| Load {
            address,
            start,
            len,
            memory,
        };
        let go = Go {
            text: 0x1000,
            types: 0x1200,
            types_end: 0x1300,
            ..Go::default()
        };
        let areas = vec![(0x100, 0x40); Kind::ALL.len()];
        let loads = vec![
            load(0x1000, 0, 0x800, 0x800),
            load(0x4000, 0x800, 0x100, 0x1000),
        ];
        Addresses {
            span: span(&loads),
            loads,
            origins: origins(&go, &areas),
            areas,
        }
    }

    #[test]
    fn values_and_targets_are_inverse() {
        let addresses = addresses();
        let fields = [
            Field::Relative,
            Field::RelativeImm32,
            Field::TypeOffset,
            Field::UnitIndex,
            Field::Branch,
            Field::InfoOffset,
            Field::SelfRelative,
            Field::BackReference,
        ];
        for (field, target) in fields
            .into_iter()
            .flat_map(|field| [0x210, 0x120].map(|position| (field, Target(position))))
        {
            let value = addresses.value(field, 0x20, target, 0);
            let back = addresses.target(field, 0x20, value);
            assert!(back.is_none() || back == Some(target), "{field:?} {back:?}");
        }
        let target = addresses.target(Field::Address, 0, 0x4200);
        assert_eq!(target.and_then(Target::memory), Some(0x4200));
        assert_eq!(addresses.target(Field::Address, 0, 0x3000), None);
    }

    #[test]
    fn a_page_and_an_offset_give_an_address() {
        // adrp x0, page; add x0, x0, offset
        let old = 0x9000_0000_u64 | 0x9100_0000_u64 << 32;
        let value = page::value(0x40_1000, 0x12_3456, old);
        assert_eq!(page::address(0x40_1000, value), 0x12_3456);
    }
}

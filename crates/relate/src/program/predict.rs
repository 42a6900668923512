//! Predicts the values of fields in copied bytes.
//!
//! A field's old value says what it refers to in the base. All copies are known beforehand, so that they tell where
//! that went; what they do not tell right is learned.

use std::collections::{BTreeMap, HashMap};
use std::io;

use super::address::{Addresses, Target};
use super::annotate::{Funcs, frame_index, func_index, list_starts};
use super::exceptions::Exceptions;
use super::inverse::{Found, Inverse};
use super::source::Source;
use super::symbols::{self, MAX_VARIABLES, Memory, Symbol};
use crate::copies::Copy;
use crate::field::Field;
use crate::layout::{Layout, Part};
use crate::stream::Kind;

/// More memory addresses than this are not learned.
const MAX_MEMORY: usize = 1 << 18;

/// A field in copied bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) field: Field,
    /// The kind of bytes it lies in.
    pub(crate) kind: Kind,
    /// Which base the bytes are from.
    pub(crate) base: usize,
    /// Its position in the base.
    pub(crate) source: u64,
    /// Its position in the new content.
    pub(crate) at: u64,
    /// Its value in the base.
    pub(crate) old: u64,
    /// What its value does not say: for an entry of a table, where that starts in the base; for a page or an offset in
    /// it, the address in the base.
    pub(crate) about: u64,
}

/// The expected value of a field.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prediction {
    pub(crate) value: u64,
    /// What is learned from the true value.
    learn: Learn,
}

#[derive(Debug, Clone, Copy)]
enum Learn {
    Nothing,
    /// A position in the bases refers to this target unless the value turns out otherwise.
    Position(u64, Target),
    /// An address of a base that is not in its file.
    Memory(usize, u64),
}

impl Prediction {
    /// A value that nothing is learned from.
    fn certain(value: u64) -> Self {
        let learn = Learn::Nothing;
        Self { value, learn }
    }
}

/// What is known about the new content while its parts are coded.
pub(crate) struct Predictor<'a> {
    bases: &'a [Source<'a>],
    /// Where each base starts, and the new content after them.
    starts: Vec<u64>,
    layout: &'a Layout,
    addresses: Addresses,
    inverse: Inverse,
    exceptions: Exceptions,
    memory: BTreeMap<(usize, u64), u64>,
    /// Named memory of the bases, once something is copied from them.
    base_memory: Vec<Option<Memory>>,
    new_memory: HashMap<u64, u64>,
    /// Strings of the new symbol table, until it is coded.
    strings: Vec<u8>,
    function_starts: Ascending<u64>,
    lists: [ListStarts; 2],
    /// The address of the function described last.
    entry: u64,
    /// How far the last index of an address was from its old value, by kind.
    index_change: Vec<u64>,
}

/// Where lists start, and the one referred to last.
#[derive(Default)]
struct ListStarts {
    starts: Ascending<u32>,
    last: u64,
}

/// Values in ascending order that are looked up mostly one after the other.
#[derive(Default)]
struct Ascending<T> {
    values: Vec<T>,
    /// The index of the value that was found last.
    last: usize,
}

impl<T: std::marker::Copy + Into<u64>> Ascending<T> {
    fn new(values: Vec<T>) -> Self {
        Self { values, last: 0 }
    }

    /// The first value that is greater than `value`.
    fn after(&mut self, value: u64) -> Option<u64> {
        let greater = |index: usize| self.values.get(index).is_none_or(|&at| at.into() > value);
        let is_next = !greater(self.last) && greater(self.last + 1);
        self.last = if is_next {
            self.last + 1
        } else {
            self.values.partition_point(|&at| at.into() <= value)
        };
        self.values.get(self.last).map(|&value| value.into())
    }
}

impl<'a> Predictor<'a> {
    pub(crate) fn new(
        bases: &'a [Source<'a>],
        layout: &'a Layout,
        copies: impl Iterator<Item = Copy>,
    ) -> Self {
        let mut starts = vec![0];
        for base in bases {
            starts.push(starts.last().copied().unwrap_or(0) + base.content.len());
        }
        let end = starts.last().copied().unwrap_or(0);
        Self {
            bases,
            starts,
            layout,
            addresses: Addresses::new(layout),
            inverse: Inverse::new(copies, end),
            exceptions: Exceptions::new(layout.len()),
            memory: BTreeMap::new(),
            base_memory: bases.iter().map(|_| None).collect(),
            new_memory: HashMap::new(),
            strings: Vec::new(),
            function_starts: Ascending::new(Vec::new()),
            lists: Default::default(),
            entry: 0,
            index_change: vec![0; Kind::ALL.len()],
        }
    }

    fn new_start(&self) -> u64 {
        self.starts[self.bases.len()]
    }

    /// Takes note of a part that is complete.
    pub(crate) fn completed(&mut self, part: &Part, bytes: Vec<u8>) {
        match part.kind {
            Kind::Strings => self.strings = bytes,
            Kind::Symbols => {
                self.function_starts = Ascending::new(symbols::function_starts(&bytes));
                self.new_memory = self.memory_names(&bytes);
                self.strings = Vec::new();
            }
            Kind::Locations => {
                self.lists[0].starts = Ascending::new(list_starts(&bytes, part.kind));
            }
            Kind::Ranges => {
                self.lists[1].starts = Ascending::new(list_starts(&bytes, part.kind));
            }
            _ => {}
        }
    }

    /// Where the lists of locations and of ranges that were passed start.
    pub(crate) fn list_starts(&self) -> [&[u32]; 2] {
        [0, 1].map(|kind| self.lists[kind].starts.values.as_slice())
    }

    /// Whether [`Predictor::completed`] wants the bytes of a kind.
    pub(crate) fn wants(kind: Kind) -> bool {
        matches!(
            kind,
            Kind::Strings | Kind::Symbols | Kind::Locations | Kind::Ranges
        )
    }

    fn memory_names(&self, symbols: &[u8]) -> HashMap<u64, u64> {
        let mut names = HashMap::new();
        for symbol in symbols::all(symbols) {
            let target = self.addresses.target_of(symbol.value);
            if target.and_then(Target::memory).is_some() && names.len() < MAX_VARIABLES {
                let name = crate::bytes::name_at(&self.strings, symbol.name as usize);
                names.insert(symbols::hash(name), symbol.value);
            }
        }
        names
    }

    /// The kind of part that a derived part follows from.
    pub(crate) fn origin_of(kind: Kind) -> Kind {
        match kind {
            Kind::CallFrameIndex => Kind::CallFrames,
            Kind::FuncIndex => Kind::FuncTable,
            _ => Kind::Funcs,
        }
    }

    /// The expected bytes of a part that follows from another, whose bytes are `origin`.
    pub(crate) fn derived(&self, part: &Part, origin: &[u8]) -> Vec<u8> {
        if part.kind == Kind::FuncIndex {
            return func_index(origin, part.len as usize);
        }
        let address = |position| self.addresses.address_of(Target(position));
        let (start, _) = self.addresses.area(Self::origin_of(part.kind));
        if part.kind == Kind::CallFrameIndex {
            let (from, index) = (address(start), address(part.start));
            return frame_index(origin, from, index, part.len as usize);
        }
        let header = self.layout.go.func_header as usize;
        let offset = start.wrapping_sub(part.start) as u32;
        let mut bytes = Vec::with_capacity(part.len as usize);
        for func in Funcs::new(header, offset as usize, origin) {
            if bytes.len() as u64 + 8 > part.len {
                break;
            }
            bytes.extend(func.entry().to_le_bytes());
            bytes.extend((func.at as u32).wrapping_add(offset).to_le_bytes());
        }
        bytes.resize(part.len as usize, 0);
        bytes
    }

    /// The expected index of an address.
    pub(crate) fn index(&self, kind: Kind, old: u64) -> u64 {
        old.wrapping_add(self.index_change[kind as usize])
    }

    /// Learns the true index of an address.
    pub(crate) fn learn_index(&mut self, kind: Kind, old: u64, value: u64) {
        self.index_change[kind as usize] = value.wrapping_sub(old);
    }

    /// Learns about a base what predictions for copies from it need.
    pub(crate) fn prepare(&mut self, base: usize) -> io::Result<()> {
        if self.base_memory[base].is_none() {
            self.base_memory[base] = Some(Memory::of(&self.bases[base])?);
        }
        Ok(())
    }

    /// The expected value of a field, whose base was prepared. `before` are the 24 bytes before it in the new content.
    #[inline]
    pub(crate) fn predict(
        &mut self,
        place: &Place,
        copy: &Copy,
        before: &[u8; 24],
    ) -> Option<Prediction> {
        if let Some(value) = self.sequential(place, before) {
            return Some(Prediction::certain(value));
        }
        if place.field == Field::TableEntry {
            return self.table_entry(place, copy);
        }
        let addresses = &self.bases[place.base].addresses;
        let target = match place.field {
            Field::PageStart | Field::PageOffset => addresses.target_of(place.about),
            field => addresses.target(field, place.source, place.old),
        }?;
        let (target, learn) = if let Some(address) = target.memory() {
            let moved = self.memory_target(place.base, address);
            (Target::at_memory(moved), Learn::Memory(place.base, address))
        } else {
            self.position_target(place, target, copy)
        };
        let value = self
            .addresses
            .value(place.field, place.at, target, place.old);
        Some(Prediction { value, learn })
    }

    /// Fields whose values follow from what is before them.
    fn sequential(&mut self, place: &Place, before: &[u8; 24]) -> Option<u64> {
        match (place.field, place.kind) {
            (Field::StringOffset, Kind::Symbols) => {
                Some(symbols::next_name(&Symbol::at(before, 0)?, &self.strings))
            }
            (Field::TextOffset, Kind::Funcs) => {
                let next = self.function_after(self.entry)?;
                Some(u64::from(next.wrapping_sub(self.layout.go.text) as u32))
            }
            (Field::Address, Kind::Addresses) => {
                self.function_after(crate::bytes::u64_at(before, 16)?)
            }
            (Field::LocationsOffset, Kind::Info) => self.lists[0].next(),
            (Field::RangesOffset, Kind::Info) => self.lists[1].next(),
            _ => None,
        }
    }

    fn function_after(&mut self, address: u64) -> Option<u64> {
        self.function_starts.after(address)
    }

    /// The expected value of the symbol whose first eight bytes are at the end of `before`, after the symbol
    /// that ends there; `size` is what the base says.
    pub(crate) fn symbol_value(
        &mut self,
        place: &Place,
        before: &Symbol,
        info: u8,
        size: u64,
    ) -> Prediction {
        let is_function = info & 15 == 2;
        let next = symbols::next_value(before, is_function, size, self.layout.machine);
        let mut value = next;
        if !(is_function && before.is_function()) {
            let base = &self.bases[place.base];
            let target = base
                .addresses
                .target_of(place.old)
                .and_then(Target::position);
            let start = self.starts[place.base];
            let found = target.and_then(|position| self.inverse.find(start + position));
            if let Some(Found::Covered(position)) = found {
                let target = Target(position - self.new_start());
                value = self.addresses.address_of(target);
            }
        }
        Prediction::certain(value)
    }

    /// An entry of a table: both the table and what the entry leads to may have moved.
    fn table_entry(&self, place: &Place, copy: &Copy) -> Option<Prediction> {
        let addresses = &self.bases[place.base].addresses;
        let from = addresses.address_of(Target(place.about));
        let to = from.wrapping_add(i64::from(place.old as i32) as u64);
        let target = addresses
            .target_of(to)
            .filter(|target| target.position().is_some())?;
        let (target, _) = self.position_target(place, target, copy);
        let (anchor, _) = self.position_target(place, Target(place.about), copy);
        let address = |target| self.addresses.address_of(target);
        let value = u64::from(address(target).wrapping_sub(address(anchor)) as u32);
        Some(Prediction::certain(value))
    }

    /// The position of an address in the new content, if that part is complete before relocations are.
    pub(crate) fn relocated(&self, address: u64) -> Option<u64> {
        let position = self.addresses.target_of(address)?.position()?;
        let parts = &self.layout.parts;
        let index = parts.partition_point(|part| part.end() <= position);
        let part = parts.get(index)?;
        (part.kind < Kind::Relocations && position + 8 <= part.end()).then_some(position)
    }

    /// The expected addend of a relocation, given what is at the address that it changes.
    pub(crate) fn addend(value: u64) -> Prediction {
        Prediction::certain(value)
    }

    /// Where what is at an address of a base that is not in its file went.
    #[inline(never)]
    fn memory_target(&self, base: usize, address: u64) -> u64 {
        let named = self.base_memory[base]
            .as_ref()
            .and_then(|memory| memory.find(address));
        if let Some((name, offset)) = named
            && let Some(start) = self.new_memory.get(&name)
        {
            return start.wrapping_add(offset);
        }
        let before = self.memory.range(..=(base, address)).next_back();
        let near = before.filter(|(key, _)| key.0 == base);
        let moved = near.map_or(address, |(key, value)| value.wrapping_add(address - key.1));
        moved & !(1 << 63)
    }

    #[inline]
    fn position_target(&self, place: &Place, target: Target, copy: &Copy) -> (Target, Learn) {
        let position = self.starts[place.base] + target.0;
        let within = position.wrapping_sub(copy.source);
        if within <= copy.len {
            let new = copy.at + within - self.new_start();
            return (Target(new), Learn::Nothing);
        }
        let known = self.exceptions.get(position).map(Target);
        let expected = known.unwrap_or_else(|| match self.inverse.find(position) {
            Some(Found::Covered(new) | Found::Near(new)) => Target(new - self.new_start()),
            None => target,
        });
        (expected, Learn::Position(position, expected))
    }

    /// Learns the true value of a field.
    #[inline]
    pub(crate) fn learn(&mut self, place: &Place, prediction: &Prediction, value: u64) {
        match (place.field, place.kind) {
            (Field::TextOffset, Kind::Funcs) => {
                self.entry = self.layout.go.text.wrapping_add(value);
            }
            (Field::LocationsOffset, _) => self.lists[0].last = value,
            (Field::RangesOffset, _) => self.lists[1].last = value,
            _ => {}
        }
        let learn = prediction.learn;
        let target = match (place.field, learn) {
            (_, Learn::Nothing) => return,
            (Field::PageStart | Field::PageOffset, Learn::Position(_, expected)) => self
                .addresses
                .amended(place.field, place.at, expected, value),
            (field, _) => self.addresses.target(field, place.at, value),
        };
        match (learn, target) {
            (Learn::Position(position, expected), Some(target)) if target != expected => {
                self.exceptions.set(position, target.0);
            }
            (Learn::Memory(base, address), Some(target)) if self.memory.len() < MAX_MEMORY => {
                if let Some(new) = target.memory() {
                    self.memory.insert((base, address), new);
                }
            }
            _ => {}
        }
    }
}

impl ListStarts {
    fn next(&mut self) -> Option<u64> {
        self.starts.after(self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_after_another_is_found_in_any_order() {
        let mut ascending = Ascending::new(vec![3u32, 5, 5, 9]);
        for (value, after) in [
            (0, Some(3)),
            (3, Some(5)),
            (4, Some(5)),
            (5, Some(9)),
            (9, None),
            (20, None),
            (2, Some(3)),
            (8, Some(9)),
        ] {
            assert_eq!(ascending.after(value), after, "{value}");
        }
    }
}

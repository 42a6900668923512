//! Go's descriptions of functions, and the calls that were inlined into them.

use std::io;

use crate::bytes::{u8_at, u32_at, u64_at};
use crate::field::Field;
use crate::layout::Part;
use crate::program::found::Found;
use crate::program::source::Source;
use crate::stream::Kind;

/// Which of a function's data lists the inlined calls.
const INLINED: usize = 3;
/// Which of a function's data lists objects on its stack.
const STACK_OBJECTS: usize = 2;
/// Bytes of an object on the stack.
const OBJECT: usize = 16;
/// Bytes of an inlined call.
const CALL: usize = 16;
/// A function without a certain datum.
const NONE: u32 = u32::MAX;

/// A function's description within the bytes of all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Func<'a> {
    bytes: &'a [u8],
    /// Where it starts in the part.
    pub(crate) at: usize,
    header: usize,
    values: usize,
    data: usize,
}

impl Func<'_> {
    pub(crate) fn entry(&self) -> u32 {
        self.field(0)
    }

    pub(crate) fn name(&self) -> u32 {
        self.field(4)
    }

    pub(crate) fn unit(&self) -> u32 {
        self.field(32)
    }

    /// Where in the part the offsets of tables of values are: stack, file and line, then the others.
    pub(crate) fn values(&self) -> impl Iterator<Item = usize> {
        let tables = (0..self.values).map(|index| self.at + self.header + 4 * index);
        [16, 20, 24]
            .map(|offset| self.at + offset)
            .into_iter()
            .chain(tables)
    }

    /// Where in the part the offsets of data are.
    pub(crate) fn data(&self) -> impl Iterator<Item = usize> {
        let start = self.at + self.header + 4 * self.values;
        (0..self.data).map(move |index| start + 4 * index)
    }

    /// The offset of one of the function's data in that of all.
    fn datum(&self, number: usize) -> Option<u32> {
        let at = self.data().nth(number)?;
        u32_at(self.bytes, at).filter(|offset| *offset != NONE)
    }

    fn field(&self, offset: usize) -> u32 {
        u32_at(self.bytes, self.at + offset).unwrap_or(0)
    }
}

/// The places of descriptions one after the other, each on a multiple of eight behind the start of the table of functions.
pub(crate) struct Descriptions {
    at: usize,
    header: usize,
    /// What to add to an offset in the part for its alignment.
    phase: usize,
}

/// The place of a description.
pub(crate) struct Description {
    /// Where it starts in the part.
    pub(crate) at: usize,
    /// How many tables of values and how many data it has.
    pub(crate) values: usize,
    pub(crate) data: usize,
}

impl Descriptions {
    /// Descriptions that start `offset` bytes behind the table of functions. `header` is the length of a description
    /// before its tables.
    pub(crate) fn new(header: usize, offset: usize) -> Self {
        let phase = offset % 8;
        Self {
            at: (8 - phase) % 8,
            header,
            phase,
        }
    }

    /// The next one in `bytes`, those of the part; `None` if it does not fit.
    pub(crate) fn next(&mut self, bytes: &[u8]) -> Option<Description> {
        if self.header < 40 {
            return None;
        }
        let at = self.at;
        let values = u32_at(bytes, at + 28)? as usize;
        let data = usize::from(u8_at(bytes, at + self.header - 1)?);
        let len = values.checked_add(data)?.checked_mul(4)? + self.header;
        let end = at.checked_add(len).filter(|end| *end <= bytes.len())?;
        self.at = (end + self.phase).next_multiple_of(8) - self.phase;
        Some(Description { at, values, data })
    }
}

/// The descriptions in the bytes of a part.
pub(crate) struct Funcs<'a> {
    bytes: &'a [u8],
    places: Descriptions,
}

impl<'a> Funcs<'a> {
    /// The descriptions in `bytes`, which start `offset` bytes behind the table of functions. `header` is the
    /// length of a description before its tables.
    pub(crate) fn new(header: usize, offset: usize, bytes: &'a [u8]) -> Self {
        let places = Descriptions::new(header, offset);
        Self { bytes, places }
    }

    /// The descriptions of a program, in `bytes`, its part of kind [`Kind::Funcs`].
    pub(crate) fn of(source: &Source<'_>, bytes: &'a [u8]) -> Self {
        let start = |kind| source.addresses.area(kind).0;
        let offset = start(Kind::Funcs).wrapping_sub(start(Kind::FuncTable));
        Self::new(
            source.layout.go.func_header as usize,
            offset as usize,
            bytes,
        )
    }
}

impl<'a> Iterator for Funcs<'a> {
    type Item = Func<'a>;

    fn next(&mut self) -> Option<Func<'a>> {
        let Description { at, values, data } = self.places.next(self.bytes)?;
        Some(Func {
            bytes: self.bytes,
            at,
            header: self.places.header,
            values,
            data,
        })
    }
}

/// Fields of descriptions.
pub(super) fn descriptions(source: &Source<'_>, bytes: &[u8]) -> Found {
    let mut found = Found::with_capacity(bytes.len() / 6);
    for func in Funcs::of(source, bytes) {
        let at = func.at as u32;
        found.push((at, Field::TextOffset));
        found.push((at + 4, Field::NameOffset));
        let mut values = func.values();
        let used = |at: &usize| u32_at(bytes, *at).is_some_and(|offset| offset != 0);
        let fixed = values.by_ref().take(3).filter(used);
        found.extend(fixed.map(|at| (at as u32, Field::PcOffset)));
        found.push((at + 32, Field::UnitIndex));
        found.extend(values.filter(used).map(|at| (at as u32, Field::PcOffset)));
        let used = |at: &usize| u32_at(bytes, *at).is_some_and(|offset| offset != NONE);
        let data = func.data().filter(used);
        found.extend(data.map(|at| (at as u32, Field::FuncDataOffset)));
    }
    found
}

/// Fields of the lists of inlined calls and of objects on the stack that lie in `part`.
pub(super) fn lists(source: &Source<'_>, part: &Part, bytes: &[u8]) -> io::Result<Found> {
    if source.layout.go.func_data == 0 {
        return Ok(Found::default());
    }
    let funcs = source.bytes_of(Kind::Funcs)?;
    let mut found = inlined(source, part, &funcs, bytes);
    if source.layout.go.rodata != 0 {
        found.extend(stack_objects(source, part, &funcs, bytes).into_vec());
    }
    Ok(found)
}

/// Names in the lists of inlined calls.
fn inlined(source: &Source<'_>, part: &Part, funcs: &[u8], bytes: &[u8]) -> Found {
    let mut found = Found::default();
    let (_, names) = source.addresses.area(Kind::FuncNames);
    let mut known = Known::new(bytes.len());
    for start in Funcs::of(source, funcs).filter_map(|func| inlined_calls(source, part, &func)) {
        for at in calls(bytes, start, names) {
            // Functions may share a list, so that one seen before ends it.
            if !known.insert(at) {
                break;
            }
            found.push((at as u32 + 4, Field::NameOffset));
        }
    }
    found
}

/// Offsets of the maps of pointers in the lists of objects on the stack: behind a count of eight bytes, the last four bytes
/// of each object.
fn stack_objects(source: &Source<'_>, part: &Part, funcs: &[u8], bytes: &[u8]) -> Found {
    let mut found = Found::default();
    let mut known = Known::new(bytes.len());
    for func in Funcs::of(source, funcs) {
        let Some(start) = datum_at(source, part, &func, STACK_OBJECTS) else {
            continue;
        };
        let count = u64_at(bytes, start).unwrap_or(0);
        let list = (start + 8..bytes.len()).step_by(OBJECT);
        // Functions may share a list.
        for at in list.take(usize::try_from(count).unwrap_or(0)) {
            if at + OBJECT > bytes.len() || !known.insert(at) {
                break;
            }
            found.push(((at + 12) as u32, Field::DataOffset));
        }
    }
    found
}

/// Which words of four bytes were seen.
struct Known(Vec<u64>);

impl Known {
    fn new(len: usize) -> Self {
        Self(vec![0; len / 4 / 64 + 1])
    }

    /// Whether the word at a position was not seen before.
    fn insert(&mut self, at: usize) -> bool {
        let (word, bit) = (at / 4 / 64, 1 << (at / 4 % 64));
        let is_new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        is_new
    }
}

/// Where in `part` a function's list of inlined calls starts.
pub(crate) fn inlined_calls(source: &Source<'_>, part: &Part, func: &Func<'_>) -> Option<usize> {
    datum_at(source, part, func, INLINED)
}

/// Where in `part` one of a function's data starts.
fn datum_at(source: &Source<'_>, part: &Part, func: &Func<'_>, number: usize) -> Option<usize> {
    let address = source
        .layout
        .go
        .func_data
        .checked_add(u64::from(func.datum(number)?))?;
    let position = source.addresses.target_of(address)?.position()?;
    let start = position.checked_sub(part.start)?;
    (start < part.len).then_some(start as usize)
}

/// Consecutive calls that are plausible, from `start` on.
fn calls(bytes: &[u8], start: usize, names: u64) -> impl Iterator<Item = usize> {
    let is_call = move |at: &usize| {
        let field = |offset| u32_at(bytes, at + offset).unwrap_or(NONE);
        let name = field(4);
        field(0) < 40
            && name != 0
            && u64::from(name) < names
            && field(8) < 1 << 20
            && field(12) < 1 << 20
    };
    (start..bytes.len()).step_by(CALL).take_while(is_call)
}

/// The index of functions by address, `len` bytes of it, given their table: for each 4096 bytes of text the number of the
/// function that is there, then for each 256 bytes how many functions further one is.
pub(crate) fn func_index(table: &[u8], len: usize) -> Vec<u8> {
    const FUNCTIONS_EACH: u64 = 256;
    const EACH: u64 = 16;
    let count = table.len() / 8;
    let start = |index: usize| u64::from(u32_at(table, index * 8).unwrap_or(0));
    let (first, end) = (start(0), start(count));
    let (mut index, mut base) = (0, 0);
    let mut bytes = Vec::with_capacity(len + 8);
    for piece in 0u64.. {
        let address = first + piece * FUNCTIONS_EACH;
        if address >= end || bytes.len() >= len {
            break;
        }
        while index + 1 < count && start(index + 1) <= address {
            index += 1;
        }
        if piece % EACH == 0 {
            base = index;
            bytes.extend((base as u32).to_le_bytes());
        }
        bytes.push((index - base) as u8);
    }
    bytes.resize(len, 0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_names_the_function_at_each_start_of_256_bytes() {
        let starts = [0x100u32, 0x180, 0x400, 0x1180, 0x1300];
        let table: Vec<u8> = starts
            .iter()
            .enumerate()
            .flat_map(|(number, start)| [*start, number as u32])
            .flat_map(u32::to_le_bytes)
            .collect();
        // The end of the last function is the last entry, without a number.
        let index = func_index(&table[..table.len() - 4], 26);
        let first = [0, 0, 0, 0, 0, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2];
        assert_eq!(index[..20], first);
        assert_eq!(index[20..], [2, 0, 0, 0, 0, 1]);
    }
}

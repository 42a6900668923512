//! DWARF: debug entries, line programs, frames, lists of locations and ranges.

use std::collections::HashMap;
use std::io;
use std::rc::Rc;

use crate::bytes::{Walker, u16_at, u32_at, u64_at};
use crate::field::Field;
use crate::layout::Part;
use crate::program::found::Found;
use crate::program::source::Source;
use crate::stream::Kind;

/// Tables of abbreviations with larger codes are not used.
const MAX_CODE: u64 = 1 << 16;
/// More attributes than any entry has.
const MAX_ATTRIBUTES: usize = 48;
/// More lists than a part may have.
const MAX_LISTS: usize = 16 << 20;
/// How many tables of abbreviations are kept.
const MAX_TABLES: usize = 4096;
/// All tables of abbreviations may be read so many times.
const OVERLAP: usize = 4;
/// Bytes of tables of abbreviations that are read where all are kept.
const MAX_ABBREVIATIONS: usize = 8 << 20;
/// More units than a part may have where all are kept.
const MAX_UNITS: usize = 1 << 18;
/// Bytes of a unit's header that are looked at.
const UNIT_HEADER: usize = 12;
/// Bytes that are read at a time to find headers: units are shorter or much longer.
const READ_AHEAD: usize = 4 << 10;

/// An attribute as an abbreviation specifies it: its name and the form of its values.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attribute {
    pub(crate) name: u16,
    pub(crate) form: u16,
    /// How many bytes every value has, in all versions; `None` if that is not fixed.
    width: Option<u8>,
    /// The kind of field of its values, if all are fields.
    field: Option<Field>,
}

/// The shape of debug entries with one code.
#[derive(Debug)]
pub(crate) struct Abbreviation {
    pub(crate) has_children: bool,
    pub(crate) attributes: Vec<Attribute>,
}

/// A table of abbreviations, in ascending order of codes.
#[derive(Debug, Default)]
pub(crate) struct Abbreviations(Vec<(u64, Abbreviation)>);

impl Abbreviations {
    pub(crate) fn get(&self, code: u64) -> Option<&Abbreviation> {
        // Codes usually count from 1 on.
        let expected = self.0.get((code as usize).wrapping_sub(1));
        if let Some((_, abbreviation)) = expected.filter(|(found, _)| *found == code) {
            return Some(abbreviation);
        }
        let index = self.0.binary_search_by_key(&code, |(code, _)| *code).ok()?;
        Some(&self.0[index].1)
    }

    /// Reads the table at `at`, as far as it is valid; also how many bytes it has.
    fn read(bytes: &[u8], at: usize) -> (Self, usize) {
        let mut table = Self::default();
        let mut walker = Walker::new(bytes, at);
        while let Some(entry) = Self::entry(&mut walker) {
            table.0.push(entry);
        }
        // Of two with one code the first counts.
        table.0.sort_by_key(|(code, _)| *code);
        table.0.dedup_by_key(|(code, _)| *code);
        (table, walker.at.saturating_sub(at))
    }

    fn entry(walker: &mut Walker<'_>) -> Option<(u64, Abbreviation)> {
        let code = walker.leb().filter(|code| (1..MAX_CODE).contains(code))?;
        walker.leb()?;
        let has_children = walker.byte()? != 0;
        let mut attributes = Vec::new();
        loop {
            let (name, form) = (walker.leb()? as u16, walker.leb()? as u16);
            // A constant in the abbreviation itself.
            if form == 0x21 {
                walker.leb()?;
            }
            if name == 0 && form == 0 {
                return Some((
                    code,
                    Abbreviation {
                        has_children,
                        attributes,
                    },
                ));
            }
            if attributes.len() == MAX_ATTRIBUTES {
                return None;
            }
            attributes.push(Attribute::new(name, form));
        }
    }
}

/// A unit of `.debug_info`.
pub(crate) struct Unit {
    /// Where its header starts.
    pub(crate) header: usize,
    /// Where its entries start.
    pub(crate) start: usize,
    /// Where it ends.
    pub(crate) end: usize,
    pub(crate) version: u16,
    pub(crate) abbreviations: Rc<Abbreviations>,
}

/// Tables of abbreviations, by where they start.
pub(crate) struct Tables<'a> {
    bytes: &'a [u8],
    read: HashMap<u32, Rc<Abbreviations>>,
    /// How many more bytes are read: tables may overlap.
    left: usize,
}

impl<'a> Tables<'a> {
    /// The tables in `bytes`, of which a limited part is read.
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        let left = bytes.len().saturating_mul(OVERLAP).min(MAX_ABBREVIATIONS);
        Self::new(bytes, left)
    }

    /// The tables in `bytes`, of which at most `left` are read, all in all.
    fn new(bytes: &'a [u8], left: usize) -> Self {
        Self {
            bytes,
            read: HashMap::new(),
            left,
        }
    }

    pub(crate) fn get(&mut self, offset: u32) -> Rc<Abbreviations> {
        if self.read.len() == MAX_TABLES {
            self.read.clear();
        }
        let table = self.read.entry(offset).or_insert_with(|| {
            let bytes = if self.left > 0 { self.bytes } else { &[] };
            let (table, len) = Abbreviations::read(bytes, offset as usize);
            self.left = self.left.saturating_sub(len.max(1));
            Rc::new(table)
        });
        Rc::clone(table)
    }
}

/// Visits the units of `info`, with their abbreviations from `table`.
pub(crate) fn units(info: &[u8], table: &[u8], mut visit: impl FnMut(&Unit)) {
    let mut tables = Tables::new(table, table.len().saturating_mul(OVERLAP));
    let mut at = 0;
    while let Some(unit) = info
        .get(at..)
        .and_then(|header| Unit::read(header, at, info.len(), &mut tables))
    {
        at = unit.end;
        visit(&unit);
    }
}

/// The first units of a part with debug entries, of which only the headers are read.
pub(super) fn all_units(source: &Source<'_>, part: &Part) -> io::Result<Vec<Unit>> {
    let table = source.bytes_of(Kind::Abbreviations)?;
    let mut tables = Tables::of(&table);
    let mut units = Vec::new();
    let mut at = 0;
    let (mut ahead, mut ahead_at) = (Vec::new(), 0);
    while units.len() < MAX_UNITS {
        let missing = at + UNIT_HEADER > ahead_at + ahead.len();
        if missing && ahead_at + ahead.len() < part.len as usize {
            ahead.resize(READ_AHEAD.min(part.len as usize - at), 0);
            source.content.read_at(&mut ahead, part.start + at as u64)?;
            ahead_at = at;
        }
        let header = ahead.get(at - ahead_at..).unwrap_or_default();
        let Some(unit) = Unit::read(header, at, part.len as usize, &mut tables) else {
            break;
        };
        at = unit.end;
        units.push(unit);
    }
    Ok(units)
}

impl Unit {
    /// The unit whose header starts at `at`, within `len` bytes; `None` if it is not understood.
    fn read(header: &[u8], at: usize, len: usize, tables: &mut Tables<'_>) -> Option<Self> {
        let rest = u32_at(header, 0).filter(|rest| *rest < 0xffff_fff0)? as usize;
        let version = u16_at(header, 4)?;
        let end = at.checked_add(4 + rest).filter(|end| *end <= len)?;
        let (start, offset) = match version {
            2..=4 => (at + 11, u32_at(header, 6)?),
            5 => {
                let more = match header.get(6)? {
                    4 | 5 => 8,
                    2 | 6 => 12,
                    _ => 0,
                };
                (at + 12 + more, u32_at(header, 8)?)
            }
            _ => return None,
        };
        (start <= end).then(|| Self {
            header: at,
            start,
            end,
            version,
            abbreviations: tables.get(offset),
        })
    }
}

impl Attribute {
    fn new(name: u16, form: u16) -> Self {
        let width = match form {
            0x19 | 0x21 => Some(0),
            0x0b | 0x0c | 0x11 | 0x25 | 0x29 => Some(1),
            0x05 | 0x12 | 0x26 | 0x2a => Some(2),
            0x27 | 0x2b => Some(3),
            0x06 | 0x0e | 0x13 | 0x17 | 0x1c | 0x1d | 0x1f | 0x28 | 0x2c => Some(4),
            0x01 | 0x07 | 0x14 | 0x20 | 0x24 => Some(8),
            0x1e => Some(16),
            _ => None,
        };
        let field = match (form, name) {
            (0x01, _) => Some(Field::Address),
            (0x10, _) => Some(Field::InfoOffset),
            (0x1b, _) => Some(Field::AddressIndex),
            (0x17 | 0x06, 0x10) => Some(Field::LineOffset),
            (0x17, 0x55) => Some(Field::RangesOffset),
            (0x17, 0x02) => Some(Field::LocationsOffset),
            _ => None,
        };
        Self {
            name,
            form,
            width,
            field,
        }
    }

    /// How many bytes every value has, in all versions; `None` if that is not fixed.
    pub(crate) fn width(self) -> Option<u8> {
        self.width
    }

    /// The kind of field if its values refer to lists of locations or ranges.
    pub(crate) fn list(self) -> Option<Field> {
        let is_list = |field: &Field| matches!(field, Field::LocationsOffset | Field::RangesOffset);
        self.field.filter(is_list)
    }

    /// The field in the attribute's value at the walker.
    fn field(self, walker: &Walker<'_>) -> Option<(usize, Field)> {
        let at = walker.at;
        if let Some(field) = self.field {
            return Some((at, field));
        }
        // A location that is an address.
        let is_expression = matches!(self.form, 0x0a | 0x18);
        let is_address = is_expression && walker.bytes.get(at..at + 2) == Some(&[9, 3]);
        is_address.then_some((at + 2, Field::Address))
    }

    /// Goes behind the attribute's value; `None` if it cannot.
    #[inline]
    pub(crate) fn skip(self, walker: &mut Walker<'_>, version: u16) -> Option<()> {
        match self.width {
            Some(width) => walker.skip(u64::from(width)),
            None => self.skip_by_value(walker, version),
        }
    }

    fn skip_by_value(self, walker: &mut Walker<'_>, version: u16) -> Option<()> {
        match self.form {
            0x10 => walker.skip(if version == 2 { 8 } else { 4 }),
            0x08 => walker.string().map(|_| ()),
            0x0a => {
                let len = walker.byte()?;
                walker.skip(u64::from(len))
            }
            0x03 => {
                let len = u16_at(walker.bytes, walker.at)?;
                walker.skip(2 + u64::from(len))
            }
            0x04 => {
                let len = walker.u32()?;
                walker.skip(u64::from(len))
            }
            0x09 | 0x18 => {
                let len = walker.leb()?;
                walker.skip(len)
            }
            0x0d | 0x0f | 0x15 | 0x1a | 0x1b | 0x22 | 0x23 => walker.leb().map(|_| ()),
            _ => None,
        }
    }
}

/// Fields of debug entries.
pub(super) fn info(source: &Source<'_>, bytes: &[u8]) -> io::Result<Found> {
    let table = source.bytes_of(Kind::Abbreviations)?;
    let mut found = Found::with_capacity(bytes.len() / 10);
    units(bytes, &table, |unit| {
        unit_fields(unit, 0, &bytes[..unit.end], &mut found);
    });
    Ok(found)
}

/// Fields of the entries of one unit, relative to it; `bytes` are those of the unit.
pub(super) fn unit(unit: &Unit, bytes: &[u8]) -> Found {
    let mut found = Found::in_block(bytes);
    unit_fields(unit, unit.header, bytes, &mut found);
    found
}

/// Fields of one unit, up to the first entry that is not understood. `bytes` start at `from` and end with the unit.
fn unit_fields(unit: &Unit, from: usize, bytes: &[u8], found: &mut Found) -> Option<()> {
    let mut walker = Walker::new(bytes, unit.start - from);
    while walker.at < bytes.len() {
        let code = walker.leb()?;
        if code == 0 {
            continue;
        }
        for attribute in &unit.abbreviations.get(code)?.attributes {
            let field = attribute.field(&walker);
            attribute.skip(&mut walker, unit.version)?;
            if let Some((at, field)) = field
                && at + field.width() <= walker.at
            {
                found.push((at as u32, field));
            }
        }
    }
    Some(())
}

/// Adds the addresses that line programs set.
pub(super) fn lines(mut found: Found, bytes: &[u8]) -> Found {
    let mut at = 0;
    while at + 11 <= bytes.len() {
        if bytes[at..at + 3] == [0, 9, 2] {
            found.push((at as u32 + 3, Field::Address));
            at += 11;
        } else {
            at += 1;
        }
    }
    found
}

/// Addresses that frames start at.
pub(super) fn frames(bytes: &[u8]) -> Found {
    let mut found = Found::default();
    let mut at = 0usize;
    while let (Some(len), Some(id)) = (u32_at(bytes, at), u32_at(bytes, at + 4)) {
        if len < 12 || at + 16 > bytes.len() {
            break;
        }
        if id != u32::MAX {
            found.push((at as u32 + 8, Field::Address));
        }
        at = at.saturating_add(4).saturating_add(len as usize);
    }
    found
}

/// Addresses in `.debug_addr`, wherever they are: its units may have any length.
pub(super) fn addresses(source: &Source<'_>, bytes: &[u8]) -> Found {
    let mut found = Found::default();
    let mut at = 8;
    while let Some(value) = u64_at(bytes, at) {
        if source.addresses.is_loaded(value) {
            found.push((at as u32, Field::Address));
            at += 8;
        } else {
            at += 1;
        }
    }
    found
}

/// Indexes of addresses in lists.
pub(super) fn lists(bytes: &[u8], kind: Kind) -> Found {
    let mut found = Found::default();
    walk_lists(
        bytes,
        kind,
        |at| found.push((at as u32, Field::AddressIndex)),
        |_| {},
    );
    found
}

/// Where the lists of `.debug_loclists` or `.debug_rnglists` start.
pub(crate) fn list_starts(bytes: &[u8], kind: Kind) -> Vec<u32> {
    let mut starts = Vec::new();
    let list = |at| {
        if starts.len() < MAX_LISTS {
            starts.push(at as u32);
        }
    };
    walk_lists(bytes, kind, |_| {}, list);
    starts
}

/// Goes through all units: calls `index` for each index of an address, `list` at the start of each list.
fn walk_lists(bytes: &[u8], kind: Kind, mut index: impl FnMut(usize), mut list: impl FnMut(usize)) {
    let mut at = 0usize;
    while let Some(len) = u32_at(bytes, at) {
        let end = (at + 4).saturating_add(len as usize).min(bytes.len());
        let mut walker = Walker::new(&bytes[..end], at + 12);
        let mut is_start = true;
        while walker.at < end {
            if is_start {
                list(walker.at);
            }
            let Some(ended) = list_entry(&mut walker, kind, &mut index) else {
                break;
            };
            is_start = ended;
        }
        at = end;
    }
}

/// Goes behind an entry of a list; whether the entry ends the list.
fn list_entry(walker: &mut Walker<'_>, kind: Kind, index: &mut impl FnMut(usize)) -> Option<bool> {
    let entry = walker.byte()?;
    if matches!(entry, 1..=3) {
        index(walker.at);
    }
    // How many LEB128 integers follow, and how many bytes before those.
    let (integers, bytes) = match entry {
        0 => return Some(true),
        1 => (1, 0),
        2..=4 => (2, 0),
        5 if kind == Kind::Locations => (0, 0),
        5 | 6 if kind == Kind::Ranges => (0, if entry == 5 { 8 } else { 16 }),
        6 => (0, 8),
        7 if kind == Kind::Ranges => (1, 8),
        7 => (0, 16),
        8 if kind == Kind::Locations => (1, 8),
        _ => return None,
    };
    walker.skip(bytes)?;
    for _ in 0..integers {
        walker.leb()?;
    }
    let has_expression = kind == Kind::Locations && !matches!(entry, 1 | 6);
    if has_expression {
        let len = walker.leb()?;
        walker.skip(len)?;
    }
    Some(false)
}

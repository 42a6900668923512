//! Debug entries, by the attributes that their abbreviations give them.

use std::rc::Rc;

use super::tokens::{Stop, Tokens, Width};
use crate::field::Field;
use crate::program::annotate::{Abbreviations, Attribute, Tables};
use crate::stream::{Column, numbers};

/// Unit types that have no more in their header than the others: of compiled and of partial units.
const PLAIN_UNITS: [u8; 2] = [1, 3];

pub(crate) struct Entries<'a> {
    tables: Tables<'a>,
    /// Where lists of locations and of ranges start, and which were referred to last.
    lists: [&'a [u32]; 2],
    last: [u32; 2],
    abbreviations: Rc<Abbreviations>,
    version: u16,
    unit_end: u64,
    /// The index of an address that came last.
    index: u64,
    width: Width,
}

impl<'a> Entries<'a> {
    pub(super) fn new(tables: Tables<'a>, lists: [&'a [u32]; 2]) -> Self {
        Self {
            tables,
            lists,
            last: [0; 2],
            abbreviations: Rc::default(),
            version: 0,
            unit_end: 0,
            index: 0,
            width: Width::default(),
        }
    }

    /// Passes an entry, or the header of a unit.
    pub(super) fn entry(&mut self, tokens: &mut impl Tokens) -> Result<(), Stop> {
        if tokens.at() >= self.unit_end {
            return self.header(tokens);
        }
        let code = tokens.leb(Column::Codes as u8)?;
        if code != 0 {
            let abbreviations = Rc::clone(&self.abbreviations);
            let abbreviation = abbreviations.get(code).ok_or(Stop::Unknown)?;
            for attribute in &abbreviation.attributes {
                self.attribute(*attribute, tokens)?;
            }
        }
        let is_inside = tokens.at() <= self.unit_end;
        is_inside.then_some(()).ok_or(Stop::Unknown)
    }

    fn header(&mut self, tokens: &mut impl Tokens) -> Result<(), Stop> {
        let column = Column::Headers as u8;
        let start = tokens.at();
        let len = u32::from_le_bytes(tokens.fixed(column)?);
        self.version = u16::from_le_bytes(tokens.fixed(column)?);
        let offset = match self.version {
            2..=4 => {
                let offset = u32::from_le_bytes(tokens.fixed(column)?);
                tokens.bytes(column, 1)?;
                offset
            }
            5 => {
                let [unit, _address] = tokens.fixed(column)?;
                if !PLAIN_UNITS.contains(&unit) {
                    return Err(Stop::Unknown);
                }
                u32::from_le_bytes(tokens.fixed(column)?)
            }
            _ => return Err(Stop::Unknown),
        };
        self.unit_end = start + 4 + u64::from(len);
        self.abbreviations = self.tables.get(offset);
        Ok(())
    }

    fn attribute(&mut self, attribute: Attribute, tokens: &mut impl Tokens) -> Result<(), Stop> {
        let blocks = Column::Blocks as u8;
        let numbers = numbers(attribute.name);
        if let Some(kind) = attribute.list() {
            return self.list(kind, tokens);
        }
        if let Some(width) = attribute.width() {
            return tokens.bytes(numbers, u64::from(width));
        }
        match attribute.form {
            0x10 if self.version > 2 => tokens.bytes(Column::References as u8, 4),
            0x08 => tokens.string(Column::Strings as u8),
            0x0a => {
                let [len] = tokens.fixed(blocks)?;
                tokens.bytes(blocks, u64::from(len))
            }
            0x09 | 0x18 => {
                let len = tokens.leb(blocks)?;
                tokens.bytes(blocks, len)
            }
            0x1b => {
                self.index = tokens.number(Column::Indexes as u8, self.index, &mut self.width)?;
                Ok(())
            }
            0x0d | 0x0f | 0x15 | 0x1a | 0x22 | 0x23 => tokens.leb(numbers).map(|_| ()),
            _ => Err(Stop::Unknown),
        }
    }

    /// A reference to a list: mostly to the one behind the last.
    fn list(&mut self, field: Field, tokens: &mut impl Tokens) -> Result<(), Stop> {
        let kind = usize::from(field == Field::RangesOffset);
        let (starts, last) = (self.lists[kind], self.last[kind]);
        let next = starts.partition_point(|start| *start <= last);
        let expected = starts.get(next).copied().unwrap_or(last);
        self.last[kind] = tokens.word(Column::Lists as u8, expected)?;
        Ok(())
    }
}

//! Debug information, by the names of functions and entries.

use std::io;

use super::{Collector, FunctionNames, Thing};
use crate::bytes::{Walker, name_at, u32_at, u64_at};
use crate::layout::Part;
use crate::program::annotate::{Unit, units};
use crate::program::source::Source;
use crate::program::symbols::hash;
use crate::stream::Kind;

const NAME: u16 = 0x03;
const LOCATION: u16 = 0x02;
const RANGES: u16 = 0x55;
const ORIGIN: u16 = 0x31;
const STRING: u16 = 0x08;
const OFFSET: u16 = 0x17;
const REFERENCE: u16 = 0x10;

/// Frames, by function.
pub(super) fn frames(
    part: &Part,
    bytes: &[u8],
    functions: &FunctionNames,
    collector: &mut Collector,
) {
    let mut at = 0usize;
    while let (Some(len), Some(id)) = (u32_at(bytes, at), u32_at(bytes, at + 4)) {
        let address = u64_at(bytes, at + 8).unwrap_or(0);
        if id != u32::MAX
            && let Some(name) = functions.at(address)
        {
            collector.add(Thing::Frame, part.start + at as u64, name, 0);
        }
        if len < 4 {
            break;
        }
        at = at.saturating_add(4).saturating_add(len as usize);
    }
}

/// Line programs, by function.
pub(super) fn lines(
    part: &Part,
    bytes: &[u8],
    functions: &FunctionNames,
    collector: &mut Collector,
) {
    let mut at = 0;
    while at + 11 <= bytes.len() {
        if bytes[at..at + 3] != [0, 9, 2] {
            at += 1;
            continue;
        }
        if let Some(name) = u64_at(bytes, at + 3).and_then(|address| functions.at(address)) {
            collector.add(Thing::Lines, part.start + at as u64, name, 0);
        }
        at += 11;
    }
}

/// Units and their entries by name, and the lists that they refer to by entry and order.
pub(super) fn info(source: &Source<'_>, part: &Part, collector: &mut Collector) -> io::Result<()> {
    let bytes = source.bytes(part)?;
    let table = source.bytes_of(Kind::Abbreviations)?;
    let start = |kind| source.addresses.area(kind).0;
    units(&bytes, &table, |unit| {
        Entries {
            start: part.start,
            lists: [start(Kind::Locations), start(Kind::Ranges)],
            bytes: &bytes,
            collector,
            name: None,
            unit_name: None,
            ordinals: [0; 2],
        }
        .walk(unit);
    });
    Ok(())
}

/// A walk through the entries of one unit.
struct Entries<'a> {
    /// Where the part starts.
    start: u64,
    /// Where location and range lists start.
    lists: [u64; 2],
    bytes: &'a [u8],
    collector: &'a mut Collector,
    /// The name of the top entry.
    name: Option<u64>,
    unit_name: Option<u64>,
    /// How many lists of each kind the top entry has referred to.
    ordinals: [u64; 2],
}

impl Entries<'_> {
    /// Goes through the entries, up to the first that is not understood.
    fn walk(&mut self, unit: &Unit) -> Option<()> {
        let mut walker = Walker::new(&self.bytes[..unit.end], unit.start);
        let mut depth = 0i32;
        while walker.at < unit.end {
            let at = walker.at;
            let code = walker.leb()?;
            if code == 0 {
                depth -= 1;
                continue;
            }
            let is_top = depth == 1;
            if is_top {
                self.name = None;
                self.ordinals = [0; 2];
            }
            let abbreviation = unit.abbreviations.get(code)?;
            for attribute in &abbreviation.attributes {
                let value = walker.at;
                attribute.skip(&mut walker, unit.version)?;
                self.attribute(attribute.name, attribute.form, value, is_top, unit);
            }
            if let Some(name) = self.name.filter(|_| is_top) {
                self.collector
                    .add(Thing::Entry, self.start + at as u64, name, code);
            }
            depth += i32::from(abbreviation.has_children);
        }
        Some(())
    }

    fn attribute(&mut self, attribute: u16, form: u16, value: usize, is_top: bool, unit: &Unit) {
        match (attribute, form) {
            (NAME, STRING) if self.unit_name.is_none() => {
                let name = hash(name_at(self.bytes, value));
                (self.unit_name, self.name) = (Some(name), Some(name));
                let at = self.start + unit.header as u64;
                self.collector.add(Thing::Unit, at, name, 0);
            }
            (NAME, STRING) if is_top => self.name = Some(hash(name_at(self.bytes, value))),
            (ORIGIN, REFERENCE) if is_top => {
                // The name of the origin follows its code, which is one byte.
                let origin = u32_at(self.bytes, value).map_or(0, |origin| origin as usize + 1);
                self.name = Some(hash(name_at(self.bytes, origin)));
            }
            (LOCATION, OFFSET) => self.list(0, Thing::Locations, value),
            (RANGES, OFFSET) => self.list(1, Thing::Ranges, value),
            _ => {}
        }
    }

    fn list(&mut self, which: usize, thing: Thing, value: usize) {
        let offset = u64::from(u32_at(self.bytes, value).unwrap_or(0));
        let ordinal = self.ordinals[which];
        self.ordinals[which] += 1;
        if self.lists[which] != 0 {
            let name = self.name.unwrap_or(0);
            self.collector
                .add(thing, self.lists[which] + offset, name, ordinal);
        }
    }
}

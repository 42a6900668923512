//! Tables of ranges: where in the source each instruction comes from.
//!
//! An entry of the table covers up to eight units of instructions. Its first byte has a code in bits 3 to 6 and the
//! units less one in bits 0 to 2; columns, and the distance to the line of the entry before, follow in one of five
//! forms. `CPython` writes the shortest form, and splits a range of more than eight units into entries of eight.

use crate::bytes::Walker;
use crate::channel::{Readers, Sinks};
use crate::error::DecodeError;
use crate::varint::{unzigzag, zigzag};

use super::coder::{Coder, Plain, get, get_signed, put, put_signed};
use super::instructions::Instruction;
use super::stream::Stream;
use super::tokens::Source;

/// Where instructions come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Location {
    Nowhere,
    /// A line, as the distance from the one before.
    Line(i64),
    /// A range: the distance of its line from the one before, its further lines, and its columns.
    Range(i64, u32, [u32; 2]),
}

/// Instructions that come from one location.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Group {
    units: usize,
    location: Location,
}

/// Instructions, and the first and last token of the range that they come from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub(crate) instructions: usize,
    pub(crate) tokens: Option<(usize, usize)>,
}

/// Stores a table of ranges.
pub(crate) struct Locations<'a> {
    source: &'a Source<'a>,
    instructions: &'a [Instruction],
    /// The line that the table begins with.
    line: i64,
    /// The spans that were coded.
    pub(crate) spans: Vec<Span>,
}

/// Whether a table is stored as it is, or by tokens.
const AS_IT_IS: u64 = 0;
const BY_TOKENS: u64 = 1;

/// How ranges are stored: the distance to the first token of the one before begins with this number.
const NOWHERE: u64 = 0;
const LINE: u64 = 1;
const COLUMNS: u64 = 2;
const TOKENS: u64 = 3;

impl Coder for Locations<'_> {
    fn put(&mut self, bytes: &[u8], sinks: &mut Sinks) -> Result<(), DecodeError> {
        let groups = parse(bytes).filter(|groups| write(groups) == bytes);
        let counts = groups.as_ref().and_then(|groups| self.counts(groups));
        let (Some(groups), Some(counts)) = (groups, counts) else {
            put(sinks, Stream::Spans, AS_IT_IS);
            return Plain(Stream::Tables).put(bytes, sinks);
        };
        put(sinks, Stream::Spans, BY_TOKENS);
        let mut state = State::new(self.source, self.line);
        for (group, instructions) in groups.into_iter().zip(counts) {
            put(sinks, Stream::Spans, instructions as u64 - 1);
            let tokens = state.put(group.location, sinks);
            self.spans.push(Span {
                instructions,
                tokens,
            });
        }
        Ok(())
    }

    fn get(&mut self, remaining: usize, readers: &mut Readers<'_>) -> Result<Vec<u8>, DecodeError> {
        match get(readers, Stream::Spans)? {
            AS_IT_IS => return Plain(Stream::Tables).get(remaining, readers),
            BY_TOKENS => {}
            _ => return Err(Stream::Spans.invalid("an unknown form")),
        }
        let mut state = State::new(self.source, self.line);
        let mut groups = Vec::new();
        let mut rest = self.instructions;
        while !rest.is_empty() {
            let count = get(readers, Stream::Spans)?;
            let count = usize::try_from(count)
                .ok()
                .filter(|count| *count < rest.len());
            let Some(count) = count else {
                return Err(Stream::Spans.invalid("more than the instructions"));
            };
            let (covered, behind) = rest.split_at(count + 1);
            rest = behind;
            let (location, tokens) = state.get(readers)?;
            groups.push(Group {
                units: covered.iter().map(|one| one.units as usize).sum(),
                location,
            });
            self.spans.push(Span {
                instructions: covered.len(),
                tokens,
            });
        }
        let bytes = write(&groups);
        if bytes.len() > remaining {
            return Err(Stream::Spans.invalid("longer than the content"));
        }
        Ok(bytes)
    }
}

impl<'a> Locations<'a> {
    pub(crate) fn new(source: &'a Source<'a>, instructions: &'a [Instruction], line: u32) -> Self {
        Self {
            source,
            instructions,
            line: i64::from(line as i32),
            spans: Vec::new(),
        }
    }

    /// How many instructions each group covers; `None` if they do not begin and end with them.
    fn counts(&self, groups: &[Group]) -> Option<Vec<usize>> {
        let mut rest = self.instructions.iter();
        let count = |group: &Group| {
            let (mut units, mut count) = (0, 0);
            while units < group.units {
                units += rest.next()?.units as usize;
                count += 1;
            }
            (units == group.units).then_some(count)
        };
        let counts = groups.iter().map(count).collect();
        rest.next().is_none().then_some(counts).flatten()
    }
}

/// What both sides know between two groups.
struct State<'a> {
    source: &'a Source<'a>,
    line: i64,
    /// The first token of the range before.
    token: usize,
}

impl<'a> State<'a> {
    fn new(source: &'a Source<'a>, line: i64) -> Self {
        Self {
            source,
            line,
            token: source.first_of_line(line),
        }
    }

    fn put(&mut self, location: Location, sinks: &mut Sinks) -> Option<(usize, usize)> {
        match location {
            Location::Nowhere => put(sinks, Stream::Ranges, NOWHERE),
            Location::Line(distance) => {
                self.line += distance;
                put(sinks, Stream::Ranges, LINE);
                put_signed(sinks, Stream::Columns, distance);
            }
            Location::Range(distance, lines, columns) => {
                self.line += distance;
                let tokens = self.tokens(lines, columns);
                if let Some((first, last)) = tokens {
                    let step = first as i64 - self.token as i64;
                    put(sinks, Stream::Ranges, TOKENS + zigzag(step));
                    put_signed(sinks, Stream::Ranges, last as i64 - first as i64);
                    self.token = first;
                    return tokens;
                }
                put(sinks, Stream::Ranges, COLUMNS);
                put_signed(sinks, Stream::Columns, distance);
                for value in [lines, columns[0], columns[1]] {
                    put(sinks, Stream::Columns, u64::from(value));
                }
            }
        }
        None
    }

    /// The first and last token of a range that begins in the current line.
    fn tokens(&self, lines: u32, columns: [u32; 2]) -> Option<(usize, usize)> {
        let first = self.source.beginning_at(self.line, columns[0])?;
        let last = self
            .source
            .ending_at(self.line + i64::from(lines), columns[1])?;
        Some((first, last))
    }

    fn get(
        &mut self,
        readers: &mut Readers<'_>,
    ) -> Result<(Location, Option<(usize, usize)>), DecodeError> {
        match get(readers, Stream::Ranges)? {
            NOWHERE => Ok((Location::Nowhere, None)),
            LINE => Ok((Location::Line(self.distance(readers)?), None)),
            COLUMNS => {
                let distance = self.distance(readers)?;
                let mut values = [0; 3];
                for value in &mut values {
                    *value = u32::try_from(get(readers, Stream::Columns)?)
                        .map_err(|_| Stream::Columns.invalid("too large"))?;
                }
                let [lines, first, last] = values;
                Ok((Location::Range(distance, lines, [first, last]), None))
            }
            stored => {
                let step = unzigzag(stored - TOKENS);
                let len = get_signed(readers, Stream::Ranges)?;
                let location = self.location(step, len);
                location.ok_or_else(|| Stream::Ranges.invalid("not a range of tokens"))
            }
        }
    }

    fn distance(&mut self, readers: &mut Readers<'_>) -> Result<i64, DecodeError> {
        let distance = get_signed(readers, Stream::Columns)?;
        let line = self.line.checked_add(distance);
        let line = line.filter(|line| line.unsigned_abs() < 1 << 62);
        self.line = line.ok_or_else(|| Stream::Columns.invalid("too large"))?;
        Ok(distance)
    }

    fn location(&mut self, step: i64, len: i64) -> Option<(Location, Option<(usize, usize)>)> {
        let first = (self.token as i64).checked_add(step)?;
        let last = usize::try_from(first.checked_add(len)?).ok()?;
        let first = usize::try_from(first).ok()?;
        let [(line, start), _] = self.source.range_of(first)?;
        let [_, (last_line, end)] = self.source.range_of(last)?;
        let lines = u32::try_from(last_line - line).ok()?;
        let distance = line - self.line;
        self.line = line;
        self.token = first;
        let location = Location::Range(distance, lines, [start, end]);
        Some((location, Some((first, last))))
    }
}

/// The most units that an entry covers.
const MAX_UNITS: usize = 8;

/// Codes of entries.
const ONE_LINE: u8 = 10;
const NO_COLUMNS: u8 = 13;
const LONG: u8 = 14;
const NONE: u8 = 15;

/// The groups of a table; `None` if it is not one.
fn parse(bytes: &[u8]) -> Option<Vec<Group>> {
    let mut groups: Vec<Group> = Vec::new();
    let mut walker = Walker::new(bytes, 0);
    while walker.at < bytes.len() {
        let first = walker.byte()?;
        if first & 0x80 == 0 {
            return None;
        }
        let units = usize::from(first & 7) + 1;
        let location = parse_location(first >> 3 & 15, &mut walker)?;
        match groups.last_mut() {
            Some(last)
                if last.units.is_multiple_of(MAX_UNITS) && location == again(last.location) =>
            {
                last.units += units;
            }
            _ => groups.push(Group { units, location }),
        }
    }
    Some(groups)
}

/// How a further entry for the same location is written.
fn again(location: Location) -> Location {
    match location {
        Location::Nowhere => Location::Nowhere,
        Location::Line(_) => Location::Line(0),
        Location::Range(_, lines, columns) => Location::Range(0, lines, columns),
    }
}

fn parse_location(code: u8, walker: &mut Walker<'_>) -> Option<Location> {
    Some(match code {
        NONE => Location::Nowhere,
        LONG => {
            let distance = signed(walker)?;
            let lines = number(walker)?;
            let first = number(walker)?.checked_sub(1)?;
            let last = number(walker)?.checked_sub(1)?;
            Location::Range(distance, lines, [first, last])
        }
        NO_COLUMNS => Location::Line(signed(walker)?),
        ONE_LINE.. => {
            let columns = [walker.byte()?, walker.byte()?].map(u32::from);
            Location::Range(i64::from(code - ONE_LINE), 0, columns)
        }
        _ => {
            let second = walker.byte()?;
            let first = u32::from(code) * 8 + u32::from(second >> 4);
            Location::Range(0, 0, [first, first + u32::from(second & 15)])
        }
    })
}

/// An integer in groups of six bits, the least significant first; bit 6 says that another group follows.
fn number(walker: &mut Walker<'_>) -> Option<u32> {
    let mut value = 0u32;
    for shift in (0..30).step_by(6) {
        let byte = walker.byte()?;
        value |= u32::from(byte & 63) << shift;
        match byte >> 6 {
            0 => return Some(value),
            1 => {}
            _ => return None,
        }
    }
    None
}

/// The same with the sign in the lowest bit.
fn signed(walker: &mut Walker<'_>) -> Option<i64> {
    let value = i64::from(number(walker)?);
    Some(if value & 1 == 1 {
        -(value >> 1)
    } else {
        value >> 1
    })
}

fn write(groups: &[Group]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for group in groups {
        let mut location = group.location;
        let mut left = group.units;
        while left > 0 {
            let units = left.min(MAX_UNITS);
            write_entry(&mut bytes, units, location);
            left -= units;
            location = again(location);
        }
    }
    bytes
}

fn write_entry(bytes: &mut Vec<u8>, units: usize, location: Location) {
    let first = |code: u8| 0x80 | code << 3 | (units - 1) as u8;
    match location {
        Location::Nowhere => bytes.push(first(NONE)),
        Location::Line(distance) => {
            bytes.push(first(NO_COLUMNS));
            write_signed(bytes, distance);
        }
        Location::Range(0, 0, [start, end]) if start < 80 && end >= start && end - start < 16 => {
            bytes.push(first((start / 8) as u8));
            bytes.push((start % 8) as u8 * 16 + (end - start) as u8);
        }
        Location::Range(distance @ 0..3, 0, [start @ 0..128, end @ 0..128]) => {
            bytes.push(first(ONE_LINE + distance as u8));
            bytes.extend([start as u8, end as u8]);
        }
        Location::Range(distance, lines, columns) => {
            bytes.push(first(LONG));
            write_signed(bytes, distance);
            write_number(bytes, u64::from(lines));
            for column in columns {
                write_number(bytes, u64::from(column) + 1);
            }
        }
    }
}

fn write_number(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 64 {
        bytes.push(value as u8 & 63 | 64);
        value >>= 6;
    }
    bytes.push(value as u8);
}

fn write_signed(bytes: &mut Vec<u8>, value: i64) {
    write_number(bytes, value.unsigned_abs() << 1 | u64::from(value < 0));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_written_as_it_was_read() {
        let locations = [
            Location::Nowhere,
            Location::Line(-3),
            Location::Range(0, 0, [79, 94]),
            Location::Range(2, 0, [127, 3]),
            Location::Range(0, 0, [80, 81]),
            Location::Range(1_000_000, 2, [500, 0]),
        ];
        for location in locations {
            for units in [1, 8, 9, 20] {
                let groups = [Group { units, location }];
                assert_eq!(parse(&write(&groups)).as_deref(), Some(&groups[..]));
            }
        }
    }

    #[test]
    fn what_is_not_a_table_is_not_read() {
        assert_eq!(parse(&[0x00]), None);
        assert_eq!(parse(&[0x80]), None);
        assert_eq!(parse(&[0xf0, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f]), None);
    }
}

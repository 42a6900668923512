//! Tables of a program whose entries have any length, divided into columns: numbers of one meaning are stored next to each
//! other. These rules are part of the format: see the crate's documentation.
//!
//! The same walk over the entries divides and joins: it is told what the bytes are, whichever side they come from.

mod entries;
mod lines;
mod lists;
mod tokens;
mod values;

use crate::channel::{Readers, Sinks};
use crate::error::DecodeError;
use crate::layout::{Layout, Part};
use crate::program::FORMS;
use crate::program::annotate::Tables;
use crate::stream::{Class, Column, Kind, StreamId};
use crate::transfer::Columns;
use crate::varint;
use entries::Entries;
use lines::Lines;
use lists::Lists;
use tokens::{Dividing, Joining, Stop, Tokens};
use values::Values;

/// A table that can be divided.
enum Table<'a> {
    /// Lists of locations or ranges.
    Lists(Lists),
    /// Go's tables of values.
    Values(Values),
    /// Line programs.
    Lines(Lines),
    /// Debug entries.
    Entries(Entries<'a>),
}

/// What is known about debug entries when they are passed: their abbreviations, and where lists of locations and of ranges
/// start.
#[derive(Clone, Copy)]
pub(crate) struct Known<'a> {
    pub(crate) abbreviations: &'a [u8],
    pub(crate) lists: [&'a [u32]; 2],
}

/// Whether a part is divided if nothing of it is copied: of each of these kinds the first one.
pub(crate) fn is_divided(layout: &Layout, part: &Part, version: u8) -> bool {
    let kinds = [
        Kind::Locations,
        Kind::Ranges,
        Kind::PcValues,
        Kind::Lines,
        Kind::Info,
    ];
    version >= FORMS && kinds.contains(&part.kind) && layout.is_first(part)
}

impl<'a> Table<'a> {
    /// The table of a part of a kind that is divided.
    fn new(kind: Kind, known: &Known<'a>) -> Self {
        match kind {
            Kind::PcValues => Self::Values(Values::default()),
            Kind::Lines => Self::Lines(Lines::default()),
            Kind::Info => Self::Entries(Entries::new(Tables::of(known.abbreviations), known.lists)),
            kind => Self::Lists(Lists::new(kind)),
        }
    }

    fn entry(&mut self, tokens: &mut impl Tokens) -> Result<(), Stop> {
        match self {
            Self::Lists(table) => table.entry(tokens),
            Self::Values(table) => table.entry(tokens),
            Self::Lines(table) => table.entry(tokens),
            Self::Entries(table) => table.entry(tokens),
        }
    }
}

/// A part of a kind that is divided, with what is known.
pub(crate) struct Divided<'a> {
    pub(crate) kind: Kind,
    pub(crate) known: Known<'a>,
}

impl Columns for Divided<'_> {
    fn divide(&self, bytes: &[u8], sinks: &mut Sinks) -> usize {
        let mut covered = 0;
        let mut scanned = Dividing::new(bytes, None);
        let mut table = Table::new(self.kind, &self.known);
        while scanned.at() < bytes.len() as u64 && table.entry(&mut scanned).is_ok() {
            covered = scanned.at() as usize;
        }
        let sink = sinks.stream(Class::Columns, Column::Covered as u8);
        varint::put(sink, covered as u64);
        let mut divided = Dividing::new(bytes, Some(sinks));
        let mut table = Table::new(self.kind, &self.known);
        while divided.at() < covered as u64 && table.entry(&mut divided).is_ok() {}
        covered
    }

    fn join(
        &self,
        len: u64,
        readers: &mut Readers<'_>,
        write: &mut dyn FnMut(&[u8]) -> Result<(), DecodeError>,
    ) -> Result<u64, DecodeError> {
        let reader = readers.reader(Class::Columns, Column::Covered as u8);
        let covered = reader.number()?;
        if covered > len {
            return Err(invalid(Column::Covered));
        }
        let mut joined = Joining::new(readers, covered, write);
        let mut table = Table::new(self.kind, &self.known);
        while joined.at() < covered {
            match table.entry(&mut joined) {
                Ok(()) => {}
                Err(Stop::Failed(error)) => return Err(error),
                Err(Stop::Unknown) => return Err(invalid(Column::Headers)),
            }
        }
        joined.finish()?;
        Ok(covered)
    }
}

fn invalid(column: Column) -> DecodeError {
    DecodeError::Invalid {
        stream: StreamId {
            class: Class::Columns,
            kind: column as u8,
        },
        reason: "not a table of the part",
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::codec::Codec;

    const NOTHING: Known<'static> = Known {
        abbreviations: &[],
        lists: [&[], &[]],
    };

    /// Divides, joins, and returns how much was in columns.
    fn round_trip(kind: Kind, known: &Known<'_>, bytes: &[u8]) -> usize {
        let mut sinks = Sinks::new();
        let divided = Divided {
            kind,
            known: *known,
        };
        let covered = divided.divide(bytes, &mut sinks);
        let encoded = sinks.finish(Codec::PROGRAM);
        let mut readers = Readers::take(&mut encoded.inputs(), &[Class::Columns]).unwrap();
        let mut joined = Vec::new();
        let len = divided.join(bytes.len() as u64, &mut readers, &mut |bytes| {
            joined.extend_from_slice(bytes);
            Ok(())
        });
        assert_eq!(len.unwrap(), covered as u64);
        readers.finish().unwrap();
        assert_eq!(joined, bytes[..covered]);
        covered
    }

    /// A unit of lists with these bytes.
    fn unit(entries: &[u8]) -> Vec<u8> {
        let len = entries.len() as u32 + 8;
        [&len.to_le_bytes()[..], &[5, 0, 8, 0, 0, 0, 0, 0], entries].concat()
    }

    #[test]
    fn lists_with_integers_that_linkers_fill_up_are_divided() {
        let location = [
            1, 0x85, 0x80, 0, 4, 3, 9, 1, 0x50, 4, 9, 0x89, 1, 2, 0x91, 8, 0,
        ];
        let range = [1, 0x86, 0x80, 0, 4, 3, 9, 4, 20, 10, 0];
        let locations = [unit(&location.repeat(3)), unit(&location)].concat();
        assert_eq!(
            round_trip(Kind::Locations, &NOTHING, &locations),
            locations.len()
        );
        let ranges = unit(&range.repeat(3));
        assert_eq!(round_trip(Kind::Ranges, &NOTHING, &ranges), ranges.len());
    }

    #[test]
    fn what_is_not_understood_is_left_out_of_columns() {
        let mut lists = unit(&[1, 5, 4, 3, 9, 0]);
        let known = lists.len();
        lists.extend(unit(&[9, 9, 9]));
        assert_eq!(round_trip(Kind::Ranges, &NOTHING, &lists), known + 12);
        assert_eq!(round_trip(Kind::Lines, &NOTHING, &[1, 2, 3]), 0);
    }

    #[test]
    fn references_to_lists_in_their_order_are_zeros() {
        // An entry with a location and a string; no more than that.
        let abbreviations = [1, 0x34, 0, 2, 0x17, 3, 8, 0, 0, 0];
        let mut entries = vec![0, 0, 0, 0, 5, 0, 1, 8, 0, 0, 0, 0];
        for list in [12u32, 40, 41] {
            entries.push(1);
            entries.extend(list.to_le_bytes());
            entries.extend(b"name\0");
        }
        entries[0] = entries.len() as u8 - 4;
        let known = Known {
            abbreviations: &abbreviations,
            lists: [&[12, 40, 41], &[]],
        };
        assert_eq!(round_trip(Kind::Info, &known, &entries), entries.len());
        let mut sinks = Sinks::new();
        let kind = Kind::Info;
        Divided { kind, known }.divide(&entries, &mut sinks);
        assert_eq!(sinks.stream(Class::Columns, Column::Lists as u8), &[0; 12]);
    }

    #[test]
    fn columns_longer_than_the_part_are_refused() {
        let lists = unit(&[1, 5, 4, 3, 9, 0]);
        let mut sinks = Sinks::new();
        let divided = Divided {
            kind: Kind::Ranges,
            known: NOTHING,
        };
        divided.divide(&lists, &mut sinks);
        let encoded = sinks.finish(Codec::PROGRAM);
        let mut readers = Readers::take(&mut encoded.inputs(), &[Class::Columns]).unwrap();
        let joined = divided.join(lists.len() as u64 - 1, &mut readers, &mut |_| Ok(()));
        assert!(matches!(joined, Err(DecodeError::Invalid { .. })));
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(
            bytes in vec(select(&[0, 1, 2, 4, 5, 8, 9, 0x17, 0x80, 0x81, 0xff][..]), 0..600),
            kind in select(&[Kind::Locations, Kind::Ranges, Kind::PcValues, Kind::Lines, Kind::Info][..]),
            header in any::<bool>(),
        ) {
            let abbreviations = [1, 0x34, 0, 2, 0x17, 3, 8, 4, 0x1b, 5, 0x18, 0, 0, 0x80, 1, 5, 0, 6, 0x0f, 0, 0, 0];
            let known = Known { abbreviations: &abbreviations, lists: [&[4, 9], &[1, 2, 3]] };
            let bytes = if header { unit(&bytes) } else { bytes };
            round_trip(kind, &known, &bytes);
        }
    }
}

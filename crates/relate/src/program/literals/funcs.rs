//! Descriptions of Go's functions: their words become distances from the same words of the function before.

use super::{PIECE, Table};
use crate::layout::{Layout, Part};
use crate::program::annotate::{Description, Descriptions};
use crate::stream::Kind;
use crate::transfer::{Direction, Form};

/// The word of a description that says how many tables of values it has.
const COUNT: usize = 7;
/// Words of a description that are compared with those before: more than any function of Go has.
const MAX_WORDS: usize = 64;

struct Functions {
    /// Bytes of a description before its tables.
    header: usize,
    /// How far the part starts behind the table of functions.
    offset: u64,
}

/// The form of descriptions of functions.
pub(super) fn form(layout: &Layout, part: &Part) -> Box<dyn Form> {
    let table = layout.part(Kind::FuncTable).unwrap_or(part);
    Box::new(Functions {
        header: layout.go.func_header as usize,
        offset: part.start.wrapping_sub(table.start),
    })
}

impl Form for Functions {
    fn piece(&self) -> u64 {
        PIECE
    }

    fn change(&self, direction: Direction, offset: u64, bytes: &mut [u8]) {
        // Only at the start of the part is it known where a description begins.
        if offset != 0 {
            return;
        }
        let mut table = Table { bytes, direction };
        let mut before = Before::default();
        let mut places = Descriptions::new(self.header, self.offset as usize);
        while let Some(place) = places.next(table.bytes) {
            table.function(&place, self.header / 4, &mut before);
        }
    }
}

/// The words of descriptions seen last: of the header, of tables of values, of data.
struct Before {
    header: [u64; MAX_WORDS],
    values: [u64; MAX_WORDS],
    data: [u64; MAX_WORDS],
}

impl Default for Before {
    fn default() -> Self {
        let none = [0; MAX_WORDS];
        Self {
            header: none,
            values: none,
            data: none,
        }
    }
}

impl Table<'_> {
    /// Changes the words of a description, of which `header` precede its tables.
    fn function(&mut self, description: &Description, header: usize, before: &mut Before) {
        let Description { at, values, data } = *description;
        for word in 0..header + values + data {
            let place = at + 4 * word;
            if word == COUNT || word + 1 == header {
                // How many tables and data there are, and small numbers.
                continue;
            }
            let (list, number) = match word {
                _ if word < header => (&mut before.header, word),
                _ if word < header + values => (&mut before.values, word - header),
                _ => (&mut before.data, word - header - values),
            };
            let Some(known) = list.get_mut(number) else {
                continue;
            };
            let own = if word < header + values {
                self.relative(place, 4, *known)
            } else {
                self.relative_or_none(place, *known)
            };
            let is_one = |own: &u64| *own != 0 && *own != u64::from(u32::MAX);
            *known = own.filter(is_one).unwrap_or(*known);
        }
    }
}

//! Level 5, the default: candidates by hashes of four and of seven bytes, two of the latter.

use super::behaviour::Behaviour;
use super::entry::Entry;
use super::history::History;
use super::level::{Found, Level, MARGIN};
use super::pairs::Tables;
use crate::search::matching::load64;

/// Longer matches are not improved.
const LONG: usize = 30;

/// The tables of level 5.
pub(super) struct Level5<P, const N: usize> {
    tables: Tables<P, N>,
    /// Bytes at a match's beginning in which a better one may differ, if such are looked for.
    skip: Option<usize>,
}

impl<P: Entry, const N: usize> Level5<P, N> {
    pub(super) fn new(behaviour: &Behaviour) -> Self {
        Self {
            skip: behaviour.improves,
            tables: Tables::new(),
        }
    }
}

impl<P: Entry, const N: usize> Level<P> for Level5<P, N> {
    #[inline]
    fn seek(&mut self, h: &History, start: usize, emitted: usize, _: usize) -> Option<Found> {
        let tables = &mut self.tables;
        tables.seek(h, start, emitted, 6, |tables, found, bytes| {
            tables.next_match(h, found, bytes.ahead, false)
        })
    }

    fn improve(&mut self, h: &History, found: &mut Found) {
        let ends = found.pos + found.length >= h.bytes.len() - MARGIN;
        if let Some(skip) = self.skip
            && found.length < LONG
            && !ends
        {
            self.tables.improve(h, found, skip, false);
        }
    }

    fn enter_inside(&mut self, h: &History, found: Found, pos: usize) {
        let buffer = h.bytes.as_slice();
        let mut at = pos - found.length + 1;
        if at < pos - 1 {
            let bytes = load64(buffer, at);
            self.tables.insert(bytes, h.absolute(at));
            self.tables.long(bytes >> 8).push(h.absolute(at + 1));
            *self.tables.short(bytes >> 16) = P::new(h.absolute(at + 2));
            at += 4;
            while at < pos - 1 {
                let bytes = load64(buffer, at);
                self.tables.long(bytes).push(h.absolute(at));
                *self.tables.short(bytes >> 8) = P::new(h.absolute(at + 1));
                at += 3;
            }
        }
        self.tables
            .insert(load64(buffer, pos - 1), h.absolute(pos - 1));
    }

    fn slots(&self) -> usize {
        self.tables.slots()
    }

    fn entry(&mut self, slot: usize) -> Option<&mut P> {
        self.tables.entry(slot)
    }
}

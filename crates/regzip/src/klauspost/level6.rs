//! Level 6: as level 5, with the last distance tried again and more positions entered.

use super::behaviour::Behaviour;
use super::entry::Entry;
use super::history::History;
use super::level::{Found, Level, MARGIN, short_match};
use super::pairs::Tables;
use crate::search::matching::{load32, load64};

/// The tables of level 6.
pub(super) struct Level6<P, const N: usize> {
    tables: Tables<P, N>,
    /// Bytes at a match's beginning in which a better one may differ, if such are looked for.
    skip: Option<usize>,
}

impl<P: Entry, const N: usize> Level6<P, N> {
    pub(super) fn new(behaviour: &Behaviour) -> Self {
        Self {
            skip: behaviour.improves,
            tables: Tables::new(),
        }
    }
}

/// A match at the next byte with the last distance, if it is longer than what was found; `bytes` are those where
/// that was.
fn repeated(h: &History, found: Found, bytes: u64, repeat: usize) -> Option<Found> {
    let buffer = h.bytes.as_slice();
    let pos = found.pos + 1;
    let from = pos - repeat;
    if load32(buffer, from) != (bytes >> 8) as u32 {
        return None;
    }
    let length = short_match(buffer, pos, from);
    (length > found.length).then_some(Found {
        pos,
        from,
        length,
        next: found.next,
    })
}

impl<P: Entry, const N: usize> Level<P> for Level6<P, N> {
    #[inline]
    fn seek(&mut self, h: &History, start: usize, emitted: usize, repeat: usize) -> Option<Found> {
        let tables = &mut self.tables;
        tables.seek(h, start, emitted, 7, |tables, found, bytes| {
            if let Some(better) = repeated(h, found, bytes.here, repeat) {
                tables.insert(bytes.ahead, h.absolute(found.next));
                return better;
            }
            tables.next_match(h, found, bytes.ahead, true)
        })
    }

    fn improve(&mut self, h: &History, found: &mut Found) {
        let ends = found.pos + found.length >= h.bytes.len() - MARGIN;
        if let Some(skip) = self.skip.filter(|_| !ends) {
            self.tables.improve(h, found, skip, true);
        }
    }

    fn enter_inside(&mut self, h: &History, found: Found, pos: usize) {
        for at in (found.next + 1..pos.saturating_sub(1)).step_by(2) {
            let bytes = load64(&h.bytes, at);
            self.tables.long(bytes).push(h.absolute(at));
            self.tables.long(bytes >> 8).push(h.absolute(at + 1));
            *self.tables.short(bytes) = P::new(h.absolute(at));
        }
    }

    fn enter_last(&mut self, h: &History, found: Found, _: usize) {
        for at in (found.next + 1..h.bytes.len().saturating_sub(8)).step_by(2) {
            self.tables.insert(load64(&h.bytes, at), h.absolute(at));
        }
    }

    fn slots(&self) -> usize {
        self.tables.slots()
    }

    fn entry(&mut self, slot: usize) -> Option<&mut P> {
        self.tables.entry(slot)
    }
}

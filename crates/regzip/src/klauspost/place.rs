//! What the search tables hold: positions, or pairs of them where two searches are compared.

use super::history::{History, REACH};
use crate::matching::load32;

/// An entry of a search table.
pub(crate) trait Place: Copy + Default + Send + 'static {
    /// An entry for a position's count.
    fn new(at: u32) -> Self;

    /// The position's count, of whatever use it is to a search at the index `pos`.
    fn get(self, h: &History, pos: usize) -> u32;

    /// The index of the position if it is nearer than `reach` to `pos`, to compare what is there with what
    /// is at `pos`.
    fn within(self, h: &History, pos: usize, reach: i64) -> Option<usize>;

    /// The same, as near as most searches want it.
    #[inline]
    fn near(self, h: &History, pos: usize) -> Option<usize> {
        self.within(h, pos, REACH)
    }

    /// The same for a pair, whose older position counts only if the newer one is in reach.
    #[inline]
    fn both_near(
        newest: Self,
        before: Self,
        h: &History,
        pos: usize,
    ) -> Option<(usize, Option<usize>)> {
        let first = newest.near(h, pos)?;
        Some((first, before.near(h, pos)))
    }
}

impl Place for u32 {
    #[inline]
    fn new(at: u32) -> Self {
        at
    }

    #[inline]
    fn get(self, _: &History, _: usize) -> u32 {
        self
    }

    #[inline]
    fn within(self, h: &History, pos: usize, reach: i64) -> Option<usize> {
        let from = i64::from(h.relative(self));
        (pos as i64 - from < reach && from >= 0).then_some(from as usize)
    }
}

/// An entry of one search and, until the first puts another there, of a second one. The search goes on
/// as the first does, and the history notes the slots that would make the second one go astray.
#[derive(Clone, Copy, Default)]
pub(crate) struct Twin {
    pub(crate) mine: u32,
    theirs: u32,
    slot: u32,
}

impl Twin {
    /// What the tables of both hold at a slot.
    pub(crate) fn of(slot: u32, mine: u32, theirs: u32) -> Self {
        Self { mine, theirs, slot }
    }

    fn differs(self) -> bool {
        self.mine != self.theirs
    }
}

/// Only a place with the same four bytes is of use.
fn useful(h: &History, pos: usize, from: Option<usize>) -> Option<usize> {
    from.filter(|&from| load32(&h.bytes, from) == load32(&h.bytes, pos))
}

impl Place for Twin {
    fn new(at: u32) -> Self {
        Self::of(0, at, at)
    }

    fn get(self, h: &History, pos: usize) -> u32 {
        let in_reach = |at: u32| at.within(h, pos, REACH + 1).is_some();
        if self.differs() && (in_reach(self.mine) || in_reach(self.theirs)) {
            h.note(self.slot);
        }
        self.mine
    }

    fn within(self, h: &History, pos: usize, reach: i64) -> Option<usize> {
        let found = self.mine.within(h, pos, reach);
        if self.differs() {
            let other = self.theirs.within(h, pos, reach);
            if useful(h, pos, found) != useful(h, pos, other) {
                h.note(self.slot);
            }
        }
        found
    }

    fn both_near(
        newest: Self,
        before: Self,
        h: &History,
        pos: usize,
    ) -> Option<(usize, Option<usize>)> {
        let found = u32::both_near(newest.mine, before.mine, h, pos);
        if newest.differs() || before.differs() {
            let other = u32::both_near(newest.theirs, before.theirs, h, pos);
            let of_use = |pair: Option<(usize, Option<usize>)>| {
                let (first, second) = pair.unzip();
                (useful(h, pos, first), useful(h, pos, second.flatten()))
            };
            if of_use(found) != of_use(other) {
                for place in [newest, before].into_iter().filter(|place| place.differs()) {
                    h.note(place.slot);
                }
            }
        }
        found
    }
}

//! The tables of levels 5 and 6, and pairs of entries as level 3 has them too.

use super::history::History;
use super::place::Place;
use super::stream::{hash4, hash7};
use crate::matching::zeros;

/// The two newest positions with the same hash.
#[derive(Clone, Copy, Default)]
pub(super) struct Pair<P> {
    pub(super) newest: P,
    pub(super) before: P,
}

impl<P: Place> Pair<P> {
    #[inline]
    pub(super) fn push(&mut self, at: u32) {
        self.before = self.newest;
        self.newest = P::new(at);
    }

    /// The newer one or the other.
    pub(super) fn place(&mut self, index: usize) -> &mut P {
        match index {
            0 => &mut self.newest,
            _ => &mut self.before,
        }
    }

    /// Whether one of the two may match.
    #[inline]
    pub(super) fn may_match(self, h: &History, pos: usize, value: u32) -> bool {
        self.newest.may_match(h, pos, value) | self.before.may_match(h, pos, value)
    }

    /// The indexes of the two, if the newer one is in reach.
    #[inline]
    pub(super) fn near(self, h: &History, pos: usize) -> Option<(usize, Option<usize>)> {
        P::both_near(self.newest, self.before, h, pos)
    }
}

/// Positions by hashes of four and of seven bytes, two of the latter.
pub(super) struct Tables<P, const N: usize> {
    short: Box<[P; N]>,
    long: Box<[Pair<P>; N]>,
}

impl<P: Place, const N: usize> Tables<P, N> {
    pub(super) fn new() -> Self {
        Self {
            short: zeros(),
            long: zeros(),
        }
    }

    /// The entry for four bytes.
    #[inline]
    pub(super) fn short(&mut self, bytes: u64) -> &mut P {
        &mut self.short[hash4(bytes, N.ilog2())]
    }

    /// The entries for seven bytes.
    #[inline]
    pub(super) fn long(&mut self, bytes: u64) -> &mut Pair<P> {
        &mut self.long[hash7(bytes, N.ilog2())]
    }

    /// Enters a position in both tables; what was there before.
    #[inline]
    pub(super) fn replace(&mut self, bytes: u64, at: u32) -> (P, Pair<P>) {
        let short = std::mem::replace(self.short(bytes), P::new(at));
        let slot = self.long(bytes);
        let long = *slot;
        slot.push(at);
        (short, long)
    }

    /// Enters a position in both tables.
    #[inline]
    pub(super) fn insert(&mut self, bytes: u64, at: u32) {
        *self.short(bytes) = P::new(at);
        self.long(bytes).push(at);
    }

    /// How many entries there are.
    pub(super) fn slots(&self) -> usize {
        self.short.len() + 2 * self.long.len()
    }

    /// An entry; the short ones come first.
    #[inline]
    pub(super) fn place(&mut self, slot: usize) -> Option<&mut P> {
        match slot.checked_sub(N) {
            None => self.short.get_mut(slot),
            Some(slot) => self.long.get_mut(slot / 2).map(|pair| pair.place(slot % 2)),
        }
    }
}

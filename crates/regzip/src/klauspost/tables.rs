//! The tables of levels 5 and 6.

use super::place::{Pair, Place};
use super::stream::{hash4, hash7};
use crate::matching::zeros;

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

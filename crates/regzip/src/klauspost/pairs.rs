//! The tables of levels 5 and 6, and what both do with them.
#![allow(
    clippy::inline_always,
    reason = "the inner loops of two levels, which are a tenth slower with calls in them"
)]

use super::entry::{Entry, Pair};
use super::hasher::{hash4, hash7};
use super::history::{History, REACH};
use super::level::{Found, MARGIN, short_match};
use crate::search::matching::{common_prefix, load32, load64, zeros};

/// Positions by hashes of four and of seven bytes, two of the latter.
pub(super) struct Tables<P, const N: usize> {
    short: Box<[P; N]>,
    long: Box<[Pair<P>; N]>,
}

/// The bytes at a position and at the one that is looked at next.
#[derive(Clone, Copy)]
pub(super) struct Bytes {
    pub(super) here: u64,
    pub(super) ahead: u64,
}

impl<P: Entry, const N: usize> Tables<P, N> {
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
    fn replace(&mut self, bytes: u64, at: u32) -> (P, Pair<P>) {
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

    /// Looks for a match from `start` on. Steps grow with the distance from `emitted`, by the shift `skip`;
    /// `try_next` looks for a better match than a short one.
    #[inline(always)]
    pub(super) fn seek(
        &mut self,
        h: &History,
        start: usize,
        emitted: usize,
        skip: u32,
        try_next: impl FnOnce(&mut Self, Found, Bytes) -> Found,
    ) -> Option<Found> {
        let buffer = h.bytes.as_slice();
        let limit = buffer.len() - MARGIN;
        let mut next = start;
        let mut bytes = load64(buffer, start);
        loop {
            let pos = next;
            next = pos + 1 + ((pos - emitted) >> skip);
            if next > limit {
                return None;
            }
            let value = bytes as u32;
            let (short, long) = self.replace(bytes, h.absolute(pos));
            let ahead = load64(buffer, next);
            if !(short.may_match(h, pos, value) | long.may_match(h, pos, value)) {
                bytes = ahead;
                continue;
            }
            let found = |from, length| Found {
                pos,
                from,
                length,
                next,
            };
            if let Some((from, length)) = better_of(long, h, pos, value) {
                self.insert(ahead, h.absolute(next));
                return Some(found(from, length));
            }
            if let Some(from) = short.matching(h, pos, value, REACH) {
                let found = found(from, short_match(buffer, pos, from));
                let here = bytes;
                return Some(try_next(self, found, Bytes { here, ahead }));
            }
            bytes = ahead;
        }
    }

    /// Enters the next position; a long match there if it is longer than what was found, the longest of two or
    /// else the first.
    #[inline(always)]
    pub(super) fn next_match(
        &mut self,
        h: &History,
        found: Found,
        ahead: u64,
        longest: bool,
    ) -> Found {
        let (buffer, next) = (h.bytes.as_slice(), found.next);
        let long = *self.long(ahead);
        self.insert(ahead, h.absolute(next));
        let mut best = found;
        let Some((first, second)) = long.near(h, next) else {
            return best;
        };
        for from in [Some(first), second].into_iter().flatten() {
            if load32(buffer, from) != ahead as u32 {
                continue;
            }
            let length = short_match(buffer, next, from);
            if length > best.length {
                (best.pos, best.from, best.length) = (next, from, length);
                if !longest {
                    break;
                }
            }
        }
        best
    }

    /// Where the match ends, another may have begun earlier and be longer, though its first `skip` bytes differ:
    /// the newest candidate, or both.
    #[inline(always)]
    pub(super) fn improve(&mut self, h: &History, found: &mut Found, skip: usize, both: bool) {
        let buffer = h.bytes.as_slice();
        let end = found.pos + found.length;
        let pair = *self.long(load64(buffer, end));
        let start = found.pos + skip;
        let candidates = [pair.newest, pair.before];
        // The one before is looked at only if the newest is in reach.
        for candidate in candidates.into_iter().take(1 + usize::from(both)) {
            let from =
                i64::from(h.relative(candidate.get(h, end))) - found.length as i64 + skip as i64;
            let distance = start as i64 - from;
            if distance >= REACH {
                return;
            }
            if from < 0 || distance <= 0 {
                continue;
            }
            let from = from as usize;
            let n = common_prefix(buffer, from, start, buffer.len() - start);
            if n > found.length {
                (found.pos, found.from, found.length) = (start, from, n);
            }
        }
    }

    /// How many entries there are.
    pub(super) fn slots(&self) -> usize {
        self.short.len() + 2 * self.long.len()
    }

    /// An entry; the short ones come first.
    #[inline]
    pub(super) fn entry(&mut self, slot: usize) -> Option<&mut P> {
        match slot.checked_sub(N) {
            None => self.short.get_mut(slot),
            Some(slot) => self.long.get_mut(slot / 2).map(|pair| pair.entry(slot % 2)),
        }
    }
}

/// The longer match of a pair, with its length if both match, else 0.
#[inline(always)]
fn better_of<P: Entry>(
    pair: Pair<P>,
    h: &History,
    pos: usize,
    value: u32,
) -> Option<(usize, usize)> {
    let buffer = h.bytes.as_slice();
    let same = |from: &usize| load32(buffer, *from) == value;
    let (first, second) = pair.near(h, pos)?;
    let second = second.filter(same);
    if !same(&first) {
        return second.map(|from| (from, 0));
    }
    let Some(second) = second else {
        return Some((first, 0));
    };
    let length = short_match(buffer, pos, first);
    let other = short_match(buffer, pos, second);
    Some(if other > length {
        (second, other)
    } else {
        (first, length)
    })
}

//! Level 4: candidates by hashes of four and of seven bytes, one of each.

use super::behaviour::Behaviour;
use super::entry::Entry;
use super::hasher::{hash4, hash7};
use super::history::{History, REACH};
use super::level::{Found, Level, MARGIN};
use crate::search::matching::{common_prefix, load64, zeros};

/// The tables of level 4.
pub(super) struct Level4<P, const N: usize> {
    short: Box<[P; N]>,
    long: Box<[P; N]>,
    /// The length of a match at the next position is measured from a wrong position.
    misses: bool,
}

impl<P: Entry, const N: usize> Level4<P, N> {
    pub(super) fn new(behaviour: &Behaviour) -> Self {
        Self {
            misses: behaviour.level4_misses,
            short: zeros(),
            long: zeros(),
        }
    }

    #[inline]
    fn insert(&mut self, bytes: u64, at: u32) {
        self.short[hash4(bytes, N.ilog2())] = P::new(at);
        self.long[hash7(bytes, N.ilog2())] = P::new(at);
    }

    /// Looks for a match from `start` on, in steps that grow with the distance from `emitted`.
    #[inline]
    fn find(&mut self, h: &History, start: usize, emitted: usize) -> Option<Found> {
        let buffer = h.bytes.as_slice();
        let limit = buffer.len() - MARGIN;
        let mut next = start;
        let mut bytes = load64(buffer, start);
        loop {
            let pos = next;
            next = pos + 1 + ((pos - emitted) >> 6);
            if next > limit {
                return None;
            }
            let at = P::new(h.absolute(pos));
            let short = std::mem::replace(&mut self.short[hash4(bytes, N.ilog2())], at);
            let long = std::mem::replace(&mut self.long[hash7(bytes, N.ilog2())], at);
            let ahead = load64(buffer, next);
            let value = bytes as u32;
            let found = |pos, from| {
                Some(Found {
                    pos,
                    from,
                    length: 0,
                    next,
                })
            };
            if let Some(from) = long.matching(h, pos, value, REACH) {
                return found(pos, from);
            }
            if let Some(from) = short.matching(h, pos, value, REACH) {
                let candidate = self.long[hash7(ahead, N.ilog2())];
                let other = candidate
                    .matching(h, next, ahead as u32, REACH)
                    .filter(|&other| {
                        let measured = if self.misses { next - other } else { other };
                        rest(buffer, next, measured) > rest(buffer, pos, from)
                    });
                return match other {
                    Some(other) => found(next, other),
                    None => found(pos, from),
                };
            }
            bytes = ahead;
        }
    }
}

/// How many bytes after the first four are equal.
fn rest(buffer: &[u8], pos: usize, from: usize) -> usize {
    common_prefix(buffer, from + 4, pos + 4, buffer.len() - pos - 4)
}

impl<P: Entry, const N: usize> Level<P> for Level4<P, N> {
    #[inline]
    fn seek(&mut self, h: &History, start: usize, emitted: usize, _: usize) -> Option<Found> {
        self.find(h, start, emitted)
    }

    fn enter_inside(&mut self, h: &History, found: Found, pos: usize) {
        for at in (found.next..pos.saturating_sub(1)).step_by(3) {
            let bytes = load64(&h.bytes, at);
            self.long[hash7(bytes, N.ilog2())] = P::new(h.absolute(at));
            self.insert(bytes >> 8, h.absolute(at + 1));
        }
        self.insert(load64(&h.bytes, pos - 1), h.absolute(pos - 1));
    }

    fn enter_last(&mut self, h: &History, _: Found, pos: usize) {
        if pos + 8 < h.bytes.len() {
            self.insert(load64(&h.bytes, pos), h.absolute(pos));
        }
    }

    fn slots(&self) -> usize {
        self.short.len() + self.long.len()
    }

    fn entry(&mut self, slot: usize) -> Option<&mut P> {
        match slot.checked_sub(self.short.len()) {
            None => self.short.get_mut(slot),
            Some(slot) => self.long.get_mut(slot),
        }
    }
}

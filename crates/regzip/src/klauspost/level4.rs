//! Level 4: candidates by hashes of four and of seven bytes, one of each.

use super::habits::Habits;
use super::history::{History, REACH};
use super::level5::{Found, MARGIN};
use super::place::Place;
use super::stream::{Search, hash4, hash7};
use super::tokens::Tokens;
use crate::matching::{common_prefix, load64, zeros};

/// The tables of level 4.
pub(crate) struct Level4<P, const N: usize> {
    short: Box<[P; N]>,
    long: Box<[P; N]>,
    /// A match at the next position is measured at the wrong place.
    misses: bool,
}

impl<P: Place, const N: usize> Level4<P, N> {
    pub(crate) fn new(habits: &Habits) -> Self {
        Self {
            misses: habits.level4_misses,
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
    fn seek(&mut self, h: &History, start: usize, emitted: usize) -> Option<Found> {
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

    /// Enters some of the positions inside a match.
    fn insert_inside(&mut self, h: &History, start: usize, end: usize) {
        for at in (start..end.saturating_sub(1)).step_by(3) {
            let bytes = load64(&h.bytes, at);
            self.long[hash7(bytes, N.ilog2())] = P::new(h.absolute(at));
            self.insert(bytes >> 8, h.absolute(at + 1));
        }
    }
}

/// How long a match of four bytes goes on.
fn rest(buffer: &[u8], pos: usize, from: usize) -> usize {
    common_prefix(buffer, from + 4, pos + 4, buffer.len() - pos - 4)
}

impl<P: Place, const N: usize> Search<P> for Level4<P, N> {
    fn encode(&mut self, h: &History, start: usize, tokens: &mut Tokens) {
        let buffer = h.bytes.as_slice();
        let end = buffer.len();
        if end - start < MARGIN + 2 {
            return;
        }
        let (mut emitted, mut pos) = (start, start);
        while let Some(mut found) = self.seek(h, pos, emitted) {
            found.lengthen(buffer);
            found.extend_back(buffer, emitted);
            tokens.add_literals(&buffer[emitted..found.pos]);
            tokens.add_match(found.length, found.pos - found.from);
            emitted = found.pos + found.length;
            pos = emitted.max(found.next + 1);
            if pos >= end - MARGIN {
                if pos + 8 < end {
                    self.insert(load64(buffer, pos), h.absolute(pos));
                }
                break;
            }
            self.insert_inside(h, found.next, pos);
            self.insert(load64(buffer, pos - 1), h.absolute(pos - 1));
        }
        if !tokens.list.is_empty() {
            tokens.add_literals(&buffer[emitted..]);
        }
    }

    fn slots(&self) -> usize {
        self.short.len() + self.long.len()
    }

    fn place(&mut self, slot: usize) -> Option<&mut P> {
        match slot.checked_sub(self.short.len()) {
            None => self.short.get_mut(slot),
            Some(slot) => self.long.get_mut(slot),
        }
    }
}

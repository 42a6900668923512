//! Levels 1 and 2: one table, one candidate, two positions a step. Level 2 has a larger table and
//! enters positions inside matches.

use super::behaviour::Behaviour;
use super::entry::Entry;
use super::hasher::Hasher;
use super::history::{History, REACH};
use super::level::{Found, Level, MARGIN};
use crate::search::matching::{load64, zeros};

/// The table of levels 1 and 2.
pub(super) struct Level1<P, const N: usize> {
    table: Box<[P; N]>,
    hasher: Hasher,
    /// It is level 2.
    second: bool,
}

impl<P: Entry, const N: usize> Level1<P, N> {
    /// Level 1 or 2.
    pub(super) fn new(level: i8, behaviour: &Behaviour) -> Self {
        let hasher = Hasher::new(level, behaviour);
        Self {
            table: zeros(),
            hasher,
            second: level == 2,
        }
    }

    #[inline]
    fn replace(&mut self, bytes: u64, at: u32) -> P {
        std::mem::replace(
            &mut self.table[self.hasher.hash(bytes, N.ilog2())],
            P::new(at),
        )
    }

    /// Enters every second position inside a match but one of four.
    fn insert_inside(&mut self, h: &History, start: usize, end: usize) {
        for at in (start + 2..end.saturating_sub(5)).step_by(7) {
            let bytes = load64(&h.bytes, at);
            for step in [0, 2, 4] {
                self.replace(bytes >> (8 * step), h.absolute(at + step));
            }
        }
    }

    /// Looks for a match from `start` on, at two positions a step.
    #[inline]
    fn find(&mut self, h: &History, start: usize, emitted: usize) -> Option<Found> {
        let buffer = h.bytes.as_slice();
        let mut bytes = load64(buffer, start);
        let limit = buffer.len() - MARGIN;
        let mut pos = start;
        loop {
            let mut next = pos + 2 + ((pos - emitted) >> 5);
            if next > limit {
                return None;
            }
            let mut ahead = load64(buffer, next);
            for second in [false, true] {
                let candidate = self.replace(bytes, h.absolute(pos));
                if let Some(from) = candidate.matching(h, pos, bytes as u32, REACH) {
                    if !second {
                        self.replace(ahead, h.absolute(next));
                    } else if !self.second {
                        // The second time the next position comes under this one's hash.
                        self.replace(bytes, h.absolute(next));
                    }
                    return Some(Found {
                        pos,
                        from,
                        length: 0,
                        next,
                    });
                }
                bytes = ahead;
                pos = next;
                if !second {
                    // The next position is looked at right away.
                    next += 1;
                    ahead >>= 8;
                }
            }
        }
    }
}

impl<P: Entry, const N: usize> Level<P> for Level1<P, N> {
    const FOLLOWS: bool = true;

    #[inline]
    fn seek(&mut self, h: &History, start: usize, emitted: usize, _: usize) -> Option<Found> {
        self.find(h, start, emitted)
    }

    #[inline]
    fn enter_inside(&mut self, h: &History, found: Found, pos: usize) {
        let before = load64(&h.bytes, pos - 2);
        if self.second {
            self.insert_inside(h, pos - found.length, pos);
            self.replace(before, h.absolute(pos - 2));
            self.replace(before >> 8, h.absolute(pos - 1));
        } else {
            self.replace(before, h.absolute(pos - 2));
        }
    }

    fn enter_last(&mut self, h: &History, found: Found, pos: usize) {
        if pos + found.length + self.hasher.needs() < h.bytes.len() {
            self.replace(self.hasher.load(&h.bytes, pos), h.absolute(pos));
        }
    }

    #[inline]
    fn follow(&mut self, h: &History, pos: usize) -> Option<usize> {
        // What was loaded before.
        let bytes = load64(&h.bytes, pos - 2) >> 16;
        let candidate = self.replace(bytes, h.absolute(pos));
        // Unlike elsewhere, the full distance is allowed here.
        candidate.matching(h, pos, bytes as u32, REACH + 1)
    }

    fn slots(&self) -> usize {
        self.table.len()
    }

    fn entry(&mut self, slot: usize) -> Option<&mut P> {
        self.table.get_mut(slot)
    }
}

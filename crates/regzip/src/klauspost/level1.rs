//! Levels 1 and 2: one table, one candidate, two positions a step. Level 2 has a larger table and
//! enters positions inside matches.

use super::habits::Habits;
use super::hasher::Hasher;
use super::history::{History, REACH};
use super::level5::{Found, MARGIN};
use super::place::Place;
use super::stream::Search;
use super::tokens::Tokens;
use crate::matching::{load64, zeros};

/// The table of levels 1 and 2.
pub(crate) struct Level1<P, const N: usize> {
    table: Box<[P; N]>,
    hasher: Hasher,
    /// It is level 2.
    second: bool,
}

impl<P: Place, const N: usize> Level1<P, N> {
    /// Level 1 or 2.
    pub(crate) fn new(level: i8, habits: &Habits) -> Self {
        let hasher = Hasher::new(level, habits);
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

    /// Enters every second position inside a match, leaving one of four out.
    fn insert_inside(&mut self, h: &History, start: usize, end: usize) {
        for at in (start + 2..end.saturating_sub(5)).step_by(7) {
            let bytes = load64(&h.bytes, at);
            for step in [0, 2, 4] {
                self.replace(bytes >> (8 * step), h.absolute(at + step));
            }
        }
    }

    /// Looks for a match from `start` on; `bytes` are those there.
    #[inline]
    fn seek(&mut self, h: &History, start: usize, mut bytes: u64, emitted: usize) -> Option<Found> {
        let buffer = h.bytes.as_slice();
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

impl<P: Place, const N: usize> Search<P> for Level1<P, N> {
    fn encode(&mut self, h: &History, start: usize, tokens: &mut Tokens) {
        let buffer = h.bytes.as_slice();
        let end = buffer.len();
        if end - start < MARGIN + 2 {
            return;
        }
        let limit = end - MARGIN;
        let (mut emitted, mut pos) = (start, start);
        let mut bytes = load64(buffer, start);
        'search: while let Some(mut found) = self.seek(h, pos, bytes, emitted) {
            loop {
                found.lengthen(buffer);
                found.extend_back(buffer, emitted);
                tokens.add_literals(&buffer[emitted..found.pos]);
                tokens.add_match(found.length, found.pos - found.from);
                emitted = found.pos + found.length;
                pos = emitted.max(found.next + 1);
                if pos >= limit {
                    if pos + found.length + self.hasher.needs() < end {
                        self.replace(self.hasher.load(buffer, pos), h.absolute(pos));
                    }
                    break 'search;
                }
                let before = load64(buffer, pos - 2);
                if self.second {
                    self.insert_inside(h, pos - found.length, pos);
                    self.replace(before, h.absolute(pos - 2));
                    self.replace(before >> 8, h.absolute(pos - 1));
                } else {
                    self.replace(before, h.absolute(pos - 2));
                }
                bytes = before >> 16;
                let candidate = self.replace(bytes, h.absolute(pos));
                // Unlike elsewhere, the full distance is allowed here.
                let Some(from) = candidate.matching(h, pos, bytes as u32, REACH + 1) else {
                    bytes >>= 8;
                    pos += 1;
                    break;
                };
                found = Found {
                    pos,
                    from,
                    length: 0,
                    next: found.next,
                };
            }
        }
        if !tokens.list.is_empty() {
            tokens.add_literals(&buffer[emitted..]);
        }
    }

    fn slots(&self) -> usize {
        self.table.len()
    }

    fn place(&mut self, slot: usize) -> Option<&mut P> {
        self.table.get_mut(slot)
    }
}

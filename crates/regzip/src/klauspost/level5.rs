//! Level 5, the default: candidates by hashes of four and of seven bytes, two of the latter.

use super::habits::Habits;
use super::history::{History, REACH};
use super::place::Place;
use super::stream::Search;
use super::tables::Tables;
use super::tokens::Tokens;
use crate::matching::{common_prefix, load32, load64};
use crate::token::MAX_MATCH;

/// No search starts in the last bytes of a block.
pub(super) const MARGIN: usize = 11;

/// The tables of level 5.
pub(crate) struct Level5<P, const N: usize> {
    tables: Tables<P, N>,
    /// Bytes at a match's beginning that a better one may lack at first, if such are looked for.
    skip: Option<usize>,
}

/// A match that a search found: where, from where, and its length if that is known already.
#[derive(Clone, Copy)]
pub(super) struct Found {
    pub(super) pos: usize,
    pub(super) from: usize,
    pub(super) length: usize,
    /// The position that the search would have looked at next; it is in the tables.
    pub(super) next: usize,
}

impl Found {
    /// Goes on where the length is not known or was limited.
    #[inline]
    pub(super) fn lengthen(&mut self, buffer: &[u8]) {
        if self.length == 0 || self.length == MAX_MATCH {
            let known = self.length.max(4);
            let (a, b) = (self.from + known, self.pos + known);
            self.length = known + common_prefix(buffer, a, b, buffer.len() - b);
        }
    }

    /// Takes in equal bytes before it that are not emitted yet.
    #[inline]
    pub(super) fn extend_back(&mut self, buffer: &[u8], emitted: usize) {
        while self.from > 0 && self.pos > emitted && buffer[self.from - 1] == buffer[self.pos - 1] {
            self.from -= 1;
            self.pos -= 1;
            self.length += 1;
        }
    }
}

impl<P: Place, const N: usize> Level5<P, N> {
    pub(crate) fn new(habits: &Habits) -> Self {
        Self {
            skip: habits.improves,
            tables: Tables::new(),
        }
    }

    /// Looks for a match from `pos` on, in steps that grow with the distance from `emitted`.
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
            let value = bytes as u32;
            let (short, long) = self.tables.replace(bytes, h.absolute(pos));
            let ahead = load64(buffer, next);
            if !(short.may_match(h, pos, value) | long.may_match(h, pos, value)) {
                bytes = ahead;
                continue;
            }
            let same = |from: &usize| load32(buffer, *from) == value;
            let found = |from, length| {
                Some(Found {
                    pos,
                    from,
                    length,
                    next,
                })
            };

            if let Some((from, second)) = long.near(h, pos) {
                let second = second.filter(same);
                if same(&from) {
                    self.tables.insert(ahead, h.absolute(next));
                    if let Some(second) = second {
                        let first_length = short_match(buffer, pos, from);
                        let second_length = short_match(buffer, pos, second);
                        if second_length > first_length {
                            return found(second, second_length);
                        }
                        return found(from, first_length);
                    }
                    return found(from, 0);
                }
                if let Some(second) = second {
                    self.tables.insert(ahead, h.absolute(next));
                    return found(second, 0);
                }
            }
            if let Some(from) = short.matching(h, pos, value, REACH) {
                return Some(self.try_next(h, pos, from, ahead, next));
            }
            bytes = ahead;
        }
    }

    /// A short match was found: a long one at the next position may be better.
    fn try_next(&mut self, h: &History, pos: usize, from: usize, ahead: u64, next: usize) -> Found {
        let buffer = h.bytes.as_slice();
        let length = short_match(buffer, pos, from);
        let long = *self.tables.long(ahead);
        self.tables.insert(ahead, h.absolute(next));
        if let Some((first, second)) = long.near(h, next) {
            for from in [Some(first), second].into_iter().flatten() {
                if load32(buffer, from) == ahead as u32 {
                    let n = short_match(buffer, next, from);
                    if n > length {
                        return Found {
                            pos: next,
                            from,
                            length: n,
                            next,
                        };
                    }
                }
            }
        }
        Found {
            pos,
            from,
            length,
            next,
        }
    }

    /// Where the match ends, another may have begun earlier and go on longer.
    fn improve(&mut self, h: &History, found: &mut Found) {
        let buffer = h.bytes.as_slice();
        let end = found.pos + found.length;
        let Some(skip) = self.skip else { return };
        if found.length >= 30 || end >= buffer.len() - MARGIN {
            return;
        }
        let candidate = self.tables.long(load64(buffer, end)).newest;
        let from = i64::from(h.relative(candidate.get(h, end))) - found.length as i64 + skip as i64;
        let pos = found.pos + skip;
        let distance = pos as i64 - from;
        if from >= 0 && distance > 0 && distance < REACH {
            let from = from as usize;
            let n = common_prefix(buffer, from, pos, buffer.len() - pos);
            if n > found.length {
                *found = Found {
                    pos,
                    from,
                    length: n,
                    next: found.next,
                };
            }
        }
    }

    /// Enters some of the positions inside a match.
    fn insert_inside(&mut self, h: &History, start: usize, end: usize) {
        let buffer = h.bytes.as_slice();
        let mut at = start + 1;
        if at >= end - 1 {
            return;
        }
        let bytes = load64(buffer, at);
        self.tables.insert(bytes, h.absolute(at));
        self.tables.long(bytes >> 8).push(h.absolute(at + 1));
        *self.tables.short(bytes >> 16) = P::new(h.absolute(at + 2));
        at += 4;
        while at < end - 1 {
            let bytes = load64(buffer, at);
            self.tables.long(bytes).push(h.absolute(at));
            *self.tables.short(bytes >> 8) = P::new(h.absolute(at + 1));
            at += 3;
        }
    }
}

/// The length of a match of at least four bytes, at most what one token holds.
#[inline]
pub(super) fn short_match(buffer: &[u8], pos: usize, from: usize) -> usize {
    4 + common_prefix(
        buffer,
        from + 4,
        pos + 4,
        (MAX_MATCH - 4).min(buffer.len() - pos - 4),
    )
}

impl<P: Place, const N: usize> Search<P> for Level5<P, N> {
    fn encode(&mut self, h: &History, start: usize, tokens: &mut Tokens) {
        let buffer = h.bytes.as_slice();
        let end = buffer.len();
        if end - start < MARGIN + 2 {
            return;
        }
        let mut emitted = start;
        let mut pos = start;
        while let Some(mut found) = self.seek(h, pos, emitted) {
            found.lengthen(buffer);
            self.improve(h, &mut found);
            found.extend_back(buffer, emitted);
            tokens.add_literals(&buffer[emitted..found.pos]);
            tokens.add_match(found.length, found.pos - found.from);
            pos = found.pos + found.length;
            emitted = pos;
            // The search was ahead of a short match; its last position is entered already.
            let inside = (
                pos.max(found.next + 1) - found.length,
                pos.max(found.next + 1),
            );
            if found.next >= pos {
                pos = found.next + 1;
            }
            if pos >= end - MARGIN {
                break;
            }
            self.insert_inside(h, inside.0, inside.1);
            let bytes = load64(buffer, pos - 1);
            self.tables.insert(bytes, h.absolute(pos - 1));
        }
        if !tokens.list.is_empty() {
            tokens.add_literals(&buffer[emitted..]);
        }
    }

    fn slots(&self) -> usize {
        self.tables.slots()
    }

    fn place(&mut self, slot: usize) -> Option<&mut P> {
        self.tables.place(slot)
    }
}

//! Level 6: as level 5, with the last distance tried again and more positions entered.

use super::habits::Habits;
use super::history::{History, REACH};
use super::level5::{Found, MARGIN, short_match};
use super::place::Place;
use super::stream::Search;
use super::tables::Tables;
use super::tokens::Tokens;
use crate::matching::{common_prefix, load32, load64};

/// The tables of level 6.
pub(crate) struct Level6<P, const N: usize> {
    tables: Tables<P, N>,
    /// Bytes at a match's beginning that a better one may lack at first, if such are looked for.
    skip: Option<usize>,
}

impl<P: Place, const N: usize> Level6<P, N> {
    pub(crate) fn new(habits: &Habits) -> Self {
        Self {
            skip: habits.improves,
            tables: Tables::new(),
        }
    }

    /// Looks for a match from `start` on, in steps that grow with the distance from `emitted`.
    #[inline]
    fn seek(&mut self, h: &History, start: usize, emitted: usize, repeat: usize) -> Option<Found> {
        let buffer = h.bytes.as_slice();
        let limit = buffer.len() - MARGIN;
        let mut next = start;
        let mut bytes = load64(buffer, start);
        loop {
            let pos = next;
            next = pos + 1 + ((pos - emitted) >> 7);
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
            let found = |from, length| Found {
                pos,
                from,
                length,
                next,
            };
            if let Some((first, second)) = long.near(h, pos) {
                let second = second.filter(same);
                if same(&first) {
                    self.tables.insert(ahead, h.absolute(next));
                    let Some(second) = second else {
                        return Some(found(first, 0));
                    };
                    let length = short_match(buffer, pos, first);
                    let other = short_match(buffer, pos, second);
                    if other > length {
                        return Some(found(second, other));
                    }
                    return Some(found(first, length));
                }
                if let Some(second) = second {
                    self.tables.insert(ahead, h.absolute(next));
                    return Some(found(second, 0));
                }
            }
            if let Some(from) = short.matching(h, pos, value, REACH) {
                let found = found(from, short_match(buffer, pos, from));
                return Some(self.try_next(h, found, bytes, ahead, repeat));
            }
            bytes = ahead;
        }
    }

    /// A short match was found: the last distance, or a long match at the next position, may be
    /// better.
    fn try_next(
        &mut self,
        h: &History,
        found: Found,
        bytes: u64,
        ahead: u64,
        repeat: usize,
    ) -> Found {
        let buffer = h.bytes.as_slice();
        let next = found.next;
        let long = *self.tables.long(ahead);
        self.tables.insert(ahead, h.absolute(next));
        let again = found.pos + 1 - repeat;
        if load32(buffer, again) == (bytes >> 8) as u32 {
            let length = short_match(buffer, found.pos + 1, again);
            if length > found.length {
                return Found {
                    pos: found.pos + 1,
                    from: again,
                    length,
                    next,
                };
            }
        }
        let mut best = found;
        if let Some((first, second)) = long.near(h, next) {
            for from in [Some(first), second].into_iter().flatten() {
                if load32(buffer, from) == ahead as u32 {
                    let length = short_match(buffer, next, from);
                    if length > best.length {
                        best = Found {
                            pos: next,
                            from,
                            length,
                            next,
                        };
                    }
                }
            }
        }
        best
    }

    /// Where the match ends, others may have begun earlier and go on longer.
    fn improve(&mut self, h: &History, found: &mut Found) {
        let buffer = h.bytes.as_slice();
        let end = found.pos + found.length;
        let Some(skip) = self.skip.filter(|_| end < buffer.len() - MARGIN) else {
            return;
        };
        let pair = *self.tables.long(load64(buffer, end));
        let start = found.pos + skip;
        // Only if the newest is in reach, the one before is looked at.
        for candidate in [pair.newest, pair.before] {
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

    /// Enters positions inside a match that ends at `end`.
    fn insert_inside(&mut self, h: &History, start: usize, end: usize) {
        for at in (start..end.saturating_sub(1)).step_by(2) {
            let bytes = load64(&h.bytes, at);
            self.tables.long(bytes).push(h.absolute(at));
            self.tables.long(bytes >> 8).push(h.absolute(at + 1));
            *self.tables.short(bytes) = P::new(h.absolute(at));
        }
    }
}

impl<P: Place, const N: usize> Search<P> for Level6<P, N> {
    fn encode(&mut self, h: &History, start: usize, tokens: &mut Tokens) {
        let buffer = h.bytes.as_slice();
        let end = buffer.len();
        if end - start < MARGIN + 2 {
            return;
        }
        let (mut emitted, mut pos, mut repeat) = (start, start, 1);
        while let Some(mut found) = self.seek(h, pos, emitted, repeat) {
            found.lengthen(buffer);
            self.improve(h, &mut found);
            found.extend_back(buffer, emitted);
            tokens.add_literals(&buffer[emitted..found.pos]);
            repeat = found.pos - found.from;
            tokens.add_match(found.length, repeat);
            emitted = found.pos + found.length;
            pos = emitted.max(found.next + 1);
            if pos >= end - MARGIN {
                for at in (found.next + 1..end.saturating_sub(8)).step_by(2) {
                    self.tables.insert(load64(buffer, at), h.absolute(at));
                }
                break;
            }
            self.insert_inside(h, found.next + 1, pos);
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

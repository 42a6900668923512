//! Level 3: one table with two candidates.

use super::habits::{FastHash, Habits, Level3Habit};
use super::hasher::Hasher;
use super::history::{History, REACH};
use super::level5::Found;
use super::place::{Pair, Place};
use super::stream::Search;
use super::tokens::Tokens;
use crate::matching::{common_prefix, load32, load64, zeros};

/// The table of level 3.
pub(crate) struct Level3<P, const N: usize> {
    table: Box<[Pair<P>; N]>,
    hasher: Hasher,
    habit: Level3Habit,
    /// No search starts in the last bytes of a block.
    margin: usize,
    /// Steps grow with the distance from what was emitted last, by this shift.
    skip: u32,
    /// Every so many positions inside a match are entered; `None` for none.
    every: Option<usize>,
}

impl<P: Place, const N: usize> Level3<P, N> {
    pub(crate) fn new(habits: &Habits) -> Self {
        let hasher = Hasher::new(3, habits);
        let five = habits.fast_hash == FastHash::Five;
        Self {
            table: zeros(),
            hasher,
            habit: habits.level3,
            margin: if five { 11 } else { 7 },
            skip: if five { 7 } else { 6 },
            every: match (five, habits.level3) {
                (true, _) => Some(6),
                (false, Level3Habit::Nearer) => Some(5),
                (false, _) => None,
            },
        }
    }

    /// The nearest that a candidate may be refused for its distance: mostly its match has to stay in
    /// reach.
    #[inline]
    fn oldest(&self, h: &History, pos: usize) -> i64 {
        let slack = if self.habit == Level3Habit::Either {
            0
        } else {
            4
        };
        i64::from(h.absolute(pos)) - (REACH - slack)
    }

    /// Enters a position; what was there before.
    #[inline]
    fn push(&mut self, bytes: u64, at: u32) -> Pair<P> {
        let slot = &mut self.table[self.hasher.hash(bytes, N.ilog2())];
        let before = *slot;
        slot.push(at);
        before
    }

    /// Looks for a match from `start` on; `bytes` are those there.
    #[inline]
    fn seek(&mut self, h: &History, start: usize, mut bytes: u64, emitted: usize) -> Option<Found> {
        let buffer = h.bytes.as_slice();
        let limit = buffer.len() - self.margin;
        let either = self.habit == Level3Habit::Either;
        let mut next = start;
        loop {
            let pos = next;
            next = pos + 1 + ((pos - emitted) >> self.skip);
            if next > limit {
                return None;
            }
            let pair = self.push(bytes, h.absolute(pos));
            let ahead = self.hasher.load(buffer, next);
            let oldest = self.oldest(h, pos);
            let newest = pair.newest.get(h, pos);
            if i64::from(newest) >= oldest {
                let before = pair.before.get(h, pos);
                let same = |at: u32| {
                    let from = usize::try_from(h.relative(at)).ok()?;
                    (load32(buffer, from) == bytes as u32).then_some(from)
                };
                let found = |from| Found {
                    pos,
                    from,
                    length: 0,
                    next,
                };
                if let Some(from) = same(newest) {
                    let second = same(before).filter(|_| i64::from(before) >= oldest);
                    let better = second.filter(|&second| {
                        let len = |from| {
                            let rest = buffer.len() - pos - 4;
                            common_prefix(buffer, from + 4, pos + 4, rest)
                        };
                        len(second) > len(from)
                    });
                    return Some(found(better.unwrap_or(from)));
                }
                let limit = if either { oldest } else { oldest + 1 };
                let second = same(before).filter(|_| i64::from(before) >= limit);
                if let Some(from) = second {
                    return Some(found(from));
                }
            }
            bytes = ahead;
        }
    }

    /// Looks right behind a match that ended at `pos`; where a match there starts from.
    #[inline]
    fn follow(&mut self, h: &History, pos: usize, bytes: u64) -> Option<usize> {
        let pair = self.push(bytes, h.absolute(pos));
        let oldest = self.oldest(h, pos);
        let limit = if self.habit == Level3Habit::Either {
            oldest
        } else {
            oldest + 1
        };
        // The older one is looked at only if the newer one is in reach.
        let mut near = [pair.newest, pair.before]
            .into_iter()
            .map(|place| place.get(h, pos))
            .take_while(|&at| i64::from(at) >= limit)
            .filter_map(|at| usize::try_from(h.relative(at)).ok())
            .map(|from| (from, load32(&h.bytes, from) == bytes as u32));
        if self.habit == Level3Habit::Older {
            let (_, newer_matches) = near.next()?;
            let (from, older_matches) = near.next()?;
            return (older_matches && !newer_matches).then_some(from);
        }
        near.find(|&(_, matches)| matches).map(|(from, _)| from)
    }

    /// Enters positions inside a match that ended at `pos`, and the bytes from two before it on.
    #[inline]
    fn insert_inside(&mut self, h: &History, start: usize, pos: usize) -> u64 {
        if let Some(every) = self.every {
            for at in (start + 2..pos.saturating_sub(5)).step_by(every) {
                self.push(self.hasher.load(&h.bytes, at), h.absolute(at));
            }
        } else {
            self.push(self.hasher.load(&h.bytes, pos - 3), h.absolute(pos - 3));
        }
        let before = load64(&h.bytes, pos - 2);
        self.push(before, h.absolute(pos - 2));
        self.push(before >> 8, h.absolute(pos - 1));
        before
    }
}

impl<P: Place, const N: usize> Search<P> for Level3<P, N> {
    fn encode(&mut self, h: &History, start: usize, tokens: &mut Tokens) {
        let buffer = h.bytes.as_slice();
        let end = buffer.len();
        if end - start < self.margin + 2 {
            return;
        }
        let limit = end - self.margin;
        let (mut emitted, mut pos) = (start, start);
        let mut bytes = self.hasher.load(buffer, start);
        'search: while let Some(mut found) = self.seek(h, pos, bytes, emitted) {
            loop {
                found.lengthen(buffer);
                found.extend_back(buffer, emitted);
                tokens.add_literals(&buffer[emitted..found.pos]);
                tokens.add_match(found.length, found.pos - found.from);
                emitted = found.pos + found.length;
                pos = emitted.max(found.next + 1);
                if pos >= limit {
                    let after = found.from + found.length;
                    if after + self.hasher.needs() < end {
                        self.push(self.hasher.load(buffer, after), h.absolute(after));
                    }
                    break 'search;
                }
                let before = self.insert_inside(h, pos - found.length, pos);
                bytes = before >> 16;
                let Some(from) = self.follow(h, pos, bytes) else {
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
        2 * self.table.len()
    }

    fn place(&mut self, slot: usize) -> Option<&mut P> {
        self.table
            .get_mut(slot / 2)
            .map(|pair| pair.place(slot % 2))
    }
}

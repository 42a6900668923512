//! Level 3: one table with two candidates.

use super::behaviour::{Behaviour, FastHash, Level3Rule};
use super::entry::{Entry, Pair};
use super::hasher::Hasher;
use super::history::{History, REACH};
use super::level::{Found, Level};
use crate::search::matching::{common_prefix, load32, load64, zeros};

/// The table of level 3.
pub(super) struct Level3<P, const N: usize> {
    table: Box<[Pair<P>; N]>,
    hasher: Hasher,
    rule: Level3Rule,
    /// No search starts in the last bytes of a block.
    margin: usize,
    /// Steps grow with the distance from what was emitted last, by this shift.
    skip: u32,
    /// Every so many positions inside a match are entered; `None` for none.
    every: Option<usize>,
}

impl<P: Entry, const N: usize> Level3<P, N> {
    pub(super) fn new(behaviour: &Behaviour) -> Self {
        let hasher = Hasher::new(3, behaviour);
        let five = behaviour.fast_hash == FastHash::Five;
        Self {
            table: zeros(),
            hasher,
            rule: behaviour.level3,
            margin: if five { 11 } else { 7 },
            skip: if five { 7 } else { 6 },
            every: match (five, behaviour.level3) {
                (true, _) => Some(6),
                (false, Level3Rule::Nearer) => Some(5),
                (false, _) => None,
            },
        }
    }

    /// The nearest that a candidate may be refused for its distance: mostly its match has to stay in
    /// reach.
    #[inline]
    fn oldest(&self, h: &History, pos: usize) -> i64 {
        let slack = if self.rule == Level3Rule::Either {
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

    /// Looks for a match from `start` on.
    #[inline]
    fn find(&mut self, h: &History, start: usize, emitted: usize) -> Option<Found> {
        let buffer = h.bytes.as_slice();
        let mut bytes = self.hasher.load(buffer, start);
        let limit = buffer.len() - self.margin;
        let either = self.rule == Level3Rule::Either;
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

    /// Looks right after a match that ended at `pos`; where a match there starts from.
    #[inline]
    fn find_after(&mut self, h: &History, pos: usize) -> Option<usize> {
        let bytes = self.hasher.load(&h.bytes, pos);
        let pair = self.push(bytes, h.absolute(pos));
        let oldest = self.oldest(h, pos);
        let limit = if self.rule == Level3Rule::Either {
            oldest
        } else {
            oldest + 1
        };
        // The older one is looked at only if the newer one is in reach.
        let mut near = [pair.newest, pair.before]
            .into_iter()
            .map(|entry| entry.get(h, pos))
            .take_while(|&at| i64::from(at) >= limit)
            .filter_map(|at| usize::try_from(h.relative(at)).ok())
            .map(|from| (from, load32(&h.bytes, from) == bytes as u32));
        if self.rule == Level3Rule::Older {
            let (_, newer_matches) = near.next()?;
            let (from, older_matches) = near.next()?;
            return (older_matches && !newer_matches).then_some(from);
        }
        near.find(|&(_, matches)| matches).map(|(from, _)| from)
    }
}

impl<P: Entry, const N: usize> Level<P> for Level3<P, N> {
    const FOLLOWS: bool = true;

    fn margin(&self) -> usize {
        self.margin
    }

    #[inline]
    fn seek(&mut self, h: &History, start: usize, emitted: usize, _: usize) -> Option<Found> {
        self.find(h, start, emitted)
    }

    #[inline]
    fn enter_inside(&mut self, h: &History, found: Found, pos: usize) {
        if let Some(every) = self.every {
            for at in (pos - found.length + 2..pos.saturating_sub(5)).step_by(every) {
                self.push(self.hasher.load(&h.bytes, at), h.absolute(at));
            }
        } else {
            self.push(self.hasher.load(&h.bytes, pos - 3), h.absolute(pos - 3));
        }
        let before = load64(&h.bytes, pos - 2);
        self.push(before, h.absolute(pos - 2));
        self.push(before >> 8, h.absolute(pos - 1));
    }

    fn enter_last(&mut self, h: &History, found: Found, _: usize) {
        let after = found.from + found.length;
        if after + self.hasher.needs() < h.bytes.len() {
            self.push(self.hasher.load(&h.bytes, after), h.absolute(after));
        }
    }

    #[inline]
    fn follow(&mut self, h: &History, pos: usize) -> Option<usize> {
        self.find_after(h, pos)
    }

    fn slots(&self) -> usize {
        2 * self.table.len()
    }

    fn entry(&mut self, slot: usize) -> Option<&mut P> {
        self.table
            .get_mut(slot / 2)
            .map(|pair| pair.entry(slot % 2))
    }
}

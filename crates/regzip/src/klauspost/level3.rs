//! Level 3: one table with two candidates.

use super::level5::{Found, MARGIN, Pair};
use super::stream::{History, REACH, Search, hash5};
use super::tokens::Tokens;
use crate::matching::{common_prefix, load32, load64};

const BITS: u32 = 16;

/// The table of level 3.
#[derive(Clone)]
pub(crate) struct Level3 {
    table: Box<[Pair]>,
}

/// The nearest that a candidate may be refused for its distance: its match has to stay in reach.
fn oldest(h: &History, pos: usize) -> i64 {
    i64::from(h.absolute(pos)) - (REACH - 4)
}

impl Level3 {
    pub(crate) fn new() -> Self {
        Self {
            table: vec![Pair::default(); 1 << BITS].into_boxed_slice(),
        }
    }

    /// Enters a position; what was there before.
    #[inline]
    fn push(&mut self, bytes: u64, at: u32) -> Pair {
        let slot = &mut self.table[hash5(bytes, BITS)];
        let before = *slot;
        slot.push(at);
        before
    }

    /// Looks for a match from `start` on; `bytes` are those there.
    #[inline]
    fn seek(&mut self, h: &History, start: usize, mut bytes: u64, emitted: usize) -> Option<Found> {
        let buffer = h.bytes.as_slice();
        let limit = buffer.len() - MARGIN;
        let mut next = start;
        loop {
            let pos = next;
            next = pos + 1 + ((pos - emitted) >> 7);
            if next > limit {
                return None;
            }
            let pair = self.push(bytes, h.absolute(pos));
            let ahead = load64(buffer, next);
            let oldest = oldest(h, pos);
            if i64::from(pair.newest) >= oldest {
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
                if let Some(from) = same(pair.newest) {
                    let second = same(pair.before).filter(|_| i64::from(pair.before) >= oldest);
                    let better = second.filter(|&second| {
                        let len = |from| {
                            let rest = buffer.len() - pos - 4;
                            common_prefix(buffer, from + 4, pos + 4, rest)
                        };
                        len(second) > len(from)
                    });
                    return Some(found(better.unwrap_or(from)));
                }
                let second = same(pair.before).filter(|_| i64::from(pair.before) > oldest);
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
        let oldest = oldest(h, pos);
        // The older one is looked at only if the newer one is in reach.
        [pair.newest, pair.before]
            .into_iter()
            .take_while(|&at| i64::from(at) > oldest)
            .filter_map(|at| usize::try_from(h.relative(at)).ok())
            .find(|&from| load32(&h.bytes, from) == bytes as u32)
    }
}

impl Search for Level3 {
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
                    let after = found.from + found.length;
                    if after + 8 < end {
                        self.push(load64(buffer, after), h.absolute(after));
                    }
                    break 'search;
                }
                for at in (pos - found.length + 2..pos.saturating_sub(5)).step_by(6) {
                    self.push(load64(buffer, at), h.absolute(at));
                }
                let before = load64(buffer, pos - 2);
                self.push(before, h.absolute(pos - 2));
                self.push(before >> 8, h.absolute(pos - 1));
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

    fn rebase(&mut self, by: u32, oldest: u32) {
        let shift = |at: &mut u32| *at = if *at <= oldest { 0 } else { *at - by };
        for pair in &mut self.table {
            shift(&mut pair.newest);
            shift(&mut pair.before);
        }
    }

    fn positions(&self, each: &mut dyn FnMut(u32)) {
        for pair in &self.table {
            each(pair.newest);
            each(pair.before);
        }
    }
}

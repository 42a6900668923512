//! The greedy search: at each position the best copy, if any is good enough.

use std::ops::Range;

use super::extend::{Fielded, backward, forward, forward_over_fields, mismatches};
use super::guide::{Guide, alignment, is_strict};
use super::table::Table;
use crate::bytes::common_prefix;
use crate::copies::Copy;
use crate::stream::Kind;

/// Candidates are compared over this many bytes; the best one is then followed to its end.
const HORIZON: usize = 512;
/// A copy that scores less costs more than literals.
const MIN_SCORE: i64 = 14;
/// A candidate at a recent distance needs this score.
const MIN_RECENT: i64 = 16;
/// A pair needs this score.
const MIN_PAIR: i64 = 6;
/// What a pair scores besides, and once more if it continues the copy before.
const PAIR_BONUS: i64 = 8;
/// A pair that scores this in strict kinds ends the search.
const GOOD_PAIR: i64 = 24;
/// Over how many bytes a copy is compared with a pair that begins within it.
const CUT_WINDOW: usize = 256;
/// How many more mismatches a running copy may have than a pair that begins within it.
const CUT_MARGIN: usize = 4;
/// After so many copies of a range, the rest of it is taken as literals: copies are in memory.
const MAX_COPIES: usize = 4 << 20;
/// With a pair for each so many bytes, short matches are found by identity and seeds can be long.
const PAIRED: usize = 256;
const RECENT: usize = 16;

/// Copies for the last content in `data`, which follows the bases that end at `boundaries`.
pub(crate) fn search(data: &[u8], boundaries: &[u64], effort: u8) -> Vec<Copy> {
    let start = boundaries.last().map_or(0, |end| *end as usize);
    let range = start..data.len();
    Search::new(data, boundaries, Guide::default(), effort).range(range, Kind::Other)
}

/// A search that goes through the last content in order.
pub(crate) struct Search<'a> {
    data: &'a [u8],
    boundaries: &'a [u64],
    guide: Guide,
    /// Pairs before this index are behind.
    next_pair: usize,
    table: Table,
    seed: usize,
    recent: Recent,
    /// How many recent distances are tried.
    tried: usize,
    /// Positions before this are in the table.
    entered: usize,
    /// Positions of the content itself before this are not copied from.
    floor: usize,
    /// Fields are at multiples of this.
    alignment: usize,
}

#[derive(Clone, Copy)]
struct Candidate {
    source: usize,
    len: usize,
    score: i64,
}

impl<'a> Search<'a> {
    /// A search in `data`: bases that end at `boundaries`, then the content to find copies for.
    pub(crate) fn new(data: &'a [u8], boundaries: &'a [u64], guide: Guide, effort: u8) -> Self {
        let start = boundaries.last().map_or(0, |end| *end as usize);
        let paired = guide.pairs.len() > data.len().saturating_sub(start) / PAIRED;
        let seed = if paired {
            24 + 8 * usize::from(effort >= 7)
        } else {
            16
        };
        let sample = match effort {
            _ if !paired => 4,
            0..=3 => 16,
            4..=6 => 8,
            _ => 4,
        };
        let mut search = Self {
            data,
            boundaries,
            guide,
            next_pair: 0,
            table: Table::new(data.len(), seed, sample),
            seed,
            recent: Recent::default(),
            tried: if paired && effort < 7 {
                RECENT / 2
            } else {
                RECENT
            },
            entered: 0,
            floor: start,
            alignment: 1,
        };
        search.table.enter_all(data, start);
        search.entered = start;
        search
    }

    fn enter_until(&mut self, end: usize) {
        if end > self.entered {
            self.table.enter(self.data, self.entered..end);
            self.entered = end;
        }
    }

    /// Adds pairs of positions for ranges to come.
    pub(crate) fn add_pairs(&mut self, pairs: impl IntoIterator<Item = (u32, u32)>) {
        self.guide.add(pairs);
    }

    /// Copies for a range of one kind, from the bases and from the range itself.
    pub(crate) fn range(&mut self, range: Range<usize>, kind: Kind) -> Vec<Copy> {
        self.floor = range.start;
        self.entered = range.start;
        self.alignment = alignment(kind);
        let before = |pair: &(u32, u32)| (pair.0 as usize) < range.start;
        self.next_pair = self.guide.pairs.partition_point(before);
        let strict = is_strict(kind);
        let mut copies = Vec::new();
        let mut at = range.start;
        let mut last = range.start;
        while at + 8 <= range.end && copies.len() < MAX_COPIES {
            self.enter_until(at);
            let pair = self.best_pair(at, range.end);
            let sure = pair.filter(|pair| strict && pair.score >= GOOD_PAIR);
            let found = match sure {
                Some(pair) => Some(pair),
                None => self.best(at, range.end, pair),
            };
            let Some(found) = found.filter(|best| best.score >= MIN_SCORE) else {
                at += 1;
                continue;
            };
            let mut len = found.len;
            if len + 64 >= HORIZON {
                len = self.extent(found.source, at, range.end).0;
            }
            let mut back = 0;
            if sure.is_none() {
                let before = &self.data[self.source_start(found.source)..found.source];
                back = backward(before, &self.data[last..at]);
            }
            let len = self.cut(at, found.source, len, range.end, strict);
            copies.push(Copy {
                at: (at - back) as u64,
                source: (found.source - back) as u64,
                len: (len + back) as u64,
            });
            self.recent.note(at - found.source);
            at += len;
            last = at;
        }
        copies
    }

    /// The best of the pairs that begin at `at`.
    fn best_pair(&mut self, at: usize, end: usize) -> Option<Candidate> {
        let pairs = &self.guide.pairs;
        while pairs
            .get(self.next_pair)
            .is_some_and(|pair| (pair.0 as usize) < at)
        {
            self.next_pair += 1;
        }
        let end = end.min(at + HORIZON);
        let mut best: Option<Candidate> = None;
        for &(_, source) in pairs[self.next_pair..]
            .iter()
            .take_while(|pair| pair.0 as usize == at)
        {
            let source = source as usize;
            let (len, score) = self.extent(source, at, end);
            let continues = self.recent.last == Some(at - source);
            let total = score + PAIR_BONUS * if continues { 2 } else { 1 };
            if score >= MIN_PAIR && best.is_none_or(|best| total > best.score) {
                best = Some(Candidate {
                    source,
                    len,
                    score: total,
                });
            }
        }
        best
    }

    /// The best candidate from the table, at recent distances, or `best`.
    fn best(&self, at: usize, end: usize, mut best: Option<Candidate>) -> Option<Candidate> {
        let end = end.min(at + HORIZON);
        let mut consider = |source: usize, least: i64| {
            if !self.is_allowed(source, at) {
                return;
            }
            let (len, score) = self.extent(source, at, end);
            if score >= least && best.is_none_or(|best| score > best.score) {
                best = Some(Candidate { source, len, score });
            }
        };
        for source in self.table.candidates(self.data, at).into_iter().flatten() {
            if common_prefix(&self.data[source..], &self.data[at..end]) >= self.seed {
                consider(source, 0);
            }
        }
        for distance in self.recent.latest(self.tried) {
            let Some(source) = at.checked_sub(distance).filter(|source| *source < at) else {
                continue;
            };
            if self.data[source..source + 8] == self.data[at..at + 8] {
                consider(source, MIN_RECENT);
            }
        }
        best
    }

    /// How long a copy should be, given that another pair may begin within it and fit better.
    fn cut(&self, at: usize, source: usize, len: usize, end: usize, strict: bool) -> usize {
        let pairs = &self.guide.pairs[self.next_pair..];
        let mut index = pairs.partition_point(|pair| pair.0 as usize <= at);
        while let Some(&(position, first)) = pairs.get(index) {
            let position = position as usize;
            if position >= at + len {
                break;
            }
            let here = pairs[index..]
                .iter()
                .take_while(|pair| pair.0 as usize == position);
            let running = source + (position - at);
            let continues = here.clone().any(|pair| pair.1 as usize == running);
            index += here.count();
            if continues {
                continue;
            }
            let next = pairs.get(index).map_or(end, |pair| pair.0 as usize);
            let window = next.min(end).min(position + CUT_WINDOW);
            let mine = self.mismatches(running, position, window.min(at + len));
            let others = self.mismatches(first as usize, position, window);
            if strict && others <= mine || others + CUT_MARGIN < mine {
                return position - at;
            }
        }
        len
    }

    fn mismatches(&self, source: usize, at: usize, end: usize) -> usize {
        mismatches(
            self.fielded(source..self.content_end(source)),
            self.fielded(at..end),
        )
    }

    fn fielded(&self, range: Range<usize>) -> Fielded<'_> {
        Fielded {
            bytes: &self.data[range.clone()],
            widths: &self.guide.widths[range],
        }
    }

    fn extent(&self, source: usize, at: usize, end: usize) -> (usize, i64) {
        let source_end = self.content_end(source);
        if !self.guide.widths.is_empty() && self.is_aligned(source, at) {
            // Fields are predicted in copies from bases only.
            let predicted = self.content(source) < self.boundaries.len();
            let (a, b) = (self.fielded(source..source_end), self.fielded(at..end));
            return forward_over_fields(a, b, predicted);
        }
        let (a, b) = (&self.data[source..source_end], &self.data[at..end]);
        if self.alignment == 1 {
            return forward(a, b);
        }
        // Where fields are aligned, others may be equal but do not resemble each other.
        let equal = common_prefix(a, b);
        (equal, equal as i64)
    }

    /// Whether fields at a source may be fields at a position. What is opened before a part moves it by any number of
    /// bytes, so that only its own start counts.
    fn is_aligned(&self, source: usize, at: usize) -> bool {
        let offset = |position| self.guide.offset_in_part(position) % self.alignment;
        self.alignment == 1 || offset(source) == offset(at)
    }

    fn content(&self, position: usize) -> usize {
        self.boundaries
            .partition_point(|end| *end as usize <= position)
    }

    /// The first position that a copy around `source` may come from. Where a copy begins decides which fields it has, so
    /// that it does not begin in the part before.
    fn source_start(&self, source: usize) -> usize {
        let content = self.content(source);
        if content == self.boundaries.len() {
            return self.floor;
        }
        let before = content.checked_sub(1);
        let start = before.map_or(0, |before| self.boundaries[before] as usize);
        start.max(source - self.guide.offset_in_part(source))
    }

    /// Whether a copy to `at` may come from `source`: from a base, or from before it in the same range.
    fn is_allowed(&self, source: usize, at: usize) -> bool {
        (self.floor..at).contains(&source) || self.content(source) < self.boundaries.len()
    }

    fn content_end(&self, position: usize) -> usize {
        let end = self.boundaries.get(self.content(position));
        end.map_or(self.data.len(), |end| *end as usize)
    }
}

/// The distances of recent copies.
#[derive(Default)]
struct Recent {
    distances: [usize; RECENT],
    count: usize,
    last: Option<usize>,
}

impl Recent {
    /// The latest distances, up to `count` of them.
    fn latest(&self, count: usize) -> impl Iterator<Item = usize> {
        let latest = (1..=count.min(self.count)).map(|back| (self.count - back) % RECENT);
        latest.map(|index| self.distances[index])
    }

    fn note(&mut self, distance: usize) {
        self.last = Some(distance);
        if !self.distances.contains(&distance) {
            self.distances[self.count % RECENT] = distance;
            self.count += 1;
        }
    }
}

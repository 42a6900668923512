//! The greedy search.

use std::ops::Range;

use super::extend::{backward, common_prefix, forward};
use super::table::Table;
use crate::copies::Copy;

/// Candidates are compared over this many bytes; the best one is then followed to its end.
const HORIZON: usize = 512;
/// A copy that scores less costs more than literals.
const MIN_SCORE: i64 = 14;
/// A candidate at a recent distance needs this score.
const MIN_RECENT: i64 = 16;
const RECENT: usize = 16;

/// Copies for the last content in `data`, which follows the bases that end at `boundaries`.
pub(crate) fn search(data: &[u8], boundaries: &[u64], effort: u8) -> Vec<Copy> {
    let start = boundaries.last().map_or(0, |end| *end as usize);
    let seed = if effort >= 8 { 8 } else { 16 };
    let mut search = Search {
        data,
        boundaries,
        table: Table::new(data.len(), seed),
        seed,
        recent: Recent::default(),
        entered: 0,
    };
    search.enter_until(start);
    search.range(start..data.len())
}

struct Search<'a> {
    data: &'a [u8],
    boundaries: &'a [u64],
    table: Table,
    seed: usize,
    recent: Recent,
    /// Positions before this are in the table.
    entered: usize,
}

#[derive(Clone, Copy)]
struct Candidate {
    source: usize,
    len: usize,
    score: i64,
}

impl Search<'_> {
    fn enter_until(&mut self, end: usize) {
        for position in self.entered..end {
            self.table.enter(self.data, position);
        }
        self.entered = self.entered.max(end);
    }

    fn range(&mut self, range: Range<usize>) -> Vec<Copy> {
        let mut copies = Vec::new();
        let mut at = range.start;
        let mut last = range.start;
        while at + 8 <= range.end {
            self.enter_until(at);
            let Some(found) = self
                .best(at, range.end)
                .filter(|best| best.score >= MIN_SCORE)
            else {
                at += 1;
                continue;
            };
            let mut len = found.len;
            if len + 64 >= HORIZON {
                len = self.extent(found.source, at, range.end).0;
            }
            let before = &self.data[self.content_start(found.source)..found.source];
            let back = backward(before, &self.data[last..at]);
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

    fn best(&self, at: usize, end: usize) -> Option<Candidate> {
        let mut best: Option<Candidate> = None;
        let end = end.min(at + HORIZON);
        let mut consider = |source: usize, least: i64| {
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
        for distance in self.recent.distances() {
            let Some(source) = at.checked_sub(distance).filter(|source| *source < at) else {
                continue;
            };
            if self.data[source..source + 8] == self.data[at..at + 8] {
                consider(source, MIN_RECENT);
            }
        }
        best
    }

    fn extent(&self, source: usize, at: usize, end: usize) -> (usize, i64) {
        let source_end = self.content_end(source);
        forward(&self.data[source..source_end], &self.data[at..end])
    }

    fn content(&self, position: usize) -> usize {
        self.boundaries
            .partition_point(|end| *end as usize <= position)
    }

    fn content_start(&self, position: usize) -> usize {
        let before = self.content(position).checked_sub(1);
        before.map_or(0, |index| self.boundaries[index] as usize)
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
}

impl Recent {
    fn distances(&self) -> impl Iterator<Item = usize> {
        self.distances.into_iter().filter(|distance| *distance != 0)
    }

    fn note(&mut self, distance: usize) {
        if !self.distances.contains(&distance) {
            self.distances[self.count % RECENT] = distance;
            self.count += 1;
        }
    }
}

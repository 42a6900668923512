//! Checkpoints of levels 1 to 6.

use super::Stream;
use crate::checkpoint::{Checkpoint, Fix, PieceState, Resume, State};
use crate::coding::token::WINDOW;
use crate::klauspost::entry::DualEntry;
use crate::klauspost::history::REACH;
use crate::klauspost::search::search;

impl Resume for Stream {
    fn resumed(&self) -> (Checkpoint, Self) {
        let before = self.history.before();
        // Level 4 looks at entries that depend on when the history was moved.
        let back = if self.level == 4 && self.behaviour.level4_misses {
            before.len()
        } else {
            WINDOW
        };
        let state = State::Piece(PieceState {
            back: back as u32,
            fixes: Vec::new(),
            open: self.writer.open_block().map(Box::new),
        });
        let checkpoint = Checkpoint::new(self.progress.plain(), &self.writer.bits, state);
        let new = Self::new(self.level, self.behaviour.version);
        let other = new.resume(&checkpoint, &before[before.len() - back..]);
        (checkpoint, other)
    }

    fn search_both(&mut self, other: &mut Self) -> Vec<Fix> {
        let mine = self.distances(self.history.before().len());
        let theirs = other.distances(other.history.before().len());
        let start = self.history.settle();
        let entries = self.search.entries();
        let dual = |slot: usize| {
            let other = if mine[slot] == theirs[slot] {
                entries[slot]
            } else {
                self.history.absolute_before(theirs[slot])
            };
            DualEntry::of(slot as u32, entries[slot], other)
        };
        let entries: Vec<_> = (0..entries.len()).map(dual).collect();
        let mut both = search::<DualEntry>(self.level, &self.behaviour);
        both.replace_all(&entries);
        both.encode(&self.history, start, &mut self.tokens);
        let entries: Vec<_> = both.entries().iter().map(|dual| dual.mine).collect();
        self.search.replace_all(&entries);
        Fix::of(self.history.noted(), &mine)
    }

    fn fix(&mut self, fixes: &[Fix]) {
        for fix in fixes {
            if let Some(at) = self.search.entry(fix.slot as usize) {
                *at = self.history.absolute_before(fix.distance);
            }
        }
    }

    fn agrees(&mut self, other: &mut Self) -> bool {
        other.history.bytes.extend_from_slice(self.history.block());
        other.search_block();
        other.tokens.list == self.tokens.list
            && other.distances(other.history.bytes.len())
                == self.distances(self.history.bytes.len())
    }
}

impl Stream {
    /// Distances from an index to what the tables hold, 0 where that is not in reach.
    fn distances(&mut self, index: usize) -> Vec<u16> {
        let end = self.history.absolute(index);
        let distance = |&at: &u32| {
            let distance = end.wrapping_sub(at);
            let reached = i64::from(distance) < REACH;
            if reached { distance as u16 } else { 0 }
        };
        self.search.entries().iter().map(distance).collect()
    }
}

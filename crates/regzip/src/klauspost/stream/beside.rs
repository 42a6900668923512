//! Checkpoints of levels 1 to 6.

use super::{Stream, search};
use crate::checkpoint::{Beside, Checkpoint, Mend, PieceState, State};
use crate::klauspost::history::REACH;
use crate::klauspost::place::Twin;
use crate::token::WINDOW;

impl Beside for Stream {
    fn another(&self) -> (Checkpoint, Self) {
        let before = self.history.before();
        // Level 4 looks at places that depend on when the history was moved.
        let back = if self.level == 4 && self.habits.level4_misses {
            before.len()
        } else {
            WINDOW
        };
        let state = State::Piece(PieceState {
            back: back as u32,
            mends: Vec::new(),
            open: self.writer.open_block().map(Box::new),
        });
        let checkpoint = Checkpoint::new(self.past.plain(), &self.writer.bits, state);
        let new = Self::new(self.level, self.habits.version);
        let other = new.resume(&checkpoint, &before[before.len() - back..]);
        (checkpoint, other)
    }

    fn search_beside(&mut self, other: &mut Self) -> Vec<Mend> {
        let mine = self.distances(self.history.before().len());
        let theirs = other.distances(other.history.before().len());
        let start = self.history.settle();
        let mut twins = search::<Twin>(self.level, &self.habits);
        for (slot, (mine, theirs)) in mine.iter().zip(&theirs).enumerate() {
            if let Some((at, twin)) = self.search.place(slot).zip(twins.place(slot)) {
                let other = if mine == theirs {
                    *at
                } else {
                    self.history.absolute_before(*theirs)
                };
                *twin = Twin::of(slot as u32, *at, other);
            }
        }
        twins.encode(&self.history, start, &mut self.tokens);
        for slot in 0..mine.len() {
            if let Some((at, twin)) = self.search.place(slot).zip(twins.place(slot)) {
                *at = twin.mine;
            }
        }
        Mend::of(self.history.noted(), &mine)
    }

    fn mend(&mut self, mends: &[Mend]) {
        for mend in mends {
            if let Some(at) = self.search.place(mend.slot as usize) {
                *at = self.history.absolute_before(mend.distance);
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
        let mut distances = Vec::with_capacity(self.search.slots());
        for slot in 0..self.search.slots() {
            let at = self.search.place(slot).map_or(0, |at| *at);
            let distance = end.wrapping_sub(at);
            let reached = i64::from(distance) < REACH;
            distances.push(if reached { distance as u16 } else { 0 });
        }
        distances
    }
}

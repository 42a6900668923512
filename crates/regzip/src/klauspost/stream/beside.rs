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
        let places = self.search.places();
        let twin = |slot: usize| {
            let other = if mine[slot] == theirs[slot] {
                places[slot]
            } else {
                self.history.absolute_before(theirs[slot])
            };
            Twin::of(slot as u32, places[slot], other)
        };
        let places: Vec<_> = (0..places.len()).map(twin).collect();
        let mut twins = search::<Twin>(self.level, &self.habits);
        twins.replace_all(&places);
        twins.encode(&self.history, start, &mut self.tokens);
        let places: Vec<_> = twins.places().iter().map(|twin| twin.mine).collect();
        self.search.replace_all(&places);
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
        let distance = |&at: &u32| {
            let distance = end.wrapping_sub(at);
            let reached = i64::from(distance) < REACH;
            if reached { distance as u16 } else { 0 }
        };
        self.search.places().iter().map(distance).collect()
    }
}

//! Checkpoints of level 1.

use super::search::{Block, Entry, Search, Twin};
use super::{FORGOTTEN, Fast};
use crate::checkpoint::{Beside, Checkpoint, Mend, PieceState, State};
use crate::matching::load32;
use crate::token::WINDOW;

impl Beside for Fast {
    fn another(&self) -> (Checkpoint, Self) {
        let state = State::Piece(PieceState {
            back: WINDOW as u32,
            ..PieceState::default()
        });
        let checkpoint = Checkpoint::new(self.past.plain(), &self.bits, state);
        let history = &self.buffer[self.start - WINDOW..self.start];
        let other = Self::resume(&checkpoint, history);
        (checkpoint, other)
    }

    fn search_beside(&mut self, other: &mut Self) -> Vec<Mend> {
        let distances = self.search.distances(self.current);
        let mut twins = Search::<Twin>::new();
        let tables = self.search.table.iter().zip(other.search.table.iter());
        for (twin, (&mine, &theirs)) in twins.table.iter_mut().zip(tables) {
            // The other counts from elsewhere.
            let distance = other.current.wrapping_sub(theirs.at);
            let at = self.current.wrapping_sub(distance);
            let theirs = Entry { at, ..theirs };
            *twin = Twin { mine, theirs };
        }
        let block = Block {
            buffer: &self.buffer,
            start: self.start,
            at: self.current,
        };
        twins.tokenize::<true>(block, &mut self.tokens);
        for (entry, twin) in self.search.table.iter_mut().zip(twins.table.iter()) {
            *entry = twin.mine;
        }
        Mend::of(twins.noted, &distances)
    }

    fn mend(&mut self, mends: &[Mend]) {
        for mend in mends {
            let Some(entry) = self.search.table.get_mut(mend.slot as usize) else {
                continue;
            };
            let distance = match mend.distance {
                0 => FORGOTTEN,
                distance => distance.into(),
            };
            let from = self.start.saturating_sub(distance as usize);
            *entry = Entry {
                value: load32(&self.buffer, from),
                at: self.current.wrapping_sub(distance),
            };
        }
    }

    fn agrees(&mut self, other: &mut Self) -> bool {
        let block = &self.buffer[self.start..];
        other.buffer.extend_from_slice(block);
        other.tokenize::<true>();
        let behind = |encoder: &Self| {
            let end = encoder.current.wrapping_add(block.len() as u32);
            encoder.search.distances(end)
        };
        other.tokens.list == self.tokens.list && behind(other) == behind(self)
    }
}

//! Checkpoints of level 1.

use super::search::{Block, DualEntry, Entry, Search};
use super::{FORGOTTEN, Fast};
use crate::checkpoint::{Checkpoint, Fix, PieceState, Resume, State};
use crate::coding::token::WINDOW;
use crate::search::matching::load32;

impl Resume for Fast {
    fn resumed(&self) -> (Checkpoint, Self) {
        let state = State::Piece(PieceState {
            back: WINDOW as u32,
            ..PieceState::default()
        });
        let checkpoint = Checkpoint::new(self.progress.plain(), &self.bits, state);
        let history = &self.buffer[self.start - WINDOW..self.start];
        let other = Self::resume(&checkpoint, history);
        (checkpoint, other)
    }

    fn search_both(&mut self, other: &mut Self) -> Vec<Fix> {
        let distances = self.search.distances(self.current);
        let mut both = Search::<DualEntry>::new();
        let tables = self.search.table.iter().zip(other.search.table.iter());
        for (dual, (&mine, &theirs)) in both.table.iter_mut().zip(tables) {
            // The other counts from elsewhere.
            let distance = other.current.wrapping_sub(theirs.at);
            let at = self.current.wrapping_sub(distance);
            let theirs = Entry { at, ..theirs };
            *dual = DualEntry { mine, theirs };
        }
        let block = Block {
            buffer: &self.buffer,
            start: self.start,
            at: self.current,
        };
        both.tokenize::<true>(block, &mut self.tokens);
        for (entry, dual) in self.search.table.iter_mut().zip(both.table.iter()) {
            *entry = dual.mine;
        }
        Fix::of(both.noted, &distances)
    }

    fn fix(&mut self, fixes: &[Fix]) {
        for fix in fixes {
            let Some(entry) = self.search.table.get_mut(fix.slot as usize) else {
                continue;
            };
            let distance = match fix.distance {
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

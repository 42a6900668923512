//! Checkpoints of level 1: a search that knows the last window only goes on beside the real one for a
//! block, which shows what of the difference between their tables counts.
//!
//! A window behind the checkpoint nothing before it is in reach. If the tokens were the same by then, and
//! what the tables hold, both write the same for ever.

use super::Fast;
use super::search::{Block, Entry, Search, Twin};
use crate::checkpoint::{Checkpoint, Mend, PieceState, State};
use crate::matching::load32;
use crate::token::WINDOW;

impl Fast {
    /// Goes through the block, and takes a checkpoint before it if that comes cheap. The block and the one
    /// before it are a window long at least.
    #[cold]
    pub(super) fn tokenize_beside_another(&mut self) {
        let (mut checkpoint, mut other) = self.another();
        let before = self.search.distances(self.current);
        let slots = self.tokenize_beside(&other);
        if slots.len() > Mend::MOST {
            return;
        }
        let mend = |slot| Mend {
            slot,
            distance: before[slot as usize],
        };
        let mends: Vec<_> = slots.into_iter().map(mend).collect();
        other.mend(&mends);
        if self.agrees(&mut other) {
            if let State::Piece(state) = &mut checkpoint.state {
                state.mends = mends;
            }
            self.past.take(checkpoint);
        }
    }

    /// A checkpoint here, without mends, and an encoder that went on from it.
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

    /// Goes through the block; the slots that another search has to be told of to do the same.
    fn tokenize_beside(&mut self, other: &Self) -> Vec<u32> {
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
        twins.noted.sort_unstable();
        twins.noted.dedup();
        twins.noted
    }

    /// Whether the other, which has not seen the block, finds the same in it and from there on. This one
    /// has gone through it.
    fn agrees(&mut self, other: &mut Self) -> bool {
        other.buffer.extend_from_slice(&self.buffer[self.start..]);
        other.tokenize::<true>();
        let len = (self.buffer.len() - self.start) as u32;
        let ends = (
            self.current.wrapping_add(len),
            other.current.wrapping_add(len),
        );
        other.tokens.list == self.tokens.list
            && other.search.distances(ends.1) == self.search.distances(ends.0)
    }

    /// Makes the table what it was, after a search that began too late.
    pub(super) fn mend(&mut self, mends: &[Mend]) {
        for mend in mends {
            let Some(entry) = self.search.table.get_mut(mend.slot as usize) else {
                continue;
            };
            let distance = match mend.distance {
                0 => super::FORGOTTEN,
                distance => distance.into(),
            };
            let from = self.start.saturating_sub(distance as usize);
            *entry = Entry {
                value: load32(&self.buffer, from),
                at: self.current.wrapping_sub(distance),
            };
        }
    }
}

//! Checkpoints: taken at the start of a block, and resumed from.

use super::Deflate;
use super::search::Search;
use super::settings::{MIN_MATCH, Settings};
use crate::checkpoint::{Checkpoint, State, WindowState};
use crate::coding::token::WINDOW;
use crate::search::chain::ORIGIN;
use crate::search::links::START;

/// How many windows are searched again at a checkpoint by levels that do not enter every string.
const WARM_UPS: [u8; 3] = [1, 2, 4];

impl Deflate {
    /// Resumes from a checkpoint, after `history`, whose first byte has the position `origin`.
    fn resume_at(settings: Settings, checkpoint: &Checkpoint, history: &[u8], origin: u32) -> Self {
        let mut new = Self::new(settings);
        if let Search::Chain(strings, chain) = new.search {
            new.origin = origin;
            new.search = Search::Chain(strings, chain.starting_at(origin));
        }
        new.dropped = checkpoint.plain - history.len() as u64;
        new.buffer.extend_from_slice(history);
        new.resuming = Some(Box::new((checkpoint.clone(), history.len())));
        new
    }

    /// Resumes from a checkpoint, after the bytes before it that it needs.
    pub(crate) fn resume(settings: Settings, checkpoint: &Checkpoint, history: &[u8]) -> Self {
        Self::resume_at(settings, checkpoint, history, ORIGIN)
    }

    /// Fills the tables up to a checkpoint's position, once the bytes after it are there.
    #[cold]
    pub(super) fn warm_up(&mut self, checkpoint: &Checkpoint, target: usize) {
        let State::Window(state) = checkpoint.state else {
            return;
        };
        if !self.settings.enters_all() {
            while self.pos < target {
                self.slide();
                self.step();
            }
        } else if let Search::Links(ahead) = &mut self.search {
            let first = target.saturating_sub(WINDOW);
            self.origin = u32::from(START).wrapping_sub(first as u32);
            ahead.start_at(first);
        }
        // A made-up checkpoint need not lie where the search stops.
        self.pos = target;
        self.base = target.saturating_sub(state.back as usize);
        self.block.clear();
        self.bits = checkpoint.writer();
        self.available = state.pending;
        self.start = Some(target - usize::from(state.pending));
        self.block_len = 0;
        if let Some(found) = state.pending_match(self.buffer.len() - self.pos) {
            (self.length, self.distance) = found;
        }
    }

    /// Takes a checkpoint if one is wanted and what comes after would be the same from there.
    #[cold]
    pub(super) fn take_checkpoint(&mut self) {
        let plain = self.dropped + self.pos as u64;
        if !self.slot.is_wanted(plain) || self.uninserted > 0 {
            return;
        }
        // Where every string is entered, what the tables say depends on nothing but the content.
        let taken = if self.settings.enters_all() {
            Some(self.checkpoint_here(0))
        } else {
            WARM_UPS.iter().find_map(|&n| self.warm_checkpoint(n))
        };
        if let Some(checkpoint) = taken {
            self.slot.put(checkpoint);
        }
    }

    fn checkpoint_here(&self, warm_up: u8) -> Checkpoint {
        let matched = self.available && self.length >= MIN_MATCH;
        let state = WindowState {
            back: (self.pos - self.base) as u32,
            pending: self.available,
            length: if self.available {
                self.length as u16
            } else {
                0
            },
            distance: if matched { self.distance as u16 } else { 0 },
            warm_up,
        };
        let plain = self.dropped + self.pos as u64;
        Checkpoint::new(plain, &self.bits, State::Window(state))
    }

    /// The checkpoint here if it is enough to search so many windows again.
    fn warm_checkpoint(&self, warm_up: u8) -> Option<Checkpoint> {
        let from = self.base.checked_sub(usize::from(warm_up) * self.window)?;
        let checkpoint = self.checkpoint_here(warm_up);
        let origin = self.origin.wrapping_add(from as u32);
        let history = &self.buffer[from..self.pos];
        let mut other = Self::resume_at(self.settings, &checkpoint, history, origin);
        other.buffer.extend_from_slice(&self.buffer[self.pos..]);
        other.warm_up(&checkpoint, self.pos - from);
        self.agrees(&other, from).then_some(checkpoint)
    }

    fn agrees(&self, other: &Self, from: usize) -> bool {
        let base = self.origin.wrapping_add(self.base as u32);
        let at = self.origin.wrapping_add(self.pos as u32);
        self.pos == other.pos + from
            && self.base == other.base + from
            && (!self.available || self.length == other.length)
            && match (&self.search, &other.search) {
                (Search::Chain(_, chain), Search::Chain(_, other)) => chain.agrees(other, base, at),
                _ => false,
            }
    }
}

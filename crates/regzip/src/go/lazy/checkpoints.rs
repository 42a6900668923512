//! Checkpoints of levels 2 to 9: taken at the start of a block, and resumed from.

use super::{Lazy, SHIFT_AT, Search};
use crate::checkpoint::{Checkpoint, State, WindowState};
use crate::coding::token::WINDOW;
use crate::search::chain::ORIGIN;
use crate::search::links::START;

/// How many windows are searched again at a checkpoint, as levels that do not enter every string try them.
const WARM_UPS: [u8; 3] = [1, 2, 4];

impl Lazy {
    /// Resumes from a checkpoint, after `history`, whose first byte has the position `origin`.
    fn resume_at(level: u8, checkpoint: &Checkpoint, history: &[u8], origin: u32) -> Self {
        let mut new = Self::new_at(level, origin);
        new.dropped = checkpoint.plain - history.len() as u64;
        new.buffer.extend_from_slice(history);
        new.resuming = Some(Box::new((checkpoint.clone(), history.len())));
        new
    }

    /// Resumes from a checkpoint, after the bytes before it that it needs.
    pub(crate) fn resume(level: u8, checkpoint: &Checkpoint, history: &[u8]) -> Self {
        Self::resume_at(level, checkpoint, history, ORIGIN)
    }

    /// Fills the tables up to a checkpoint's position, once the bytes after it are there.
    #[cold]
    pub(super) fn warm_up(&mut self, checkpoint: &Checkpoint, target: usize) {
        let State::Window(state) = checkpoint.state else {
            return;
        };
        if let Search::Lazy(_, ahead) = &mut self.search {
            let first = target.saturating_sub(WINDOW);
            ahead.start_at(first);
            self.pos = target;
            self.origin = u32::from(START).wrapping_sub(first as u32);
        } else {
            while self.pos < target {
                self.shift_if_due();
                self.step_greedy();
            }
            self.sensitive.clear();
        }
        self.tokens.clear();
        self.bits = checkpoint.writer();
        self.pending = state.pending;
        self.block = Some(target - usize::from(state.pending));
        if let Some(found) = state.pending_match(self.buffer.len() - self.pos) {
            (self.length, self.distance) = found;
        }
    }

    /// Takes a checkpoint if one is wanted and what comes after would be the same from there.
    #[cold]
    pub(super) fn take_checkpoint(&mut self) {
        let plain = self.dropped + self.pos as u64;
        // Close before a shift it would depend on the ends of writes.
        if !self.slot.is_wanted(plain) || self.pos - self.base >= SHIFT_AT {
            return;
        }
        let attempts = match self.search {
            Search::Greedy(_) => &WARM_UPS[..],
            Search::Lazy(..) => &[0],
        };
        for &warm_up in attempts {
            let Some(from) = self.base.checked_sub(usize::from(warm_up) * WINDOW) else {
                continue;
            };
            let state = WindowState {
                back: (self.pos - self.base) as u32,
                pending: self.pending,
                length: if self.pending { self.length as u16 } else { 0 },
                distance: if self.pending {
                    self.distance as u16
                } else {
                    0
                },
                warm_up,
            };
            let checkpoint = Checkpoint::new(plain, &self.bits, State::Window(state));
            if self.agrees(&checkpoint, from) {
                return self.slot.put(checkpoint);
            }
        }
    }

    /// Whether an encoder that resumes from the checkpoint finds the same; it is given the bytes
    /// from the index `from` on.
    fn agrees(&self, checkpoint: &Checkpoint, from: usize) -> bool {
        let Search::Greedy(greedy) = &self.search else {
            // Which strings are entered depends on nothing but the content and the flushes.
            return self.skipped <= from;
        };
        let origin = self.origin.wrapping_add(from as u32);
        let history = &self.buffer[from..self.pos];
        let mut other = Self::resume_at(self.level, checkpoint, history, origin);
        other.buffer.extend_from_slice(&self.buffer[self.pos..]);
        other.warm_up(checkpoint, self.pos - from);
        let Search::Greedy(again) = &other.search else {
            return false;
        };
        let base = self.origin.wrapping_add(self.base as u32);
        let at = self.origin.wrapping_add(self.pos as u32);
        self.pos == other.pos + from
            && self.base == other.base + from
            && greedy.agrees(again, base, at)
    }
}

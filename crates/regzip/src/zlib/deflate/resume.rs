//! Checkpoints: taken at the start of a block, and gone on from.

use super::settings::Settings;
use super::{Deflate, MIN_MATCH};
use crate::chain::ORIGIN;
use crate::checkpoint::{Checkpoint, State, WindowState};

/// How many windows are searched again at a checkpoint by levels that do not enter every string.
const WARM: [u8; 3] = [1, 2, 4];

impl Deflate {
    /// Goes on from a checkpoint, after `history`, whose first byte has the position `origin`.
    fn resume_at(settings: Settings, checkpoint: &Checkpoint, history: &[u8], origin: u32) -> Self {
        let mut new = Self::new(settings);
        new.origin = origin;
        new.chain = new.chain.starting_at(origin);
        new.dropped = checkpoint.plain - history.len() as u64;
        new.buffer.extend_from_slice(history);
        new.resuming = Some(Box::new((checkpoint.clone(), history.len())));
        new
    }

    /// Goes on from a checkpoint, after the bytes before it that it asks for.
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
        } else if self.settings.is_lazy() {
            for index in 0..target {
                self.insert(index);
            }
        }
        // A made-up checkpoint need not lie where the search comes by.
        self.pos = target;
        self.base = target.saturating_sub(state.back as usize);
        self.block.clear();
        self.bits = checkpoint.writer();
        self.available = state.pending;
        self.start = Some(target - usize::from(state.pending));
        self.block_len = 0;
        let after = self.buffer.len() - self.pos;
        if state.pending && usize::from(state.length) <= after + 1 {
            self.length = usize::from(state.length);
            self.distance = usize::from(state.distance);
        }
    }

    /// Takes a checkpoint if one is wanted and what comes after would be the same from there.
    #[cold]
    pub(super) fn take_checkpoint(&mut self) {
        let plain = self.dropped + self.pos as u64;
        if self.wanted.is_none_or(|at| plain < at) || self.uninserted > 0 {
            return;
        }
        let attempts = if self.settings.enters_all() {
            &[0]
        } else {
            &WARM[..]
        };
        let matched = self.available && self.length >= MIN_MATCH;
        for &warm in attempts {
            let Some(from) = self.base.checked_sub(usize::from(warm) * self.window) else {
                continue;
            };
            let state = WindowState {
                back: (self.pos - self.base) as u32,
                pending: self.available,
                length: if self.available {
                    self.length as u16
                } else {
                    0
                },
                distance: if matched { self.distance as u16 } else { 0 },
                warm,
            };
            let checkpoint = Checkpoint::new(plain, &self.bits, State::Window(state));
            let origin = self.origin.wrapping_add(from as u32);
            let history = &self.buffer[from..self.pos];
            let mut other = Self::resume_at(self.settings, &checkpoint, history, origin);
            other.buffer.extend_from_slice(&self.buffer[self.pos..]);
            other.warm_up(&checkpoint, self.pos - from);
            if self.agrees(&other, from) {
                self.taken = Some(checkpoint);
                self.wanted = None;
                return;
            }
        }
    }

    fn agrees(&self, other: &Self, from: usize) -> bool {
        let base = self.origin.wrapping_add(self.base as u32);
        let at = self.origin.wrapping_add(self.pos as u32);
        self.pos == other.pos + from
            && self.base == other.base + from
            && (!self.available || self.length == other.length)
            && self.chain.agrees(&other.chain, base, at)
    }
}

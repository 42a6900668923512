//! What the checkpoints of an encoder may contain, and what they cost. Whatever exceeds this was not written by
//! an analysis.

use std::ops::RangeInclusive;

use super::state::{Checkpoint, MAX_HISTORY, State};
use crate::coding::token::WINDOW;

/// Limits of an encoder's checkpoints, by its kind.
#[derive(Clone, Debug)]
pub(crate) enum Limits {
    Window(WindowLimits),
    Piece(PieceLimits),
}

/// For encoders that slide a window and end their blocks where they like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WindowLimits {
    /// Bytes of the window.
    pub(crate) window: usize,
    /// The shortest match that the encoder looks for.
    pub(crate) shortest_match: u64,
    /// The most windows that are searched again to fill the tables.
    pub(crate) warm_up: u8,
    /// Whether a byte may be pending, with the match found there.
    pub(crate) pending: bool,
}

/// For encoders that work on pieces of a fixed size.
#[derive(Clone, Debug)]
pub(crate) struct PieceLimits {
    /// Bytes before a piece that the piece refers to, where that is always the same.
    pub(crate) dictionary: usize,
    /// Bytes that the encoder may hold besides.
    pub(crate) back: RangeInclusive<u64>,
    /// Whether a block may be open.
    pub(crate) open: bool,
}

impl PieceLimits {
    /// Pieces that know nothing of those before, but for a dictionary of a fixed size.
    pub(crate) fn independent(dictionary: usize) -> Self {
        Self {
            dictionary,
            back: 0..=0,
            open: false,
        }
    }

    /// Pieces that refer to those before.
    pub(crate) fn with_history() -> Self {
        Self {
            dictionary: 0,
            back: WINDOW as u64..=MAX_HISTORY as u64,
            open: false,
        }
    }
}

impl Limits {
    /// Plain bytes before the checkpoint that the encoder has to see again.
    pub(crate) fn history(&self, checkpoint: &Checkpoint) -> usize {
        let before = match (&checkpoint.state, self) {
            (State::Window(s), _) => s.back as usize + self.searched_again(checkpoint),
            (State::Piece(s), Self::Piece(limits)) => limits.dictionary + s.back as usize,
            (State::Piece(s), Self::Window(_)) => s.back as usize,
        };
        before.min(usize::try_from(checkpoint.plain).unwrap_or(usize::MAX))
    }

    /// Plain bytes before the checkpoint that the encoder searches again.
    pub(crate) fn searched_again(&self, checkpoint: &Checkpoint) -> usize {
        match (&checkpoint.state, self) {
            (State::Window(s), Self::Window(limits)) => usize::from(s.warm_up) * limits.window,
            (State::Window(_), Self::Piece(_)) => 0,
            (State::Piece(s), _) => WINDOW.min(s.back as usize),
        }
    }
}

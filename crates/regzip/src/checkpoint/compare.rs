//! Checkpoints of encoders with one or two candidates a hash: which candidates they have depends on what
//! they found, so that a search that begins later has others.
//!
//! A search that knows the last window only runs along with the real one for a block, which shows which of the
//! differences between their tables matter: few do. One window after the checkpoint nothing before
//! it is in reach; if the tokens were the same until then, and what the tables hold, both write the same from
//! there on.

use super::fix::Fix;
use super::state::{Checkpoint, State};

/// An encoder that has a block to search, a window long at least, and a window before it.
pub(crate) trait Resume: Sized {
    /// A checkpoint before the block, without fixes, and an encoder that resumed from it.
    fn resumed(&self) -> (Checkpoint, Self);

    /// Searches the block; the entries that the other encoder needs to find the same, in the order of slots.
    fn search_both(&mut self, other: &mut Self) -> Vec<Fix>;

    /// Restores entries of the tables, after a search that began too late.
    fn fix(&mut self, fixes: &[Fix]);

    /// Searches the block that this one has searched with the other; whether it found the same, and
    /// holds the same after the block.
    fn agrees(&mut self, other: &mut Self) -> bool;
}

/// Searches the block; the checkpoint before it if that is small enough.
#[cold]
pub(crate) fn search_with_checkpoint<E: Resume>(encoder: &mut E) -> Option<Checkpoint> {
    let (mut checkpoint, mut other) = encoder.resumed();
    let fixes = encoder.search_both(&mut other);
    if fixes.len() > Fix::MOST {
        return None;
    }
    other.fix(&fixes);
    if !encoder.agrees(&mut other) {
        return None;
    }
    if let State::Piece(state) = &mut checkpoint.state {
        state.fixes = fixes;
    }
    Some(checkpoint)
}

//! Checkpoints of encoders with one or two candidates a hash: which candidates they have depends on what
//! they found, so that a search from further on has others.
//!
//! A search that knows the last window only goes on beside the real one for a block, which shows what of
//! the difference between their tables counts: little does. A window behind the checkpoint nothing before
//! it is in reach; if the tokens were the same by then, and what the tables hold, both write the same for
//! ever.

use super::{Checkpoint, Mend, State};

/// An encoder that has a block to search, a window long at least, and a window before it.
pub(crate) trait Beside: Sized {
    /// A checkpoint before the block, without mends, and an encoder that went on from it.
    fn another(&self) -> (Checkpoint, Self);

    /// Searches the block; what the other has to be told of to do the same, in the order of slots.
    fn search_beside(&mut self, other: &mut Self) -> Vec<Mend>;

    /// Makes the tables what they were, after a search that began too late.
    fn mend(&mut self, mends: &[Mend]);

    /// Searches the block that this one has searched with the other; whether it found the same, and
    /// holds the same behind the block.
    fn agrees(&mut self, other: &mut Self) -> bool;
}

/// Searches the block; the checkpoint before it if that comes cheap.
#[cold]
pub(crate) fn search_with_checkpoint<E: Beside>(encoder: &mut E) -> Option<Checkpoint> {
    let (mut checkpoint, mut other) = encoder.another();
    let mends = encoder.search_beside(&mut other);
    if mends.len() > Mend::MOST {
        return None;
    }
    other.mend(&mends);
    if !encoder.agrees(&mut other) {
        return None;
    }
    if let State::Piece(state) = &mut checkpoint.state {
        state.mends = mends;
    }
    Some(checkpoint)
}

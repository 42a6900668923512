//! What all replayed encoders can do.

use crate::checkpoint::{Checkpoint, Slot};
use crate::coding::token::Token;

/// A replayed encoder: plain bytes go in by `write`, compressed bytes collect in `output`.
pub(crate) trait Encode: Send {
    /// Takes plain bytes. How they are cut into calls makes no difference.
    fn write(&mut self, data: &[u8]);

    /// The original writer ended a write here, which may make a difference.
    fn boundary(&mut self) {}

    /// A sync flush.
    fn flush(&mut self);

    /// A flush after which nothing before is referred to, if the encoder knows such.
    fn full_flush(&mut self) {
        self.flush();
    }

    /// Plain positions, latest first, at which a write that ended there would have mattered.
    fn sensitive(&self) -> Vec<u64> {
        Vec::new()
    }

    /// The end of the content.
    fn finish(&mut self);

    /// Tokens of the current block that are decided, if no write's end could have changed them.
    fn tokens(&self) -> Option<&[Token]> {
        None
    }

    /// Compressed bytes so far, for the caller to drain.
    fn output(&mut self) -> &mut Vec<u8>;

    /// Where checkpoints are asked for; `None` if the encoder takes none.
    fn slot(&mut self) -> Option<&mut Slot> {
        None
    }

    /// Asks for a checkpoint at the first good position from the plain position `after` on.
    fn want_checkpoint(&mut self, after: u64) {
        if let Some(slot) = self.slot() {
            slot.want(after);
        }
    }

    /// The checkpoint, if one was taken since the last call; its bits count from what was drained
    /// last from the output.
    fn checkpoint(&mut self) -> Option<Checkpoint> {
        self.slot()?.take()
    }
}

/// Moves as much of `data` to the end of the buffer as its limit allows; returns what is left.
pub(crate) fn fill<'a>(buffer: &mut Vec<u8>, limit: usize, data: &'a [u8]) -> &'a [u8] {
    let space = limit.saturating_sub(buffer.len());
    let (now, later) = data.split_at(data.len().min(space));
    buffer.extend_from_slice(now);
    later
}

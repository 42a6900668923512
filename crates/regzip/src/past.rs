//! What encoders that work on pieces remember so that they can take checkpoints.

use crate::checkpoint::Checkpoint;
use crate::go::block::MAX_STORED;

/// The pieces before the one at work, and the checkpoint that is wanted or taken.
#[derive(Clone, Default)]
pub(crate) struct Past {
    /// Plain bytes in finished pieces.
    plain: u64,
    /// The last whole pieces without a cut; kept only once a checkpoint was asked for.
    bytes: Vec<u8>,
    keep: bool,
    wanted: Option<u64>,
    taken: Option<Checkpoint>,
}

impl Past {
    /// How many pieces a checkpoint may let an encoder search again, in the order of trial.
    pub(crate) const WARM: [u8; 4] = [1, 2, 4, 8];
    const KEPT: usize = 8 * MAX_STORED;

    /// A piece is finished.
    pub(crate) fn add(&mut self, piece: &[u8]) {
        self.plain += piece.len() as u64;
        if !self.keep {
            return;
        }
        if piece.len() != MAX_STORED {
            self.bytes.clear();
            return;
        }
        if self.bytes.len() >= Self::KEPT {
            self.bytes.drain(..MAX_STORED);
        }
        self.bytes.extend_from_slice(piece);
    }

    /// A piece is finished that nothing after it refers to.
    pub(crate) fn pass(&mut self, len: usize) {
        self.plain += len as u64;
    }

    /// What came before has no effect on what follows.
    pub(crate) fn cut(&mut self) {
        self.bytes.clear();
    }

    /// Plain bytes in finished pieces.
    pub(crate) fn plain(&self) -> u64 {
        self.plain
    }

    /// Goes on at another position.
    pub(crate) fn skip_to(&mut self, plain: u64) {
        self.plain = plain;
    }

    /// The last `count` pieces.
    pub(crate) fn pieces(&self, count: u8) -> Option<&[u8]> {
        let from = self
            .bytes
            .len()
            .checked_sub(usize::from(count) * MAX_STORED)?;
        Some(&self.bytes[from..])
    }

    /// Asks for a checkpoint at `after` or later.
    pub(crate) fn want(&mut self, after: u64) {
        self.keep = true;
        self.wanted = Some(after);
    }

    /// Whether a checkpoint is wanted here.
    pub(crate) fn wants(&self) -> bool {
        self.wanted.is_some_and(|at| self.plain >= at)
    }

    pub(crate) fn take(&mut self, checkpoint: Checkpoint) {
        self.taken = Some(checkpoint);
        self.wanted = None;
    }

    pub(crate) fn taken(&mut self) -> Option<Checkpoint> {
        self.taken.take()
    }
}

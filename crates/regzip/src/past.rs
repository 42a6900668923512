//! What encoders that work on pieces remember so that they can take checkpoints.

use crate::checkpoint::Checkpoint;

/// How far finished pieces reach, and the checkpoint that is wanted or taken.
#[derive(Clone, Default)]
pub(crate) struct Past {
    /// Plain bytes in finished pieces.
    plain: u64,
    wanted: Option<u64>,
    taken: Option<Checkpoint>,
}

impl Past {
    /// A piece of `len` bytes is finished.
    pub(crate) fn add(&mut self, len: usize) {
        self.plain += len as u64;
    }

    /// Plain bytes in finished pieces.
    pub(crate) fn plain(&self) -> u64 {
        self.plain
    }

    /// Goes on at another position.
    pub(crate) fn skip_to(&mut self, plain: u64) {
        self.plain = plain;
    }

    /// Asks for a checkpoint at `after` or later.
    pub(crate) fn want(&mut self, after: u64) {
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

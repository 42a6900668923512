//! How encoders are asked for checkpoints and hand them over.

use super::state::Checkpoint;

/// The checkpoint that is wanted, and the one that was taken.
#[derive(Clone, Default)]
pub(crate) struct Slot {
    wanted: Option<u64>,
    taken: Option<Checkpoint>,
}

impl Slot {
    /// Asks for a checkpoint at the plain position `after` or later.
    pub(crate) fn want(&mut self, after: u64) {
        self.wanted = Some(after);
    }

    /// Whether one is wanted at this plain position.
    pub(crate) fn is_wanted(&self, plain: u64) -> bool {
        self.wanted.is_some_and(|at| plain >= at)
    }

    /// Keeps a checkpoint until it is fetched; no other is wanted.
    pub(crate) fn put(&mut self, checkpoint: Checkpoint) {
        self.taken = Some(checkpoint);
        self.wanted = None;
    }

    /// The checkpoint, if one was taken since the last call.
    pub(crate) fn take(&mut self) -> Option<Checkpoint> {
        self.taken.take()
    }
}

/// How far an encoder that works on pieces has come, and its checkpoints.
#[derive(Clone, Default)]
pub(crate) struct Progress {
    /// Plain bytes in finished pieces.
    plain: u64,
    pub(crate) slot: Slot,
}

impl Progress {
    /// Resumes at a plain position.
    pub(crate) fn at(plain: u64) -> Self {
        Self {
            plain,
            ..Self::default()
        }
    }

    /// A piece of `len` bytes is finished.
    pub(crate) fn add(&mut self, len: usize) {
        self.plain += len as u64;
    }

    /// Plain bytes in finished pieces.
    pub(crate) fn plain(&self) -> u64 {
        self.plain
    }

    /// Whether a checkpoint is wanted here.
    pub(crate) fn is_wanted(&self) -> bool {
        self.slot.is_wanted(self.plain)
    }
}

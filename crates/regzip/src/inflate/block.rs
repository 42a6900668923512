//! What an inflater reports of blocks.

/// How a block is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BlockKind {
    Stored,
    Fixed,
    Dynamic,
}

/// A block that ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    pub(crate) kind: BlockKind,
    pub(crate) last: bool,
    /// Plain bytes in the block.
    pub(crate) len: u64,
    /// Literals and matches.
    pub(crate) tokens: u64,
}

impl Block {
    /// What a sync flush writes.
    pub(crate) fn is_flush_mark(&self) -> bool {
        self.kind == BlockKind::Stored && self.is_empty()
    }

    /// Whether it only fills the last byte.
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0 && !self.last
    }
}

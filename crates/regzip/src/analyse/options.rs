//! Settings of an analysis.

use crate::wrapper::Wrapper;

/// Settings of an analysis.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The wrapper, if the caller knows it; needed for raw deflate, which nothing announces.
    pub wrapper: Option<Wrapper>,
    /// Stop after the first member, as for a stream inside other content: what follows is
    /// ignored.
    pub single: bool,
    /// Unknown deflate streams up to this size are put in the recipe as they are, next to members
    /// that can be replayed.
    pub literal_limit: usize,
    /// Plain bytes from one checkpoint to the next (64 KiB at least); `None` for no checkpoints. Each
    /// costs some bytes of the recipe and, with some encoders, some blocks that are searched once more:
    /// four times as much lies before the next. One that takes many bytes waits until it takes no greater
    /// part of the content than others. The further apart they are, the longer the other threads wait
    /// for the last part.
    pub checkpoints: Option<u64>,
    /// A deflate stream that no known encoder writes is kept as corrections to one if they take at
    /// most so many thousandths of it, and no more than 16 MiB; 0 for never.
    pub corrections: u16,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            wrapper: None,
            single: false,
            literal_limit: 256,
            checkpoints: Some(1 << 20),
            corrections: 125,
        }
    }
}

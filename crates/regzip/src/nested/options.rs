//! What is opened, and what that may cost.

use std::io::{self, Read, Seek, Write};

/// Scratch space for plain content that is too large for memory and has to be searched.
pub trait Storage: Read + Write + Seek {}

impl<T: Read + Write + Seek> Storage for T {}

/// What is opened, and what that may cost.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Options<'a> {
    /// How deep streams inside streams are opened; 1 opens no stream inside another. At most 15.
    pub depth: usize,
    /// Shorter streams (compressed bytes) stay as they are: the map costs about twenty bytes each.
    pub min_stream: u64,
    /// Streams with more plain bytes stay as they are.
    pub max_plain: u64,
    /// Streams with more plain bytes than this are not looked into, unless there is a scratch.
    pub memory: u64,
    /// Creates scratch space for what does not fit in memory, such as a temporary file.
    pub scratch: Option<&'a dyn Fn() -> io::Result<Box<dyn Storage>>>,
    /// Plain bytes from one checkpoint to the next in large streams; `None` for none.
    pub checkpoints: Option<u64>,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self {
            depth: 4,
            min_stream: 128,
            max_plain: 4 << 30,
            memory: 64 << 20,
            scratch: None,
            checkpoints: Some(2 << 20),
        }
    }
}

impl std::fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("depth", &self.depth)
            .field("min_stream", &self.min_stream)
            .field("max_plain", &self.max_plain)
            .field("memory", &self.memory)
            .field("scratch", &self.scratch.is_some())
            .field("checkpoints", &self.checkpoints)
            .finish()
    }
}

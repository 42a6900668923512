//! What a build may cost and what it aims for.

use std::sync::Arc;

use regzip::Workers;
use sealift_pipeline::Cancel;

use crate::format::MAX_INDEX;
use crate::report::{NoWatcher, Watcher};

/// How much processor time is spent on a smaller pack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    /// About as fast as the analysis of the gzip streams.
    Fast,
    /// A few times the time of gzip over the opened content.
    #[default]
    Default,
    /// The smallest pack, at several times the cost.
    Best,
}

/// Settings of a build. The bytes of a pack depend on the content and on `effort`, `pack_limit`, `index_limit` and
/// `depth` only, never on the number of threads.
#[derive(Clone)]
#[non_exhaustive]
pub struct Options {
    /// Time against size.
    pub effort: Effort,
    /// Maximum number of uncompressed bytes in a pack. Limits the scratch space that readers need, and the amount of
    /// content that corruption can affect.
    pub pack_limit: u64,
    /// The list of a pack's files and blobs has at most so many bytes. Readers accept no more than the default, since
    /// it is in memory.
    pub index_limit: u64,
    /// Resident bytes that the build may use.
    pub memory: u64,
    /// Threads that compute. They belong to the rayon pool that the build is called in; the number only
    /// divides the memory and goes to zstd.
    pub threads: usize,
    /// The same threads, which rebuild parts of a blob in parallel if there are fewer blobs than threads.
    pub workers: Workers,
    /// How deep streams inside streams are opened.
    pub depth: usize,
    /// Stops the build.
    pub cancel: Cancel,
    /// Is told how far the build is.
    pub watcher: Arc<dyn Watcher>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            effort: Effort::default(),
            pack_limit: 8 << 30,
            index_limit: MAX_INDEX,
            memory: 2 << 30,
            threads: 1,
            workers: Workers::none(),
            depth: 4,
            cancel: Cancel::new(),
            watcher: Arc::new(NoWatcher),
        }
    }
}

/// What a reader may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Resident bytes.
    pub memory: u64,
    /// Scratch bytes of one decoded pack.
    pub scratch: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 256 << 20,
            scratch: 32 << 30,
        }
    }
}

/// What some work needs, known before it begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Resident bytes at most.
    pub memory: u64,
    /// Scratch bytes at most.
    pub scratch: u64,
}

//! Threads that rebuild parts of streams, given by the caller.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::ThreadPool;

/// Plain bytes for each thread that all readers together hand over before there is an output, besides a part of each.
const AHEAD: u64 = 4 << 20;

/// Where the parts of a stream are rebuilt: on the threads of a rayon pool that the caller made and may
/// share with other work, or on the reader's own thread.
///
/// A reader that runs outside the pool only reads content and checksums; one that runs on a thread of the
/// pool rebuilds parts itself while it waits, so that it never waits for work that no thread is free to do.
/// Whatever the number of threads, the output is the same.
///
/// Readers with clones of one value share a limit of what they hand over: with many readers, each holds one part and few
/// have more.
///
/// ```
/// use std::sync::Arc;
/// # fn main() -> Result<(), rayon::ThreadPoolBuildError> {
/// let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build()?;
/// let workers = regzip::Workers::from(Arc::new(pool));
/// assert_eq!(workers.count(), 2);
/// assert_eq!(regzip::Workers::none().count(), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Workers {
    pool: Option<Arc<ThreadPool>>,
    /// Plain bytes of all readers that are handed over.
    held: Arc<AtomicU64>,
}

/// Plain bytes that a reader has handed over, until it has the output.
pub(super) struct Held {
    all: Arc<AtomicU64>,
    bytes: u64,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl From<Arc<ThreadPool>> for Workers {
    fn from(pool: Arc<ThreadPool>) -> Self {
        Self {
            pool: Some(pool),
            held: Arc::default(),
        }
    }
}

impl Workers {
    /// No threads besides the reader's own.
    pub fn none() -> Self {
        Self::default()
    }

    /// How many threads there are besides a reader that runs outside the pool.
    pub fn count(&self) -> usize {
        self.pool
            .as_ref()
            .map_or(0, |pool| pool.current_num_threads())
    }

    /// Runs `work` on one of the threads, from where it can start tasks of rayon for all of them, and waits for it; on the
    /// calling thread if there are none.
    pub fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        match &self.pool {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }

    /// Counts plain bytes as handed over.
    pub(super) fn hold(&self, bytes: u64) -> Held {
        self.held.fetch_add(bytes, Ordering::Relaxed);
        Held {
            all: Arc::clone(&self.held),
            bytes,
        }
    }

    /// Whether readers with parts under way may hand over more.
    pub(super) fn have_room(&self) -> bool {
        self.held.load(Ordering::Relaxed) < AHEAD * self.count() as u64
    }

    /// Whether the calling thread is one of them.
    pub(super) fn include_caller(&self) -> bool {
        let index = |pool: &Arc<ThreadPool>| pool.current_thread_index();
        self.pool.as_ref().and_then(index).is_some()
    }

    /// Runs the task on one of the threads, some time; drops it if there are none.
    pub(super) fn spawn(&self, task: impl FnOnce() + Send + 'static) {
        if let Some(pool) = &self.pool {
            pool.spawn(task);
        }
    }
}

/// So many threads besides the caller's.
#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) fn workers(threads: usize) -> Workers {
    if threads == 0 {
        return Workers::none();
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    Arc::new(pool.unwrap()).into()
}

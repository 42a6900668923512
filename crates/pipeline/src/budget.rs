//! What a run may use: connections, processor threads and memory. The command line creates one, and all
//! that runs shares it.

use std::sync::{Arc, OnceLock};

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::parallel::Worklist;
use crate::{Cancel, JobError, cores};

/// The memory that work on content may use, in bytes.
const MEMORY: u64 = 1 << 30;

/// What a run may use. Clones share one pool.
#[derive(Clone, Debug)]
pub struct Budget {
    connections: usize,
    threads: usize,
    pool: Arc<OnceLock<Option<Arc<ThreadPool>>>>,
}

impl Default for Budget {
    /// Eight connections, one thread for each core.
    fn default() -> Self {
        Self::new(8, cores())
    }
}

impl Budget {
    /// At most `connections` transfers and `threads` threads that compute at once; at least one of each.
    pub fn new(connections: usize, threads: usize) -> Self {
        Self {
            connections: connections.max(1),
            threads: threads.max(1),
            pool: Arc::default(),
        }
    }

    /// How many transfers run at once.
    pub fn connections(&self) -> usize {
        self.connections
    }

    /// How many threads compute at once.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// How many bytes of memory work on content may use.
    pub fn memory(&self) -> u64 {
        MEMORY
    }

    /// Runs `work` with rayon's parallel iterators and scopes on this budget's pool. The pool is started
    /// when it is first used; where the system starts no thread, the caller's thread does all the work.
    pub fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        match self.pool() {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }

    /// The pool, for work that hands over tasks and goes on; `None` where the system starts no thread.
    pub fn pool(&self) -> Option<&Arc<ThreadPool>> {
        let start = || start(self.threads).map(Arc::new);
        self.pool.get_or_init(start).as_ref()
    }

    /// Like [`Budget::install`], on threads of its own, while the caller's thread does nothing else. For work
    /// that others wait for: a thread of the pool that waits for its tasks begins other tasks meanwhile, and
    /// one of those could wait for what its own thread has locked.
    ///
    /// # Errors
    /// If the system does not start a thread.
    pub fn install_apart<R: Send>(&self, work: impl FnOnce() -> R + Send) -> std::io::Result<R> {
        let apart = Self::new(1, self.threads);
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new();
            let thread = thread.spawn_scoped(scope, || apart.install(work))?;
            Ok(thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })
    }

    /// Computes `work` for every item and returns the results in the items' order; items are started in
    /// order. A raised `cancel` lets those that run finish and starts no more.
    pub fn compute<I, T, E>(
        &self,
        items: &[I],
        cancel: &Cancel,
        work: impl Fn(&I) -> Result<T, E> + Sync + Send,
    ) -> Vec<Result<T, JobError<E>>>
    where
        I: Sync,
        T: Send,
        E: Send,
    {
        let list = Worklist::new(items);
        let workers = self.threads.min(items.len());
        self.install(|| {
            rayon::scope(|scope| {
                for _ in 1..workers {
                    scope.spawn(|_| list.work(cancel, &work));
                }
                list.work(cancel, &work);
            });
        });
        list.into_results()
    }
}

/// A pool of `threads` threads, or of as many as the system starts.
fn start(threads: usize) -> Option<ThreadPool> {
    (1..=threads)
        .rev()
        .find_map(|threads| ThreadPoolBuilder::new().num_threads(threads).build().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_others_wait_for_does_not_stop_the_pool() {
        let (budget, lock) = (Budget::new(1, 2), std::sync::Mutex::new(0));
        let items: Vec<u64> = (0..64).collect();
        let results = budget.compute(&items, &Cancel::new(), |_| {
            let mut sum = lock.lock().unwrap();
            *sum += budget
                .install_apart(|| {
                    use rayon::iter::{IntoParallelIterator, ParallelIterator};
                    (0..100_u64).into_par_iter().sum::<u64>()
                })
                .unwrap();
            Ok::<_, ()>(())
        });
        assert!(results.iter().all(Result::is_ok));
        assert_eq!(*lock.lock().unwrap(), 64 * 4950);
    }

    #[test]
    fn computed_results_keep_the_order_of_the_items() {
        let items: Vec<u32> = (0..1000).collect();
        for threads in [1, 3] {
            let budget = Budget::new(1, threads);
            let results = budget.compute(&items, &Cancel::new(), |n| Ok::<_, ()>(n + 1));
            let expected: Vec<_> = items.iter().map(|n| Ok(n + 1)).collect();
            assert_eq!(results, expected);
        }
    }

    #[test]
    fn no_more_threads_compute_than_the_budget_has() {
        let budget = Budget::new(8, 2);
        assert_eq!(budget.install(rayon::current_num_threads), 2);
    }
}

//! Many pieces of work at once, with results in the order of the items.
//!
//! Work that waits (sockets, disks) runs on threads of its own, one for each connection; work that
//! computes runs on the pool of a [`Budget`](crate::Budget). Both begin items in the given order; which
//! order pays is [`order`](crate::order)'s matter.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::{Cancel, Cancelled};

/// Why one piece of parallel work has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JobError<E> {
    /// It failed.
    #[error(transparent)]
    Failed(E),
    /// It was not started, because of an interruption.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// The number of processor cores that this process may use; at least one.
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Where a worker leaves the result of one item.
type Slot<T, E> = Mutex<Option<Result<T, JobError<E>>>>;

/// Items with a slot each for their results, taken one after the other by any number of workers.
pub(crate) struct Worklist<'a, I, T, E> {
    items: &'a [I],
    next: AtomicUsize,
    results: Vec<Slot<T, E>>,
}

impl<'a, I, T, E> Worklist<'a, I, T, E> {
    pub(crate) fn new(items: &'a [I]) -> Self {
        Self {
            items,
            next: AtomicUsize::new(0),
            results: items.iter().map(|_| Mutex::new(None)).collect(),
        }
    }

    /// Works until nothing is left to start. One worker must run this to the end in any case.
    pub(crate) fn work(&self, cancel: &Cancel, work: &(impl Fn(&I) -> Result<T, E> + Sync)) {
        while let Some((item, slot)) = {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            self.items.get(index).zip(self.results.get(index))
        } {
            let result = match cancel.check() {
                Ok(()) => work(item).map_err(JobError::Failed),
                Err(cancelled) => Err(cancelled.into()),
            };
            if let Ok(mut slot) = slot.lock() {
                *slot = Some(result);
            }
        }
    }

    pub(crate) fn into_results(self) -> Vec<Result<T, JobError<E>>> {
        self.results
            .into_iter()
            .map(|slot| {
                slot.into_inner()
                    .ok()
                    .flatten()
                    .expect("every slot was filled before its workers ended")
            })
            .collect()
    }
}

/// Runs `work` for every item on at most `threads` threads of its own and returns the results in the
/// items' order. Items are started in order. A raised `cancel` lets those that run finish and starts no
/// more; `work` itself may raise it to stop the rest after a failure. Where the system starts fewer
/// threads, fewer are used; the caller's is one of them.
pub fn run_parallel<I, T, E>(
    threads: usize,
    items: &[I],
    cancel: &Cancel,
    work: impl Fn(&I) -> Result<T, E> + Sync,
) -> Vec<Result<T, JobError<E>>>
where
    I: Sync,
    T: Send,
    E: Send,
{
    let list = Worklist::new(items);
    let worker = || list.work(cancel, &work);
    run_on_threads(threads.min(items.len()), &worker);
    list.into_results()
}

/// Runs `worker` on the caller's thread and on up to `threads - 1` more, and returns when all have ended.
/// A system that refuses to start a thread is not asked for another.
pub fn run_on_threads(threads: usize, worker: &(impl Fn() + Sync)) {
    thread::scope(|scope| {
        for _ in 1..threads {
            if thread::Builder::new().spawn_scoped(scope, worker).is_err() {
                break;
            }
        }
        worker();
    });
}

/// Runs `work` for every item as [`run_parallel`] does and returns all results, or the first error in the
/// items' order. An error stops what was not started.
///
/// # Errors
/// The first error of `work`, or [`Cancelled`] if `cancel` was raised before everything was done.
pub fn run_fail_fast<I, T, E>(
    threads: usize,
    items: &[I],
    cancel: &Cancel,
    work: impl Fn(&I) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E>
where
    I: Sync,
    T: Send,
    E: Send + From<Cancelled>,
{
    let stop = Cancel::new();
    let results = run_parallel(threads.max(1), items, &stop, |item| {
        let result = cancel.check().map_err(E::from).and_then(|()| work(item));
        if result.is_err() {
            stop.cancel();
        }
        result
    });
    let mut done = Vec::with_capacity(results.len());
    let mut stopped = None;
    for result in results {
        match result {
            Ok(value) => done.push(value),
            Err(JobError::Failed(error)) => return Err(error),
            Err(JobError::Cancelled(cancelled)) => stopped = Some(cancelled),
        }
    }
    match stopped {
        Some(cancelled) => Err(cancelled.into()),
        None => Ok(done),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_the_order_of_the_items() {
        let items: Vec<u32> = (0..1000).collect();
        for threads in [0, 1, 2, 7] {
            let results = run_parallel(threads, &items, &Cancel::new(), |n| Ok::<_, ()>(n * 2));
            let expected: Vec<_> = items.iter().map(|n| Ok(n * 2)).collect();
            assert_eq!(results, expected);
        }
    }

    #[test]
    fn work_that_raises_the_flag_stops_what_has_not_started() {
        let cancel = Cancel::new();
        let results = run_parallel(1, &[1, 2, 3], &cancel, |n| {
            if *n == 2 {
                cancel.cancel();
                return Err("no");
            }
            Ok(*n)
        });
        assert_eq!(
            results,
            [
                Ok(1),
                Err(JobError::Failed("no")),
                Err(JobError::Cancelled(Cancelled))
            ]
        );
    }

    #[derive(Debug, PartialEq, Eq)]
    enum Failure {
        Odd(u32),
        Stopped,
    }

    impl From<Cancelled> for Failure {
        fn from(_: Cancelled) -> Self {
            Self::Stopped
        }
    }

    #[test]
    fn the_first_failure_is_returned_and_ends_the_rest() {
        let items: Vec<u32> = (0..1000).map(|n| n * 2 + u32::from(n == 7)).collect();
        let started = AtomicUsize::new(0);
        let result = run_fail_fast(1, &items, &Cancel::new(), |n| {
            started.fetch_add(1, Ordering::Relaxed);
            if n % 2 == 1 {
                Err(Failure::Odd(*n))
            } else {
                Ok(*n)
            }
        });
        assert_eq!(result, Err(Failure::Odd(15)));
        assert_eq!(started.into_inner(), 8);
    }

    #[test]
    fn a_cancelled_run_is_reported_as_such() {
        let cancel = Cancel::new();
        cancel.cancel();
        let result = run_fail_fast(2, &[1, 2], &cancel, |n| Ok::<u32, Failure>(*n));
        assert_eq!(result, Err(Failure::Stopped));
    }
}

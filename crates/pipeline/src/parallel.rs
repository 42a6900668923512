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
    /// It was not begun, since stopping was asked for.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// How many threads work of the processor alone is worth: one for each core.
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Where a worker leaves the result of one item.
type Slot<T, E> = Mutex<Option<Result<T, JobError<E>>>>;

/// Does `work` for every item on at most `threads` threads and returns the results in the items'
/// order, whatever order they were done in. Items are begun in order. A raised `cancel` lets those
/// that run finish and begins no more; `work` itself may raise it to stop the rest after a failure.
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
    let next = AtomicUsize::new(0);
    let results: Vec<Slot<T, E>> = items.iter().map(|_| Mutex::new(None)).collect();
    let worker = || {
        while let Some((item, slot)) = {
            let index = next.fetch_add(1, Ordering::Relaxed);
            items.get(index).zip(results.get(index))
        } {
            let result = match cancel.check() {
                Ok(()) => work(item).map_err(JobError::Failed),
                Err(cancelled) => Err(cancelled.into()),
            };
            if let Ok(mut slot) = slot.lock() {
                *slot = Some(result);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads.min(items.len()) {
            scope.spawn(worker);
        }
        worker();
    });
    results
        .into_iter()
        .map(|slot| {
            slot.into_inner()
                .ok()
                .flatten()
                .expect("every slot was filled before its scope ended")
        })
        .collect()
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
    fn work_that_raises_the_flag_stops_what_has_not_begun() {
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
}

//! How many bytes of files are held at once: whoever wants more waits until another is done.

use std::sync::{Condvar, Mutex, PoisonError};

/// Memory that several threads share.
#[derive(Debug)]
pub(crate) struct Memory {
    free: Mutex<u64>,
    freed: Condvar,
}

/// A share of the memory; it is given back when the value is dropped.
#[derive(Debug)]
pub(crate) struct Share<'a> {
    memory: &'a Memory,
    bytes: u64,
}

impl Memory {
    pub(crate) fn new(bytes: u64) -> Self {
        Self {
            free: Mutex::new(bytes),
            freed: Condvar::new(),
        }
    }

    /// Waits until `bytes` are free. A thread may hold one share at a time, and none larger than all memory.
    pub(crate) fn take(&self, bytes: u64) -> Share<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let enough = self.freed.wait_while(free, |free| *free < bytes);
        *enough.unwrap_or_else(PoisonError::into_inner) -= bytes;
        Share {
            memory: self,
            bytes,
        }
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        let free = self.memory.free.lock();
        *free.unwrap_or_else(PoisonError::into_inner) += self.bytes;
        self.memory.freed.notify_all();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn no_more_is_held_at_once_than_there_is() {
        let (memory, held) = (Memory::new(10), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for bytes in [6, 6, 6, 4, 10, 1] {
                let (memory, held) = (&memory, &held);
                scope.spawn(move || {
                    let share = memory.take(bytes);
                    assert!(held.fetch_add(bytes, Ordering::SeqCst) + bytes <= 10);
                    std::thread::sleep(std::time::Duration::from_millis(2));
                    held.fetch_sub(bytes, Ordering::SeqCst);
                    drop(share);
                });
            }
        });
        assert_eq!(*memory.free.lock().unwrap(), 10);
    }
}

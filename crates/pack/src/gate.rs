//! A limit on the memory that parallel work takes at once.

use std::sync::{Condvar, Mutex, PoisonError};

/// Lets work in as long as all that is inside stays within the limit.
pub(crate) struct Gate {
    limit: u64,
    inside: Mutex<u64>,
    changed: Condvar,
}

/// Work that was let in; it leaves when this is dropped.
pub(crate) struct Pass<'a> {
    gate: &'a Gate,
    amount: u64,
}

impl Gate {
    pub(crate) fn new(limit: u64) -> Self {
        Self {
            limit,
            inside: Mutex::new(0),
            changed: Condvar::new(),
        }
    }

    /// Waits until there is space for `amount`. Work that is larger than the limit is let in alone.
    pub(crate) fn pass(&self, amount: u64) -> Pass<'_> {
        let amount = amount.min(self.limit);
        let inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |inside: &mut u64| *inside + amount > self.limit;
        let inside = self.changed.wait_while(inside, full);
        *inside.unwrap_or_else(PoisonError::into_inner) += amount;
        Pass { gate: self, amount }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let inside = self.gate.inside.lock();
        *inside.unwrap_or_else(PoisonError::into_inner) -= self.amount;
        self.gate.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn no_more_is_inside_than_the_limit_and_large_work_is_let_in_alone() {
        let gate = Gate::new(10);
        let (inside, most) = (AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for amount in [4, 6, 100, 3, 7, 10, 1] {
                let (gate, inside, most) = (&gate, &inside, &most);
                scope.spawn(move || {
                    let pass = gate.pass(amount);
                    let now = inside.fetch_add(pass.amount, Ordering::SeqCst) + pass.amount;
                    most.fetch_max(now, Ordering::SeqCst);
                    inside.fetch_sub(pass.amount, Ordering::SeqCst);
                });
            }
        });
        assert!(most.load(Ordering::SeqCst) <= 10);
    }
}

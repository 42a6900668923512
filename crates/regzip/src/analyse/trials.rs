//! Finding the ends of writes that made a difference.

/// How many ends of writes a replay may learn by trial.
pub(super) const MAX_TRIALS: usize = 64;

/// Ends of writes that are learnt by trial: each that moves the first difference further is kept.
#[derive(Default)]
pub(super) struct Trials {
    accepted: Vec<u64>,
    trial: Option<u64>,
    queue: Vec<u64>,
    reached: u64,
}

impl Trials {
    pub(super) fn boundaries(&self) -> Vec<u64> {
        self.accepted.iter().copied().chain(self.trial).collect()
    }

    /// Notes a difference and prepares the next trial; false when there is none.
    pub(super) fn next(&mut self, plain: u64, mut sensitive: Vec<u64>) -> bool {
        if plain > self.reached {
            self.reached = plain;
            self.accepted.extend(self.trial.take());
            let known = self.accepted.last().copied().unwrap_or(0);
            sensitive.retain(|&p| p > known);
            sensitive.reverse();
            self.queue = sensitive;
        }
        self.trial = self.queue.pop();
        self.trial.is_some()
    }
}

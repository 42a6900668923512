//! The least speed of a transfer: what only drips counts as a connection that stands still.

use std::time::Duration;

/// Fewer bytes a second, for as long as a connection may stand still, and it has stalled.
const MIN_BYTES_PER_SECOND: u64 = 128;

/// Measures one direction of a connection. Only the time spent waiting for the connection counts: a slow disk
/// at this end is not the registry's fault.
#[derive(Debug)]
pub(crate) struct Pace {
    idle_timeout: Duration,
    waited: Duration,
    moved: u64,
}

impl Pace {
    /// A connection that may stand still for `idle_timeout`.
    pub(crate) fn new(idle_timeout: Duration) -> Self {
        Self {
            idle_timeout,
            waited: Duration::ZERO,
            moved: 0,
        }
    }

    /// How long the next read or write may take.
    pub(crate) fn left(&self) -> Duration {
        self.idle_timeout.saturating_sub(self.waited)
    }

    /// Notes that `bytes` were moved after waiting for `wait`; whether that is fast enough.
    pub(crate) fn keeps_up(&mut self, bytes: usize, wait: Duration) -> bool {
        self.waited += wait;
        self.moved += bytes as u64;
        let enough = u128::from(MIN_BYTES_PER_SECOND) * self.idle_timeout.as_millis() / 1000;
        if u128::from(self.moved) > enough {
            *self = Self::new(self.idle_timeout);
        }
        self.waited < self.idle_timeout
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_drip_does_not_keep_up() {
        let mut pace = Pace::new(MINUTE);
        let seconds = (1..1000).find(|_| !pace.keeps_up(5, Duration::from_secs(1)));
        assert_eq!(seconds, Some(60));
    }

    #[test]
    fn a_slow_stream_and_one_that_pauses_keep_up() {
        let mut pace = Pace::new(MINUTE);
        for _ in 0..1000 {
            assert!(pace.keeps_up(200, Duration::from_secs(1)));
        }
        for _ in 0..100 {
            assert!(pace.keeps_up(1 << 20, Duration::from_secs(50)));
        }
    }

    #[test]
    fn what_is_left_of_the_time_gets_less_while_nothing_comes() {
        let mut pace = Pace::new(MINUTE);
        assert!(pace.keeps_up(1, Duration::from_secs(20)));
        assert_eq!(pace.left(), Duration::from_secs(40));
        assert!(pace.keeps_up(1 << 20, Duration::from_secs(20)));
        assert_eq!(pace.left(), MINUTE);
    }
}

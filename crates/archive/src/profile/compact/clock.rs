//! How long work took.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// The time that some work took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Took {
    /// Wall-clock time.
    pub(super) elapsed: Duration,
    /// Processor time of all threads of the process.
    pub(super) processor: Duration,
}

/// Measures consecutive pieces of work.
pub(super) struct Clock {
    since: Instant,
    processor: Duration,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self {
            since: Instant::now(),
            processor: processor(),
        }
    }

    /// The time since the last call, or since the start.
    pub(super) fn lap(&mut self) -> Took {
        let now = Self::start();
        let took = Took {
            elapsed: now.since.duration_since(self.since),
            processor: now.processor.saturating_sub(self.processor),
        };
        *self = now;
        took
    }
}

fn processor() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_nanos(nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_takes_time_and_no_processor_time_of_its_own() {
        let mut clock = Clock::start();
        std::thread::sleep(Duration::from_millis(20));
        let waited = clock.lap();
        assert!(waited.elapsed >= Duration::from_millis(20));
        let mut sum = 0_u64;
        while clock.lap().processor.is_zero() {
            sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(7));
        }
    }
}

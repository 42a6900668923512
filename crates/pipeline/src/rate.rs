//! A limit on how many bytes all transfers together move in a second.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::{Cancel, Cancelled};

/// The longest sleep before stopping is looked for again.
const STEP: Duration = Duration::from_millis(50);
/// How much of a second can be moved at once after a pause.
const BURST: f64 = 0.1;

/// A bucket of bytes that fills at a steady rate and that all transfers take from. Clones share it.
#[derive(Clone, Debug)]
pub struct RateLimit {
    per_second: f64,
    bucket: Arc<Mutex<Bucket>>,
}

#[derive(Debug)]
struct Bucket {
    bytes: f64,
    filled: Instant,
}

impl RateLimit {
    /// At most `per_second` bytes a second; at least one.
    pub fn new(per_second: u64) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a rate need not be exact")]
        let per_second = per_second.max(1) as f64;
        Self {
            per_second,
            bucket: Arc::new(Mutex::new(Bucket {
                bytes: 0.0,
                filled: Instant::now(),
            })),
        }
    }

    /// Waits until some of `wanted` bytes may be moved, and takes them: at least one, unless none is wanted.
    ///
    /// # Errors
    /// If stopping was asked for meanwhile.
    pub fn take(&self, wanted: usize, cancel: &Cancel) -> Result<usize, Cancelled> {
        if wanted == 0 {
            return Ok(0);
        }
        loop {
            cancel.check()?;
            match self.try_take(wanted, Instant::now()) {
                Ok(taken) => return Ok(taken),
                Err(wait) => thread::sleep(wait.min(STEP)),
            }
        }
    }

    /// Returns bytes that were taken and not moved.
    pub fn put_back(&self, bytes: usize) {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        #[expect(clippy::cast_precision_loss, reason = "buffers are small")]
        let bytes = bytes as f64;
        bucket.bytes += bytes;
    }

    /// What may be moved now, or how long that takes to be something.
    fn try_take(&self, wanted: usize, now: Instant) -> Result<usize, Duration> {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = now.saturating_duration_since(bucket.filled).as_secs_f64();
        let most = (self.per_second * BURST).max(1.0);
        bucket.bytes = (bucket.bytes + passed * self.per_second).min(most);
        bucket.filled = now;
        if bucket.bytes < 1.0 {
            let missing = 1.0 - bucket.bytes;
            return Err(Duration::from_secs_f64(missing / self.per_second));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the bucket is neither negative nor larger than a tenth of a second's bytes"
        )]
        let there = bucket.bytes as usize;
        let taken = there.min(wanted);
        #[expect(clippy::cast_precision_loss, reason = "buffers are small")]
        let bytes = taken as f64;
        bucket.bytes -= bytes;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_gives_the_rate_and_a_pause_is_not_saved_up() {
        let limit = RateLimit::new(1_000_000);
        let begin = limit.bucket.lock().unwrap().filled;
        let mut moved = 0;
        for millisecond in 1..=1000 {
            let now = begin + Duration::from_millis(millisecond);
            moved += limit.try_take(usize::MAX, now).unwrap_or(0);
        }
        assert!((990_000..=1_000_000).contains(&moved), "{moved}");
        let after_a_pause = limit.try_take(usize::MAX, begin + Duration::from_secs(60));
        assert_eq!(after_a_pause, Ok(100_000));
        limit.put_back(40);
        let again = limit.try_take(usize::MAX, begin + Duration::from_secs(60));
        assert_eq!(again, Ok(40));
    }

    #[test]
    fn an_empty_bucket_says_how_long_the_next_byte_takes() {
        let limit = RateLimit::new(10);
        let begin = limit.bucket.lock().unwrap().filled;
        let wait = limit.try_take(5, begin).unwrap_err();
        assert_eq!(wait, Duration::from_millis(100));
        assert_eq!(limit.try_take(5, begin + wait), Ok(1));
    }

    #[test]
    fn waiting_ends_when_stopping_is_asked_for() {
        let (limit, cancel) = (RateLimit::new(1), Cancel::new());
        cancel.cancel();
        assert_eq!(limit.take(1, &cancel), Err(Cancelled));
    }
}

//! When and how often failed requests are repeated.

use std::thread;
use std::time::{Duration, Instant};

use sealift_pipeline::{Cancel, Cancelled};

/// How often and how soon a failed request is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How often at most, not counting the first time.
    pub retries: u32,
    /// The first wait; each one after is twice as long.
    pub base: Duration,
    /// No wait that we choose is longer.
    pub cap: Duration,
    /// A registry that asks for a longer wait is given up.
    pub retry_after_cap: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            retries: 8,
            base: Duration::from_millis(500),
            cap: Duration::from_secs(60),
            retry_after_cap: Duration::from_secs(600),
        }
    }
}

impl RetryPolicy {
    /// How long to wait before the retry after `failures` failures: what the registry asks for, else
    /// twice as long each time, of which a random share of at least one half.
    pub fn wait(&self, failures: u32, asked: Option<Duration>) -> Duration {
        if let Some(asked) = asked.filter(|asked| !asked.is_zero()) {
            return asked.min(self.retry_after_cap);
        }
        let full = self
            .base
            .saturating_mul(1 << failures.saturating_sub(1).min(16))
            .min(self.cap);
        full / 2 + full.mul_f64(jitter() / 2.0)
    }
}

/// A number in 0..1 that differs between clients that failed at once; it decides nothing else.
fn jitter() -> f64 {
    use std::hash::{BuildHasher, Hasher};
    let random = std::collections::hash_map::RandomState::new()
        .build_hasher()
        .finish();
    f64::from(u32::try_from(random >> 32).unwrap_or(0)) / f64::from(u32::MAX)
}

/// Waits, and stops waiting when `cancel` is raised.
pub(crate) fn sleep(wait: Duration, cancel: &Cancel) -> Result<(), Cancelled> {
    let end = Instant::now() + wait;
    loop {
        cancel.check()?;
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        thread::sleep(left.min(Duration::from_millis(100)));
    }
}

/// The value of a `Retry-After` header: seconds or a date; `None` if it is malformed or in the past.
pub(crate) fn retry_after(value: &str) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value.trim()).ok()?;
    date.duration_since(std::time::SystemTime::now()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_cap_and_obey_the_registry_within_bounds() {
        let policy = RetryPolicy::default();
        for failures in 1..40 {
            let full = policy
                .base
                .saturating_mul(1 << (failures - 1).min(16))
                .min(policy.cap);
            let wait = policy.wait(failures, None);
            assert!(wait >= full / 2 && wait <= full, "{wait:?}");
        }
        assert_eq!(
            policy.wait(1, Some(Duration::from_secs(7))),
            Duration::from_secs(7)
        );
        assert!(!policy.wait(1, Some(Duration::ZERO)).is_zero());
        assert_eq!(
            policy.wait(1, Some(Duration::from_secs(1 << 40))),
            policy.retry_after_cap
        );
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(retry_after("5"), Some(Duration::from_secs(5)));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:28:00 GMT"), None);
        assert_eq!(retry_after("soon"), None);
        assert!(retry_after("Tue, 31 Dec 2999 23:59:59 GMT").is_some());
    }
}

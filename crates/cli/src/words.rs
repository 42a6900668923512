//! Numbers in words.

use std::time::{Duration, SystemTime};

pub(crate) use sealift_report::{bytes, count};

/// `1 retry`, `2 retries`.
pub(crate) fn retries(number: u64) -> String {
    match number {
        1 => "1 retry".to_owned(),
        _ => format!("{number} retries"),
    }
}

/// How many signatures, attestations, SBOMs and other artifacts belong to images.
pub(crate) fn attached(number: u64) -> String {
    match number {
        1 => "1 signature or attestation".to_owned(),
        _ => format!("{number} signatures and attestations"),
    }
}

/// `1 repository`, `2 repositories`.
pub(crate) fn repositories(number: u64) -> String {
    match number {
        1 => "1 repository".to_owned(),
        _ => format!("{number} repositories"),
    }
}

/// A point in time, in UTC as RFC 3339 writes it, to the second.
pub(crate) fn time(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}

/// A duration for a person: `12 s`, `3 min 4 s`, `2 h 5 min`.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0..10) => format!("{:.1} s", duration.as_secs_f64()),
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        assert_eq!(duration(Duration::from_millis(1_240)), "1.2 s");
        assert_eq!(duration(Duration::from_secs(184)), "3 min 4 s");
        assert_eq!(duration(Duration::from_secs(7_500)), "2 h 5 min");
    }
}

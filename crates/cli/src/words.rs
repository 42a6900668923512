//! Numbers in words.

use std::time::{Duration, SystemTime};

/// `bytes` for a person: three significant digits in decimal units, as disks and links are sold.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [(u64, &str); 4] = [
        (1_000_000_000_000, "TB"),
        (1_000_000_000, "GB"),
        (1_000_000, "MB"),
        (1_000, "kB"),
    ];
    for (unit, name) in UNITS {
        if bytes >= unit {
            let tenths = u128::from(bytes) * 10 / u128::from(unit);
            return if tenths >= 1000 {
                format!("{} {name}", tenths / 10)
            } else {
                format!("{}.{} {name}", tenths / 10, tenths % 10)
            };
        }
    }
    format!("{bytes} B")
}

/// `1 image`, `2 images`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{number} {noun}s")
    }
}

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
    fn sizes_have_three_digits() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_000), "1.0 kB");
        assert_eq!(bytes(62_914_560), "62.9 MB");
        assert_eq!(bytes(563_000_000), "563 MB");
        assert_eq!(bytes(u64::MAX), "18446744 TB");
    }

    #[test]
    fn durations_are_short() {
        assert_eq!(duration(Duration::from_millis(1_240)), "1.2 s");
        assert_eq!(duration(Duration::from_secs(184)), "3 min 4 s");
        assert_eq!(duration(Duration::from_secs(7_500)), "2 h 5 min");
    }

    #[test]
    fn nouns_agree_with_their_number() {
        assert_eq!(count(1, "image"), "1 image");
        assert_eq!(count(0, "image"), "0 images");
    }
}

//! Progress as lines, for logs and pipes: one line every few seconds.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use sealift_oci::Digest;
use sealift_pipeline::{Event, Observer, Outcome};

use super::{Level, log};
use crate::words;

/// How often a line about the whole phase is written while something happens.
const INTERVAL: Duration = Duration::from_secs(5);
/// How many of the transfers under way a line names.
const NAMED: usize = 2;

/// A line every few seconds, and one for every warning, note and failure.
pub(super) struct Lines(Mutex<State>);

struct State {
    phase: String,
    blobs: u64,
    bytes: u64,
    finished: u64,
    moved: u64,
    begun: Instant,
    reported: Instant,
    running: HashMap<Digest, Running>,
    retries: u64,
    last_retry: String,
}

/// A transfer under way.
struct Running {
    /// What it belongs to; empty if that is not known.
    what: String,
    size: u64,
}

/// What a transfer belongs to, or the blob if that is not known.
pub(super) fn running_name(digest: &Digest, what: &str) -> String {
    match what {
        "" => format!("blob {}", digest.short()),
        what => what.to_owned(),
    }
}

impl Lines {
    pub(super) fn new() -> Self {
        Self(Mutex::new(State::new(Instant::now())))
    }
}

impl Observer for Lines {
    fn event(&self, event: &Event<'_>) {
        let Ok(mut state) = self.0.lock() else {
            return;
        };
        let left = matches!(event, Event::Phase { .. }).then(|| state.retry_line());
        let line = state.line(event, Instant::now());
        drop(state);
        if let Some(line) = left.flatten() {
            log(Level::Info, &line);
        }
        if let Some((level, line)) = line {
            log(level, &line);
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let state = self.0.get_mut();
        if let Some(line) = state.ok().and_then(State::retry_line) {
            log(Level::Info, &line);
        }
    }
}

impl State {
    fn new(now: Instant) -> Self {
        Self {
            phase: String::new(),
            blobs: 0,
            bytes: 0,
            finished: 0,
            moved: 0,
            begun: now,
            reported: now,
            running: HashMap::new(),
            retries: 0,
            last_retry: String::new(),
        }
    }

    fn line(&mut self, event: &Event<'_>, now: Instant) -> Option<(Level, String)> {
        match event {
            Event::Phase { name } => {
                *self = Self {
                    phase: (*name).to_owned(),
                    ..Self::new(now)
                };
                Some((Level::Info, (*name).to_owned()))
            }
            Event::Total { blobs, bytes } => {
                (self.blobs, self.bytes) = (*blobs, *bytes);
                // A file is read as a whole.
                let blobs = match (*blobs, *bytes) {
                    (0, 1..) => String::new(),
                    (blobs, _) => format!("{}, ", words::count(blobs, "blob")),
                };
                let line = format!("{}: {blobs}{}", self.phase, words::bytes(*bytes));
                Some((Level::Info, line))
            }
            Event::Started { digest, size, what } => {
                let running = Running {
                    what: (*what).to_owned(),
                    size: *size,
                };
                self.running.insert(**digest, running);
                None
            }
            Event::Advanced { bytes, .. } => {
                self.moved += bytes;
                self.progress(now)
            }
            Event::Finished { digest, outcome } => {
                self.finished += 1;
                let ended = self.running.remove(digest);
                match (outcome, ended) {
                    (Outcome::Failed, Some(Running { what, size })) => {
                        let of = match what.as_str() {
                            "" => String::new(),
                            what => format!(" of {what}"),
                        };
                        let line = format!("failed: {digest}{of} ({})", words::bytes(size));
                        Some((Level::Info, line))
                    }
                    (Outcome::Failed, None) => Some((Level::Info, format!("failed: {digest}"))),
                    _ => self.progress(now),
                }
            }
            Event::Retry {
                host,
                what,
                error,
                wait,
            } => {
                self.retries += 1;
                let wait = words::duration(*wait);
                self.last_retry = format!("{host}: {what}: {error}; retrying in {wait}");
                self.progress(now)
            }
            Event::Warning { text } => Some((Level::Warning, (*text).to_owned())),
            Event::Note { text } => Some((Level::Info, (*text).to_owned())),
            _ => None,
        }
    }

    /// How far the phase is, if that was not reported a few seconds ago.
    fn progress(&mut self, now: Instant) -> Option<(Level, String)> {
        if now.saturating_duration_since(self.reported) < INTERVAL {
            return None;
        }
        self.reported = now;
        let mut parts = Vec::new();
        if self.bytes > 0 {
            let (moved, bytes) = (words::bytes(self.moved), words::bytes(self.bytes));
            parts.push(format!("{moved} of {bytes}"));
        }
        if self.blobs > 0 {
            let blobs = words::count(self.blobs, "blob");
            parts.push(format!("{} of {blobs}", self.finished));
        }
        let elapsed = now.saturating_duration_since(self.begun);
        let rate = u128::from(self.moved) * 1000 / elapsed.as_millis().max(1);
        let rate = u64::try_from(rate).unwrap_or(u64::MAX);
        if rate > 0 && self.bytes > self.moved {
            let left = Duration::from_secs((self.bytes - self.moved) / rate);
            let left = words::duration(left);
            parts.push(format!("{}/s, {left} left", words::bytes(rate)));
        }
        let running = self.running_words();
        let retries = self.retry_words();
        let retries = retries.map_or_else(String::new, |retries| format!("; {retries}"));
        let line = format!("{}: {}{running}{retries}", self.phase, parts.join(", "));
        Some((Level::Info, line))
    }

    /// The retries since the last line, as a line of their own.
    fn retry_line(&mut self) -> Option<String> {
        let retries = self.retry_words()?;
        Some(format!("{}: {retries}", self.phase))
    }

    /// The retries since the last line.
    fn retry_words(&mut self) -> Option<String> {
        let count = std::mem::take(&mut self.retries);
        let retries = words::retries(count);
        (count > 0).then(|| format!("{retries}, the last: {}", self.last_retry))
    }

    /// The largest transfers under way.
    fn running_words(&self) -> String {
        let running = self.running.iter();
        let mut running: Vec<(u64, String)> = running
            .map(|(digest, running)| (running.size, running_name(digest, &running.what)))
            .collect();
        running.sort_by(|one, other| (other.0, &one.1).cmp(&(one.0, &other.1)));
        let named = running.iter().take(NAMED);
        let named: Vec<String> = named
            .map(|(size, name)| format!("{name} ({})", words::bytes(*size)))
            .collect();
        let more = match running.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        match named.len() {
            0 => String::new(),
            _ => format!("; now {}{more}", named.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(state: &mut State, event: &Event<'_>, now: Instant) -> Option<String> {
        state.line(event, now).map(|(_, line)| line)
    }

    #[test]
    fn what_has_no_blobs_is_counted_in_bytes() {
        let mut state = State::new(Instant::now());
        let phase = Event::Phase { name: "reading" };
        line(&mut state, &phase, Instant::now());
        for (blobs, bytes, expected) in [
            (0, 5_000, "reading: 5.0 kB"),
            (0, 0, "reading: 0 blobs, 0 B"),
            (1, 5_000, "reading: 1 blob, 5.0 kB"),
        ] {
            let total = Event::Total { blobs, bytes };
            let line = line(&mut state, &total, Instant::now());
            assert_eq!(line.as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_line_every_few_seconds_has_sizes_names_and_retries() {
        let begin = Instant::now();
        let mut state = State::new(begin);
        let digest = Digest::sha256(b"a");
        let phase = Event::Phase { name: "fetching" };
        assert_eq!(line(&mut state, &phase, begin).as_deref(), Some("fetching"));
        let total = Event::Total {
            blobs: 2,
            bytes: 10_000_000,
        };
        assert!(line(&mut state, &total, begin).is_some());
        let started = Event::Started {
            digest: &digest,
            size: 8_000_000,
            what: "quay.io/calico/node",
        };
        assert_eq!(line(&mut state, &started, begin), None);
        let retry = Event::Retry {
            host: "quay.io",
            what: "blob x",
            error: "connection reset",
            wait: Duration::from_secs(1),
        };
        assert_eq!(line(&mut state, &retry, begin), None);
        let advanced = Event::Advanced {
            digest: &digest,
            bytes: 5_000_000,
        };
        assert_eq!(
            line(&mut state, &advanced, begin + Duration::from_secs(1)),
            None
        );
        let none = Event::Advanced {
            digest: &digest,
            bytes: 0,
        };
        let later = begin + Duration::from_secs(5);
        assert_eq!(
            line(&mut state, &none, later).as_deref(),
            Some(
                "fetching: 5.0 MB of 10.0 MB, 0 of 2 blobs, 1.0 MB/s, 5.0 s left; now quay.io/calico/node (8.0 MB); 1 retry, the last: quay.io: blob x: connection reset; retrying in 1.0 s"
            )
        );
        // It is not repeated at once, and the retry is counted once.
        assert_eq!(line(&mut state, &none, later), None);
        let again = line(&mut state, &none, later + Duration::from_secs(5)).unwrap();
        assert!(!again.contains("retry"), "{again}");
        let failed = Event::Finished {
            digest: &digest,
            outcome: Outcome::Failed,
        };
        assert_eq!(
            line(&mut state, &failed, later).as_deref(),
            Some(format!("failed: {digest} of quay.io/calico/node (8.0 MB)").as_str())
        );
        // What is only stopped is no failure.
        assert_eq!(line(&mut state, &started, later), None);
        let stopped = Event::Finished {
            digest: &digest,
            outcome: Outcome::Stopped,
        };
        assert_eq!(line(&mut state, &stopped, later), None);
    }
}

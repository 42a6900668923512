use std::sync::Mutex;
use std::time::{Duration, Instant};

use sealift_oci::Digest;
use sealift_pipeline::{Event, Observer, Outcome};

use crate::words;

/// How often a line about the whole is written while bytes move.
const INTERVAL: Duration = Duration::from_secs(10);

/// A line for every event that is worth one, for logs and pipes.
pub(super) struct Lines(Mutex<State>);

struct State {
    total: u64,
    done: u64,
    phase: String,
    begun: Instant,
    told: Instant,
}

impl Lines {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self(Mutex::new(State {
            total: 0,
            done: 0,
            phase: String::new(),
            begun: now,
            told: now,
        }))
    }
}

impl Observer for Lines {
    fn event(&self, event: &Event<'_>) {
        let line = match self.0.lock() {
            Ok(mut state) => state.line(event),
            Err(_) => None,
        };
        if let Some(line) = line {
            super::line(&line);
        }
    }
}

impl State {
    fn line(&mut self, event: &Event<'_>) -> Option<String> {
        match event {
            Event::Phase { name } => {
                (*name).clone_into(&mut self.phase);
                (self.total, self.done) = (0, 0);
                self.begun = Instant::now();
                self.told = self.begun;
                Some((*name).to_owned())
            }
            Event::Total { blobs, bytes } => {
                self.total = *bytes;
                Some(format!(
                    "{}: {}, {}",
                    self.phase,
                    words::count(*blobs, "blob"),
                    words::bytes(*bytes)
                ))
            }
            Event::Advanced { bytes, .. } => {
                self.done += bytes;
                self.whole()
            }
            Event::Finished { digest, outcome } => Some(finished(digest, *outcome)),
            Event::Retry {
                host,
                what,
                error,
                wait,
            } => Some(format!(
                "{host}: {what} failed ({error}); again in {}",
                words::duration(*wait)
            )),
            Event::Warning { text } => Some(format!("warning: {text}")),
            Event::Note { text } => Some((*text).to_owned()),
            _ => None,
        }
    }

    /// Where the whole stands, if that was not told lately.
    fn whole(&mut self) -> Option<String> {
        if self.told.elapsed() < INTERVAL || self.total == 0 {
            return None;
        }
        self.told = Instant::now();
        let elapsed = self.begun.elapsed();
        let rate = u128::from(self.done) * 1000 / elapsed.as_millis().max(1);
        let rate = u64::try_from(rate).unwrap_or(u64::MAX);
        let left = self.total.saturating_sub(self.done) / rate.max(1);
        Some(format!(
            "{}: {} of {}, {}/s, {} left",
            self.phase,
            words::bytes(self.done),
            words::bytes(self.total),
            words::bytes(rate),
            words::duration(Duration::from_secs(left))
        ))
    }
}

fn finished(digest: &Digest, outcome: Outcome) -> String {
    let word = match outcome {
        Outcome::Fetched => "fetched",
        Outcome::Sent => "sent",
        Outcome::Mounted => "mounted",
        Outcome::Present => "present",
        Outcome::Verified => "verified",
        Outcome::Failed => "failed",
    };
    format!("{word} {digest}")
}

//! Progress on a terminal: bars that are replaced in place.

use std::collections::HashMap;
use std::sync::Mutex;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use sealift_oci::{Digest, escaped};
use sealift_pipeline::{Event, Observer};

use super::lines::running_name;
use super::{Level, log};
use crate::words;

/// How many of the parts under way have a bar of their own.
const SHOWN: usize = 8;
/// Parts smaller than this are done before anyone could read their bar.
const WORTH_A_BAR: u64 = 1 << 20;

/// Bars on a terminal: one for the whole with rate and time left, and one for each large part. They fit into 60
/// columns; names are cut.
pub(super) struct Bars {
    all: MultiProgress,
    state: Mutex<State>,
}

struct State {
    whole: ProgressBar,
    phase: String,
    retries: u64,
    parts: HashMap<Digest, ProgressBar>,
}

impl Bars {
    pub(super) fn new() -> Self {
        let all = MultiProgress::new();
        let whole = all.add(ProgressBar::new(0).with_style(whole_style()));
        Self {
            all,
            state: Mutex::new(State {
                whole,
                phase: String::new(),
                retries: 0,
                parts: HashMap::new(),
            }),
        }
    }

    /// All bars, to write above them or to remove them.
    pub(super) fn all(&self) -> MultiProgress {
        self.all.clone()
    }
}

impl Observer for Bars {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Warning { text } => log(Level::Warning, text),
            Event::Note { text } => log(Level::Info, text),
            event => {
                if let Ok(mut state) = self.state.lock() {
                    state.update(&self.all, event);
                }
            }
        }
    }
}

impl State {
    fn update(&mut self, all: &MultiProgress, event: &Event<'_>) {
        match event {
            Event::Phase { name } => {
                self.whole.reset();
                self.whole.set_length(0);
                self.retries = 0;
                (*name).clone_into(&mut self.phase);
                self.whole.set_message((*name).to_owned());
            }
            Event::Retry { host, error, .. } => {
                self.retries += 1;
                let retries = words::retries(self.retries);
                let message = format!("{} ({retries}; {host}: {error})", self.phase);
                self.whole.set_message(escaped(&message).into_owned());
            }
            Event::Total { bytes, .. } => self.whole.set_length(*bytes),
            Event::Started { digest, size, what }
                if *size >= WORTH_A_BAR && self.parts.len() < SHOWN =>
            {
                let bar = all.add(ProgressBar::new(*size).with_style(part_style()));
                let name = running_name(digest, what);
                bar.set_message(escaped(&name).into_owned());
                self.parts.insert(**digest, bar);
            }
            Event::Advanced { digest, bytes } => {
                self.whole.inc(*bytes);
                if let Some(bar) = self.parts.get(digest) {
                    bar.inc(*bytes);
                }
            }
            Event::Finished { digest, .. } => {
                if let Some(bar) = self.parts.remove(digest) {
                    bar.finish_and_clear();
                    all.remove(&bar);
                }
            }
            _ => {}
        }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        // The report follows; bars above it would only repeat it.
        let _ = self.all.clear();
    }
}

fn whole_style() -> ProgressStyle {
    style(
        "{decimal_bytes:>9} of {decimal_total_bytes:9} {decimal_bytes_per_sec:>11} {eta:>4} left  {wide_msg}",
    )
}

fn part_style() -> ProgressStyle {
    style(
        "{decimal_bytes:>9} of {decimal_total_bytes:9} {decimal_bytes_per_sec:>11} {bar:8}   {wide_msg}",
    )
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

//! Progress and messages on standard error: bars on a terminal, a line every few seconds otherwise, only warnings
//! when quiet; as text or as JSON.

mod bars;
mod lines;

use std::io::{self, IsTerminal, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use clap::ValueEnum;
use indicatif::MultiProgress;
use sealift_oci::{escaped, escaped_json};
use sealift_pipeline::{Event, Observer};
use serde::Serialize;

use crate::words;
use bars::Bars;
use lines::Lines;

/// How messages on standard error are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people; bars on a terminal.
    #[default]
    Text,
    /// One JSON object a line: time, level, message.
    Json,
}

/// How important a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// Something to know.
    Info,
    /// Something that a person may have to act on.
    Warning,
    /// Why the command failed.
    Error,
}

/// A message as JSON.
#[derive(Serialize)]
struct Record<'a> {
    time: String,
    level: Level,
    message: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    items: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    hints: &'a [String],
}

/// Whether messages are JSON; the process has one standard error.
static JSON: AtomicBool = AtomicBool::new(false);
/// The bars that are on the terminal, if any: everything else goes above them.
static SHOWN: Mutex<Option<MultiProgress>> = Mutex::new(None);

/// Chooses the form of all further messages.
pub(crate) fn set_format(format: LogFormat) {
    JSON.store(format == LogFormat::Json, Ordering::Relaxed);
}

/// The observer for this process's standard error.
pub(crate) fn observer(quiet: bool) -> Arc<dyn Observer> {
    if quiet {
        Arc::new(WarningsOnly)
    } else if io::stderr().is_terminal() && !JSON.load(Ordering::Relaxed) {
        let bars = Bars::new();
        *shown() = Some(bars.all());
        Arc::new(bars)
    } else {
        Arc::new(Lines::new())
    }
}

/// Removes the bars: what follows is a result.
pub(crate) fn clear() {
    if let Some(bars) = shown().take() {
        // A terminal that is gone needs no clearing.
        let _ = bars.clear();
        bars.set_draw_target(indicatif::ProgressDrawTarget::hidden());
    }
}

fn shown() -> std::sync::MutexGuard<'static, Option<MultiProgress>> {
    SHOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

struct WarningsOnly;

impl Observer for WarningsOnly {
    fn event(&self, event: &Event<'_>) {
        if let Event::Warning { text } = event {
            warn(text);
        }
    }
}

/// A warning from a command that has no observer.
pub(crate) fn warn(text: &str) {
    log(Level::Warning, text);
}

/// Something to know, from a command that has no observer.
pub(crate) fn note(text: &str) {
    log(Level::Info, text);
}

/// Why the command failed: `text` for people, which is escaped already, and its parts for JSON.
pub(crate) fn error(text: &str, message: &str, items: &[String], hints: &[String]) {
    clear();
    if JSON.load(Ordering::Relaxed) {
        json(Level::Error, message, items, hints);
    } else {
        say(text);
    }
}

/// One message on standard error, escaped: names in it may come from outside.
pub(crate) fn log(level: Level, message: &str) {
    if JSON.load(Ordering::Relaxed) {
        return json(level, message, &[], &[]);
    }
    let head = match level {
        Level::Info => "",
        Level::Warning => "warning: ",
        Level::Error => "error: ",
    };
    say(&format!("{head}{}", escaped(message)));
}

fn json(level: Level, message: &str, items: &[String], hints: &[String]) {
    let record = Record {
        time: words::time(SystemTime::now()),
        level,
        message,
        items,
        hints,
    };
    say(&escaped_json(
        &serde_json::to_string(&record).unwrap_or_default(),
    ));
}

/// Text that is escaped already, above the bars or on standard error. Nobody can be told that standard error is
/// closed.
fn say(text: &str) {
    match &*shown() {
        Some(bars) => {
            let _ = bars.println(text);
        }
        None => {
            let _ = writeln!(io::stderr(), "{text}");
        }
    }
}

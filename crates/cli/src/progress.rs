//! Progress on standard error: bars on a terminal, a line an event otherwise, warnings alone when quiet.

mod bars;
mod lines;

use std::io::IsTerminal;
use std::sync::Arc;

use sealift_pipeline::{Event, Observer};

use crate::failure::printable;
use bars::Bars;
use lines::Lines;

/// How much a command tells while it works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verbosity {
    /// Warnings alone.
    Quiet,
    /// Bars or lines, whichever standard error can show.
    Normal,
}

/// The observer for this process's standard error.
pub(crate) fn observer(verbosity: Verbosity) -> Arc<dyn Observer> {
    match verbosity {
        Verbosity::Quiet => Arc::new(WarningsOnly),
        Verbosity::Normal if std::io::stderr().is_terminal() => Arc::new(Bars::new()),
        Verbosity::Normal => Arc::new(Lines::new()),
    }
}

struct WarningsOnly;

impl Observer for WarningsOnly {
    fn event(&self, event: &Event<'_>) {
        if let Event::Warning { text } = event {
            say(&format!("warning: {}", printable(text)));
        }
    }
}

/// One line on standard error. Nobody can be told that standard error is closed.
#[expect(clippy::print_stderr, reason = "this is the program's voice")]
fn say(line: &str) {
    eprintln!("{line}");
}

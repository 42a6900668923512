//! Progress on standard error: bars on a terminal, a line an event otherwise, warnings alone when quiet.

mod bars;
mod lines;

use std::io::{self, IsTerminal, Write as _};
use std::sync::Arc;

use sealift_oci::escaped;
use sealift_pipeline::{Event, Observer};

use bars::Bars;
use lines::Lines;

/// The observer for this process's standard error.
pub(crate) fn observer(quiet: bool) -> Arc<dyn Observer> {
    if quiet {
        Arc::new(WarningsOnly)
    } else if std::io::stderr().is_terminal() {
        Arc::new(Bars::new())
    } else {
        Arc::new(Lines::new())
    }
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
    line(&format!("warning: {text}"));
}

/// Something to know, from a command that has no observer.
pub(crate) fn note(text: &str) {
    line(text);
}

/// One line on standard error, escaped: names in it may come from outside.
fn line(text: &str) {
    say(&escaped(text));
}

/// Text that is escaped already, on standard error. Nobody can be told that standard error is closed.
pub(crate) fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

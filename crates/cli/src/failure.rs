//! A command that did not succeed: the error, what to try, and the exit code.

use std::error::Error;
use std::fmt;

use sealift_archive::OpenError;
use sealift_pipeline::Cancelled;

use crate::exit::Exit;

/// A command's failure, ready to be shown.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    message: String,
    hints: Vec<String>,
}

impl Failure {
    /// A failure with the words of `error`, causes included.
    pub(crate) fn new(exit: Exit, error: &(dyn Error + 'static)) -> Self {
        Self {
            exit,
            message: chain(error),
            hints: Vec::new(),
        }
    }

    /// A failure in the command line's own words.
    pub(crate) fn message(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            hints: Vec::new(),
        }
    }

    /// A failure that prints nothing.
    pub(crate) fn silent(exit: Exit) -> Self {
        Self::message(exit, "")
    }

    /// Whether nothing is printed.
    pub(crate) fn is_silent(&self) -> bool {
        self.message.is_empty()
    }

    /// The same with one more thing to try.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        (&error).into()
    }
}

impl From<&OpenError> for Failure {
    fn from(error: &OpenError) -> Self {
        match error {
            OpenError::Io { .. } => Self::new(Exit::Failed, error),
            OpenError::Fault { .. } => Self::new(Exit::Damaged, error).hint(
                "compare the file with the one that was written (its size, sha256sum), and copy it again",
            ),
        }
    }
}

impl From<Cancelled> for Failure {
    fn from(cancelled: Cancelled) -> Self {
        Self::new(Exit::Interrupted, &cancelled).hint("run the same command again: it resumes")
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", printable(&self.message))?;
        for hint in &self.hints {
            write!(f, "\nhint: {}", printable(hint))?;
        }
        Ok(())
    }
}

/// The error and its causes, without those that only repeat what was said.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = error.source();
    }
    text
}

/// `text` without characters that a terminal would obey: names come from outside. Tabs and the ends of
/// lines stay, those of two characters too, so that a printed difference can be applied.
pub(crate) fn printable(text: &str) -> String {
    let mut left = text.chars().peekable();
    let mut out = String::with_capacity(text.len());
    while let Some(c) = left.next() {
        let harmless = match c {
            '\n' | '\t' => true,
            '\r' => left.peek() == Some(&'\n'),
            _ => !c.is_control(),
        };
        out.push(if harmless { c } else { '\u{fffd}' });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let failure = Failure::message(Exit::Failed, "bad \u{1b}[2J name").hint("look\r");
        assert_eq!(
            failure.to_string(),
            "error: bad \u{fffd}[2J name\nhint: look\u{fffd}"
        );
    }

    #[test]
    fn the_lines_of_a_text_stay_as_they_are() {
        assert_eq!(printable("-\ta\r\n+\tb\r\n"), "-\ta\r\n+\tb\r\n");
        assert_eq!(printable("a\rb\r"), "a\u{fffd}b\u{fffd}");
    }
}

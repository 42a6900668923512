//! A command that did not succeed: the error, what to try, and the exit code.

use std::error::Error;
use std::io;
use std::iter;

use sealift_archive::{AbsentBases, BasesError, ChainError, NoScratch, OpenError, Unreadable};
use sealift_oci::escaped;
use sealift_pipeline::Cancelled;

use crate::exit::Exit;
use crate::hints::{self, Hint};
use crate::interruption::Kept;
use crate::progress;

/// A command's failure, ready to be shown.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    message: String,
    items: Vec<String>,
    hints: Vec<Hint>,
}

impl Failure {
    /// A failure with the words of `error`, causes included.
    pub(crate) fn new(exit: Exit, error: &(dyn Error + 'static)) -> Self {
        let failure = Self::message(exit, chain(error));
        if is_too_large_a_file(error) {
            failure.hint(
                "raise the limit on the size of files (ulimit -f), or write to another file system",
            )
        } else {
            failure
        }
    }

    /// A failure in the command line's own words.
    pub(crate) fn message(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            items: Vec::new(),
            hints: Vec::new(),
        }
    }

    /// The same with the lines of a list below the message.
    pub(crate) fn items(mut self, items: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.items.extend(items.into_iter().map(Into::into));
        self
    }

    /// A failure that prints nothing.
    pub(crate) fn silent(exit: Exit) -> Self {
        Self::message(exit, "")
    }

    /// Whether nothing is printed.
    pub(crate) fn is_silent(&self) -> bool {
        self.message.is_empty()
    }

    /// Writes it to standard error. The command keeps `kept` when it does not succeed.
    pub(crate) fn report(&self, kept: Kept) {
        let hints = self.hints(kept);
        progress::error(&self.text(&hints), &self.message, &self.items, &hints);
    }

    /// The words of what to try.
    fn hints(&self, kept: Kept) -> Vec<String> {
        let again = (self.exit == Exit::Interrupted).then_some(Hint::Again(None));
        let hints = self.hints.iter().chain(&again);
        hints.map(|hint| hint.words(kept)).collect()
    }

    /// All of it for people. Each part is one line, whatever is in a name that it repeats.
    fn text(&self, hints: &[String]) -> String {
        let message = format!("error: {}", escaped(&self.message));
        let items = self.items.iter().map(|item| format!("  {}", escaped(item)));
        let hints = hints.iter().map(|hint| format!("hint: {}", escaped(hint)));
        let lines: Vec<String> = iter::once(message).chain(items).chain(hints).collect();
        lines.join("\n")
    }

    /// The same with one more thing to try.
    pub(crate) fn hint(mut self, hint: impl Into<Hint>) -> Self {
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
            OpenError::Io { name, source } if source.kind() == io::ErrorKind::IsADirectory => {
                Self::new(Exit::Failed, error).hint(format!(
                    "a bundle is a single file; if another tool wrote it as a folder, pack it: tar -cf bundle.tar -C {name} ."
                ))
            }
            OpenError::Io { .. } => Self::new(Exit::Failed, error),
            OpenError::Record { .. } => Self::new(Exit::Usage, error).hint(
                "a record can be used as the base of a delta bundle: bundle --base FILE, compact --base FILE",
            ),
            OpenError::Unfinished { .. } => Self::new(Exit::Damaged, error)
                .hint("run the command that writes it again: it resumes"),
            OpenError::Chain(chain) => chain.into(),
            OpenError::Fault { .. } => Self::new(Exit::Damaged, error).hint(
                "compare the file with the one that was written (its size, sha256sum), and copy it again",
            ),
        }
    }
}

impl From<AbsentBases> for Failure {
    fn from(error: AbsentBases) -> Self {
        Self::new(Exit::Failed, &error).hint(hints::BASE)
    }
}

impl From<Unreadable> for Failure {
    fn from(error: Unreadable) -> Self {
        match error {
            Unreadable::Absent(absent) => absent.into(),
            Unreadable::Scratch(scratch) => scratch.into(),
        }
    }
}

impl From<NoScratch> for Failure {
    fn from(error: NoScratch) -> Self {
        Self::new(Exit::Failed, &error).hint(hints::SCRATCH)
    }
}

impl From<BasesError> for Failure {
    fn from(error: BasesError) -> Self {
        match &error {
            BasesError::Open(error) => error.into(),
            BasesError::Chain(error) => error.into(),
            BasesError::NoBlobs { .. } => Self::new(Exit::Usage, &error),
        }
    }
}

impl From<&ChainError> for Failure {
    fn from(error: &ChainError) -> Self {
        match error {
            ChainError::Circle { .. } => Self::new(Exit::Damaged, error),
            ChainError::Full { .. } | ChainError::TooLong { .. } => Self::new(Exit::Failed, error),
        }
    }
}

impl From<Cancelled> for Failure {
    fn from(cancelled: Cancelled) -> Self {
        Self::new(Exit::Interrupted, &cancelled)
    }
}

/// Whether a file would have become larger than the process or the file system allows.
fn is_too_large_a_file(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let file = error.downcast_ref::<io::Error>();
        if file.is_some_and(|error| error.kind() == io::ErrorKind::FileTooLarge) {
            return true;
        }
        cause = error.source();
    }
    false
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_a_failure_is_one_line() {
        let failure = Failure::message(Exit::Failed, "bad \u{1b}[2J name")
            .items(["a\nhint: b"])
            .hint("look\r");
        assert_eq!(
            failure.text(&failure.hints(Kept::Progress)),
            "error: bad \\u{1b}[2J name\n  a\\nhint: b\nhint: look\\r"
        );
    }
}

//! Numbered steps with the commands of each, as Markdown.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Steps in the order in which they are taken.
#[derive(Default)]
pub(super) struct Steps {
    text: String,
    count: usize,
}

impl Steps {
    /// Adds a step; without commands it is something that only the reader can do.
    pub(super) fn add(&mut self, what: &str, commands: &[String]) {
        self.count += 1;
        let _ = write!(self.text, "\n{}. {what}\n", self.count);
        if !commands.is_empty() {
            self.text.push('\n');
        }
        for command in commands {
            let _ = writeln!(self.text, "       {command}");
        }
    }

    /// The Markdown list.
    pub(super) fn into_text(self) -> String {
        self.text
    }
}

/// A path as one word of a shell command.
pub(super) fn word(path: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "./_-+@:,=%".contains(c);
    if !path.is_empty() && path.chars().all(plain) {
        return Cow::Borrowed(path);
    }
    Cow::Owned(format!("'{}'", path.replace('\'', "'\\''")))
}

/// Applies a file of ours.
pub(super) fn apply(file: &str) -> String {
    format!("kubectl apply -f {}", word(file))
}

/// Applies a manifest of the release as Calico's upgrade instructions do, so that it also replaces what an
/// older release applied in another way.
pub(super) fn apply_release(file: &str) -> String {
    format!(
        "kubectl apply --server-side --force-conflicts -f {}",
        word(file)
    )
}

/// Applies a resource of the user's: again without effect, and refused if someone else set its fields to
/// other values.
pub(super) fn apply_own(file: &str) -> String {
    format!("kubectl apply --server-side -f {}", word(file))
}

//! What to try after a failure. Libraries say what happened; what to do about it, in this program's flags, is
//! here and nowhere else.

use std::io;

use crate::interruption::Kept;

pub(crate) mod bundle;
pub(crate) mod load;
pub(crate) mod registry;

/// Something to try after a failure.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Hint {
    /// This text.
    Text(String),
    /// The same command again, after this if anything is to be done first.
    Again(Option<&'static str>),
}

impl Hint {
    /// Its words, for a command that keeps `kept` when it fails.
    pub(crate) fn words(&self, kept: Kept) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Again(None) => kept.hint().to_owned(),
            Self::Again(Some(first)) => format!("{first}; then {}", kept.hint()),
        }
    }
}

impl From<String> for Hint {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Hint {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// What to try if there is not enough scratch space.
pub(crate) const SCRATCH: &str =
    "free some space, or use --scratch-dir with a folder that has more";
/// What to try if scratch space cannot be used because of `error`.
pub(crate) fn scratch(error: &io::Error) -> Option<&'static str> {
    Some(match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => SCRATCH,
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            "use --scratch-dir with a folder that exists"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "use --scratch-dir with a folder that can be written to"
        }
        _ => return None,
    })
}

/// What to try if another process writes the same file.
pub(crate) const LOCKED: &str = "wait until the other process has finished, or choose another name";
/// What to try if there is not enough space for the output.
pub(crate) const SPACE: &str = "free some space, or write to a folder that has more";
/// What to try if something else has the output's name.
pub(crate) const EXISTS: &str = "use --force to replace it, or choose another name";
/// What to try if blobs of a delta's base are absent.
pub(crate) const BASE: &str = "give the bundle with that identity with --base FILE (sealift inspect shows the identity of a bundle)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_command_that_keeps_something_resumes() {
        let again = Hint::Again(Some("check the network"));
        assert_eq!(
            again.words(Kept::Progress),
            "check the network; then run the same command again: it resumes"
        );
        assert_eq!(
            again.words(Kept::Nothing),
            "check the network; then run the same command again: it starts from the beginning"
        );
    }
}

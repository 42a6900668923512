//! The exit codes, in one place; the README's table repeats them for people.

use std::process::ExitCode;

/// How a command ended, as a script sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All that was asked for is done.
    Done = 0,
    /// It failed, and nothing half-done is visible.
    Failed = 1,
    /// The arguments or an input file make no sense; nothing was tried.
    Usage = 2,
    /// Some tags moved and some did not; both are listed.
    TagsPartlyMoved = 3,
    /// A bundle or an archive is damaged or malformed.
    Damaged = 4,
    /// The destination has something else under a name that would be written, or two images would get
    /// one name; nothing was written.
    Conflict = 5,
    /// `check` found something missing or different at the registry.
    Different = 6,
    /// Stopped by Ctrl-C or a signal; the same command goes on where it stopped.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The codes, for `--help`.
pub(crate) const HELP: &str = "\
Exit codes:
    0  done
    1  failed; nothing half-done is visible, and the same command goes on where it stopped
    2  used wrongly: the arguments or an input file make no sense; nothing was tried
    3  some tags moved and some did not; both are listed
    4  the bundle or archive is damaged or malformed
    5  conflict at the destination (a tag points elsewhere, two images would get one name, a file is
       in the way); nothing was written
    6  `check` found something missing or different in the registry
  130  interrupted; the same command goes on where it stopped";

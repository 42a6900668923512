//! The exit codes, in one place; the README's table repeats them for people.

use std::process::ExitCode;

/// How a command ended, as a script sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Success.
    Done = 0,
    /// It failed, and nothing incomplete is visible.
    Failed = 1,
    /// The arguments or an input file are invalid; nothing was attempted.
    Usage = 2,
    /// Some tags moved and some did not; both are listed.
    TagsPartlyMoved = 3,
    /// A bundle, an archive or a base of a delta is corrupt or malformed.
    Damaged = 4,
    /// Something else exists under a name that would be written, or two images would get one name; nothing was
    /// written.
    Conflict = 5,
    /// `check` found something missing or different at the registry.
    Different = 6,
    /// `bundle` omitted images that could not be resolved, as it was told to: the bundle is incomplete.
    Incomplete = 7,
    /// Stopped by Ctrl-C or a signal.
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
    0  success
    1  failed; nothing incomplete is visible, and the same command resumes
    2  usage error: invalid arguments or input; nothing was attempted
    3  some tags moved and some did not; both are listed
    4  the bundle, an archive or a base is corrupt or malformed
    5  conflict at the destination (a tag points elsewhere, two images would get one name, a file
       exists); nothing was written
    6  check found something missing or different in the registry
    7  bundle --keep-going omitted images that could not be resolved; the bundle is incomplete
  130  interrupted; the same command resumes, or starts again if it keeps nothing";

//! Names under which files are carried: relative paths that are safe on any file system.

use std::fmt;

/// What is wrong with a name that was to become a file's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameFault {
    /// It has no characters, or more than 255 bytes.
    Length,
    /// It is `.` or `..`, or it has a `/` or `\` in it.
    Path,
    /// A character that terminals or file systems act on: control characters, marks that turn the
    /// direction of writing, `< > : " | ? *`.
    Character,
    /// A name that stands for a device on Windows, or ends in a dot or a space, which Windows drops.
    Reserved,
}

impl fmt::Display for NameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "a name has 1 to 255 bytes",
            Self::Path => "a name is one component, without / and \\, and not . or ..",
            Self::Character => "a name has no control characters and none of < > : \" | ? *",
            Self::Reserved => {
                "a name is not one that Windows keeps for devices, and does not end in a dot or a space"
            }
        })
    }
}

/// Names that Windows keeps for devices, with and without something after a dot.
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];

/// Checks that `name` is one component that every file system takes and no terminal acts on. Sticks are
/// read on other systems than they are written on, so the strictest rules hold everywhere.
pub(super) fn check_name(name: &str) -> Result<(), NameFault> {
    if name.is_empty() || name.len() > 255 {
        return Err(NameFault::Length);
    }
    if name == "." || name == ".." || name.contains(['/', '\\']) {
        return Err(NameFault::Path);
    }
    if name
        .chars()
        .any(|c| c.is_control() || turns(c) || "<>:\"|?*".contains(c))
    {
        return Err(NameFault::Character);
    }
    let stem = name
        .split('.')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let numbered = ["com", "lpt"].iter().any(|device| {
        stem.strip_prefix(device)
            .is_some_and(|number| number.len() == 1 && matches!(number.as_bytes(), [b'1'..=b'9']))
    });
    if numbered || DEVICES.contains(&stem.as_str()) || name.ends_with(['.', ' ']) {
        return Err(NameFault::Reserved);
    }
    Ok(())
}

/// Marks that make a terminal show a name in another order than its own, or not at all.
fn turns(c: char) -> bool {
    matches!(
        c,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_pass() {
        for name in [
            "a",
            "install.yaml",
            ".hidden",
            "Ünï cödé (1).txt",
            "..a",
            "com10",
            "console",
        ] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        assert_eq!(check_name(&"n".repeat(255)), Ok(()));
    }

    #[test]
    fn names_that_are_paths_or_do_something_are_refused() {
        for (name, fault) in [
            ("", NameFault::Length),
            (&*"n".repeat(256), NameFault::Length),
            (".", NameFault::Path),
            ("..", NameFault::Path),
            ("a/b", NameFault::Path),
            ("/etc", NameFault::Path),
            ("..\\a", NameFault::Path),
            ("a\nb", NameFault::Character),
            ("a\u{1b}[2J", NameFault::Character),
            ("a\u{202e}b", NameFault::Character),
            ("C:", NameFault::Character),
            ("nul", NameFault::Reserved),
            ("NUL.txt", NameFault::Reserved),
            ("com1", NameFault::Reserved),
            ("a.", NameFault::Reserved),
            ("a ", NameFault::Reserved),
        ] {
            assert_eq!(check_name(name), Err(fault), "{name:?}");
        }
    }
}

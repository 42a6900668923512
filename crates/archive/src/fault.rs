//! Something wrong in an archive, with its location.

use std::fmt::Write as _;

use sealift_oci::excerpt;

/// Something wrong in an archive, with its location in the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{entry} at byte {offset}: {what}")]
pub struct Fault {
    /// The entry, or what stands where one should.
    pub entry: String,
    /// Where in the file, in bytes from its start.
    pub offset: u64,
    /// What is wrong, and what was expected.
    pub what: String,
}

impl Fault {
    /// A fault of `entry`, which begins at `offset`.
    pub fn new(entry: impl Into<String>, offset: u64, what: impl Into<String>) -> Self {
        Self {
            entry: entry.into(),
            offset,
            what: what.into(),
        }
    }
}

/// A name from outside: escaped, and no longer than a line.
pub(crate) fn shown(name: &str) -> String {
    const CHARS: usize = 120;
    excerpt(name, CHARS)
}

/// As [`shown`], for a name that may not be UTF-8: its other bytes are written as `\xNN`.
pub(crate) fn shown_bytes(name: &[u8]) -> String {
    let mut text = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    shown(&text)
}

//! Something wrong in an archive, with its location.

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

//! Files that the caller writes.

/// A file to write: where, relative to the folder that the caller chose, and its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputFile {
    /// The file's name, with `/` after folders; never absolute, without `..`.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
    /// Whether it contains credentials: it must be readable only by its owner and never printed.
    pub secret: bool,
}

impl OutputFile {
    pub(crate) fn text(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            bytes: text.into().into_bytes(),
            secret: false,
        }
    }
}

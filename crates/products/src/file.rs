/// A file that the caller may write: where, relative to the folder that it chose, and the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputFile {
    /// The file's name, with `/` before folders that it needs; never absolute, no `..`.
    pub name: String,
    /// What goes into it.
    pub bytes: Vec<u8>,
    /// Whether it holds credentials: it must be readable by its owner alone and never printed.
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

//! The one error type of the crate.

use std::io;

/// What can go wrong while a stream is analysed, opened or rebuilt.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Reading the input or writing the output failed.
    #[error("input or output failed: {0}")]
    Io(#[source] io::Error),
    /// The bytes are not a recipe that this version understands.
    #[error("not a usable recipe: {0}")]
    BadRecipe(&'static str),
    /// The compressed stream is damaged or cut short.
    #[error("damaged deflate stream: {0}")]
    BadStream(&'static str),
    /// The plain content is shorter or longer than the recipe says.
    #[error("plain content does not fit the recipe: {0}")]
    WrongContent(&'static str),
    /// The stream ends before the requested offset.
    #[error("offset {offset} is beyond the end of the stream at {len}")]
    BadOffset {
        /// The offset.
        offset: u64,
        /// The stream's length.
        len: u64,
    },
}

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl From<io::Error> for Error {
    /// An error of this crate that went through a [`std::io::Read`] comes out as it went in.
    fn from(error: io::Error) -> Self {
        match error.downcast() {
            Ok(own) => own,
            Err(error) => Self::Io(error),
        }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Io(error) => error,
            other => Self::new(io::ErrorKind::InvalidData, other),
        }
    }
}

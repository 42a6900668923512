//! The error type of the crate.

use std::io;

/// Why a stream could not be decoded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The stored bytes end before the stream does.
    #[error("the compressed stream ends early")]
    Ended,
    /// The stream ends before the stored bytes do.
    #[error("the compressed stream has unused bytes")]
    Unused,
    /// A number of the stream is longer than what is left of it, or is 0 where that cannot be.
    #[error("the compressed stream contains an invalid number")]
    Number,
    /// Reading the stored bytes failed.
    #[error("failed to read the compressed stream: {0}")]
    Read(#[source] io::Error),
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Read(error) => error,
            error => Self::new(io::ErrorKind::InvalidData, error),
        }
    }
}

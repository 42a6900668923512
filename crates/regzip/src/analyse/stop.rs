//! Why an analysis ends without a recipe.

use crate::encoder::Encoder;
use crate::error::Error;

/// Why a stream has to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// It is neither gzip nor zlib.
    NotCompressed,
    /// It cannot be decoded.
    Damaged(&'static str),
    /// No known encoder writes these bytes. If one wrote the beginning, it and the number of plain
    /// bytes read when it went wrong.
    UnknownEncoder(Option<(Encoder, u64)>),
    /// Too many bytes follow the last member.
    TrailingData,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotCompressed => f.write_str("neither gzip nor zlib"),
            Self::Damaged(why) => write!(f, "damaged: {why}"),
            Self::UnknownEncoder(None) => f.write_str("unknown encoder"),
            Self::UnknownEncoder(Some((encoder, at))) => {
                write!(f, "unknown encoder, like {encoder} up to plain byte {at}")
            }
            Self::TrailingData => f.write_str("too many bytes after the last member"),
        }
    }
}

/// Why an analysis ends early.
pub(super) enum Stop {
    Verbatim(Reason),
    Error(Error),
}

impl<E: Into<Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

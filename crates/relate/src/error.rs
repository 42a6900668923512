//! The error types of the crate.

use std::io;

use crate::codec::Codec;
use crate::stream::StreamId;

/// Why a content could not be encoded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Reading the new content failed.
    #[error("reading the content failed: {0}")]
    Content(#[source] io::Error),
    /// Reading a base failed.
    #[error("reading base {index} failed: {source}")]
    Base {
        /// Which of the given bases, from 0.
        index: usize,
        /// What the medium reported.
        source: io::Error,
    },
    /// The content is too long to be loaded, and shares so little with the bases that its streams would not fit either.
    #[error("the content has too little in common with its bases")]
    TooDifferent,
    /// The decoder did not reproduce the content: a fault of this crate.
    #[error("the decoder does not reproduce the content: {0}")]
    Unproved(#[source] DecodeError),
}

/// Why streams could not be decoded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The codec or its version is not known.
    #[error("unknown codec: {0}")]
    UnknownCodec(Codec),
    /// A stream is given that the codec does not define.
    #[error("unexpected stream: {0}")]
    UnexpectedStream(StreamId),
    /// A stream is given twice.
    #[error("stream given twice: {0}")]
    RepeatedStream(StreamId),
    /// A stream ends before the content is complete.
    #[error("stream of {0} ends early")]
    Ended(StreamId),
    /// A stream goes on after the content is complete.
    #[error("stream of {0} has unused bytes")]
    Unused(StreamId),
    /// A stream contains something invalid.
    #[error("stream of {stream} is invalid: {reason}")]
    Invalid {
        /// The stream.
        stream: StreamId,
        /// What is invalid.
        reason: &'static str,
    },
    /// More bases than a content may have.
    #[error("too many bases")]
    TooManyBases,
    /// The bases together are longer than positions can address.
    #[error("bases are too long together")]
    BasesTooLong,
    /// Reading a stream failed.
    #[error("reading the stream of {stream} failed: {source}")]
    Stream {
        /// The stream.
        stream: StreamId,
        /// What its reader reported.
        source: io::Error,
    },
    /// Reading a base failed.
    #[error("reading base {index} failed: {source}")]
    Base {
        /// Which of the given bases, from 0.
        index: usize,
        /// What the medium reported.
        source: io::Error,
    },
    /// Writing the target or reading back from it failed.
    #[error("writing or reading the target failed: {0}")]
    Target(#[source] io::Error),
}

//! Streams in errors.

use crate::error::DecodeError;
use crate::stream::{Class, StreamId};

pub(crate) use crate::stream::PythonStream as Stream;

impl Stream {
    pub(crate) fn id(self) -> StreamId {
        StreamId {
            class: Class::Python,
            kind: self as u8,
        }
    }

    /// The error for a value that no encoder writes.
    pub(crate) fn invalid(self, reason: &'static str) -> DecodeError {
        let stream = self.id();
        DecodeError::Invalid { stream, reason }
    }
}

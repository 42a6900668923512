//! Coders: how runs of bytes of a module are turned into streams and back.

use crate::channel::{Reader, Readers, Sinks};
use crate::error::DecodeError;
use crate::stream::Class;
use crate::varint::{self, unzigzag, zigzag};

use super::stream::Stream;

/// Stores a run of bytes.
pub(crate) trait Coder {
    /// Stores `bytes`.
    fn put(&mut self, bytes: &[u8], sinks: &mut Sinks) -> Result<(), DecodeError>;

    /// The stored bytes, at most `remaining`.
    fn get(&mut self, remaining: usize, readers: &mut Readers<'_>) -> Result<Vec<u8>, DecodeError>;
}

/// Stores bytes that a [`Coder`] left as zeros.
pub(crate) trait Patch {
    /// Stores what is missing of `bytes`.
    fn put(&mut self, bytes: &[u8], sinks: &mut Sinks) -> Result<(), DecodeError>;

    /// Completes `bytes`.
    fn get(&mut self, bytes: &mut [u8], readers: &mut Readers<'_>) -> Result<(), DecodeError>;
}

/// Bytes as they are, with their number.
pub(crate) struct Plain(pub(crate) Stream);

impl Coder for Plain {
    fn put(&mut self, bytes: &[u8], sinks: &mut Sinks) -> Result<(), DecodeError> {
        put(sinks, Stream::Counts, bytes.len() as u64);
        sink(sinks, self.0).extend_from_slice(bytes);
        Ok(())
    }

    fn get(&mut self, remaining: usize, readers: &mut Readers<'_>) -> Result<Vec<u8>, DecodeError> {
        let len = get_length(readers, Stream::Counts, remaining)?;
        get_bytes(readers, self.0, len)
    }
}

pub(crate) fn sink(sinks: &mut Sinks, stream: Stream) -> &mut Vec<u8> {
    sinks.stream(Class::Python, stream as u8)
}

pub(crate) fn reader<'r, 'a>(readers: &'r mut Readers<'a>, stream: Stream) -> &'r mut Reader<'a> {
    readers.reader(Class::Python, stream as u8)
}

pub(crate) fn put(sinks: &mut Sinks, stream: Stream, value: u64) {
    varint::put(sink(sinks, stream), value);
}

pub(crate) fn put_signed(sinks: &mut Sinks, stream: Stream, value: i64) {
    put(sinks, stream, zigzag(value));
}

pub(crate) fn get(readers: &mut Readers<'_>, stream: Stream) -> Result<u64, DecodeError> {
    reader(readers, stream).number()
}

pub(crate) fn get_signed(readers: &mut Readers<'_>, stream: Stream) -> Result<i64, DecodeError> {
    get(readers, stream).map(unzigzag)
}

/// A number that is at most `remaining`.
pub(crate) fn get_length(
    readers: &mut Readers<'_>,
    stream: Stream,
    remaining: usize,
) -> Result<usize, DecodeError> {
    let len = usize::try_from(get(readers, stream)?).ok();
    len.filter(|len| *len <= remaining)
        .ok_or_else(|| stream.invalid("longer than the content"))
}

pub(crate) fn get_bytes(
    readers: &mut Readers<'_>,
    stream: Stream,
    len: usize,
) -> Result<Vec<u8>, DecodeError> {
    let mut bytes = vec![0; len];
    reader(readers, stream).read(&mut bytes)?;
    Ok(bytes)
}

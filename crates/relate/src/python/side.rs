//! The two sides of the walk: the encoder, which reads a module, and the decoder, which rebuilds it. Both see the
//! same bytes of the module in the same order.

use std::ops::Range;

use crate::channel::{Readers, Sinks};
use crate::codec::Codec;
use crate::error::DecodeError;
use crate::stream::Encoded;

use super::coder::{Coder, Patch, get, get_signed, put, put_signed, reader, sink};
use super::stream::Stream;

/// How a length is written in a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    One,
    Four,
}

/// One side.
pub(crate) trait Side {
    /// The part of the module that was coded so far.
    fn content(&self) -> &[u8];

    /// Passes a byte, which is stored as it is.
    fn byte(&mut self, stream: Stream) -> Result<u8, DecodeError>;

    /// Passes an integer of four bytes; its distance from what was expected is stored.
    fn integer(&mut self, stream: Stream, expected: u32) -> Result<u32, DecodeError>;

    /// Passes a length, which is stored as a number.
    fn count(&mut self, width: Width) -> Result<usize, DecodeError>;

    /// Passes so many bytes, which are stored as they are.
    fn bytes(&mut self, stream: Stream, len: usize) -> Result<(), DecodeError>;

    /// Passes a length and so many bytes as a coder stores them; where the bytes are.
    fn coded(&mut self, width: Width, coder: &mut dyn Coder) -> Result<Range<usize>, DecodeError>;

    /// Passes bytes again that were passed incompletely.
    fn patch(&mut self, range: Range<usize>, patch: &mut dyn Patch) -> Result<(), DecodeError>;

    /// Passes a number that the module does not contain, only the encoder knows.
    fn choice(&mut self, stream: Stream, truth: &dyn Fn(&[u8]) -> u64) -> Result<u64, DecodeError>;

    /// Passes bytes that follow from what was passed.
    fn derived(&mut self, bytes: &[u8]) -> Result<(), DecodeError>;

    /// Passes the end.
    fn end(&mut self) -> Result<(), DecodeError>;
}

/// The error for a module that cannot be parsed. It is never reported: the module is then encoded by matching.
fn not_a_module() -> DecodeError {
    Stream::Types.invalid("not a compiled module")
}

/// The encoder.
pub(crate) struct Encoder<'a> {
    module: &'a [u8],
    at: usize,
    sinks: Sinks,
}

impl<'a> Encoder<'a> {
    pub(crate) fn new(module: &'a [u8]) -> Self {
        Self {
            module,
            at: 0,
            sinks: Sinks::new(),
        }
    }

    pub(crate) fn finish(self) -> Encoded {
        self.sinks.finish(Codec::PYTHON)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let rest = self.module.get(self.at..).unwrap_or_default();
        let taken = rest.get(..len).ok_or_else(not_a_module)?;
        self.at += len;
        Ok(taken)
    }

    fn length(&mut self, width: Width) -> Result<usize, DecodeError> {
        match width {
            Width::One => Ok(usize::from(self.take(1)?[0])),
            Width::Four => {
                let bytes = self.take(4)?;
                let len = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
                // A negative length.
                if len > i32::MAX as u32 {
                    return Err(not_a_module());
                }
                Ok(len as usize)
            }
        }
    }
}

impl Side for Encoder<'_> {
    fn content(&self) -> &[u8] {
        &self.module[..self.at]
    }

    fn byte(&mut self, stream: Stream) -> Result<u8, DecodeError> {
        let byte = self.take(1)?[0];
        sink(&mut self.sinks, stream).push(byte);
        Ok(byte)
    }

    fn integer(&mut self, stream: Stream, expected: u32) -> Result<u32, DecodeError> {
        let bytes = self.take(4)?;
        let value = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        let distance = value.wrapping_sub(expected) as i32;
        put_signed(&mut self.sinks, stream, i64::from(distance));
        Ok(value)
    }

    fn count(&mut self, width: Width) -> Result<usize, DecodeError> {
        let len = self.length(width)?;
        put(&mut self.sinks, Stream::Counts, len as u64);
        Ok(len)
    }

    fn bytes(&mut self, stream: Stream, len: usize) -> Result<(), DecodeError> {
        let bytes = self.take(len)?;
        sink(&mut self.sinks, stream).extend_from_slice(bytes);
        Ok(())
    }

    fn coded(&mut self, width: Width, coder: &mut dyn Coder) -> Result<Range<usize>, DecodeError> {
        let len = self.length(width)?;
        let bytes = self.take(len)?;
        coder.put(bytes, &mut self.sinks)?;
        Ok(self.at - len..self.at)
    }

    fn patch(&mut self, range: Range<usize>, patch: &mut dyn Patch) -> Result<(), DecodeError> {
        patch.put(&self.module[range], &mut self.sinks)
    }

    fn choice(&mut self, stream: Stream, truth: &dyn Fn(&[u8]) -> u64) -> Result<u64, DecodeError> {
        let value = truth(&self.module[self.at..]);
        put(&mut self.sinks, stream, value);
        Ok(value)
    }

    fn derived(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        if self.take(bytes.len())? == bytes {
            return Ok(());
        }
        Err(not_a_module())
    }

    fn end(&mut self) -> Result<(), DecodeError> {
        if self.at == self.module.len() {
            return Ok(());
        }
        Err(not_a_module())
    }
}

/// The decoder.
pub(crate) struct Decoder<'a> {
    readers: Readers<'a>,
    module: Vec<u8>,
    /// How long the module is.
    len: usize,
}

impl<'a> Decoder<'a> {
    pub(crate) fn new(readers: Readers<'a>, len: usize) -> Self {
        Self {
            readers,
            module: Vec::new(),
            len,
        }
    }

    pub(crate) fn finish(self) -> Result<Vec<u8>, DecodeError> {
        self.readers.finish()?;
        Ok(self.module)
    }

    /// The bytes that are left; an error if there are fewer than `len`.
    fn remaining(&self, stream: Stream, len: usize) -> Result<usize, DecodeError> {
        let remaining = self.len - self.module.len();
        if len > remaining {
            return Err(stream.invalid("longer than the content"));
        }
        Ok(remaining)
    }

    fn push(&mut self, stream: Stream, bytes: &[u8]) -> Result<(), DecodeError> {
        self.remaining(stream, bytes.len())?;
        self.module.extend_from_slice(bytes);
        Ok(())
    }

    fn put_length(&mut self, width: Width, len: usize) -> Result<(), DecodeError> {
        let too_long = || Stream::Counts.invalid("too large");
        match width {
            Width::One => {
                let len = u8::try_from(len).map_err(|_| too_long())?;
                self.push(Stream::Counts, &[len])
            }
            Width::Four => {
                let len = i32::try_from(len).map_err(|_| too_long())?;
                self.push(Stream::Counts, &len.to_le_bytes())
            }
        }
    }
}

impl Side for Decoder<'_> {
    fn content(&self) -> &[u8] {
        &self.module
    }

    fn byte(&mut self, stream: Stream) -> Result<u8, DecodeError> {
        let byte = reader(&mut self.readers, stream).byte()?;
        self.push(stream, &[byte])?;
        Ok(byte)
    }

    fn integer(&mut self, stream: Stream, expected: u32) -> Result<u32, DecodeError> {
        let distance = get_signed(&mut self.readers, stream)?;
        let value = expected.wrapping_add(distance as u32);
        self.push(stream, &value.to_le_bytes())?;
        Ok(value)
    }

    fn count(&mut self, width: Width) -> Result<usize, DecodeError> {
        let len = get(&mut self.readers, Stream::Counts)?;
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        self.put_length(width, len)?;
        Ok(len)
    }

    fn bytes(&mut self, stream: Stream, len: usize) -> Result<(), DecodeError> {
        self.remaining(stream, len)?;
        let start = self.module.len();
        self.module.resize(start + len, 0);
        reader(&mut self.readers, stream).read(&mut self.module[start..])
    }

    fn coded(&mut self, width: Width, coder: &mut dyn Coder) -> Result<Range<usize>, DecodeError> {
        let remaining = self.remaining(Stream::Counts, 0)?;
        let bytes = coder.get(remaining, &mut self.readers)?;
        self.put_length(width, bytes.len())?;
        self.push(Stream::Counts, &bytes)?;
        Ok(self.module.len() - bytes.len()..self.module.len())
    }

    fn patch(&mut self, range: Range<usize>, patch: &mut dyn Patch) -> Result<(), DecodeError> {
        patch.get(&mut self.module[range], &mut self.readers)
    }

    fn choice(&mut self, stream: Stream, _: &dyn Fn(&[u8]) -> u64) -> Result<u64, DecodeError> {
        get(&mut self.readers, stream)
    }

    fn derived(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        self.push(Stream::References, bytes)
    }

    fn end(&mut self) -> Result<(), DecodeError> {
        Ok(())
    }
}

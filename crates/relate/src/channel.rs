//! The two ends of the streams: sinks that collect them and readers that consume them.

use std::io::{ErrorKind, Read};

use crate::codec::Codec;
use crate::error::DecodeError;
use crate::stream::{Class, Encoded, Input, Kind, Stream, StreamId};
use crate::varint;

/// Kinds and kinds of fields are numbered below this.
const KINDS: usize = 64;
/// How much of a stream is read ahead, in bytes.
const READ_AHEAD: usize = 16 << 10;

fn slot(class: Class, kind: u8) -> usize {
    class as usize * KINDS + usize::from(kind)
}

/// Collects streams while a content is encoded.
pub(crate) struct Sinks {
    bytes: Vec<Vec<u8>>,
}

impl Sinks {
    pub(crate) fn new() -> Self {
        let count = Class::ALL.len() * KINDS;
        Self {
            bytes: vec![Vec::new(); count],
        }
    }

    /// Bytes of all streams so far.
    pub(crate) fn len(&self) -> u64 {
        self.bytes.iter().map(|bytes| bytes.len() as u64).sum()
    }

    /// The bytes of a stream so far.
    pub(crate) fn stream(&mut self, class: Class, kind: u8) -> &mut Vec<u8> {
        &mut self.bytes[slot(class, kind)]
    }

    pub(crate) fn number(&mut self, class: Class, kind: Kind, value: u64) {
        varint::put(self.stream(class, kind as u8), value);
    }

    /// All streams that are not empty.
    pub(crate) fn finish(self, codec: Codec) -> Encoded {
        let ids = Class::ALL
            .into_iter()
            .flat_map(|class| (0..KINDS as u8).map(move |kind| StreamId { class, kind }));
        let streams = ids
            .zip(self.bytes)
            .filter(|(_, bytes)| !bytes.is_empty())
            .map(|(id, bytes)| Stream { id, bytes })
            .collect();
        Encoded { codec, streams }
    }
}

/// Consumes streams while a content is decoded. A stream that was not given is empty.
pub(crate) struct Readers<'a> {
    readers: Vec<Reader<'a>>,
}

impl<'a> Readers<'a> {
    /// Takes the inputs whose class is one of `classes` out of `inputs`.
    pub(crate) fn take(
        inputs: &mut Vec<Input<'a>>,
        classes: &[Class],
    ) -> Result<Self, DecodeError> {
        let mut readers: Vec<_> = (0..Class::ALL.len() * KINDS).map(Reader::empty).collect();
        let (taken, rest) = std::mem::take(inputs)
            .into_iter()
            .partition(|input| classes.contains(&input.id.class));
        *inputs = rest;
        let taken: Vec<Input<'a>> = taken;
        for input in taken {
            if usize::from(input.id.kind) >= KINDS {
                return Err(DecodeError::UnexpectedStream(input.id));
            }
            let reader = &mut readers[slot(input.id.class, input.id.kind)];
            if reader.inner.is_some() {
                return Err(DecodeError::RepeatedStream(input.id));
            }
            reader.inner = Some(input.reader);
        }
        Ok(Self { readers })
    }

    pub(crate) fn reader(&mut self, class: Class, kind: u8) -> &mut Reader<'a> {
        &mut self.readers[slot(class, kind)]
    }

    pub(crate) fn number(&mut self, class: Class, kind: Kind) -> Result<u64, DecodeError> {
        self.reader(class, kind as u8).number()
    }

    /// Checks that every stream was used up.
    pub(crate) fn finish(mut self) -> Result<(), DecodeError> {
        for reader in &mut self.readers {
            if !reader.is_at_end()? {
                return Err(DecodeError::Unused(reader.id));
            }
        }
        Ok(())
    }
}

/// One stream with what was read ahead of it.
pub(crate) struct Reader<'a> {
    id: StreamId,
    inner: Option<Box<dyn Read + 'a>>,
    ahead: Vec<u8>,
    position: usize,
}

impl Reader<'_> {
    fn empty(index: usize) -> Self {
        let class = Class::ALL[index / KINDS];
        let kind = (index % KINDS) as u8;
        Self {
            id: StreamId { class, kind },
            inner: None,
            ahead: Vec::new(),
            position: 0,
        }
    }

    /// Reads ahead until there are `wanted` bytes or the stream ends.
    fn fill(&mut self, wanted: usize) -> Result<(), DecodeError> {
        let Some(inner) = &mut self.inner else {
            return Ok(());
        };
        self.ahead.drain(..self.position);
        self.position = 0;
        let mut filled = self.ahead.len();
        self.ahead.resize(READ_AHEAD.max(wanted), 0);
        while filled < wanted {
            match inner.read(&mut self.ahead[filled..]) {
                Ok(0) => {
                    self.inner = None;
                    break;
                }
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(source) => {
                    let stream = self.id;
                    return Err(DecodeError::Stream { stream, source });
                }
            }
        }
        self.ahead.truncate(filled);
        Ok(())
    }

    pub(crate) fn is_at_end(&mut self) -> Result<bool, DecodeError> {
        if self.position == self.ahead.len() {
            self.fill(1)?;
        }
        Ok(self.position == self.ahead.len())
    }

    /// Fills `buf` with the next bytes.
    pub(crate) fn read(&mut self, mut buf: &mut [u8]) -> Result<(), DecodeError> {
        while !buf.is_empty() {
            if self.is_at_end()? {
                return Err(DecodeError::Ended(self.id));
            }
            let ahead = &self.ahead[self.position..];
            let count = ahead.len().min(buf.len());
            buf[..count].copy_from_slice(&ahead[..count]);
            self.position += count;
            buf = &mut buf[count..];
        }
        Ok(())
    }

    /// All bytes to the end; an error if there are more than `max`.
    pub(crate) fn all(&mut self, max: usize) -> Result<Vec<u8>, DecodeError> {
        self.fill(max + 1)?;
        if self.ahead.len() > max {
            let stream = self.id;
            return Err(DecodeError::Invalid {
                stream,
                reason: "too long",
            });
        }
        self.position = self.ahead.len();
        Ok(self.ahead.clone())
    }

    pub(crate) fn byte(&mut self) -> Result<u8, DecodeError> {
        if self.is_at_end()? {
            return Err(DecodeError::Ended(self.id));
        }
        self.position += 1;
        Ok(self.ahead[self.position - 1])
    }

    /// Reads a variable-length integer.
    pub(crate) fn number(&mut self) -> Result<u64, DecodeError> {
        if let Some(&byte) = self.ahead.get(self.position).filter(|byte| **byte < 0x80) {
            self.position += 1;
            return Ok(u64::from(byte));
        }
        if self.ahead.len() - self.position < varint::MAX_LEN {
            self.fill(varint::MAX_LEN)?;
        }
        let (value, len) =
            varint::get(&self.ahead[self.position..]).ok_or(DecodeError::Ended(self.id))?;
        self.position += len;
        Ok(value)
    }
}

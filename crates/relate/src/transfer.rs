//! The walk over a piece that encoder and decoder share: both come to the same bytes in the same order,
//! the encoder knowing the truth and the decoder reading it from the streams.

use crate::channel::{Readers, Sinks};
use crate::content::Content;
use crate::copies::{Copy, Piece};
use crate::error::DecodeError;
use crate::field::Field;
use crate::output::Output;
use crate::stream::{Class, Kind, StreamId};
use crate::varint::{self, unzigzag, zigzag};

/// How many bytes are worked on at a time.
pub(crate) const CHUNK: u64 = 64 << 10;

/// One side of the streams. Positions are relative to the new content.
pub(crate) trait Side {
    /// Sets `buf` to the literals at `at`.
    fn literals(&mut self, stored: &Stored, at: u64, buf: &mut [u8]) -> Result<(), DecodeError>;

    /// Passes as much of the `len` bytes at `at` as is in columns, and returns how much that is.
    fn columns(&mut self, columns: &dyn Columns, at: u64, len: u64) -> Result<u64, DecodeError>;

    /// Changes `buf` from the copied bytes to the bytes at `at`.
    fn differences(&mut self, kind: Kind, at: u64, buf: &mut [u8]) -> Result<(), DecodeError>;

    /// The true value of a field of `width` bytes at `at`, given the predicted one.
    fn field(
        &mut self,
        field: Field,
        at: u64,
        width: usize,
        predicted: u64,
    ) -> Result<u64, DecodeError>;

    /// The true value of a LEB128 integer of `width` bytes at `at`, given the predicted one; `None` if its length has changed.
    fn integer(
        &mut self,
        field: Field,
        at: u64,
        width: usize,
        predicted: u64,
    ) -> Result<Option<u64>, DecodeError>;

    /// Reads bytes of the new content that were passed before.
    fn read_back(&mut self, at: u64, buf: &mut [u8]) -> Result<(), DecodeError>;

    /// Passes finished bytes.
    fn write(&mut self, at: u64, buf: &[u8]) -> Result<(), DecodeError>;
}

/// Which way bytes are changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From the original bytes to those that are stored.
    Store,
    /// Back.
    Restore,
}

/// How literals are stored: as other bytes of the same length.
pub(crate) trait Form {
    /// Literals are changed in pieces of so many bytes, from the first on.
    fn piece(&self) -> u64 {
        CHUNK
    }

    /// Changes a piece, the bytes that start `offset` bytes behind the start of the part.
    fn change(&self, direction: Direction, offset: u64, bytes: &mut [u8]);
}

/// How the literals of a part are stored.
pub(crate) struct Stored {
    /// The kind of stream that they are in.
    pub(crate) kind: Kind,
    pub(crate) form: Box<dyn Form>,
    /// Where the part starts.
    pub(crate) start: u64,
}

/// As they are.
pub(crate) struct Unchanged;

impl Form for Unchanged {
    fn change(&self, _: Direction, _: u64, _: &mut [u8]) {}
}

/// How a part is divided into columns.
pub(crate) trait Columns {
    /// Divides as much of `bytes` from the front as is understood, and returns how much that is.
    fn divide(&self, bytes: &[u8], sinks: &mut Sinks) -> usize;

    /// Joins what is in columns of a part of `len` bytes, and returns how much that is. `write` is given the bytes in order.
    fn join(
        &self,
        len: u64,
        readers: &mut Readers<'_>,
        write: &mut dyn FnMut(&[u8]) -> Result<(), DecodeError>,
    ) -> Result<u64, DecodeError>;
}

/// A content has at most so many bases: of each, something is kept in memory.
const MAX_BASES: usize = 64;

/// The bases and the new content as one range of positions.
pub(crate) struct Space<'a> {
    bases: &'a [&'a dyn Content],
    /// Where each base ends.
    pub(crate) boundaries: Vec<u64>,
}

impl<'a> Space<'a> {
    /// An error if there are more than [`MAX_BASES`], or if the positions of the bases and of `len` new bytes do not fit 62
    /// bits.
    pub(crate) fn new(bases: &'a [&'a dyn Content], len: u64) -> Result<Self, DecodeError> {
        if bases.len() > MAX_BASES {
            return Err(DecodeError::TooManyBases);
        }
        let mut boundaries = Vec::with_capacity(bases.len());
        let mut end = 0u64;
        for base in bases {
            end = end.saturating_add(base.len());
            boundaries.push(end);
        }
        if end.saturating_add(len) >= 1 << 62 {
            return Err(DecodeError::BasesTooLong);
        }
        Ok(Self { bases, boundaries })
    }

    /// The position of the new content's first byte.
    pub(crate) fn new_start(&self) -> u64 {
        self.boundaries.last().copied().unwrap_or(0)
    }

    /// Which base a position lies in; the number of bases if it lies in the new content.
    pub(crate) fn base_of(&self, position: u64) -> usize {
        self.boundaries.partition_point(|end| *end <= position)
    }

    /// The position of a base's first byte.
    pub(crate) fn start_of(&self, base: usize) -> u64 {
        base.checked_sub(1)
            .map_or(0, |before| self.boundaries[before])
    }

    /// Reads copied bytes.
    pub(crate) fn read(
        &self,
        side: &mut impl Side,
        at: u64,
        buf: &mut [u8],
    ) -> Result<(), DecodeError> {
        let index = self.base_of(at);
        let Some(base) = self.bases.get(index) else {
            return side.read_back(at - self.new_start(), buf);
        };
        let read = base.read_at(buf, at - self.start_of(index));
        read.map_err(|source| DecodeError::Base { index, source })
    }
}

/// The first `len` bytes of a buffer, which grows if it has to; what is in them is unspecified.
pub(crate) fn room(buf: &mut Vec<u8>, len: usize) -> &mut [u8] {
    if buf.len() < len {
        buf.resize(len, 0);
    }
    &mut buf[..len]
}

/// Passes a piece: literals and copies in turn. `next` gives the copies.
pub(crate) fn piece<S: Side>(
    side: &mut S,
    space: &Space<'_>,
    piece: Piece,
    mut next: impl FnMut() -> Result<Option<Copy>, DecodeError>,
) -> Result<(), DecodeError> {
    let stored = Stored {
        kind: piece.kind,
        form: Box::new(Unchanged),
        start: 0,
    };
    let mut buf = Vec::new();
    let mut position = piece.start;
    loop {
        let copy = next()?;
        let until = copy.map_or(piece.end, |copy| copy.at);
        literals(side, space, &stored, position..until, &mut buf)?;
        let Some(copy) = copy else {
            return Ok(());
        };
        copied(side, space, piece.kind, copy, &mut buf)?;
        position = copy.at + copy.len;
    }
}

pub(crate) fn literals<S: Side>(
    side: &mut S,
    space: &Space<'_>,
    stored: &Stored,
    range: std::ops::Range<u64>,
    buf: &mut Vec<u8>,
) -> Result<(), DecodeError> {
    let mut at = range.start - space.new_start();
    let end = range.end - space.new_start();
    while at < end {
        let literals = room(buf, (end - at).min(stored.form.piece()) as usize);
        side.literals(stored, at, literals)?;
        side.write(at, literals)?;
        at += literals.len() as u64;
    }
    Ok(())
}

pub(crate) fn copied<S: Side>(
    side: &mut S,
    space: &Space<'_>,
    kind: Kind,
    copy: Copy,
    buf: &mut Vec<u8>,
) -> Result<(), DecodeError> {
    // A copy may repeat bytes that it has itself brought.
    let step = CHUNK.min(copy.at - copy.source);
    let mut done = 0;
    while done < copy.len {
        let copied = room(buf, (copy.len - done).min(step) as usize);
        space.read(side, copy.source + done, copied)?;
        let at = copy.at + done - space.new_start();
        side.differences(kind, at, copied)?;
        side.write(at, copied)?;
        done += copied.len() as u64;
    }
    Ok(())
}

/// The encoder's side.
pub(crate) struct Encoding<'a> {
    truth: Truth<'a>,
    pub(crate) sinks: Sinks,
    /// Equal bytes since the last that was not, by kind.
    gaps: Vec<u64>,
}

/// The new content: in memory, or read as needed.
enum Truth<'a> {
    Loaded(&'a [u8]),
    Read(&'a dyn Content, Vec<u8>),
}

impl Truth<'_> {
    fn get(&mut self, at: u64, len: usize) -> Result<&[u8], DecodeError> {
        match self {
            Self::Loaded(bytes) => Ok(&bytes[at as usize..at as usize + len]),
            Self::Read(content, buf) => {
                buf.resize(len, 0);
                content.read_at(buf, at).map_err(DecodeError::Target)?;
                Ok(buf)
            }
        }
    }
}

impl<'a> Encoding<'a> {
    /// A side that knows the new content.
    pub(crate) fn new(truth: &'a [u8]) -> Self {
        Self::with(Truth::Loaded(truth))
    }

    /// A side that reads the new content.
    pub(crate) fn reading(truth: &'a dyn Content) -> Self {
        Self::with(Truth::Read(truth, Vec::new()))
    }

    fn with(truth: Truth<'a>) -> Self {
        Self {
            truth,
            sinks: Sinks::new(),
            gaps: vec![0; Kind::ALL.len()],
        }
    }
}

impl Side for Encoding<'_> {
    fn literals(&mut self, stored: &Stored, at: u64, buf: &mut [u8]) -> Result<(), DecodeError> {
        buf.copy_from_slice(self.truth.get(at, buf.len())?);
        let sink = self.sinks.stream(Class::Literals, stored.kind as u8);
        let start = sink.len();
        sink.extend_from_slice(buf);
        let (form, offset) = (&stored.form, at - stored.start);
        form.change(Direction::Store, offset, &mut sink[start..]);
        Ok(())
    }

    fn columns(&mut self, columns: &dyn Columns, at: u64, len: u64) -> Result<u64, DecodeError> {
        let truth = self.truth.get(at, len as usize)?;
        Ok(columns.divide(truth, &mut self.sinks) as u64)
    }

    fn differences(&mut self, kind: Kind, at: u64, buf: &mut [u8]) -> Result<(), DecodeError> {
        let truth = self.truth.get(at, buf.len())?;
        let mut start = 0;
        while start < buf.len() {
            let equal = crate::bytes::common_prefix(&buf[start..], &truth[start..]);
            self.gaps[kind as usize] += equal as u64;
            start += equal;
            if start < buf.len() {
                let gap = std::mem::take(&mut self.gaps[kind as usize]);
                self.sinks.number(Class::Gaps, kind, gap);
                let difference = truth[start].wrapping_sub(buf[start]);
                let sink = self.sinks.stream(Class::Differences, kind as u8);
                sink.push(difference);
                buf[start] = truth[start];
                start += 1;
            }
        }
        Ok(())
    }

    fn field(
        &mut self,
        field: Field,
        at: u64,
        width: usize,
        predicted: u64,
    ) -> Result<u64, DecodeError> {
        let mut word = [0; 8];
        word[..width].copy_from_slice(self.truth.get(at, width)?);
        let value = u64::from_le_bytes(word);
        let sink = self.sinks.stream(Class::Fields, field as u8);
        varint::put(sink, difference(field, width, value, predicted));
        Ok(value)
    }

    fn integer(
        &mut self,
        field: Field,
        at: u64,
        width: usize,
        predicted: u64,
    ) -> Result<Option<u64>, DecodeError> {
        let truth = self.truth.get(at, width)?;
        let value = varint::get(truth).map(|(value, _)| value);
        let value = value.filter(|value| varint::len(*value) == width);
        let sink = self.sinks.stream(Class::Fields, field as u8);
        let change = value.map(|value| zigzag(value.wrapping_sub(predicted) as i64));
        // The largest change cannot be told from none.
        let change = change.and_then(|change| change.checked_add(1));
        varint::put(sink, change.unwrap_or(0));
        Ok(change.and(value))
    }

    fn read_back(&mut self, at: u64, buf: &mut [u8]) -> Result<(), DecodeError> {
        buf.copy_from_slice(self.truth.get(at, buf.len())?);
        Ok(())
    }

    fn write(&mut self, _at: u64, _buf: &[u8]) -> Result<(), DecodeError> {
        Ok(())
    }
}

/// The decoder's side.
pub(crate) struct Decoding<'a, 'b> {
    readers: Readers<'a>,
    output: Output<'b>,
    /// Equal bytes before the next that is not, by kind; `None` if not read yet.
    gaps: Vec<Option<u64>>,
}

impl<'a, 'b> Decoding<'a, 'b> {
    pub(crate) fn new(readers: Readers<'a>, output: Output<'b>) -> Self {
        Self {
            readers,
            output,
            gaps: vec![None; Kind::ALL.len()],
        }
    }

    /// The length of the new content.
    pub(crate) fn len(&self) -> u64 {
        self.output.len()
    }

    /// Writes what is left and checks that the streams are used up.
    pub(crate) fn finish(mut self) -> Result<(), DecodeError> {
        self.output.flush()?;
        self.readers.finish()
    }

    /// Equal bytes before the next that is not. After the last difference all bytes are equal.
    fn gap(&mut self, kind: Kind) -> Result<u64, DecodeError> {
        if let Some(gap) = self.gaps[kind as usize] {
            return Ok(gap);
        }
        let reader = self.readers.reader(Class::Gaps, kind as u8);
        let gap = if reader.is_at_end()? {
            u64::MAX
        } else {
            reader.number()?
        };
        self.gaps[kind as usize] = Some(gap);
        Ok(gap)
    }
}

impl Side for Decoding<'_, '_> {
    fn literals(&mut self, stored: &Stored, at: u64, buf: &mut [u8]) -> Result<(), DecodeError> {
        let reader = self.readers.reader(Class::Literals, stored.kind as u8);
        reader.read(buf)?;
        let (form, offset) = (&stored.form, at - stored.start);
        form.change(Direction::Restore, offset, buf);
        Ok(())
    }

    fn columns(&mut self, columns: &dyn Columns, at: u64, len: u64) -> Result<u64, DecodeError> {
        let (readers, output) = (&mut self.readers, &mut self.output);
        let mut next = at;
        columns.join(len, readers, &mut |bytes| {
            output.write(bytes, next)?;
            next += bytes.len() as u64;
            Ok(())
        })
    }

    fn differences(&mut self, kind: Kind, _at: u64, buf: &mut [u8]) -> Result<(), DecodeError> {
        let mut start = 0;
        while start < buf.len() {
            let gap = self.gap(kind)?;
            let left = (buf.len() - start) as u64;
            if gap >= left {
                self.gaps[kind as usize] = Some(gap - left);
                return Ok(());
            }
            start += gap as usize;
            self.gaps[kind as usize] = None;
            let reader = self.readers.reader(Class::Differences, kind as u8);
            buf[start] = buf[start].wrapping_add(reader.byte()?);
            start += 1;
        }
        Ok(())
    }

    fn field(
        &mut self,
        field: Field,
        _at: u64,
        width: usize,
        predicted: u64,
    ) -> Result<u64, DecodeError> {
        let change = self.readers.reader(Class::Fields, field as u8).number()?;
        Ok(changed(field, width, predicted, change))
    }

    fn integer(
        &mut self,
        field: Field,
        _at: u64,
        width: usize,
        predicted: u64,
    ) -> Result<Option<u64>, DecodeError> {
        let change = self.readers.reader(Class::Fields, field as u8).number()?;
        let Some(change) = change.checked_sub(1) else {
            return Ok(None);
        };
        let value = predicted.wrapping_add(unzigzag(change) as u64);
        if varint::len(value) == width {
            return Ok(Some(value));
        }
        let (class, kind) = (Class::Fields, field as u8);
        Err(DecodeError::Invalid {
            stream: StreamId { class, kind },
            reason: "integer of another length",
        })
    }

    fn read_back(&mut self, at: u64, buf: &mut [u8]) -> Result<(), DecodeError> {
        self.output.read(buf, at)
    }

    fn write(&mut self, at: u64, buf: &[u8]) -> Result<(), DecodeError> {
        self.output.write(buf, at)
    }
}

/// What a field's stream says about a value.
fn difference(field: Field, width: usize, value: u64, predicted: u64) -> u64 {
    if field.is_page() {
        return value ^ predicted;
    }
    let change = value.wrapping_sub(predicted);
    zigzag(if width == 4 {
        i64::from(change as i32)
    } else {
        change as i64
    })
}

/// The inverse of [`difference`].
fn changed(field: Field, width: usize, predicted: u64, change: u64) -> u64 {
    if field.is_page() {
        return predicted ^ change;
    }
    let value = predicted.wrapping_add(unzigzag(change) as u64);
    if width == 4 {
        u64::from(value as u32)
    } else {
        value
    }
}

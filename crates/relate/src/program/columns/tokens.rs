//! The pieces that entries consist of, on their way into columns or out of them.

use crate::channel::{Readers, Sinks};
use crate::error::DecodeError;
use crate::stream::Class;
use crate::transfer::CHUNK;
use crate::varint::{self, unzigzag, zigzag};

/// Why an entry cannot be passed.
pub(super) enum Stop {
    /// It is not understood, or reaches beyond the end.
    Unknown,
    /// Reading or writing failed.
    Failed(DecodeError),
}

impl From<DecodeError> for Stop {
    fn from(error: DecodeError) -> Self {
        Self::Failed(error)
    }
}

/// How many bytes integers have at least, which linkers choose so that the number that they fill in fits.
pub(super) struct Width(usize);

impl Default for Width {
    fn default() -> Self {
        Self(1)
    }
}

impl Width {
    /// How many bytes a value has.
    fn of(&self, value: u64) -> usize {
        varint::len(value).max(self.0)
    }
}

/// Says that the width changes; distances count from one on.
const CHANGE: u64 = 0;

/// One side of columns: passes pieces of a part in order, and tells what they are.
pub(super) trait Tokens {
    /// How many bytes of the part were passed.
    fn at(&self) -> u64;

    /// Passes so many bytes as they are.
    fn bytes(&mut self, column: u8, len: u64) -> Result<(), Stop>;

    /// Passes a few bytes as they are.
    fn fixed<const N: usize>(&mut self, column: u8) -> Result<[u8; N], Stop>;

    /// Passes a LEB128 integer as it is.
    fn leb(&mut self, column: u8) -> Result<u64, Stop>;

    /// Passes an unsigned LEB128 integer as its distance from the expected one. It is in its shortest form, or filled up
    /// to `width` bytes; this changes where an integer says so.
    fn number(&mut self, column: u8, expected: u64, width: &mut Width) -> Result<u64, Stop>;

    /// Passes a number of four bytes as its distance from the expected one.
    fn word(&mut self, column: u8, expected: u32) -> Result<u32, Stop>;

    /// Passes bytes up to and including the next zero byte.
    fn string(&mut self, column: u8) -> Result<(), Stop>;
}

/// Takes a part apart, or, without sinks, only looks at it.
pub(super) struct Dividing<'a> {
    bytes: &'a [u8],
    at: usize,
    sinks: Option<&'a mut Sinks>,
}

impl<'a> Dividing<'a> {
    pub(super) fn new(bytes: &'a [u8], sinks: Option<&'a mut Sinks>) -> Self {
        Self {
            bytes,
            at: 0,
            sinks,
        }
    }

    /// The next bytes, which are behind `at` then.
    fn take(&mut self, len: usize) -> Result<&'a [u8], Stop> {
        let end = self.at.checked_add(len).ok_or(Stop::Unknown)?;
        let bytes = self.bytes.get(self.at..end).ok_or(Stop::Unknown)?;
        self.at = end;
        Ok(bytes)
    }

    fn put(&mut self, column: u8, bytes: &[u8]) {
        if let Some(sinks) = &mut self.sinks {
            sinks
                .stream(Class::Columns, column)
                .extend_from_slice(bytes);
        }
    }

    /// The integer that comes next, and how many bytes it has.
    fn integer(&self) -> Result<(u64, usize), Stop> {
        varint::get(&self.bytes[self.at..]).ok_or(Stop::Unknown)
    }
}

impl Tokens for Dividing<'_> {
    fn at(&self) -> u64 {
        self.at as u64
    }

    fn bytes(&mut self, column: u8, len: u64) -> Result<(), Stop> {
        let bytes = self.take(usize::try_from(len).map_err(|_| Stop::Unknown)?)?;
        self.put(column, bytes);
        Ok(())
    }

    fn fixed<const N: usize>(&mut self, column: u8) -> Result<[u8; N], Stop> {
        let bytes = self.take(N)?;
        self.put(column, bytes);
        bytes.try_into().map_err(|_| Stop::Unknown)
    }

    fn leb(&mut self, column: u8) -> Result<u64, Stop> {
        let (value, len) = self.integer()?;
        self.bytes(column, len as u64)?;
        Ok(value)
    }

    fn number(&mut self, column: u8, expected: u64, width: &mut Width) -> Result<u64, Stop> {
        let (value, len) = self.integer()?;
        let distance = zigzag(value.wrapping_sub(expected) as i64);
        let distance = distance.checked_add(1).ok_or(Stop::Unknown)?;
        self.take(len)?;
        let mut sink = self
            .sinks
            .as_mut()
            .map(|sinks| sinks.stream(Class::Columns, column));
        let mut put = |number| {
            if let Some(sink) = &mut sink {
                varint::put(sink, number);
            }
        };
        if width.of(value) != len {
            *width = Width(len);
            put(CHANGE);
            put(len as u64);
        }
        put(distance);
        Ok(value)
    }

    fn word(&mut self, column: u8, expected: u32) -> Result<u32, Stop> {
        let bytes = self.take(4)?.try_into().map_err(|_| Stop::Unknown)?;
        let value = u32::from_le_bytes(bytes);
        self.put(column, &value.wrapping_sub(expected).to_le_bytes());
        Ok(value)
    }

    fn string(&mut self, column: u8) -> Result<(), Stop> {
        let rest = &self.bytes[self.at..];
        let len = rest.iter().position(|byte| *byte == 0);
        self.bytes(column, len.ok_or(Stop::Unknown)? as u64 + 1)
    }
}

/// Puts a part together.
pub(super) struct Joining<'a, 'b> {
    readers: &'a mut Readers<'b>,
    write: &'a mut dyn FnMut(&[u8]) -> Result<(), DecodeError>,
    /// Bytes that are not written yet.
    held: Vec<u8>,
    written: u64,
    /// How many bytes there are in all.
    len: u64,
}

impl<'a, 'b> Joining<'a, 'b> {
    pub(super) fn new(
        readers: &'a mut Readers<'b>,
        len: u64,
        write: &'a mut dyn FnMut(&[u8]) -> Result<(), DecodeError>,
    ) -> Self {
        Self {
            readers,
            write,
            held: Vec::new(),
            written: 0,
            len,
        }
    }

    /// Writes what is held.
    pub(super) fn finish(&mut self) -> Result<(), DecodeError> {
        (self.write)(&self.held)?;
        self.written += self.held.len() as u64;
        self.held.clear();
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        if self.at() + bytes.len() as u64 > self.len {
            return Err(Stop::Unknown);
        }
        self.held.extend_from_slice(bytes);
        if self.held.len() as u64 >= CHUNK {
            self.finish()?;
        }
        Ok(())
    }

    fn byte(&mut self, column: u8) -> Result<u8, Stop> {
        Ok(self.readers.reader(Class::Columns, column).byte()?)
    }
}

impl Tokens for Joining<'_, '_> {
    fn at(&self) -> u64 {
        self.written + self.held.len() as u64
    }

    fn bytes(&mut self, column: u8, len: u64) -> Result<(), Stop> {
        let mut left = len;
        let mut piece = [0; 256];
        while left > 0 {
            let piece = &mut piece[..left.min(256) as usize];
            self.readers.reader(Class::Columns, column).read(piece)?;
            self.put(piece)?;
            left -= piece.len() as u64;
        }
        Ok(())
    }

    fn fixed<const N: usize>(&mut self, column: u8) -> Result<[u8; N], Stop> {
        let mut bytes = [0; N];
        self.readers
            .reader(Class::Columns, column)
            .read(&mut bytes)?;
        self.put(&bytes)?;
        Ok(bytes)
    }

    fn leb(&mut self, column: u8) -> Result<u64, Stop> {
        let mut bytes = [0; varint::MAX_LEN];
        for len in 1..=bytes.len() {
            bytes[len - 1] = self.byte(column)?;
            if let Some((value, _)) = varint::get(&bytes[..len]) {
                self.put(&bytes[..len])?;
                return Ok(value);
            }
        }
        Err(Stop::Unknown)
    }

    fn number(&mut self, column: u8, expected: u64, width: &mut Width) -> Result<u64, Stop> {
        let reader = self.readers.reader(Class::Columns, column);
        let mut distance = reader.number()?;
        if distance == CHANGE {
            let len = reader.number()?.min(varint::MAX_LEN as u64 + 1) as usize;
            let fits = (1..=varint::MAX_LEN).contains(&len);
            *width = fits.then_some(Width(len)).ok_or(Stop::Unknown)?;
            distance = reader.number()?;
        }
        let distance = distance.checked_sub(1).ok_or(Stop::Unknown)?;
        let value = expected.wrapping_add(unzigzag(distance) as u64);
        let len = width.of(value);
        let mut bytes = [0; varint::MAX_LEN];
        for (index, byte) in bytes[..len].iter_mut().enumerate() {
            let more = if index + 1 < len { 0x80 } else { 0 };
            *byte = (value >> (7 * index).min(63)) as u8 & 0x7f | more;
        }
        self.put(&bytes[..len])?;
        Ok(value)
    }

    fn word(&mut self, column: u8, expected: u32) -> Result<u32, Stop> {
        let mut bytes = [0; 4];
        self.readers
            .reader(Class::Columns, column)
            .read(&mut bytes)?;
        let value = u32::from_le_bytes(bytes).wrapping_add(expected);
        self.put(&value.to_le_bytes())?;
        Ok(value)
    }

    fn string(&mut self, column: u8) -> Result<(), Stop> {
        loop {
            let byte = self.byte(column)?;
            self.put(&[byte])?;
            if byte == 0 {
                return Ok(());
            }
        }
    }
}

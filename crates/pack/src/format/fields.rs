//! Numbers and byte strings of variable length, as the index is made of them.

use crate::error::{Error, Part, Result, damaged};

/// Appends a number: seven bits a byte, least significant first, the high bit set in all but the last.
pub(crate) fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

/// Appends a byte string with its length in front.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// The way from one number to another as a number that is small if the way is short.
pub(crate) fn zigzag(to: u64, from: u64) -> u64 {
    let way = to.wrapping_sub(from).cast_signed();
    ((way << 1) ^ (way >> 63)).cast_unsigned()
}

/// Where [`zigzag`] leads from a number; `None` if that is outside of 0 to 2^63.
pub(crate) fn unzigzag(way: u64, from: u64) -> Option<u64> {
    let signed = (way >> 1).cast_signed() ^ -(way & 1).cast_signed();
    from.checked_add_signed(signed).filter(|&to| to < 1 << 63)
}

/// Reads fields one after another.
pub(crate) struct Fields<'a> {
    bytes: &'a [u8],
    fault: fn(&'static str) -> Error,
}

impl<'a> Fields<'a> {
    /// Fields of an index.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self::with_fault(bytes, wrong)
    }

    /// Fields of something else, with its error.
    pub(crate) fn with_fault(bytes: &'a [u8], fault: fn(&'static str) -> Error) -> Self {
        Self { bytes, fault }
    }

    pub(crate) fn remaining(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let Some((taken, rest)) = self.bytes.split_at_checked(len) else {
            return Err((self.fault)("it ends early"));
        };
        self.bytes = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let bytes = self.take(N)?.try_into();
        bytes.map_err(|_| (self.fault)("it ends early"))
    }

    pub(crate) fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    /// A number in its only form: not longer than it has to be.
    pub(crate) fn number(&mut self) -> Result<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits || (byte == 0 && shift > 0) {
                return Err((self.fault)("a number is not in its only form"));
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err((self.fault)("a number is too long"))
    }

    /// A number of things of which each takes at least `least` more bytes of the index.
    pub(crate) fn count(&mut self, least: usize) -> Result<usize> {
        let count = self.number()?;
        let fits = self.remaining() / least.max(1);
        usize::try_from(count)
            .ok()
            .filter(|&count| count <= fits)
            .ok_or((self.fault)("a count is larger than the index"))
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8]> {
        let len = self.count(1)?;
        self.take(len)
    }
}

/// Damage of the index.
pub(crate) fn wrong(why: &'static str) -> Error {
    damaged(Part::Index, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_between_numbers_come_back() {
        for (to, from, way) in [(5, 5, 0), (4, 5, 1), (6, 5, 2), (0, 1 << 40, (1 << 41) - 1)] {
            assert_eq!(zigzag(to, from), way);
            assert_eq!(unzigzag(way, from), Some(to));
        }
        assert_eq!(unzigzag(3, 0), None);
        assert_eq!(unzigzag(u64::MAX - 1, 5), None);
    }

    #[test]
    fn numbers_come_back_and_have_one_form() {
        for value in [0, 1, 127, 128, 16383, 16384, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            put(&mut out, value);
            let mut fields = Fields::new(&out);
            assert_eq!(fields.number().unwrap(), value);
            assert_eq!(fields.remaining(), 0);
        }
        for bytes in [&[0x80, 0][..], &[0x81, 0x80, 0], &[0xff; 10], &[0xff; 3]] {
            assert!(Fields::new(bytes).number().is_err(), "{bytes:?}");
        }
    }
}

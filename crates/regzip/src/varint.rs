//! Variable-length integers: seven bits a byte, least significant first, shortest form only.

use crate::error::{Error, Result};

/// Appends a number.
pub(crate) fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a byte string with its length in front.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Reads fields from a recipe's bytes; every read is checked.
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn byte(&mut self) -> Result<u8> {
        let (&first, rest) = self
            .rest
            .split_first()
            .ok_or(Error::BadRecipe("cut short"))?;
        self.rest = rest;
        Ok(first)
    }

    pub(crate) fn number(&mut self) -> Result<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let part = u64::from(byte & 0x7f);
            if shift == 63 && part > 1 {
                return Err(Error::BadRecipe("number too large"));
            }
            value |= part << shift;
            if byte & 0x80 == 0 {
                if byte == 0 && shift > 0 {
                    return Err(Error::BadRecipe("number not in shortest form"));
                }
                return Ok(value);
            }
        }
        Err(Error::BadRecipe("number too long"))
    }

    /// A length-prefixed byte string.
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8]> {
        let len = self.number()?;
        let len = usize::try_from(len).map_err(|_| Error::BadRecipe("length too large"))?;
        self.take(len)
    }

    /// So many bytes.
    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let split = self.rest.split_at_checked(len);
        let (head, rest) = split.ok_or(Error::BadRecipe("cut short"))?;
        self.rest = rest;
        Ok(head)
    }

    /// Four bytes, least significant first.
    pub(crate) fn u32(&mut self) -> Result<u32> {
        let (head, rest) = self
            .rest
            .split_first_chunk::<4>()
            .ok_or(Error::BadRecipe("cut short"))?;
        self.rest = rest;
        Ok(u32::from_le_bytes(*head))
    }

    pub(crate) fn remaining(&self) -> usize {
        self.rest.len()
    }
}

//! What the bytes of maps and outlines have in common: how they begin and end, and the flags of a stream in them.

use crate::error::{Error, Result};
use crate::varint::Fields;

use super::png::Chunks;

const VERSION: u8 = 1;
const CHUNKED: u8 = 1;
const INNER: u8 = 2;

/// The bytes of something that `magic` identifies; `put` appends what follows.
pub(super) fn to_bytes(magic: [u8; 2], put: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = magic.to_vec();
    out.push(VERSION);
    put(&mut out);
    out
}

/// Reads what [`to_bytes`] wrote; `other` is the error for bytes that are something else.
pub(super) fn from_bytes<T>(
    bytes: &[u8],
    magic: [u8; 2],
    other: &'static str,
    get: impl FnOnce(&mut Fields<'_>) -> Result<T>,
) -> Result<T> {
    let mut fields = Fields::new(bytes);
    if [fields.byte()?, fields.byte()?] != magic {
        return Err(Error::BadRecipe(other));
    }
    if fields.byte()? != VERSION {
        return Err(Error::BadRecipe("unknown version"));
    }
    let value = get(&mut fields)?;
    if fields.remaining() != 0 {
        return Err(Error::BadRecipe("bytes after its end"));
    }
    Ok(value)
}

/// What follows the numbers of a stream.
#[derive(Clone, Copy)]
pub(super) struct Flags {
    /// The stream is in chunks.
    pub(super) is_chunked: bool,
    /// Streams inside it are opened too.
    pub(super) has_inner: bool,
}

impl Flags {
    pub(super) fn put(self, out: &mut Vec<u8>) {
        let chunked = if self.is_chunked { CHUNKED } else { 0 };
        let inner = if self.has_inner { INNER } else { 0 };
        out.push(chunked | inner);
    }

    pub(super) fn get(fields: &mut Fields<'_>) -> Result<Self> {
        let flags = fields.byte()?;
        if flags & !(CHUNKED | INNER) != 0 {
            return Err(Error::BadRecipe("unknown flags"));
        }
        Ok(Self {
            is_chunked: flags & CHUNKED != 0,
            has_inner: flags & INNER != 0,
        })
    }

    /// The chunks of a stream of `len` bytes, if it has any.
    pub(super) fn chunks(self, fields: &mut Fields<'_>, len: u64) -> Result<Option<Chunks>> {
        self.is_chunked
            .then(|| Chunks::get(fields, len))
            .transpose()
    }
}

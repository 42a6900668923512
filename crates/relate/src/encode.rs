//! A content into streams.

use crate::codec::Codec;
use crate::content::{Content, Target};
use crate::copies::{self, Piece};
use crate::decode::decode;
use crate::error::{DecodeError, Error};
use crate::matching;
use crate::stream::{Encoded, Kind};
use crate::transfer::{self, Encoding, Space};

/// The bases and the content together are encoded in memory: at most this many bytes.
const MAX_IN_MEMORY: u64 = 1 << 30;

/// How to encode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// How hard to search, from 1 (fast) to 9 (small). Does not affect how fast decoding is.
    pub effort: u8,
}

impl Default for Options {
    fn default() -> Self {
        Self { effort: 5 }
    }
}

/// Encodes `new` as its differences from `bases`. The result was decoded and compared.
///
/// # Errors
///
/// [`Error`] if a content cannot be read, is too long, or, which would be a fault of this crate, if the result
/// does not decode to `new`.
pub fn encode(
    new: &dyn Content,
    bases: &[&dyn Content],
    options: &Options,
) -> Result<Encoded, Error> {
    let data = load(new, bases)?;
    let space = Space::new(bases, new.len()).map_err(Error::Unproved)?;
    let start = space.new_start();
    let piece = Piece {
        kind: Kind::Other,
        start,
        end: start + new.len(),
    };
    let found = matching::search(&data, &space.boundaries, options.effort);
    let mut side = Encoding::new(&data[start as usize..]);
    copies::put(&found, piece, &mut side.sinks);
    let mut rest = found.into_iter();
    let passed = transfer::piece(&mut side, &space, piece, || Ok(rest.next()));
    passed.map_err(failed)?;
    let encoded = side.sinks.finish(Codec::MATCHING);
    prove(&encoded, bases, &data[start as usize..])?;
    Ok(encoded)
}

/// All bases and the new content, one after the other.
fn load(new: &dyn Content, bases: &[&dyn Content]) -> Result<Vec<u8>, Error> {
    let lengths = bases.iter().map(|base| base.len());
    let total = lengths.fold(new.len(), u64::saturating_add);
    if total > MAX_IN_MEMORY {
        return Err(Error::TooLong {
            len: total,
            limit: MAX_IN_MEMORY,
        });
    }
    let mut data = vec![0; total as usize];
    let mut rest = data.as_mut_slice();
    for (index, base) in bases.iter().enumerate() {
        let (part, after) = rest.split_at_mut(base.len() as usize);
        let read = base.read_at(part, 0);
        read.map_err(|source| Error::Base { index, source })?;
        rest = after;
    }
    new.read_at(rest, 0).map_err(Error::Content)?;
    Ok(data)
}

fn failed(error: DecodeError) -> Error {
    match error {
        DecodeError::Base { index, source } => Error::Base { index, source },
        error => Error::Unproved(error),
    }
}

/// Decodes and compares.
fn prove(encoded: &Encoded, bases: &[&dyn Content], truth: &[u8]) -> Result<(), Error> {
    let mut proof = Proof { truth };
    decode(encoded.codec, encoded.inputs(), bases, &mut proof).map_err(failed)
}

/// A target that accepts only the true bytes.
struct Proof<'a> {
    truth: &'a [u8],
}

impl Content for Proof<'_> {
    fn len(&self) -> u64 {
        self.truth.len() as u64
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> std::io::Result<()> {
        self.truth.read_at(buf, offset)
    }
}

impl Target for Proof<'_> {
    fn write_at(&mut self, buf: &[u8], offset: u64) -> std::io::Result<()> {
        let start = offset as usize;
        if self.truth.get(start..start + buf.len()) == Some(buf) {
            return Ok(());
        }
        Err(std::io::Error::other("decoded bytes differ"))
    }
}

//! A content into streams.

mod load;
mod program;
mod sketch;

use std::io;

use crate::codec::Codec;
use crate::content::{Content, Target};
use crate::copies::{self, Copy, Description, Piece};
use crate::decode::decode;
use crate::error::{DecodeError, Error};
use crate::layout::Layout;
use crate::matching;
use crate::python;
use crate::stream::{Encoded, Kind};
use crate::transfer::{self, Encoding, Space};
use load::{LIMITS, Limits, Loaded, choose, nearby};

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
/// At most [`encoding_memory`] is resident. Where the contents do not fit, bases that have little in common with `new`
/// are not used, and contents above [`LOADED`] are related by ranges, each to what is around the same place of the bases.
///
/// # Errors
///
/// [`Error`] if a content cannot be read, if a content that is related by ranges has so little in common with the bases
/// that the result does not fit either, or, which would be a fault of this crate, if the result does not decode to `new`.
pub fn encode(
    new: &dyn Content,
    bases: &[&dyn Content],
    options: &Options,
) -> Result<Encoded, Error> {
    encode_within(new, bases, *options, LIMITS)
}

/// Longer contents are not loaded: they are related by ranges.
pub const LOADED: u64 = LIMITS.matching / 2;

/// Maximum length of a program and its bases together. If they are longer, some bases are not used.
pub const TOGETHER: u64 = LIMITS.program;

/// Whether a content is a program that [`encode`] divides into parts, which pays without any bases too.
///
/// # Errors
///
/// If the content cannot be read.
pub fn is_program(content: &dyn Content) -> io::Result<bool> {
    Ok(Layout::of(content, Codec::PROGRAM.version)?.is_program())
}

/// How many bytes [`encode`] holds at most for a content and bases of these lengths, other than Python modules.
pub fn encoding_memory(new: u64, bases: u64) -> u64 {
    load::memory(new.saturating_add(bases))
}

fn encode_within(
    new: &dyn Content,
    bases: &[&dyn Content],
    options: Options,
    limits: Limits,
) -> Result<Encoded, Error> {
    if let Some(encoded) = python::encode(new, bases)? {
        match prove(&encoded, bases, new) {
            Err(Error::Unproved(_)) => {}
            proved => return proved.map(|()| encoded),
        }
    }
    let space = Space::new(bases, new.len()).map_err(Error::Unproved)?;
    let layout = Layout::of(new, Codec::PROGRAM.version).map_err(Error::Content)?;
    if layout.is_program() && new.len() <= limits.program / 2 {
        let encoded = program::encode(new, bases, &space, &layout, options, limits)?;
        if let Some(encoded) = encoded {
            prove(&encoded, bases, new)?;
            return Ok(encoded);
        }
    }
    let fits = new.len() <= limits.matching / 2;
    let budget = limits.matching.saturating_sub(new.len());
    let used = if fits {
        choose(new, bases, budget)?
    } else {
        Vec::new()
    };
    let encoded = if fits && (bases.is_empty() || !used.is_empty()) {
        let ranges = used.into_iter().map(|index| (index, 0..bases[index].len()));
        let loaded = Loaded::new(
            new,
            bases,
            &space,
            &ranges.collect::<Vec<_>>(),
            0..new.len(),
        )?;
        matched(&loaded, &space, new, options)?
    } else {
        by_ranges(new, bases, &space, options, limits)?
    };
    prove(&encoded, bases, new)?;
    Ok(encoded)
}

/// Encodes a content that is loaded.
fn matched(
    loaded: &Loaded,
    space: &Space<'_>,
    new: &dyn Content,
    options: Options,
) -> Result<Encoded, Error> {
    let found = found(loaded, options);
    let mut side = Encoding::new(loaded.truth());
    let piece = whole(space, new.len());
    copies::put(&found, piece, &mut side.sinks);
    pass(&mut side, space, piece, found)?;
    Ok(side.sinks.finish(Codec::MATCHING))
}

/// Passes a piece, given its copies.
fn pass(
    side: &mut Encoding<'_>,
    space: &Space<'_>,
    piece: Piece,
    copies: Vec<Copy>,
) -> Result<(), Error> {
    let mut rest = copies.into_iter();
    transfer::piece(side, space, piece, || Ok(rest.next())).map_err(failed)
}

fn found(loaded: &Loaded, options: Options) -> Vec<Copy> {
    let found = matching::search(&loaded.data, &loaded.boundaries, options.effort);
    let translated = found.into_iter().map(|copy| loaded.translate(copy));
    translated.collect()
}

/// The content as a single piece.
fn whole(space: &Space<'_>, len: u64) -> Piece {
    let start = space.new_start();
    Piece {
        kind: Kind::Other,
        start,
        end: start + len,
    }
}

/// Encodes a content that is too long to load, range by range.
fn by_ranges(
    new: &dyn Content,
    bases: &[&dyn Content],
    space: &Space<'_>,
    options: Options,
    limits: Limits,
) -> Result<Encoded, Error> {
    let mut side = Encoding::reading(new);
    let piece = whole(space, new.len());
    let mut description = Description::new(piece);
    let mut start = 0;
    while start < new.len() {
        let range = start..new.len().min(start + limits.range);
        let copies = {
            let ranges = nearby(bases, new.len(), &range, limits);
            found(
                &Loaded::new(new, bases, space, &ranges, range.clone())?,
                options,
            )
        };
        description.put(&copies, &mut side.sinks);
        let part = Piece {
            start: piece.start + range.start,
            end: piece.start + range.end,
            ..piece
        };
        pass(&mut side, space, part, copies)?;
        if side.sinks.len() > limits.matching / 2 {
            return Err(Error::TooDifferent);
        }
        start = range.end;
    }
    description.finish(&mut side.sinks);
    Ok(side.sinks.finish(Codec::MATCHING))
}

/// An error of the passage as one of encoding.
fn failed(error: DecodeError) -> Error {
    match error {
        DecodeError::Base { index, source } => Error::Base { index, source },
        DecodeError::Target(source) => Error::Content(source),
        error => Error::Unproved(error),
    }
}

/// Decodes and compares.
fn prove(encoded: &Encoded, bases: &[&dyn Content], truth: &dyn Content) -> Result<(), Error> {
    let mut proof = Proof { truth };
    decode(encoded.codec, encoded.inputs(), bases, &mut proof).map_err(|error| match error {
        DecodeError::Base { index, source } => Error::Base { index, source },
        error => Error::Unproved(error),
    })
}

/// A target that accepts only the true bytes.
struct Proof<'a> {
    truth: &'a dyn Content,
}

impl Content for Proof<'_> {
    fn len(&self) -> u64 {
        self.truth.len()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> std::io::Result<()> {
        self.truth.read_at(buf, offset)
    }
}

impl Target for Proof<'_> {
    fn write_at(&mut self, buf: &[u8], offset: u64) -> std::io::Result<()> {
        let mut truth = vec![0; buf.len()];
        self.truth.read_at(&mut truth, offset)?;
        if truth == buf {
            return Ok(());
        }
        Err(std::io::Error::other("decoded bytes differ"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(seed: u32, len: u32) -> Vec<u8> {
        let words = (0..len / 4).map(|n| (n ^ seed).wrapping_mul(2_654_435_761).rotate_left(9));
        words.flat_map(u32::to_le_bytes).collect()
    }

    /// Encodes where less fits than in the contents of these tests.
    fn encode_little(new: &[u8], old: &[u8]) -> Result<Encoded, Error> {
        let limits = Limits {
            program: 1000,
            matching: 60_000,
            range: 10_000,
        };
        encode_within(&new, &[&old], Options::default(), limits)
    }

    fn is_short(encoded: &Encoded) -> bool {
        let sizes = encoded.streams.iter().map(|stream| stream.bytes.len());
        sizes.sum::<usize>() < 1000
    }

    #[test]
    fn a_content_that_does_not_fit_is_related_by_ranges() {
        let old = noise(0, 100_000);
        let mut new = old.clone();
        new.splice(30_000..30_000, *b"inserted");
        assert!(is_short(&encode_little(&new, &old).unwrap()));
    }

    #[test]
    fn a_content_whose_only_base_does_not_fit_is_related_by_ranges() {
        let old = noise(0, 100_000);
        let new = old[40_000..60_000].to_vec();
        assert!(is_short(&encode_little(&new, &old).unwrap()));
    }

    #[test]
    fn a_content_that_does_not_fit_has_to_share_something_with_its_bases() {
        let (old, new) = (noise(0, 100_000), noise(1 << 30, 100_000));
        assert!(matches!(
            encode_little(&new, &old),
            Err(Error::TooDifferent)
        ));
    }

    #[test]
    fn the_bases_with_most_in_common_are_used() {
        let [a, b, c] = [1 << 20, 2 << 20, 3 << 20].map(|seed| noise(seed, 60_000));
        let new = [&b[..50_000], &a[..100]].concat();
        let used = choose(&new, &[&a, &b, &c], 130_000).unwrap();
        assert!(used.contains(&1), "{used:?}");
        assert_eq!(used.len(), 2);
        assert_eq!(choose(&new, &[&a, &b, &c], 180_000).unwrap(), [0, 1, 2]);
    }
}

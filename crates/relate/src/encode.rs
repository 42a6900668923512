//! A content into streams.

use crate::codec::Codec;
use crate::content::{Content, Target};
use crate::copies::{self, Copy, Piece};
use crate::decode::{MAX_COPIES, decode, sources};
use crate::error::{DecodeError, Error};
use crate::matching::{self, Guide};
use crate::program::{
    Layout, Part, Passage, Source, anchors, coding_order, follower_pairs, follows, is_derived,
};
use crate::stream::{Class, Encoded, Kind};
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
    let truth = &data[space.new_start() as usize..];
    let layout = Layout::of(new).map_err(Error::Content)?;
    if layout.is_program() {
        let encoded = program(&data, &space, bases, &layout, *options)?;
        if let Some(encoded) = encoded {
            prove(&encoded, bases, truth)?;
            return Ok(encoded);
        }
    }
    let encoded = matching(&data, &space, *options)?;
    prove(&encoded, bases, truth)?;
    Ok(encoded)
}

fn matching(data: &[u8], space: &Space<'_>, options: Options) -> Result<Encoded, Error> {
    let start = space.new_start();
    let piece = Piece {
        kind: Kind::Other,
        start,
        end: data.len() as u64,
    };
    let found = matching::search(data, &space.boundaries, options.effort);
    let mut side = Encoding::new(&data[start as usize..]);
    copies::put(&found, piece, &mut side.sinks);
    let mut rest = found.into_iter();
    let passed = transfer::piece(&mut side, space, piece, || Ok(rest.next()));
    passed.map_err(failed)?;
    Ok(side.sinks.finish(Codec::MATCHING))
}

/// `None` if it takes more copies than a decoder accepts.
fn program(
    data: &[u8],
    space: &Space<'_>,
    bases: &[&dyn Content],
    layout: &Layout,
    options: Options,
) -> Result<Option<Encoded>, Error> {
    let start = space.new_start();
    let truth = &data[start as usize..];
    let sources = sources(bases).map_err(failed)?;
    let source = Source::with_layout(&truth, layout.clone());
    let guide = Guide::new(&source, &sources, start).map_err(Error::Content)?;
    let mut search = matching::Search::new(data, &space.boundaries, guide, options.effort);
    let mut found = vec![Vec::new(); layout.parts.len()];
    for pass in [false, true] {
        if pass {
            let pairs = followers(&source, &sources, space, &found).map_err(Error::Content)?;
            search.add_pairs(pairs);
        }
        for (index, part) in layout.parts.iter().enumerate() {
            if !is_derived(part) && follows(part.kind) == pass {
                let range = (start + part.start) as usize..(start + part.end()) as usize;
                found[index] = search.range(range, part.kind);
            }
        }
    }
    if found.iter().map(Vec::len).sum::<usize>() > MAX_COPIES {
        return Ok(None);
    }
    let mut side = Encoding::new(truth);
    layout.put(side.sinks.stream(Class::Layout, 0));
    for index in coding_order(layout) {
        if !is_derived(&layout.parts[index]) {
            let piece = Piece::of(&layout.parts[index], start);
            copies::put(&found[index], piece, &mut side.sinks);
        }
    }
    let passage = Passage::new(&mut side, space, &sources, layout, &found);
    passage.run(&found).map_err(failed)?;
    Ok(Some(side.sinks.finish(Codec::PROGRAM)))
}

/// Pairs of entries that are about bytes for which copies were found.
fn followers(
    new: &Source<'_>,
    bases: &[Source<'_>],
    space: &Space<'_>,
    found: &[Vec<Copy>],
) -> std::io::Result<Vec<(u32, u32)>> {
    let copies: Vec<Copy> = found.iter().flatten().copied().collect();
    let follows = |part: &&Part| follows(part.kind);
    let mut pairs = Vec::new();
    for part in new.layout.parts.iter().filter(follows) {
        let entries = anchors(new, part)?;
        for (index, base) in bases.iter().enumerate() {
            let same = |other: &&Part| other.kind == part.kind;
            for other in base.layout.parts.iter().filter(same) {
                let starts = (space.new_start(), space.start_of(index));
                pairs.extend(follower_pairs(
                    &entries,
                    &anchors(base, other)?,
                    &copies,
                    starts,
                ));
            }
        }
    }
    Ok(pairs)
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

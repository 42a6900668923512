//! Streams back into the content.

use crate::ahead::Ahead;
use crate::channel::Readers;
use crate::codec::Codec;
use crate::content::{Content, Target};
use crate::copies::{Copy, Cursor, Piece};
use crate::error::DecodeError;
use crate::layout::{Layout, MAX_BYTES as MAX_LAYOUT};
use crate::output::Output;
use crate::program::{self, Passage, Source};
use crate::python;
use crate::stream::{Class, Input, Kind, StreamId};
use crate::transfer::{self, Decoding, Space};

const CONTROL: [Class; 3] = [Class::Runs, Class::Lengths, Class::Sources];
const BYTES: [Class; 3] = [Class::Literals, Class::Gaps, Class::Differences];
/// A program has at most this many copies, since all are known before its first byte is decoded.
pub(crate) const MAX_COPIES: usize = 4 << 20;

/// Decodes `streams` into `target`, whose length is that of the content, given the bases that it was
/// encoded with, in the same order.
///
/// Streams are read a bounded amount ahead, bases at offsets. Work is bounded by the lengths of the
/// content and of the bases, whatever the streams contain.
///
/// # Errors
///
/// [`DecodeError`] if codec or streams are not valid, or if reading or writing fails. What `target` contains
/// then is unspecified.
pub fn decode(
    codec: Codec,
    mut streams: Vec<Input<'_>>,
    bases: &[&dyn Content],
    target: &mut dyn Target,
) -> Result<(), DecodeError> {
    if codec == Codec::PYTHON {
        let readers = Readers::take(&mut streams, &[Class::Python])?;
        no_more(&streams)?;
        return python::decode(readers, bases, target);
    }
    let ahead: Vec<Ahead<'_>> = bases.iter().map(|base| Ahead::new(*base)).collect();
    let bases: Vec<&dyn Content> = ahead.iter().map(|base| base as &dyn Content).collect();
    let space = Space::new(&bases, target.len())?;
    let mut control = Readers::take(&mut streams, &CONTROL)?;
    match codec {
        Codec::MATCHING => {
            let side = Decoding::new(Readers::take(&mut streams, &BYTES)?, Output::new(target));
            no_more(&streams)?;
            matching(&space, side, &mut control)?;
        }
        Codec::PROGRAM | Codec::PROGRAM_3 | Codec::PROGRAM_2 | Codec::PROGRAM_1 => {
            let layout = layout(
                &mut Readers::take(&mut streams, &[Class::Layout])?,
                target.len(),
                codec.version,
            )?;
            let mut classes = [BYTES.as_slice(), &[Class::Fields]].concat();
            if codec.version >= program::FORMS {
                classes.push(Class::Columns);
            }
            let side = Decoding::new(Readers::take(&mut streams, &classes)?, Output::new(target));
            no_more(&streams)?;
            let sources = sources(&bases, codec.version)?;
            program(&space, &sources, &layout, codec.version, side, &mut control)?;
        }
        codec => return Err(DecodeError::UnknownCodec(codec)),
    }
    control.finish()
}

fn no_more(streams: &[Input<'_>]) -> Result<(), DecodeError> {
    match streams.first() {
        Some(input) => Err(DecodeError::UnexpectedStream(input.id)),
        None => Ok(()),
    }
}

fn matching(
    space: &Space<'_>,
    mut side: Decoding<'_, '_>,
    control: &mut Readers<'_>,
) -> Result<(), DecodeError> {
    let start = space.new_start();
    let piece = Piece {
        kind: Kind::Other,
        start,
        end: start + side.len(),
    };
    let mut cursor = Cursor::new(piece);
    transfer::piece(&mut side, space, piece, || {
        cursor.next(control, &space.boundaries)
    })?;
    side.finish()
}

fn layout(readers: &mut Readers<'_>, len: u64, version: u8) -> Result<Layout, DecodeError> {
    let stream = StreamId {
        class: Class::Layout,
        kind: 0,
    };
    let bytes = readers.reader(stream.class, stream.kind).all(MAX_LAYOUT)?;
    let reason = "not a layout of the content";
    Layout::get(&bytes, len, version).ok_or(DecodeError::Invalid { stream, reason })
}

fn program(
    space: &Space<'_>,
    sources: &[Source<'_>],
    layout: &Layout,
    version: u8,
    mut side: Decoding<'_, '_>,
    control: &mut Readers<'_>,
) -> Result<(), DecodeError> {
    let copies = copies(space, layout, version, control)?;
    Passage::new(&mut side, space, sources, layout, version, &copies).run(&copies)?;
    side.finish()
}

/// The bases with their layouts in a version of the codec.
pub(crate) fn sources<'a>(
    bases: &'a [&'a dyn Content],
    version: u8,
) -> Result<Vec<Source<'a>>, DecodeError> {
    let source = |(index, base): (usize, &&'a dyn Content)| {
        Source::new(*base, version).map_err(|source| DecodeError::Base { index, source })
    };
    bases.iter().enumerate().map(source).collect()
}

/// The copies of each part.
fn copies(
    space: &Space<'_>,
    layout: &Layout,
    version: u8,
    control: &mut Readers<'_>,
) -> Result<Vec<Vec<Copy>>, DecodeError> {
    let mut all = vec![Vec::new(); layout.parts.len()];
    let mut left = MAX_COPIES;
    for index in program::coding_order(layout, version) {
        let part = &layout.parts[index];
        if program::is_derived(layout, part) {
            continue;
        }
        let mut cursor = Cursor::new(Piece::of(part, space.new_start()));
        while let Some(copy) = cursor.next(control, &space.boundaries)? {
            left = left.checked_sub(1).ok_or(DecodeError::Invalid {
                stream: StreamId {
                    class: Class::Lengths,
                    kind: part.kind as u8,
                },
                reason: "too many copies",
            })?;
            all[index].push(copy);
        }
    }
    Ok(all)
}

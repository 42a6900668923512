//! Streams back into the content.

use crate::channel::Readers;
use crate::codec::Codec;
use crate::content::{Content, Target};
use crate::copies::{Cursor, Piece};
use crate::error::DecodeError;
use crate::output::Output;
use crate::stream::{Class, Input, Kind};
use crate::transfer::{self, Decoding, Space};

const CONTROL: [Class; 3] = [Class::Runs, Class::Lengths, Class::Sources];
const BYTES: [Class; 3] = [Class::Literals, Class::Gaps, Class::Differences];

/// Decodes `streams` into `target`, whose length is that of the content, given the bases that it was encoded with, in the same order.
///
/// Streams are read a bounded amount ahead, bases at offsets. Work is bounded by the lengths of the content and of the
/// bases, whatever the streams contain.
///
/// # Errors
///
/// [`DecodeError`] if codec or streams are not valid, or if reading or writing fails. What `target` contains then is
/// unspecified.
pub fn decode(
    codec: Codec,
    mut streams: Vec<Input<'_>>,
    bases: &[&dyn Content],
    target: &mut dyn Target,
) -> Result<(), DecodeError> {
    if codec != Codec::MATCHING {
        return Err(DecodeError::UnknownCodec(codec));
    }
    let space = Space::new(bases, target.len())?;
    let start = space.new_start();
    let piece = Piece {
        kind: Kind::Other,
        start,
        end: start + target.len(),
    };
    let mut control = Readers::take(&mut streams, &CONTROL)?;
    let bytes = Readers::take(&mut streams, &BYTES)?;
    if let Some(input) = streams.first() {
        return Err(DecodeError::UnexpectedStream(input.id));
    }
    let mut side = Decoding::new(bytes, Output::new(target));
    let mut cursor = Cursor::new(piece);
    transfer::piece(&mut side, &space, piece, || {
        cursor.next(&mut control, &space.boundaries)
    })?;
    control.finish()?;
    side.finish()
}

//! From a stream to its plain content.

use std::io::{Read, Write};

use flate2::{Decompress, FlushDecompress, Status};

use crate::error::{Error, Result};
use crate::input::Input;
use crate::recipe::{Member, Recipe};
use crate::wrapper::Sums;

/// Plain bytes that are written at a time.
const PIECE: usize = 1 << 16;
const OTHER: Error = Error::BadStream("not the stream that the recipe was made from");

/// Writes the plain content of a stream that `recipe` describes; returns its length.
///
/// # Errors
///
/// Those of the reader and the writer, and [`Error::BadStream`] if it is not the stream that the recipe was made
/// from.
pub fn open<R: Read, W: Write>(recipe: &Recipe, stream: R, mut plain: W) -> Result<u64> {
    let mut input = Input::new(stream, 0);
    let mut inflater = Decompress::new(false);
    let mut piece = vec![0; PIECE];
    for member in &recipe.members {
        input.take(member.header.len())?;
        inflater.reset(false);
        open_member(member, &mut inflater, &mut input, &mut piece, &mut plain)?;
        input.take(member.wrapper.trailer_len())?;
    }
    Ok(recipe.plain_len())
}

fn open_member<R: Read, W: Write>(
    member: &Member,
    inflater: &mut Decompress,
    input: &mut Input<R>,
    piece: &mut [u8],
    plain: &mut W,
) -> Result<()> {
    let mut sums = Sums::new(member.wrapper);
    let mut ended = false;
    while !ended {
        let (read, written) = (inflater.total_in(), inflater.total_out());
        let data = input.peek(1)?;
        let status = inflater
            .decompress(data, piece, FlushDecompress::None)
            .map_err(|_| OTHER)?;
        ended = status == Status::StreamEnd;
        let read = (inflater.total_in() - read) as usize;
        let bytes = &piece[..(inflater.total_out() - written) as usize];
        if !ended && read == 0 && bytes.is_empty() {
            return Err(Error::BadStream("cut short"));
        }
        if inflater.total_out() > member.plain_len {
            return Err(OTHER);
        }
        sums.update(bytes);
        plain.write_all(bytes)?;
        input.advance(read);
        input.skip_comparison();
    }
    if inflater.total_out() != member.plain_len || sums.sum() != member.plain_sum {
        return Err(OTHER);
    }
    Ok(())
}

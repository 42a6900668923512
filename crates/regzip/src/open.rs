//! From a stream to its plain content.

use std::io::{Read, Write};

use crate::error::{Error, Result};
use crate::inflate::Inflater;
use crate::input::Input;
use crate::recipe::Recipe;

/// Writes the plain content of a stream that `recipe` describes; returns its length.
pub fn open<R: Read, W: Write>(recipe: &Recipe, stream: R, mut plain: W) -> Result<u64> {
    let mut inflater = Inflater::new(Input::new(stream, 0));
    let mut total = 0;
    for member in &recipe.members {
        inflater.bits.input.take(member.header.len())?;
        inflater.restart();
        let mut crc = flate2::Crc::new();
        let mut len = 0u64;
        loop {
            let ended = inflater.step()?;
            let bytes = inflater.plain();
            crc.update(bytes);
            len += bytes.len() as u64;
            plain.write_all(bytes)?;
            inflater.bits.input.skip_comparison();
            if ended.is_some_and(|b| b.last) {
                break;
            }
        }
        if len != member.plain_len || crc.sum() != member.plain_crc {
            return Err(Error::BadStream(
                "not the stream that the recipe was made from",
            ));
        }
        inflater.bits.input.take(member.wrapper.trailer_len())?;
        total += len;
    }
    Ok(total)
}

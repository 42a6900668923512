//! Trying encoders on the beginning of a stream.

use std::io::Cursor;

use super::replay::{Conditions, Outcome, replay};
use crate::encoder::Encoder;
use crate::error::Result;
use crate::inflate::Inflater;
use crate::input::Input;
use crate::wrapper::Wrapper;

/// Those of the encoders that may have written the stream that begins with `start`, up to the first that
/// wrote it, if it ends there.
pub(crate) fn fitting(list: Vec<Encoder>, wrapper: Wrapper, start: &[u8]) -> Result<Vec<Encoder>> {
    let mut left = Vec::new();
    let mut openings = Vec::new();
    for encoder in list {
        if !opens(encoder, wrapper, start, &mut openings)? {
            continue;
        }
        match fits(encoder, wrapper, start)? {
            Fit::Not => {}
            Fit::Perhaps => left.push(encoder),
            Fit::Whole => {
                left.push(encoder);
                break;
            }
        }
    }
    Ok(left)
}

/// How an encoder fits the beginning of a stream.
enum Fit {
    Not,
    Perhaps,
    /// It wrote the stream, which ends there.
    Whole,
}

fn probe(encoder: Encoder, wrapper: Wrapper, start: &[u8]) -> Result<Outcome> {
    let mut inflater = Inflater::new(Input::new(Cursor::new(start), 0));
    replay(&mut inflater, encoder, wrapper, Conditions::default())
}

fn fits(encoder: Encoder, wrapper: Wrapper, start: &[u8]) -> Result<Fit> {
    Ok(match probe(encoder, wrapper, start)? {
        // Content that does not fill a block is reported with the usual size.
        Outcome::Equal { sums, .. } if encoder.has_unusual_blocks(sums.len) => Fit::Not,
        Outcome::Equal { .. } => Fit::Whole,
        Outcome::Undecided => Fit::Perhaps,
        Outcome::Differs {
            sensitive, flushed, ..
        } => {
            if !sensitive.is_empty() || (flushed && encoder.flushes_fully()) {
                Fit::Perhaps
            } else {
                Fit::Not
            }
        }
    })
}

/// Whether the first block may be the encoder's, if another writes the same and sooner shows a
/// difference: a block writer's output appears one block at a time. What is found goes to
/// `known`: the position of the first difference.
fn opens(
    encoder: Encoder,
    wrapper: Wrapper,
    start: &[u8],
    known: &mut Vec<(Encoder, u64)>,
) -> Result<bool> {
    let Some((opening, block)) = encoder.opening() else {
        return Ok(true);
    };
    if let Some((_, differs)) = known.iter().find(|(tried, _)| *tried == opening) {
        return Ok(*differs >= block);
    }
    // At a flush the opening does not end a block as the encoder does.
    let differs = match probe(opening, wrapper, start)? {
        Outcome::Differs {
            plain,
            flushed: false,
            ..
        } => plain,
        _ => u64::MAX,
    };
    known.push((opening, differs));
    Ok(differs >= block)
}

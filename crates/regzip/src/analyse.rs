//! Finding the encoder: likely ones first, on the beginning of the stream; a full replay proves it.

mod analyser;
mod memory;
mod opening;
mod options;
mod probe;
pub(crate) mod replay;
mod seal;
mod stop;
mod tail;
mod trials;
mod unknown;

use std::io::{Read, Seek};

use crate::error::{Error, Result};
use crate::recipe::Recipe;
use analyser::Analyser;
pub(crate) use memory::Memory;
pub use options::Options;
pub use stop::Reason;
use stop::Stop;

/// What is known about a stream after analysis.
#[derive(Debug)]
#[non_exhaustive]
pub enum Analysis {
    /// The stream was rebuilt once, compared, and found equal.
    Recipe(Recipe),
    /// The stream has to be kept as it is.
    Verbatim(Reason),
}

/// Finds out how to write the stream again.
///
/// Reads from the stream's current position, several times, in constant memory.
///
/// # Errors
///
/// Those of the reader. A stream that cannot be decoded or rebuilt is [`Analysis::Verbatim`].
pub fn analyse<R: Read + Seek>(stream: R, options: &Options) -> Result<Analysis> {
    analyse_with(stream, options, &mut Memory::default())
}

/// As [`analyse`], with what was learned from other streams.
pub(crate) fn analyse_with<R: Read + Seek>(
    mut stream: R,
    options: &Options,
    memory: &mut Memory,
) -> Result<Analysis> {
    let start = stream.stream_position()?;
    let mut analyser = Analyser {
        stream,
        options,
        memory,
        corrected: 0,
    };
    match analyser.run(start) {
        Ok(recipe) => Ok(Analysis::Recipe(recipe)),
        Err(Stop::Verbatim(reason)) => Ok(Analysis::Verbatim(reason)),
        Err(Stop::Error(Error::BadStream(why))) => Ok(Analysis::Verbatim(Reason::Damaged(why))),
        Err(Stop::Error(e)) => Err(e),
    }
}

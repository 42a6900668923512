//! From recipe and plain content to the stream.

use std::io::{self, Read, Seek, Write};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::recipe::Recipe;
use rebuilder::Rebuilder;
pub use workers::Workers;
#[cfg(test)]
pub(crate) use workers::workers;

#[cfg(test)]
mod tests;

mod feed;
mod part;
mod queue;
mod rebuilder;
mod resume_point;
mod workers;

/// Writes the stream to `out` on one thread; returns its length.
///
/// The stream's checksum is compared at the end: after an error, what was written so far must not
/// be used.
///
/// # Errors
///
/// Those of the reader and the writer, and [`Error::WrongContent`] if the content is not the one that the
/// recipe was made from.
pub fn rebuild<P: Read, W: Write>(recipe: &Recipe, plain: P, out: W) -> Result<u64> {
    rebuild_with(recipe, plain, out, &Workers::none())
}

/// As [`rebuild`], on several threads if the recipe has checkpoints or several members.
///
/// Holds some MiB for each thread; the output does not depend on their number.
///
/// # Errors
///
/// As [`rebuild`].
pub fn rebuild_with<P: Read, W: Write>(
    recipe: &Recipe,
    plain: P,
    mut out: W,
    workers: &Workers,
) -> Result<u64> {
    let mut rebuilder = Rebuilder::new(Arc::new(recipe.clone()), plain, workers);
    while let Some(bytes) = rebuilder.next_piece()? {
        out.write_all(bytes)?;
    }
    Ok(recipe.stream_len)
}

/// The stream as a [`Read`]er, from its start or from an offset.
///
/// The last read fails if the stream is not the original.
pub struct RebuildReader<P> {
    rebuilder: Rebuilder<P>,
    /// How much of the last piece was read.
    at: usize,
    ended: bool,
}

impl<P: Read> RebuildReader<P> {
    /// Rebuilds while it is read from, on the reader's thread.
    pub fn new(recipe: impl Into<Arc<Recipe>>, plain: P) -> Self {
        Self::with_workers(recipe, plain, &Workers::none())
    }

    /// Rebuilds on several threads; the plain content is read on the reader's.
    pub fn with_workers(recipe: impl Into<Arc<Recipe>>, plain: P, workers: &Workers) -> Self {
        Self::of(Rebuilder::new(recipe.into(), plain, workers))
    }

    fn of(rebuilder: Rebuilder<P>) -> Self {
        Self {
            rebuilder,
            at: 0,
            ended: false,
        }
    }

    /// The next bytes at once, `None` at the end.
    pub(crate) fn next_piece(&mut self) -> Result<Option<&[u8]>> {
        self.rebuilder.next_piece()
    }

    /// Gives the source of the plain content back.
    pub fn into_inner(self) -> P {
        self.rebuilder.into_inner()
    }
}

impl<P: Read + Seek> RebuildReader<P> {
    /// Reads from the byte `offset` of the stream on: a range, or an upload that is resumed. The source has to
    /// be at the start of the plain content.
    ///
    /// The rebuild starts at the last checkpoint, or recorded start of a member, at or before the offset
    /// ([`Recipe::starts`]), and drops the bytes before the offset. With checkpoints of the usual spacing that
    /// costs some MiB of plain content read and compressed, mostly one or two; in streams without checkpoints,
    /// such as corrected ones, all before the offset, or before it in its member. Only the content from there
    /// on is read.
    ///
    /// A reader that is read to its end proves the bytes, as one from the start does; one that is dropped
    /// earlier does not: a caller that needs a proof of a range has to compare a digest.
    ///
    /// # Errors
    ///
    /// [`Error::BadOffset`] if the stream ends before the offset, and those of the source.
    pub fn from_offset(
        recipe: impl Into<Arc<Recipe>>,
        plain: P,
        offset: u64,
        workers: &Workers,
    ) -> Result<Self> {
        let recipe = recipe.into();
        let len = recipe.stream_len;
        if offset > len {
            return Err(Error::BadOffset { offset, len });
        }
        let mut reader = Self::of(Rebuilder::from_offset(recipe, plain, offset, workers)?);
        reader.ended = offset == len;
        Ok(reader)
    }
}

impl<P: Read> Read for RebuildReader<P> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        while !self.ended && self.at >= self.rebuilder.piece().len() {
            self.at = 0;
            self.ended = self.rebuilder.next_piece()?.is_none();
        }
        if self.ended {
            return Ok(0);
        }
        let rest = &self.rebuilder.piece()[self.at..];
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        self.at += n;
        Ok(n)
    }
}

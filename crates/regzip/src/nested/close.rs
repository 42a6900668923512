//! From an expansion back to the content.

use std::io::{self, Read, Seek, SeekFrom, Take, Write};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::rebuild::{RebuildReader, Workers};

use super::map::{Entry, Map, Position};
use super::png::Framer;

/// Read from streams and gaps in pieces of this size.
const PIECE: u64 = 1 << 16;

/// Writes the content to `content`; returns its length.
///
/// Reads the expansion once, from start to end, and holds some MiB for each thread of the workers. The content's
/// checksum is compared at the end: after an error, what was written so far must not be used.
///
/// # Errors
///
/// Those of the reader and the writer, and [`Error::WrongContent`] if the expansion is not the one that the
/// map was made with.
pub fn close<R: Read, W: Write>(
    map: &Map,
    expanded: R,
    mut content: W,
    workers: &Workers,
) -> Result<u64> {
    let mut reader = CloseReader::with_workers(map.clone(), expanded, workers);
    while reader.next_piece()? {
        content.write_all(&reader.piece)?;
    }
    Ok(map.len)
}

/// The content as a [`Read`]er, from its start or from an offset. From the start, the last read fails if it is not
/// the original.
pub struct CloseReader<R: Read> {
    map: Arc<Map>,
    /// The next entry.
    index: usize,
    state: State<R>,
    workers: Workers,
    piece: Vec<u8>,
    at: usize,
    /// Bytes of the content up to the end of the piece, and those of them that are not wanted.
    written: u64,
    skip: u64,
    /// Of the content from its start; `None` if that was not read.
    crc: Option<flate2::Crc>,
}

enum State<R: Read> {
    Gap {
        source: R,
        left: u64,
    },
    Stream(Box<Active<R>>),
    /// All was written and compared.
    Done(R),
    /// An error came before.
    Lost,
}

/// A stream on its way back.
struct Active<R: Read> {
    reader: RebuildReader<Plain<R>>,
    framer: Option<Framer>,
}

/// The plain content of a stream.
enum Plain<R: Read> {
    Direct(Take<R>),
    Inner(Box<CloseReader<R>>),
}

impl<R: Read> Read for Plain<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Direct(source) => source.read(buf),
            Self::Inner(reader) => reader.read(buf),
        }
    }
}

impl<R: Read> CloseReader<R> {
    /// Closes while it is read from, on the reader's thread.
    pub fn new(map: impl Into<Arc<Map>>, expanded: R) -> Self {
        Self::with_workers(map, expanded, &Workers::none())
    }

    /// Closes on several threads; the expansion is read on the reader's thread.
    pub fn with_workers(map: impl Into<Arc<Map>>, expanded: R, workers: &Workers) -> Self {
        let map = map.into();
        let start = map.position(0);
        Self {
            crc: Some(flate2::Crc::new()),
            ..Self::at(map, expanded, start, workers)
        }
    }

    /// Starts at a position, where the expansion stands.
    fn at(map: Arc<Map>, expanded: R, start: Position, workers: &Workers) -> Self {
        Self {
            map,
            index: start.index,
            state: State::Gap {
                source: expanded,
                left: start.gap,
            },
            workers: workers.clone(),
            piece: Vec::new(),
            at: 0,
            written: start.content,
            skip: 0,
            crc: None,
        }
    }

    /// Gets the next piece; false when the content is complete and proven.
    fn next_piece(&mut self) -> Result<bool> {
        self.piece.clear();
        let state = std::mem::replace(&mut self.state, State::Lost);
        self.state = match state {
            State::Gap { source, left } => self.copy(source, left)?,
            State::Stream(active) => self.rebuild(active)?,
            State::Done(source) => {
                self.state = State::Done(source);
                return Ok(false);
            }
            State::Lost => {
                return Err(Error::WrongContent("read on after an error"));
            }
        };
        if let Some(crc) = &mut self.crc {
            crc.update(&self.piece);
        }
        self.written += self.piece.len() as u64;
        let differs = |crc: &flate2::Crc| crc.sum() != self.map.crc;
        if matches!(self.state, State::Done(_))
            && (self.written != self.map.len || self.crc.as_ref().is_some_and(differs))
        {
            self.state = State::Lost;
            return Err(Error::WrongContent("the content comes out different"));
        }
        let skipped = self.skip.min(self.piece.len() as u64);
        self.piece.drain(..skipped as usize);
        self.skip -= skipped;
        Ok(true)
    }

    /// Copies from a gap, or starts what comes after it.
    fn copy(&mut self, mut source: R, left: u64) -> Result<State<R>> {
        if left > 0 {
            let n = left.min(PIECE);
            let read = (&mut source).take(n).read_to_end(&mut self.piece)? as u64;
            if read < n {
                return Err(Error::WrongContent("the expansion is too short"));
            }
            return Ok(State::Gap {
                source,
                left: left - n,
            });
        }
        let Some(entry) = self.map.entries.get(self.index) else {
            return Ok(State::Done(source));
        };
        self.index += 1;
        Ok(State::Stream(Box::new(self.start(entry, source))))
    }

    fn start(&self, entry: &Entry, source: R) -> Active<R> {
        let plain = match &entry.inner {
            Some(inner) => {
                let reader = Self::with_workers(inner.clone(), source, &self.workers);
                Plain::Inner(Box::new(reader))
            }
            None => Plain::Direct(source.take(entry.recipe.plain_len())),
        };
        Active {
            reader: RebuildReader::with_workers(entry.recipe.clone(), plain, &self.workers),
            framer: entry.chunks.clone().map(Framer::new),
        }
    }

    fn rebuild(&mut self, mut active: Box<Active<R>>) -> Result<State<R>> {
        let piece = active.reader.next_piece()?;
        let Some(bytes) = piece else {
            if let Some(framer) = &mut active.framer {
                framer.finish(&mut self.piece);
            }
            let source = match active.reader.into_inner() {
                Plain::Direct(source) => source.into_inner(),
                Plain::Inner(reader) => reader.into_source()?,
            };
            let written = self.written + self.piece.len() as u64;
            let left = gap(&self.map, self.index, written);
            return Ok(State::Gap { source, left });
        };
        match &mut active.framer {
            Some(framer) => framer.add(bytes, &mut self.piece),
            None => self.piece.extend_from_slice(bytes),
        }
        Ok(State::Stream(active))
    }

    fn into_source(self) -> Result<R> {
        match self.state {
            State::Done(source) => Ok(source),
            _ => Err(Error::WrongContent("the content comes out different")),
        }
    }
}

impl<R: Read + Seek> CloseReader<R> {
    /// Reads from the byte `offset` of the content on. The expansion has to be at its start.
    ///
    /// Of the expansion, only what comes after the offset is read, and the stream that the offset lies in: that is
    /// rebuilt from its start. The checksum of the content is not compared, only those of the streams.
    ///
    /// # Errors
    ///
    /// [`Error::BadOffset`] if the content ends before the offset, and those of the expansion.
    pub fn from_offset(
        map: impl Into<Arc<Map>>,
        mut expanded: R,
        offset: u64,
        workers: &Workers,
    ) -> Result<Self> {
        let map = map.into();
        if offset > map.len {
            let len = map.len;
            return Err(Error::BadOffset { offset, len });
        }
        let start = map.position(offset);
        let first = expanded.stream_position()?;
        expanded.seek(SeekFrom::Start(first.saturating_add(start.expanded)))?;
        let skip = offset - start.content;
        let mut reader = Self::at(map, expanded, start, workers);
        reader.skip = skip;
        Ok(reader)
    }
}

/// Bytes between `written` and the stream of an entry, or the end.
fn gap(map: &Map, index: usize, written: u64) -> u64 {
    match map.entries.get(index) {
        Some(entry) => entry.gap,
        None => map.len.saturating_sub(written),
    }
}

impl<R: Read> Read for CloseReader<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        while self.at >= self.piece.len() {
            self.at = 0;
            if !self.next_piece()? {
                return Ok(0);
            }
        }
        let rest = &self.piece[self.at..];
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        self.at += n;
        Ok(n)
    }
}

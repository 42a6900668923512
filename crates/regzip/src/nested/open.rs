//! From content to its expansion.

use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use crate::encoder::Encoder;
use crate::error::{Error, Result};

use super::find::{Finder, Found, Verdict};
use super::map::{Entry, MAX_DEPTH, Map};
use super::options::{Options, Storage};
use super::scan::Scanner;

/// What [`open`] did.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Opened {
    /// What undoes it.
    pub map: Map,
    /// Streams that no known encoder writes, in the order in which they were found.
    pub kept: Vec<Kept>,
}

/// A stream that stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Kept {
    /// How many streams it lies in.
    pub depth: usize,
    /// Where it starts in the content that it lies in.
    pub offset: u64,
    /// Compressed bytes.
    pub len: u64,
    /// The encoder that came furthest, and the plain byte at which it went wrong.
    pub like: Option<(Encoder, u64)>,
}

/// Copies content to `expanded`, with the streams in it opened; returns what undoes it.
///
/// Reads from the content's start to its end, some parts several times. Holds some MiB, and up to
/// [`Options::memory`] for each level of depth. Streams that cannot be rebuilt are copied as they
/// are.
///
/// # Errors
///
/// Those of the reader, the writer and the scratch space.
pub fn open<R: Read + Seek, W: Write>(
    mut content: R,
    mut expanded: W,
    options: &Options<'_>,
) -> Result<Opened> {
    let mut level = Level {
        options,
        depth: 0,
        left: options.depth.min(MAX_DEPTH - 1),
        kept: Vec::new(),
    };
    // One type of reader and writer for all depths.
    let map = level.open(&mut content, &mut expanded)?;
    let kept = level.kept;
    Ok(Opened { map, kept })
}

trait ReadSeek: Read + Seek {}

impl<T: Read + Seek> ReadSeek for T {}

/// Copies what is between the streams.
struct Copier<'a> {
    content: &'a mut dyn ReadSeek,
    expanded: &'a mut dyn Write,
    crc: flate2::Crc,
    /// Content up to here is dealt with.
    at: u64,
    buffer: Vec<u8>,
}

impl Copier<'_> {
    /// Takes content up to `end` into the checksum, and into the expansion if `copy` is set.
    fn advance(&mut self, end: u64, copy: bool) -> Result<()> {
        self.content.seek(SeekFrom::Start(self.at))?;
        while self.at < end {
            let want = (end - self.at).min(self.buffer.len() as u64) as usize;
            let n = self.content.read(&mut self.buffer[..want])?;
            if n == 0 {
                return Err(Error::Io(io::ErrorKind::UnexpectedEof.into()));
            }
            self.crc.update(&self.buffer[..n]);
            if copy {
                self.expanded.write_all(&self.buffer[..n])?;
            }
            self.at += n as u64;
        }
        Ok(())
    }
}

/// How deep it is, and how much deeper it may get.
struct Level<'a, 'b> {
    options: &'a Options<'b>,
    depth: usize,
    left: usize,
    kept: Vec<Kept>,
}

impl Level<'_, '_> {
    fn open(&mut self, content: &mut dyn ReadSeek, expanded: &mut dyn Write) -> Result<Map> {
        let len = content.seek(SeekFrom::End(0))?;
        let mut copier = Copier {
            content,
            expanded,
            crc: flate2::Crc::new(),
            at: 0,
            buffer: vec![0; 1 << 16],
        };
        let mut entries = Vec::new();
        let mut finder = Finder::default();
        let mut scanner = Scanner::new(0);
        while self.left > 0
            && let Some(candidate) = scanner.next(&mut copier.content)?
        {
            let end = match finder.look(&mut copier.content, candidate, self.options)? {
                Verdict::Nothing => continue,
                Verdict::Short(end) => end,
                Verdict::Kept { start, end, like } => {
                    self.kept.push(Kept {
                        depth: self.depth,
                        offset: start,
                        len: end - start,
                        like,
                    });
                    end
                }
                Verdict::Found(found) => {
                    let gap = found.start - copier.at;
                    copier.advance(found.start, true)?;
                    let end = found.end;
                    entries.push(self.stream(&mut copier, *found, gap)?);
                    copier.advance(end, false)?;
                    end
                }
            };
            scanner.skip_to(end);
        }
        copier.advance(len, true)?;
        Ok(Map {
            len,
            crc: copier.crc.sum(),
            entries,
        })
    }

    /// Writes a stream's plain content, with what is in it opened.
    fn stream(&mut self, copier: &mut Copier<'_>, found: Found, gap: u64) -> Result<Entry> {
        let storage = if self.left > 1 {
            storage(found.recipe.plain_len(), self.options)?
        } else {
            None
        };
        let mut chunks = None;
        let mut memory;
        let stream: &mut dyn Read = if let Some((list, stream)) = found.picture {
            chunks = Some(list);
            memory = Cursor::new(stream);
            &mut memory
        } else {
            copier.content.seek(SeekFrom::Start(found.start))?;
            &mut copier.content
        };
        let inner = if let Some(mut storage) = storage {
            crate::open(&found.recipe, stream, &mut storage)?;
            self.depth += 1;
            self.left -= 1;
            let map = self.open(&mut storage, copier.expanded)?;
            self.depth -= 1;
            self.left += 1;
            (!map.is_empty()).then(|| Arc::new(map))
        } else {
            crate::open(&found.recipe, stream, &mut copier.expanded)?;
            None
        };
        Ok(Entry {
            gap,
            recipe: Arc::new(found.recipe),
            chunks,
            inner,
        })
    }
}

/// Where plain content of this length is kept to be looked into.
fn storage(len: u64, options: &Options<'_>) -> Result<Option<Box<dyn Storage>>> {
    if len <= options.memory {
        let memory = Vec::with_capacity(usize::try_from(len).unwrap_or(0));
        return Ok(Some(Box::new(Cursor::new(memory))));
    }
    match options.scratch {
        Some(make) => Ok(Some(make()?)),
        None => Ok(None),
    }
}

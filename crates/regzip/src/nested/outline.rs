//! Where streams were opened, without how to make them again: enough to get from content to its expansion.
//! [`crate::format`] describes an outline's bytes.

use std::io::{self, BufRead, BufReader, Read, Write};

use flate2::{Decompress, FlushDecompress, Status};

use crate::error::{Error, Result};
use crate::recipe::Member;
use crate::varint::{self, Fields};
use crate::wrapper::Wrapper;

use super::frame::{self, Flags};
use super::map::{Entry, MAX_DEPTH, Map};
use super::png::{Chunks, Unframer};

const MAGIC: [u8; 2] = *b"RO";
const OTHER: Error = Error::BadStream("not the content that the outline was made from");

/// Which streams [`super::open`] opened. With the content it gives the expansion, by inflating only: no encoder
/// has a part in it. It has no checksums: the caller knows that the content is the right one.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Outline {
    /// Length of the content.
    len: u64,
    streams: Vec<Opened>,
}

/// One stream.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Opened {
    /// Bytes before it, after the stream before.
    gap: u64,
    /// Compressed bytes, without the frames of chunks.
    len: u64,
    members: Vec<Span>,
    chunks: Option<Chunks>,
    /// What was opened inside the plain content.
    inner: Option<Box<Outline>>,
}

/// A member of a stream: what is around its deflate stream, and what that inflates to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    header: u64,
    wrapper: Wrapper,
    plain: u64,
}

impl Map {
    /// Which streams were opened.
    pub fn outline(&self) -> Outline {
        Outline {
            len: self.len,
            streams: self.entries.iter().map(Opened::of).collect(),
        }
    }
}

impl Opened {
    fn of(entry: &Entry) -> Self {
        let span = |member: &Member| Span {
            header: member.header.len() as u64,
            wrapper: member.wrapper,
            plain: member.plain_len,
        };
        Self {
            gap: entry.gap,
            len: entry.recipe.stream_len,
            members: entry.recipe.members.iter().map(span).collect(),
            chunks: entry.chunks.clone(),
            inner: entry.inner.as_ref().map(|map| Box::new(map.outline())),
        }
    }

    /// Bytes in the content.
    fn content_len(&self) -> u64 {
        let framing = self.chunks.as_ref().map_or(0, Chunks::overhead);
        self.len.saturating_add(framing)
    }

    fn plain_len(&self) -> u64 {
        let add = |sum: u64, span: &Span| sum.saturating_add(span.plain);
        self.members.iter().fold(0, add)
    }

    /// Bytes in the expansion.
    fn expanded_len(&self) -> u64 {
        let inner = self.inner.as_ref();
        inner.map_or_else(|| self.plain_len(), |inner| inner.expanded_len())
    }
}

impl Outline {
    /// The content's length in bytes.
    pub fn content_len(&self) -> u64 {
        self.len
    }

    /// The expansion's length in bytes.
    pub fn expanded_len(&self) -> u64 {
        let opened = |len: u64, stream: &Opened| {
            len.saturating_sub(stream.content_len())
                .saturating_add(stream.expanded_len())
        };
        self.streams.iter().fold(self.len, opened)
    }

    /// Whether nothing was opened: the expansion is the content.
    pub fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// Writes the expansion of a content; returns its length. Reads the content once, in order, and holds
    /// less than 1 MiB; never writes more than [`Outline::expanded_len`].
    ///
    /// # Errors
    ///
    /// Those of the reader and the writer, and [`Error::BadStream`] if streams are not where the outline has them
    /// or inflate to another length.
    pub fn expand(&self, content: &mut dyn BufRead, expanded: &mut dyn Write) -> Result<u64> {
        let mut left = self.len;
        for stream in &self.streams {
            copy(content, stream.gap, expanded)?;
            stream.expand(content, expanded)?;
            left = left.saturating_sub(stream.gap.saturating_add(stream.content_len()));
        }
        copy(content, left, expanded)?;
        Ok(self.expanded_len())
    }

    /// The outline as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        frame::to_bytes(MAGIC, |out| self.put(out))
    }

    fn put(&self, out: &mut Vec<u8>) {
        varint::put(out, self.len);
        varint::put(out, self.streams.len() as u64);
        for stream in &self.streams {
            varint::put(out, stream.gap);
            let flags = Flags {
                is_chunked: stream.chunks.is_some(),
                has_inner: stream.inner.is_some(),
            };
            flags.put(out);
            varint::put(out, stream.len);
            varint::put(out, stream.members.len() as u64);
            for span in &stream.members {
                out.push(span.wrapper.trailer_len() as u8);
                varint::put(out, span.header);
                varint::put(out, span.plain);
            }
            if let Some(chunks) = &stream.chunks {
                chunks.put(out);
            }
            if let Some(inner) = &stream.inner {
                inner.put(out);
            }
        }
    }

    /// Reads an outline.
    ///
    /// # Errors
    ///
    /// [`Error::BadRecipe`] for anything that [`Outline::to_bytes`] would not write.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        frame::from_bytes(bytes, MAGIC, "not an outline", |fields| {
            Self::get(fields, MAX_DEPTH)
        })
    }

    fn get(fields: &mut Fields<'_>, depth: usize) -> Result<Self> {
        if depth == 0 {
            return Err(Error::BadRecipe("too deep"));
        }
        let len = fields.number()?;
        let count = count(fields, SHORTEST)?;
        let mut streams: Vec<Opened> = Vec::with_capacity(count);
        let mut left = len;
        for _ in 0..count {
            let stream = Opened::get(fields, depth)?;
            left = left
                .checked_sub(stream.gap)
                .and_then(|left| left.checked_sub(stream.content_len()))
                .ok_or(Error::BadRecipe("a stream after the end"))?;
            streams.push(stream);
        }
        let outline = Self { len, streams };
        // What is not enough for a sum is no length of anything.
        if outline.expanded_len() == u64::MAX {
            return Err(Error::BadRecipe("impossible length"));
        }
        Ok(outline)
    }
}

/// The fewest bytes that a stream takes, and a member.
const SHORTEST: u64 = 7;
const SHORTEST_MEMBER: u64 = 3;

fn count(fields: &mut Fields<'_>, shortest: u64) -> Result<usize> {
    let count = fields.number()?;
    if count > fields.remaining() as u64 / shortest {
        return Err(Error::BadRecipe("more streams than bytes"));
    }
    Ok(count as usize)
}

impl Opened {
    fn get(fields: &mut Fields<'_>, depth: usize) -> Result<Self> {
        let gap = fields.number()?;
        let flags = Flags::get(fields)?;
        let len = fields.number()?;
        let count = count(fields, SHORTEST_MEMBER)?;
        if count == 0 {
            return Err(Error::BadRecipe("a stream without members"));
        }
        let mut members = Vec::with_capacity(count);
        for _ in 0..count {
            members.push(Span::get(fields)?);
        }
        let chunks = flags.chunks(fields, len)?;
        let inner = if flags.has_inner {
            Some(Box::new(Outline::get(fields, depth - 1)?))
        } else {
            None
        };
        let opened = Self {
            gap,
            len,
            members,
            chunks,
            inner,
        };
        let plain = opened.plain_len();
        if opened
            .inner
            .as_ref()
            .is_some_and(|inner| inner.len != plain || inner.is_empty())
        {
            return Err(Error::BadRecipe("an outline of other content"));
        }
        Ok(opened)
    }

    fn expand(&self, content: &mut dyn BufRead, expanded: &mut dyn Write) -> Result<()> {
        match &self.chunks {
            None => self.inflate(&mut content.take(self.len), expanded),
            Some(chunks) => {
                let mut stream = Unframer::new(chunks.clone(), content);
                self.inflate(&mut stream, expanded)?;
                Ok(stream.finish()?)
            }
        }
    }

    /// Inflates the members; `stream` has to end behind the last one.
    fn inflate(&self, stream: &mut dyn BufRead, expanded: &mut dyn Write) -> Result<()> {
        let mut plain = Plain::new(stream, &self.members);
        match &self.inner {
            None => copy(&mut BufReader::new(&mut plain), self.plain_len(), expanded)?,
            Some(inner) => {
                inner.expand(&mut BufReader::new(&mut plain), expanded)?;
            }
        }
        // The end of the last member is read, too.
        if plain.read(&mut [0])? > 0 || !plain.source.fill_buf()?.is_empty() {
            return Err(OTHER);
        }
        Ok(())
    }
}

impl Span {
    fn get(fields: &mut Fields<'_>) -> Result<Self> {
        let wrapper = match fields.byte()? {
            8 => Wrapper::Gzip,
            4 => Wrapper::Zlib,
            0 => Wrapper::Raw,
            _ => return Err(Error::BadRecipe("unknown wrapper")),
        };
        Ok(Self {
            header: fields.number()?,
            wrapper,
            plain: fields.number()?,
        })
    }
}

/// Copies exactly so many bytes.
fn copy(from: &mut dyn BufRead, len: u64, to: &mut dyn Write) -> Result<()> {
    if io::copy(&mut from.take(len), to)? == len {
        return Ok(());
    }
    Err(OTHER)
}

/// The plain content of a stream's members.
struct Plain<'a> {
    source: &'a mut dyn BufRead,
    members: std::slice::Iter<'a, Span>,
    inflater: Decompress,
    /// The member that is being inflated.
    current: Option<Span>,
}

impl<'a> Plain<'a> {
    fn new(source: &'a mut dyn BufRead, members: &'a [Span]) -> Self {
        Self {
            source,
            members: members.iter(),
            inflater: Decompress::new(false),
            current: None,
        }
    }

    fn pass(&mut self, len: u64) -> io::Result<()> {
        let passed = io::copy(&mut self.source.take(len), &mut io::sink())?;
        if passed == len { Ok(()) } else { Err(other()) }
    }

    /// Inflates into the buffer; `None` at the end of the member.
    fn inflate(&mut self, member: Span, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            let (read, written) = (self.inflater.total_in(), self.inflater.total_out());
            let data = self.source.fill_buf()?;
            let status = self
                .inflater
                .decompress(data, buffer, FlushDecompress::None)
                .map_err(|_| other())?;
            let read = (self.inflater.total_in() - read) as usize;
            let count = (self.inflater.total_out() - written) as usize;
            self.source.consume(read);
            if self.inflater.total_out() > member.plain {
                return Err(other());
            }
            if status == Status::StreamEnd {
                if self.inflater.total_out() != member.plain {
                    return Err(other());
                }
                self.pass(member.wrapper.trailer_len() as u64)?;
                self.current = None;
                return Ok(Some(count).filter(|&count| count > 0));
            }
            if count > 0 {
                return Ok(Some(count));
            }
            if read == 0 {
                return Err(other());
            }
        }
    }
}

impl Read for Plain<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if let Some(member) = self.current {
                match self.inflate(member, buffer)? {
                    Some(count) => return Ok(count),
                    None => continue,
                }
            }
            let Some(&member) = self.members.next() else {
                return Ok(0);
            };
            self.pass(member.header)?;
            self.inflater.reset(false);
            self.current = Some(member);
        }
    }
}

fn other() -> io::Error {
    OTHER.into()
}

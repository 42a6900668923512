//! How PNG cuts a zlib stream into chunks: length, `IDAT`, bytes, CRC-32, and again.

use std::io::{self, BufRead, Read, Seek, SeekFrom};

use crate::error::{Error, Result};
use crate::varint::{self, Fields};

/// First bytes of every PNG file.
pub(super) const SIGNATURE: [u8; 8] = [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a];
const TYPE: [u8; 4] = *b"IDAT";
/// Length and type before a chunk's bytes, checksum after them.
const FRAME: u64 = 12;
/// Larger pictures stay as they are: the stream is put together in memory.
const MAX_STREAM: usize = 64 << 20;
/// Chunks before the first `IDAT` that are stepped over.
const MAX_BEFORE: usize = 64;

/// Lengths of the chunks, in runs of equal ones.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Chunks {
    runs: Vec<(u32, u64)>,
}

impl Chunks {
    fn push(&mut self, len: u32) {
        match self.runs.last_mut() {
            Some((last, count)) if *last == len => *count += 1,
            _ => self.runs.push((len, 1)),
        }
    }

    /// Bytes besides the stream's own.
    pub(super) fn overhead(&self) -> u64 {
        let count = self
            .runs
            .iter()
            .fold(0u64, |n, run| n.saturating_add(run.1));
        count.saturating_mul(FRAME)
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        varint::put(out, self.runs.len() as u64);
        for &(len, count) in &self.runs {
            varint::put(out, u64::from(len));
            varint::put(out, count);
        }
    }

    /// Reads what [`Chunks::put`] wrote; together they must hold the stream.
    pub(super) fn get(fields: &mut Fields<'_>, stream_len: u64) -> Result<Self> {
        let bad = || Error::BadRecipe("impossible chunks");
        let count = fields.number()?;
        if count == 0 || count > fields.remaining() as u64 / 2 {
            return Err(bad());
        }
        let mut chunks = Self::default();
        let mut left = stream_len;
        for _ in 0..count {
            let len = u32::try_from(fields.number()?).map_err(|_| bad())?;
            let repeat = fields.number()?;
            let same = chunks.runs.last().is_some_and(|&(last, _)| last == len);
            if repeat == 0 || same || (len == 0 && repeat > 1) {
                return Err(bad());
            }
            let bytes = u64::from(len).checked_mul(repeat);
            left = bytes.and_then(|n| left.checked_sub(n)).ok_or_else(bad)?;
            chunks.runs.push((len, repeat));
        }
        if left == 0 { Ok(chunks) } else { Err(bad()) }
    }
}

/// A picture's stream: where its first chunk starts, where the last one ends, and what is in them.
pub(super) struct Picture {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) chunks: Chunks,
    pub(super) stream: Vec<u8>,
}

/// Assembles the stream of the picture that starts at `at`; `None` if it is incomplete.
pub(super) fn picture<R: Read + Seek>(content: &mut R, at: u64) -> Result<Option<Picture>> {
    content.seek(SeekFrom::Start(at + SIGNATURE.len() as u64))?;
    let mut position = at + SIGNATURE.len() as u64;
    let mut picture: Option<Picture> = None;
    let mut before = 0;
    loop {
        let mut head = [0; 8];
        if !fill(content, &mut head)? {
            return Ok(picture);
        }
        let [a, b, c, d, kind @ ..] = head;
        let len = u32::from_be_bytes([a, b, c, d]);
        if kind != TYPE {
            if picture.is_some() || before == MAX_BEFORE || !kind.is_ascii() {
                return Ok(picture);
            }
            before += 1;
            position += FRAME + u64::from(len);
            content.seek(SeekFrom::Start(position))?;
            continue;
        }
        let found = picture.get_or_insert_with(|| Picture {
            start: position,
            end: position,
            chunks: Chunks::default(),
            stream: Vec::new(),
        });
        let old = found.stream.len();
        if old + len as usize > MAX_STREAM {
            return Ok(None);
        }
        content
            .take(u64::from(len))
            .read_to_end(&mut found.stream)?;
        let mut crc = [0; 4];
        let bytes = &found.stream[old..];
        let whole = bytes.len() == len as usize && fill(content, &mut crc)?;
        if !whole || crc != checksum(bytes) || (len == 0 && old == 0) {
            return Ok(None);
        }
        // Several empty chunks in a row have no notation.
        if len == 0 && found.chunks.runs.last().is_some_and(|&(last, _)| last == 0) {
            return Ok(None);
        }
        found.chunks.push(len);
        position += FRAME + u64::from(len);
        found.end = position;
    }
}

fn fill<R: Read>(content: &mut R, buffer: &mut [u8]) -> Result<bool> {
    match content.read_exact(buffer) {
        Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => Ok(false),
        other => Ok(other.map(|()| true)?),
    }
}

fn checksum(bytes: &[u8]) -> [u8; 4] {
    let mut crc = flate2::Crc::new();
    crc.update(&TYPE);
    crc.update(bytes);
    crc.sum().to_be_bytes()
}

/// Cuts a stream in chunks again.
pub(super) struct Framer {
    chunks: Chunks,
    /// The current run and the chunks of it that were started.
    run: usize,
    started: u64,
    left: usize,
    crc: flate2::Crc,
    open: bool,
}

impl Framer {
    pub(super) fn new(chunks: Chunks) -> Self {
        Self {
            chunks,
            run: 0,
            started: 0,
            left: 0,
            crc: flate2::Crc::new(),
            open: false,
        }
    }

    /// Appends `bytes` of the stream with the frames that fall between them.
    pub(super) fn add(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) {
        while !bytes.is_empty() && self.ready(out) {
            let (now, later) = bytes.split_at(bytes.len().min(self.left));
            self.crc.update(now);
            out.extend_from_slice(now);
            self.left -= now.len();
            bytes = later;
            if self.left == 0 {
                self.end_chunk(out);
            }
        }
    }

    /// Makes sure that a chunk is open; false when all are done.
    fn ready(&mut self, out: &mut Vec<u8>) -> bool {
        while !self.open {
            let Some(&(len, count)) = self.chunks.runs.get(self.run) else {
                return false;
            };
            if self.started == count {
                self.run += 1;
                self.started = 0;
                continue;
            }
            self.started += 1;
            out.extend_from_slice(&len.to_be_bytes());
            out.extend_from_slice(&TYPE);
            self.crc = flate2::Crc::new();
            self.crc.update(&TYPE);
            self.left = len as usize;
            self.open = true;
            if len == 0 {
                self.end_chunk(out);
            }
        }
        true
    }

    fn end_chunk(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.crc.sum().to_be_bytes());
        self.open = false;
    }

    /// Empty chunks after the last byte.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        self.ready(out);
    }
}

/// The bytes of a stream that lies in chunks, without their frames.
pub(super) struct Unframer<'a> {
    chunks: Chunks,
    source: &'a mut dyn BufRead,
    run: usize,
    started: u64,
    /// Bytes of the current chunk that were not given out.
    left: u64,
    open: bool,
}

impl<'a> Unframer<'a> {
    pub(super) fn new(chunks: Chunks, source: &'a mut dyn BufRead) -> Self {
        Self {
            chunks,
            source,
            run: 0,
            started: 0,
            left: 0,
            open: false,
        }
    }

    /// Goes on to the next chunk that has bytes; false when all are done.
    fn ready(&mut self) -> io::Result<bool> {
        while self.left == 0 {
            if self.open {
                self.pass(4)?;
                self.open = false;
            }
            let Some(&(len, count)) = self.chunks.runs.get(self.run) else {
                return Ok(false);
            };
            if self.started == count {
                self.run += 1;
                self.started = 0;
                continue;
            }
            self.pass(8)?;
            self.started += 1;
            self.left = u64::from(len);
            self.open = true;
        }
        Ok(true)
    }

    fn pass(&mut self, len: u64) -> io::Result<()> {
        let passed = io::copy(&mut self.source.take(len), &mut io::sink())?;
        if passed == len {
            return Ok(());
        }
        Err(Error::BadStream("chunks end early").into())
    }

    /// Passes the end of the last chunk and empty ones after it.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.ready().map(drop)
    }
}

impl Read for Unframer<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for Unframer<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if !self.ready()? {
            return Ok(&[]);
        }
        let bytes = self.source.fill_buf()?;
        let len = usize::try_from(self.left).map_or(bytes.len(), |left| left.min(bytes.len()));
        Ok(&bytes[..len])
    }

    fn consume(&mut self, count: usize) {
        self.left = self.left.saturating_sub(count as u64);
        self.source.consume(count);
    }
}

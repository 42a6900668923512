//! Positions in content at which a stream may start.

use std::io::{Read, Seek, SeekFrom};

use crate::error::Result;
use crate::inflate::Inflater;
use crate::input::Input;
use crate::wrapper::Wrapper;

use super::png;

/// What a position looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Gzip,
    Zlib,
    /// A zip file's member: its deflate stream starts this many bytes after the position.
    Zip {
        skip: u64,
        crc: u32,
    },
    Png,
}

/// A position to examine more closely.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) kind: Kind,
    pub(super) at: u64,
}

/// Content is read in pieces of this size.
const PIECE: usize = 1 << 18;
/// Bytes after a position that are available when it is judged.
const AHEAD: usize = 1 << 13;
/// A stream that decodes this far is worth a closer look.
const PROBE: usize = 1 << 12;
/// Bytes of a zip member's fixed header, and the most that its name and extra field may take.
const ZIP_HEADER: usize = 30;

/// Goes through content and stops at every position that looks like the start of a stream.
pub(super) struct Scanner {
    buffer: Vec<u8>,
    /// Position of `buffer[0]`.
    base: u64,
    at: usize,
    ended: bool,
    probe: Inflater<std::io::Empty>,
}

impl Scanner {
    pub(super) fn new(start: u64) -> Self {
        Self {
            buffer: Vec::new(),
            base: start,
            at: 0,
            ended: false,
            probe: Inflater::new(Input::new(std::io::empty(), 0)),
        }
    }

    /// Continues at a later position.
    pub(super) fn skip_to(&mut self, position: u64) {
        let end = self.base + self.buffer.len() as u64;
        if position <= end {
            self.at = position.saturating_sub(self.base) as usize;
        } else {
            self.buffer.clear();
            self.base = position;
            self.at = 0;
        }
    }

    fn fill<R: Read + Seek>(&mut self, content: &mut R) -> Result<()> {
        self.buffer.drain(..self.at);
        self.base += self.at as u64;
        self.at = 0;
        let old = self.buffer.len();
        content.seek(SeekFrom::Start(self.base + old as u64))?;
        content.take(PIECE as u64).read_to_end(&mut self.buffer)?;
        self.ended = self.buffer.len() < old + PIECE;
        Ok(())
    }

    /// The next candidate; `None` at the end of the content.
    pub(super) fn next<R: Read + Seek>(&mut self, content: &mut R) -> Result<Option<Candidate>> {
        loop {
            if !self.ended && self.buffer.len() - self.at < AHEAD {
                self.fill(content)?;
            }
            let limit = if self.ended {
                self.buffer.len()
            } else {
                self.buffer.len() - AHEAD + 1
            };
            while let Some(offset) = self.buffer[self.at.min(limit)..limit]
                .iter()
                .position(|&byte| FIRST[usize::from(byte)])
            {
                let at = self.at + offset;
                self.at = at + 1;
                if let Some(kind) = self.judge(at) {
                    let at = self.base + at as u64;
                    return Ok(Some(Candidate { kind, at }));
                }
            }
            self.at = self.at.max(limit);
            if self.ended {
                return Ok(None);
            }
        }
    }

    fn judge(&mut self, at: usize) -> Option<Kind> {
        let bytes = &self.buffer[at..self.buffer.len().min(at + AHEAD)];
        match *bytes {
            [0x1f, 0x8b, 8, flags, ..] if flags & 0xe0 == 0 => Some(Kind::Gzip),
            [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..] => self.decodes(at + 2).then_some(Kind::Zlib),
            [b'P', b'K', 3, 4, ..] => {
                let (skip, crc) = zip_member(bytes)?;
                self.decodes(at + skip).then_some(Kind::Zip {
                    skip: skip as u64,
                    crc,
                })
            }
            _ if bytes.starts_with(&png::SIGNATURE) => Some(Kind::Png),
            _ => None,
        }
    }

    /// Whether the available bytes from `at` on are the beginning of a deflate stream.
    fn decodes(&mut self, at: usize) -> bool {
        let rest = self.buffer.get(at..).unwrap_or_default();
        let bytes = &rest[..rest.len().min(AHEAD)];
        let to_the_end = self.ended && bytes.len() == rest.len();
        self.probe.bits.input.replace(bytes);
        self.probe.restart();
        let mut plain = 0;
        loop {
            match self.probe.step() {
                Ok(ended) => {
                    plain += self.probe.plain().len();
                    self.probe.bits.input.skip_comparison();
                    if ended.is_some_and(|block| block.last) {
                        return plain > 0;
                    }
                }
                Err(crate::Error::BadStream("cut short")) => return !to_the_end,
                Err(_) => return false,
            }
            if plain >= PROBE {
                return true;
            }
        }
    }
}

/// First bytes of what is looked for.
static FIRST: [bool; 256] = {
    let mut table = [false; 256];
    table[0x1f] = true;
    table[0x78] = true;
    table[b'P' as usize] = true;
    table[0x89] = true;
    table
};

/// Where a deflated zip member's stream starts, and its checksum (0 if that follows the stream).
fn zip_member(bytes: &[u8]) -> Option<(usize, u32)> {
    let header = bytes.get(..ZIP_HEADER)?;
    let u16_at = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
    let (flags, method) = (u16_at(6), u16_at(8));
    // Not encrypted, and deflate.
    if flags & 1 != 0 || method != 8 {
        return None;
    }
    let crc = u32::from_le_bytes([header[14], header[15], header[16], header[17]]);
    let skip = ZIP_HEADER + usize::from(u16_at(26)) + usize::from(u16_at(28));
    let follows = flags & 8 != 0;
    (skip < AHEAD).then_some((skip, if follows { 0 } else { crc }))
}

impl Kind {
    /// The wrapper of the stream and how far after the position it starts.
    pub(super) fn stream(self) -> (Wrapper, u64) {
        match self {
            Self::Gzip => (Wrapper::Gzip, 0),
            Self::Zlib | Self::Png => (Wrapper::Zlib, 0),
            Self::Zip { skip, .. } => (Wrapper::Raw, skip),
        }
    }
}

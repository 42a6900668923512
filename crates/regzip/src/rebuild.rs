//! From recipe and plain content to the stream.

use std::io::{self, Read, Write};

use crate::encoder::Encode;
use crate::error::{Error, Result};
use crate::recipe::{EventKind, EventWalk, Member, Method, Recipe, Tail};
use crate::wrapper::Sums;

/// Plain bytes that an encoder is given at a time.
const PIECE: usize = 1 << 16;

/// Writes the stream to `out`; returns its length.
///
/// The stream's checksum is compared at the end: after an error, what was written so far must not
/// be used.
pub fn rebuild<P: Read, W: Write>(recipe: &Recipe, plain: P, mut out: W) -> Result<u64> {
    let mut rebuilder = Rebuilder::new(recipe, plain);
    while let Some(bytes) = rebuilder.next_piece()? {
        out.write_all(bytes)?;
    }
    Ok(recipe.stream_len)
}

/// The stream as a [`Read`]er. The last read fails if the stream is not the original.
pub struct RebuildReader<'a, P> {
    rebuilder: Rebuilder<'a, P>,
    at: usize,
    ended: bool,
}

impl<'a, P: Read> RebuildReader<'a, P> {
    /// Rebuilds while it is read from.
    pub fn new(recipe: &'a Recipe, plain: P) -> Self {
        Self {
            rebuilder: Rebuilder::new(recipe, plain),
            at: 0,
            ended: false,
        }
    }
}

impl<P: Read> Read for RebuildReader<'_, P> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while !self.ended && self.at >= self.rebuilder.piece.len() {
            self.at = 0;
            match self.rebuilder.next_piece() {
                Ok(next) => self.ended = next.is_none(),
                Err(Error::Io(e)) => return Err(e),
                Err(e) => return Err(io::Error::new(io::ErrorKind::InvalidData, e)),
            }
        }
        if self.ended {
            return Ok(0);
        }
        let rest = &self.rebuilder.piece[self.at..];
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        self.at += n;
        Ok(n)
    }
}

/// Drives the encoders through the recipe, a piece at a time.
struct Rebuilder<'a, P> {
    recipe: &'a Recipe,
    plain: P,
    /// Members finished, and the one at work.
    done: usize,
    active: Option<Active<'a>>,
    tail: Option<u64>,
    piece: Vec<u8>,
    buffer: Vec<u8>,
    written: u64,
    crc: flate2::Crc,
}

struct Active<'a> {
    member: &'a Member,
    encoder: Option<Box<dyn Encode>>,
    events: std::iter::Peekable<EventWalk<'a>>,
    sums: Sums,
}

impl<'a, P: Read> Rebuilder<'a, P> {
    fn new(recipe: &'a Recipe, plain: P) -> Self {
        Self {
            recipe,
            plain,
            done: 0,
            active: None,
            tail: None,
            piece: Vec::new(),
            buffer: vec![0; PIECE],
            written: 0,
            crc: flate2::Crc::new(),
        }
    }

    /// The next bytes of the stream, `None` when it is complete and proven.
    fn next_piece(&mut self) -> Result<Option<&[u8]>> {
        self.piece.clear();
        let more = self.work()?;
        self.crc.update(&self.piece);
        self.written += self.piece.len() as u64;
        if self.written > self.recipe.stream_len {
            return Err(Error::WrongContent("the stream comes out longer"));
        }
        if !more {
            if self.written != self.recipe.stream_len || self.crc.sum() != self.recipe.stream_crc {
                return Err(Error::WrongContent("the stream comes out different"));
            }
            return Ok(None);
        }
        Ok(Some(&self.piece))
    }

    fn work(&mut self) -> Result<bool> {
        if let Some(mut active) = self.active.take() {
            if !self.advance(&mut active)? {
                self.active = Some(active);
            }
            return Ok(true);
        }
        let Some(member) = self.recipe.members.get(self.done) else {
            return self.write_tail();
        };
        self.done += 1;
        self.piece.extend_from_slice(&member.header);
        let encoder = match member.method {
            Method::Replay(encoder) => Some(encoder.start()),
            Method::Literal(_) => None,
        };
        self.active = Some(Active {
            member,
            encoder,
            events: EventWalk::new(&member.events).peekable(),
            sums: Sums::new(member.wrapper),
        });
        Ok(true)
    }

    /// Feeds the encoder once; true when the member is complete.
    fn advance(&mut self, active: &mut Active<'_>) -> Result<bool> {
        let left = active.member.plain_len - active.sums.len;
        if left == 0 {
            active.finish(&mut self.piece)?;
            return Ok(true);
        }
        let want = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        self.plain
            .read_exact(&mut self.buffer[..want])
            .map_err(|e| match e.kind() {
                io::ErrorKind::UnexpectedEof => Error::WrongContent("it is too short"),
                _ => Error::Io(e),
            })?;
        active.feed(&self.buffer[..want]);
        if let Some(encoder) = &mut active.encoder {
            self.piece.append(encoder.output());
        }
        Ok(false)
    }

    fn write_tail(&mut self) -> Result<bool> {
        let left = match &self.recipe.tail {
            Tail::Zeros(n) => *self.tail.get_or_insert(*n),
            Tail::Bytes(bytes) if self.tail.is_none() => {
                self.piece.extend_from_slice(bytes);
                0
            }
            Tail::None | Tail::Bytes(_) => 0,
        };
        let now = left.min(PIECE as u64);
        self.piece.resize(self.piece.len() + now as usize, 0);
        self.tail = Some(left - now);
        if self.piece.is_empty() && self.plain.read(&mut self.buffer[..1])? != 0 {
            return Err(Error::WrongContent("it is too long"));
        }
        Ok(!self.piece.is_empty())
    }
}

impl Active<'_> {
    fn feed(&mut self, mut data: &[u8]) {
        let mut at = self.sums.len;
        self.sums.update(data);
        let Some(encoder) = &mut self.encoder else {
            return;
        };
        loop {
            match self.events.peek() {
                Some(&(position, kind)) if position <= at + data.len() as u64 => {
                    let (now, later) = data.split_at(position.saturating_sub(at) as usize);
                    encoder.write(now);
                    apply(encoder.as_mut(), kind);
                    at += now.len() as u64;
                    data = later;
                    self.events.next();
                }
                _ => break,
            }
        }
        encoder.write(data);
    }

    fn finish(&mut self, piece: &mut Vec<u8>) -> Result<()> {
        if self.sums.crc32() != self.member.plain_crc {
            return Err(Error::WrongContent("its checksum differs"));
        }
        // Events of empty content, which `feed` never saw.
        self.feed(&[]);
        match (&mut self.encoder, &self.member.method) {
            (Some(encoder), _) => {
                encoder.finish();
                piece.append(encoder.output());
            }
            (None, Method::Literal(bytes)) => piece.extend_from_slice(bytes),
            (None, Method::Replay(_)) => {}
        }
        match &self.member.trailer {
            Some(trailer) => piece.extend_from_slice(trailer),
            None => piece.extend_from_slice(&self.member.wrapper.trailer(&self.sums)),
        }
        Ok(())
    }
}

pub(crate) fn apply(encoder: &mut dyn Encode, kind: EventKind) {
    match kind {
        EventKind::Flush => encoder.flush(),
        EventKind::Boundary => encoder.boundary(),
    }
}

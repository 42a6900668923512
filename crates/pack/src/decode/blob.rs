//! A blob that is rebuilt while it is read.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use regzip::nested::CloseReader;
use regzip::{RebuildReader, Workers};

use crate::decode::DecodedPack;
use crate::format::{Piece, Wrapping};
use crate::storage::{RegionReader, target};

/// The bytes of a blob, from an offset on.
pub struct BlobContent(Reader);

enum Reader {
    Plain(Plain),
    Gzip(Box<RebuildReader<Plain>>),
}

impl BlobContent {
    pub(crate) fn new(
        pack: Arc<DecodedPack>,
        number: usize,
        from: u64,
        workers: &Workers,
    ) -> io::Result<Self> {
        let wrapping = pack.entry(number).wrapping.clone();
        let mut plain = Plain::new(pack, number, workers.clone());
        match wrapping {
            Wrapping::None => {
                plain.seek(SeekFrom::Start(from))?;
                Ok(Self(Reader::Plain(plain)))
            }
            Wrapping::Gzip(recipe) => {
                let reader = RebuildReader::from_offset(recipe, plain, from, workers)?;
                Ok(Self(Reader::Gzip(Box::new(reader))))
            }
        }
    }
}

impl Read for BlobContent {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Reader::Plain(plain) => plain.read(buffer),
            Reader::Gzip(reader) => reader.read(buffer),
        }
    }
}

/// Reads and drops at most `count` bytes; how many there were.
fn skip(from: &mut dyn Read, count: u64) -> io::Result<u64> {
    io::copy(&mut from.take(count), &mut io::sink())
}

/// A blob's content without its gzip: structure and objects in turn.
struct Plain {
    pack: Arc<DecodedPack>,
    blob: usize,
    /// Twice the number of the piece that is read next, and one more if its structure is over.
    step: usize,
    /// How much of the structure was given out.
    structure: u64,
    current: Current,
    at: u64,
    workers: Workers,
}

/// What is being read.
enum Current {
    Nothing,
    Bytes(RegionReader),
    /// An object whose streams are closed again.
    Closed(Box<CloseReader<RegionReader>>),
}

impl Plain {
    fn new(pack: Arc<DecodedPack>, blob: usize, workers: Workers) -> Self {
        Self {
            pack,
            blob,
            step: 0,
            structure: 0,
            current: Current::Nothing,
            at: 0,
            workers,
        }
    }

    fn next_piece(&self) -> Option<Piece> {
        self.pack
            .entry(self.blob)
            .pieces
            .get(self.step / 2)
            .copied()
    }

    /// From the start to an offset; complete pieces before it are not read.
    fn advance(&mut self, from: u64) -> io::Result<()> {
        let mut left = from;
        self.step = 0;
        self.structure = 0;
        self.current = Current::Nothing;
        while let Some(piece) = self.next_piece() {
            let object = piece
                .object
                .map_or(0, |number| self.pack.object(number).0.content_len());
            if left < piece.structure + object {
                break;
            }
            left -= piece.structure + object;
            self.structure += piece.structure;
            self.step += 2;
        }
        while left > 0 && self.start_next()? {
            left -= self.current.skip(left)?;
        }
        Ok(())
    }

    /// Starts what comes next: the structure of a piece, then its object. False at the end.
    fn start_next(&mut self) -> io::Result<bool> {
        let Some(piece) = self.next_piece() else {
            return Ok(false);
        };
        self.current = if self.step.is_multiple_of(2) {
            let structure = self
                .pack
                .structure(self.blob)
                .part(self.structure, piece.structure);
            self.structure += piece.structure;
            Current::Bytes(structure.reader())
        } else {
            match piece.object {
                Some(number) => self.object(number)?,
                None => Current::Nothing,
            }
        };
        self.step += 1;
        Ok(true)
    }

    fn object(&self, number: usize) -> io::Result<Current> {
        let (object, region) = self.pack.object(number);
        Ok(match &object.map {
            None => Current::Bytes(self.pack.content(number).reader()),
            Some(map) => {
                let reader = region.reader();
                let reader = CloseReader::with_workers(map.parse()?, reader, &self.workers);
                Current::Closed(Box::new(reader))
            }
        })
    }
}

impl Read for Plain {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.current.read(buffer)? {
                0 if !buffer.is_empty() && self.start_next()? => {}
                read => {
                    self.at += read as u64;
                    return Ok(read);
                }
            }
        }
    }
}

impl Seek for Plain {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let end = self.pack.entry(self.blob).content_len();
        let at = target(to, self.at, end)?;
        if at != self.at {
            self.advance(at)?;
            self.at = at;
        }
        Ok(at)
    }
}

impl Current {
    /// Passes over at most `count` bytes; how many there were.
    fn skip(&mut self, count: u64) -> io::Result<u64> {
        match self {
            Self::Nothing => Ok(0),
            Self::Bytes(reader) => Ok(reader.skip(count)),
            Self::Closed(reader) => skip(reader, count),
        }
    }
}

impl Read for Current {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Nothing => Ok(0),
            Self::Bytes(reader) => reader.read(buffer),
            Self::Closed(reader) => reader.read(buffer),
        }
    }
}

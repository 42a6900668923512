//! One blob onto scratch space, cut into files.

use std::io::{self, Write};

use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};
use crate::source::{BlobReader, Source, source_error};
use crate::spool::Spool;
use crate::storage::Region;
use crate::survey::{Surveyed, from_source};
use crate::tar::{Part, Splitter};

/// A blob on scratch space.
pub(super) struct Layer {
    pub(super) structure: Vec<Region>,
    pub(super) pieces: Vec<Piece>,
}

/// Bytes of structure, and the file after them.
pub(super) struct Piece {
    pub(super) structure: u64,
    pub(super) file: Option<Found>,
}

/// A file, and the digest by which equal ones are found.
pub(super) struct Found {
    pub(super) name: String,
    pub(super) digest: [u8; 32],
    pub(super) bytes: Region,
}

/// Writes a blob's content to scratch space and cuts it.
pub(super) fn open_layer(source: &dyn Source, surveyed: &Surveyed, spool: &Spool) -> Result<Layer> {
    let blob = surveyed.blob();
    let content = spool.reserve(surveyed.opened());
    let mut cutter = Cutter::new(spool, &content);
    let mut reader = BlobReader::new(source, blob);
    let copied = match &surveyed.recipe {
        Some(recipe) => {
            regzip::open(recipe, &mut reader, &mut cutter).map_err(|error| from_source(blob, error))
        }
        None => io::copy(&mut reader, &mut cutter).map_err(|error| source_error(blob, error)),
    };
    // A failure of the scratch space comes through the source's reader.
    let copied = match cutter.failed.take() {
        Some(error) => Err(Error::Scratch(error)),
        None => copied,
    };
    if copied? != content.len() {
        let error = io::Error::new(
            io::ErrorKind::InvalidData,
            "not the content of the first look",
        );
        return Err(source_error(blob, error));
    }
    Ok(cutter.finish(&content))
}

/// Writes content and notes where its parts are.
struct Cutter<'a> {
    spool: &'a Spool,
    content: &'a Region,
    at: u64,
    splitter: Option<Splitter>,
    parts: Parts,
    failed: Option<io::Error>,
}

/// What the splitter reported so far, as offsets in the content.
#[derive(Default)]
struct Parts {
    at: u64,
    /// Where the structure before the current file starts.
    structure: u64,
    pieces: Vec<Range>,
    current: Option<Current>,
}

/// A file that is being read.
struct Current {
    name: String,
    start: u64,
    hasher: Sha256,
}

/// A piece by offsets.
struct Range {
    structure: std::ops::Range<u64>,
    file: Option<(String, [u8; 32], std::ops::Range<u64>)>,
}

impl Parts {
    fn take(&mut self, part: &Part<'_>) {
        match part {
            Part::Structure(bytes) => {
                self.end_file();
                self.at += bytes.len() as u64;
            }
            Part::File { name } => {
                self.end_file();
                self.current = Some(Current {
                    name: name.clone(),
                    start: self.at,
                    hasher: Sha256::new(),
                });
            }
            Part::Data(bytes) => {
                if let Some(current) = &mut self.current {
                    current.hasher.update(bytes);
                }
                self.at += bytes.len() as u64;
            }
        }
    }

    fn end_file(&mut self) {
        let Some(current) = self
            .current
            .take()
            .filter(|current| current.start < self.at)
        else {
            return;
        };
        self.pieces.push(Range {
            structure: self.structure..current.start,
            file: Some((
                current.name,
                current.hasher.finalize().into(),
                current.start..self.at,
            )),
        });
        self.structure = self.at;
    }

    fn finish(mut self) -> Vec<Range> {
        self.end_file();
        if self.structure < self.at {
            self.pieces.push(Range {
                structure: self.structure..self.at,
                file: None,
            });
        }
        self.pieces
    }
}

impl<'a> Cutter<'a> {
    fn new(spool: &'a Spool, content: &'a Region) -> Self {
        Self {
            spool,
            content,
            at: 0,
            splitter: Some(Splitter::new()),
            parts: Parts::default(),
            failed: None,
        }
    }

    fn finish(mut self, content: &Region) -> Layer {
        if let Some(splitter) = self.splitter.take() {
            splitter.finish(&mut |part| self.parts.take(&part));
        }
        let region =
            |range: &std::ops::Range<u64>| content.part(range.start, range.end - range.start);
        let ranges = self.parts.finish();
        let structure = ranges.iter().map(|range| region(&range.structure));
        Layer {
            structure: structure.filter(|region| region.len() > 0).collect(),
            pieces: ranges
                .iter()
                .map(|range| Piece {
                    structure: range.structure.end - range.structure.start,
                    file: range.file.as_ref().map(|(name, digest, bytes)| Found {
                        name: name.clone(),
                        digest: *digest,
                        bytes: region(bytes),
                    }),
                })
                .collect(),
        }
    }
}

impl Write for Cutter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // More than was reserved would be written over what others have.
        if bytes.len() as u64 > self.content.len() - self.at {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "more content than at the first look",
            ));
        }
        if let Err(error) = self.spool.write(self.content, self.at, bytes) {
            let kind = error.kind();
            self.failed = Some(error);
            return Err(kind.into());
        }
        self.at += bytes.len() as u64;
        if let Some(splitter) = &mut self.splitter {
            splitter.push(bytes, &mut |part| self.parts.take(&part));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

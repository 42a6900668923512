//! One blob onto scratch space, with the names of its files.

use std::io::{self, Write};

use crate::error::{Error, Result};
use crate::source::{BlobReader, Source, source_error};
use crate::spool::Spool;
use crate::storage::Region;
use crate::survey::{Surveyed, from_source};
use crate::tar::{Part, Splitter};

/// A blob on scratch space.
pub(super) struct Layer {
    /// Its content.
    pub(super) content: Region,
    /// The names of its files that are not empty, in order.
    pub(super) names: Vec<String>,
}

/// Writes a blob's content to scratch space.
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
    let complete = copied? == content.len();
    let names = cutter.finish();
    if !complete || names.len() != surveyed.summary.files() {
        let error = io::Error::new(
            io::ErrorKind::InvalidData,
            "not the content of the first look",
        );
        return Err(source_error(blob, error));
    }
    Ok(Layer { content, names })
}

/// Writes content and notes the names of files.
struct Cutter<'a> {
    spool: &'a Spool,
    content: &'a Region,
    at: u64,
    splitter: Splitter,
    names: Names,
    failed: Option<io::Error>,
}

/// The names of files of which at least one byte was met.
#[derive(Default)]
struct Names {
    met: Vec<String>,
    next: Option<String>,
}

impl Names {
    fn take(&mut self, part: Part<'_>) {
        match part {
            Part::Structure(_) => self.next = None,
            Part::File { name } => self.next = Some(name),
            Part::Data([]) => {}
            Part::Data(_) => self.met.extend(self.next.take()),
        }
    }
}

impl<'a> Cutter<'a> {
    fn new(spool: &'a Spool, content: &'a Region) -> Self {
        Self {
            spool,
            content,
            at: 0,
            splitter: Splitter::new(),
            names: Names::default(),
            failed: None,
        }
    }

    fn finish(mut self) -> Vec<String> {
        self.splitter.finish(&mut |part| self.names.take(part));
        self.names.met
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
        self.splitter.push(bytes, &mut |part| self.names.take(part));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

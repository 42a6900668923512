use std::io::{self, Read, Write};
use std::path::Path;

use sealift_oci::Digest;
use sealift_pipeline::VerifyingReader;

use crate::error::WriteError;
use crate::header::{BLOCK, padded};
use crate::layout::{EntryContent, Layout};
use crate::record::Identity;

/// Writes a bundle in order, for pipes and for file systems that cannot be written at any offset.
pub struct StreamWriter<W> {
    output: W,
    layout: Layout,
    next: usize,
}

impl<W: Write> StreamWriter<W> {
    /// Writes to `output`, nothing yet.
    pub fn new(output: W, layout: Layout) -> Self {
        Self::from_entry(output, layout, 0)
    }

    /// The same where `output` has all before entry `next`.
    pub(crate) fn from_entry(output: W, layout: Layout, next: usize) -> Self {
        Self {
            output,
            layout,
            next,
        }
    }

    /// The layout that is being filled.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The blobs that are written already, in the file's order.
    pub fn written(&self) -> impl Iterator<Item = Digest> {
        let entries = self.layout.entries().iter().take(self.next);
        entries.filter_map(|entry| match entry.content {
            EntryContent::Blob(digest) => Some(digest),
            _ => None,
        })
    }

    /// The blob that has to come next; none when only [`StreamWriter::finish`] is left.
    pub fn next_blob(&mut self) -> io::Result<Option<Digest>> {
        while let Some(entry) = self.layout.entries().get(self.next) {
            if let EntryContent::Blob(digest) = entry.content {
                return Ok(Some(digest));
            }
            self.output.write_all(&entry.header())?;
            if let EntryContent::Inline(bytes) = &entry.content {
                self.output.write_all(bytes)?;
                pad(&mut self.output, entry.extent.size)?;
            }
            self.next += 1;
        }
        Ok(None)
    }

    /// Writes the next blob from `content`, which is checked as it passes.
    pub fn write_blob(
        &mut self,
        content: &mut dyn Read,
        mut advanced: impl FnMut(u64),
    ) -> io::Result<()> {
        let Some(digest) = self.next_blob()? else {
            return Ok(());
        };
        let entry = &self.layout.entries()[self.next];
        self.output.write_all(&entry.header())?;
        let mut reader = VerifyingReader::new(content, digest, entry.extent.size);
        let mut buffer = vec![0; sealift_pipeline::BUFFER_BYTES];
        loop {
            match reader.read(&mut buffer)? {
                0 => break,
                read => {
                    self.output.write_all(&buffer[..read])?;
                    advanced(read as u64);
                }
            }
        }
        pad(&mut self.output, entry.extent.size)?;
        self.next += 1;
        Ok(())
    }

    /// Writes the end of the file.
    pub fn finish(mut self) -> Result<(W, Identity), WriteError> {
        let fault = WriteError::io("write", Path::new("the output"));
        match self.next_blob() {
            Err(error) => return Err(fault(error)),
            Ok(Some(first)) => {
                let missing = self.layout.entries().len() - self.next;
                return Err(WriteError::Incomplete { missing, first });
            }
            Ok(None) => {}
        }
        let end = self
            .output
            .write_all(&[0; 1024])
            .and_then(|()| self.output.flush());
        end.map_err(fault)?;
        Ok((self.output, self.layout.identity()))
    }
}

fn pad(output: &mut impl Write, size: u64) -> io::Result<()> {
    let rest = usize::try_from(padded(size) - size).unwrap_or(0);
    debug_assert!((rest as u64) < BLOCK, "padding never fills a block");
    output.write_all(&[0; 512][..rest])
}

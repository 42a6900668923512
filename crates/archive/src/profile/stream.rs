//! A plain bundle in order, for pipes and for file systems that are better not written at any offset.

use std::io::{self, Read, Write};
use std::path::Path;

use sealift_oci::{Digest, Hasher};
use sealift_pipeline::{BUFFER_BYTES, Cancel, VerifyingReader};

use crate::header::ARCHIVE_END;
use crate::profile::layout::{Entry, EntryContent, Layout};
use crate::target::{OrderedFile, Published, Target, WriteError};

/// Writes a plain bundle in order.
pub struct PlainStream<W> {
    output: W,
    layout: Layout,
    next: usize,
}

impl<W: Write> PlainStream<W> {
    /// Writes to `output`, nothing yet.
    pub fn new(output: W, layout: Layout) -> Self {
        Self {
            output,
            layout,
            next: 0,
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

    /// The blob that has to come next; `None` if only [`PlainStream::finish`] is left.
    ///
    /// # Errors
    /// If the output cannot be written.
    pub fn next_blob(&mut self) -> io::Result<Option<Digest>> {
        while let Some(entry) = self.layout.entries().get(self.next) {
            if let EntryContent::Blob(digest) = entry.content {
                return Ok(Some(digest));
            }
            self.output.write_all(&entry.header())?;
            if let EntryContent::Inline(bytes) = &entry.content {
                self.output.write_all(bytes)?;
                self.output.write_all(&[0; 512][..entry.padding()])?;
            }
            self.next += 1;
        }
        Ok(None)
    }

    /// Writes the next blob from `content`, which is checked as it passes; reports each piece to
    /// `advanced`.
    ///
    /// # Errors
    /// If the output cannot be written, or `content` cannot be read or is not the blob.
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
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            match reader.read(&mut buffer)? {
                0 => break,
                read => {
                    self.output.write_all(&buffer[..read])?;
                    advanced(read as u64);
                }
            }
        }
        self.output.write_all(&[0; 512][..entry.padding()])?;
        self.next += 1;
        Ok(())
    }

    /// Writes the end of the file and returns the output.
    ///
    /// # Errors
    /// If blobs are missing or the output cannot be written.
    pub fn finish(mut self) -> Result<W, WriteError> {
        let fault = WriteError::io("write", Path::new("the output"));
        match self.next_blob() {
            Err(error) => return Err(fault(error)),
            Ok(Some(first)) => {
                let missing = self.layout.entries().len() - self.next;
                return Err(WriteError::Incomplete { missing, first });
            }
            Ok(None) => {}
        }
        let end = vec![0; usize::try_from(ARCHIVE_END).unwrap_or(0)];
        self.output
            .write_all(&end)
            .and_then(|()| self.output.flush())
            .map_err(fault)?;
        Ok(self.output)
    }
}

impl PlainStream<OrderedFile> {
    /// Writes to `target` in order. What an interrupted run left there is read and hashed from its start,
    /// and kept as far as it is what it should be ([`PlainStream::written`] has those blobs).
    ///
    /// # Errors
    /// If the target cannot be read or written.
    pub fn resume(
        target: Box<dyn Target>,
        layout: Layout,
        cancel: &Cancel,
    ) -> Result<Self, WriteError> {
        let next = complete_entries(&*target, &layout, cancel)
            .map_err(WriteError::io("read", target.path()))?;
        let position = match layout.entries().get(next) {
            Some(entry) => entry.header_offset,
            None => layout.total_bytes() - ARCHIVE_END,
        };
        let output = OrderedFile::new(target, position)?;
        if let (true, Some(first)) = (next > 0, layout.entries().first()) {
            output.hold_first(&first.header())?;
        }
        Ok(Self {
            output,
            layout,
            next,
        })
    }

    /// Writes the end of the file and publishes it.
    ///
    /// # Errors
    /// As [`PlainStream::finish`] and [`Target::publish`].
    pub fn publish(self) -> Result<Published, WriteError> {
        self.finish()?.publish()
    }
}

/// How many entries from the start on are in `target` as they should be.
fn complete_entries(target: &dyn Target, layout: &Layout, cancel: &Cancel) -> io::Result<usize> {
    let size = target.size()?;
    for (number, entry) in layout.entries().iter().enumerate() {
        let end = entry.extent.end() + entry.padding() as u64;
        if end > size || cancel.is_cancelled() || !is_complete(target, entry)? {
            return Ok(number);
        }
    }
    Ok(layout.entries().len())
}

fn is_complete(target: &dyn Target, entry: &Entry) -> io::Result<bool> {
    // The target holds the file's first block back until it is published.
    if entry.header_offset > 0 && !contains(target, entry.header_offset, &entry.header())? {
        return Ok(false);
    }
    let content = match &entry.content {
        EntryContent::Inline(bytes) => contains(target, entry.extent.offset, bytes)?,
        EntryContent::Directory => true,
        EntryContent::Blob(digest) => {
            let mut hasher = Hasher::new(digest.algorithm());
            let mut buffer = vec![0; BUFFER_BYTES];
            let mut offset = entry.extent.offset;
            while offset < entry.extent.end() {
                let left = usize::try_from(entry.extent.end() - offset).unwrap_or(usize::MAX);
                let length = buffer.len().min(left);
                target.read_exact_at(&mut buffer[..length], offset)?;
                hasher.update(&buffer[..length]);
                offset += length as u64;
            }
            hasher.finish() == *digest
        }
    };
    let padding = &[0; 512][..entry.padding()];
    Ok(content && contains(target, entry.extent.end(), padding)?)
}

fn contains(target: &dyn Target, offset: u64, expected: &[u8]) -> io::Result<bool> {
    let mut found = vec![0; expected.len()];
    target.read_exact_at(&mut found, offset)?;
    Ok(found == expected)
}

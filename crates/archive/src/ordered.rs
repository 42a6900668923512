//! A bundle's file written from its start to its end, for file systems that fill a jump ahead with zeros.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sealift_oci::Hasher;
use sealift_pipeline::{BUFFER_BYTES, Cancel};

use crate::disk::{Disk, Real};
use crate::error::WriteError;
use crate::header::padded;
use crate::journal::Journal;
use crate::layout::{Entry, EntryContent, Layout};
use crate::output::{check_room, publish, with_suffix};
use crate::read_at::ReadAt;
use crate::stream::StreamWriter;
use crate::writer::{Finished, open_partial};

/// `OUTPUT.partial`, growing. Its first block stays zero until all the rest is there.
#[derive(Debug)]
pub struct OrderedFile {
    output: PathBuf,
    partial: PathBuf,
    file: File,
    disk: Arc<dyn Disk>,
    journal: Journal,
    position: u64,
}

impl StreamWriter<OrderedFile> {
    /// Writes `layout` in order to `OUTPUT.partial`, or takes up the one that an interrupted run left: it is
    /// read and hashed from its start, and kept as far as it is what it should be ([`StreamWriter::written`]
    /// has those blobs). Every byte is written once. With `replace` something may be at the output's name;
    /// it stays until [`StreamWriter::finish_file`].
    pub fn to_file(
        output: &Path,
        layout: Layout,
        journal: Journal,
        replace: bool,
        cancel: &Cancel,
    ) -> Result<Self, WriteError> {
        if !replace && output.exists() {
            return Err(WriteError::Exists {
                path: output.to_owned(),
            });
        }
        Self::on(Arc::new(Real), output, layout, journal, cancel)
    }

    pub(crate) fn on(
        disk: Arc<dyn Disk>,
        output: &Path,
        layout: Layout,
        journal: Journal,
        cancel: &Cancel,
    ) -> Result<Self, WriteError> {
        let partial = with_suffix(output, ".partial");
        let file = open_partial(&partial)?;
        check_room(&file, output, layout.total_bytes())?;
        let next =
            whole_entries(&file, &layout, cancel).map_err(WriteError::io("read", &partial))?;
        let position = match layout.entries().get(next) {
            Some(entry) => entry.header_offset,
            None => layout.total_bytes() - 1024,
        };
        disk.set_len(&file, position)
            .map_err(WriteError::io("write", &partial))?;
        let file = OrderedFile {
            output: output.to_owned(),
            partial,
            file,
            disk,
            journal,
            position,
        };
        if position > 0 {
            file.hide()?;
        }
        Ok(Self::from_entry(file, layout, next))
    }

    /// Gives the bundle its name: everything reaches the disk first, then the first block, then the name.
    pub fn finish_file(self) -> Result<Finished, WriteError> {
        let first = self.layout().entries().first().map(Entry::header);
        let bytes = self.layout().total_bytes();
        let (file, identity) = self.finish()?;
        publish(
            &*file.disk,
            &file.file,
            &first.unwrap_or_default(),
            &file.partial,
            &file.output,
        )?;
        // The bundle is whole and has its name: a journal that stays is of no more use, and no failure.
        let _ = file.journal.remove();
        Ok(Finished {
            identity,
            path: file.output,
            bytes,
        })
    }
}

impl OrderedFile {
    fn hide(&self) -> Result<(), WriteError> {
        self.disk
            .write_all_at(&self.file, &[0; 512], 0)
            .map_err(WriteError::io("write", &self.partial))
    }
}

impl Write for OrderedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let first = usize::try_from(512_u64.saturating_sub(self.position)).unwrap_or(0);
        let written = if first > 0 {
            let zeros = [0; 512];
            let length = bytes.len().min(first);
            self.disk
                .write_at(&self.file, &zeros[..length], self.position)?
        } else {
            self.disk.write_at(&self.file, bytes, self.position)?
        };
        self.position += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How many entries from the start on are in `file` as they should be.
fn whole_entries(file: &File, layout: &Layout, cancel: &Cancel) -> io::Result<usize> {
    let size = ReadAt::size(file)?;
    for (number, entry) in layout.entries().iter().enumerate() {
        let end = entry.extent.offset + padded(entry.extent.size);
        if end > size || cancel.is_cancelled() || !is_whole(file, entry)? {
            return Ok(number);
        }
    }
    Ok(layout.entries().len())
}

fn is_whole(file: &File, entry: &Entry) -> io::Result<bool> {
    let header = entry.header();
    if entry.header_offset > 0 && !has(file, entry.header_offset, &header)? {
        return Ok(false);
    }
    let content = match &entry.content {
        EntryContent::Inline(bytes) => has(file, entry.extent.offset, bytes)?,
        EntryContent::Directory => true,
        EntryContent::Blob(digest) => {
            let mut hasher = Hasher::new(digest.algorithm());
            let mut buffer = vec![0; BUFFER_BYTES];
            let mut offset = entry.extent.offset;
            let end = offset + entry.extent.size;
            while offset < end {
                let left = usize::try_from(end - offset).unwrap_or(usize::MAX);
                let length = buffer.len().min(left);
                ReadAt::read_exact_at(file, &mut buffer[..length], offset)?;
                hasher.update(&buffer[..length]);
                offset += length as u64;
            }
            hasher.finish() == *digest
        }
    };
    let rest = usize::try_from(padded(entry.extent.size) - entry.extent.size).unwrap_or(0);
    let padding = [0; 512];
    Ok(content
        && has(
            file,
            entry.extent.offset + entry.extent.size,
            &padding[..rest],
        )?)
}

fn has(file: &File, offset: u64, expected: &[u8]) -> io::Result<bool> {
    let mut found = vec![0; expected.len()];
    ReadAt::read_exact_at(file, &mut found, offset)?;
    Ok(found == expected)
}

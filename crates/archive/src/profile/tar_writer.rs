//! Writes the entries of a bundle's tar one after the other.

use std::io::{self, Write};

use sealift_oci::{Digest, Hasher};
use sealift_pipeline::BUFFER_BYTES;

use crate::header::{ARCHIVE_END, BLOCK, Claim, EntryKind, encode, padded, read};
use crate::store::{Extent, ReadAt};

/// A tar that is being written.
pub(super) struct TarWriter<W> {
    output: W,
    position: u64,
}

impl<W: Write> TarWriter<W> {
    /// Continues `output`, which has `position` bytes.
    pub(super) fn new(output: W, position: u64) -> Self {
        Self { output, position }
    }

    /// Writes a file.
    pub(super) fn file(&mut self, path: &str, content: &[u8]) -> io::Result<()> {
        self.write_all(&encode(path, EntryKind::File, content.len() as u64))?;
        self.write_all(content)?;
        self.end_entry(content.len() as u64)
    }

    /// Writes a directory.
    pub(super) fn directory(&mut self, path: &str) -> io::Result<()> {
        self.write_all(&encode(path, EntryKind::Directory, 0))
    }

    /// Writes the header of a blob, whose `size` bytes have to follow.
    pub(super) fn begin_blob(&mut self, digest: &Digest, size: u64) -> io::Result<()> {
        self.write_all(&encode(&digest.blob_path(), EntryKind::File, size))
    }

    /// Writes the zeros after an entry of `size` bytes.
    pub(super) fn end_entry(&mut self, size: u64) -> io::Result<()> {
        let rest = usize::try_from(padded(size) - size).unwrap_or(0);
        self.write_all(&[0; 512][..rest])
    }

    /// The output, as far as it is written.
    pub(super) fn into_inner(self) -> W {
        self.output
    }

    /// Writes the end of the tar and returns the output.
    pub(super) fn finish(mut self) -> io::Result<W> {
        let end = vec![0; usize::try_from(ARCHIVE_END).unwrap_or(0)];
        self.write_all(&end)?;
        self.flush()?;
        Ok(self.output)
    }
}

impl<W: Write> Write for TarWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.output.write(bytes)?;
        self.position += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

/// The blob whose entry begins at `position`, and where the next entry begins; `None` if there is no complete
/// blob with the digest of its name.
pub(super) fn blob_at(file: &dyn ReadAt, position: u64) -> Option<((Digest, Extent), u64)> {
    let mut block = [0; 512];
    file.read_exact_at(&mut block, position).ok()?;
    let Claim::Entry { name, kind, size } = read(&block) else {
        return None;
    };
    let path = String::from_utf8(name).ok()?;
    let digest = Digest::from_blob_path(&path)?;
    let extent = Extent {
        offset: position + BLOCK,
        size,
    };
    let end = extent.offset.checked_add(padded(size))?;
    let same = encode(&path, kind, size) == block && end <= file.size().ok()?;
    (same && hash(file, &digest, extent).ok()? == digest).then_some(((digest, extent), end))
}

fn hash(file: &dyn ReadAt, digest: &Digest, extent: Extent) -> io::Result<Digest> {
    let mut hasher = Hasher::new(digest.algorithm());
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut offset = extent.offset;
    while offset < extent.end() {
        let left = usize::try_from(extent.end() - offset).unwrap_or(usize::MAX);
        let length = buffer.len().min(left);
        file.read_exact_at(&mut buffer[..length], offset)?;
        hasher.update(&buffer[..length]);
        offset += length as u64;
    }
    Ok(hasher.finish())
}

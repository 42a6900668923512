//! Contents that are read at offsets, and targets that are also written at offsets.

use std::fs::File;
use std::io;

/// Bytes that can be read at any offset, from several threads at once.
pub trait Content: Send + Sync {
    /// The length in bytes; it does not change.
    fn len(&self) -> u64;

    /// Fills `buf` with the bytes from `offset` on.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::UnexpectedEof`] if the content ends before `buf` is full; errors of the medium.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()>;

    /// Whether there are no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Where a content is decoded to. The decoder writes every byte exactly once, not always in order, and reads back
/// what it has written. [`Content::len`] is the length of the content to decode.
pub trait Target: Content {
    /// Writes `buf` from `offset` on.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::UnexpectedEof`] if `buf` reaches beyond the length; errors of the medium.
    fn write_at(&mut self, buf: &[u8], offset: u64) -> io::Result<()>;
}

/// The range of a slice of `len` bytes, or an error.
fn range(len: usize, count: usize, offset: u64) -> io::Result<std::ops::Range<usize>> {
    usize::try_from(offset)
        .ok()
        .and_then(|start| Some(start..start.checked_add(count)?))
        .filter(|range| range.end <= len)
        .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

impl Content for [u8] {
    fn len(&self) -> u64 {
        <[u8]>::len(self) as u64
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        buf.copy_from_slice(&self[range(<[u8]>::len(self), buf.len(), offset)?]);
        Ok(())
    }
}

impl Content for &[u8] {
    fn len(&self) -> u64 {
        Content::len(*self)
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        (**self).read_at(buf, offset)
    }
}

impl Content for Vec<u8> {
    fn len(&self) -> u64 {
        Content::len(self.as_slice())
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.as_slice().read_at(buf, offset)
    }
}

impl Target for Vec<u8> {
    fn write_at(&mut self, buf: &[u8], offset: u64) -> io::Result<()> {
        let range = range(Vec::len(self), buf.len(), offset)?;
        self[range].copy_from_slice(buf);
        Ok(())
    }
}

/// A part of a file as a content or a target, for example of a scratch file that holds many contents.
#[derive(Debug)]
pub struct Window<'a> {
    file: &'a File,
    start: u64,
    len: u64,
}

impl<'a> Window<'a> {
    /// The `len` bytes of `file` from `start` on. A target may reach beyond the end of the file, which grows.
    pub fn new(file: &'a File, start: u64, len: u64) -> Self {
        Self { file, start, len }
    }

    fn absolute(&self, count: usize, offset: u64) -> io::Result<u64> {
        let fits = offset
            .checked_add(count as u64)
            .is_some_and(|end| end <= self.len);
        let absolute = self.start.checked_add(offset).filter(|_| fits);
        absolute.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

impl Content for Window<'_> {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        read_file_at(self.file, buf, self.absolute(buf.len(), offset)?)
    }
}

impl Target for Window<'_> {
    fn write_at(&mut self, buf: &[u8], offset: u64) -> io::Result<()> {
        write_file_at(self.file, buf, self.absolute(buf.len(), offset)?)
    }
}

#[cfg(unix)]
fn read_file_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buf, offset)
}

#[cfg(unix)]
fn write_file_at(file: &File, buf: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, buf, offset)
}

#[cfg(windows)]
fn read_file_at(file: &File, mut buf: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buf.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buf, offset)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                buf = &mut buf[count..];
                offset += count as u64;
            }
        }
    }
    Ok(())
}

#[cfg(windows)]
fn write_file_at(file: &File, mut buf: &[u8], mut offset: u64) -> io::Result<()> {
    while !buf.is_empty() {
        match std::os::windows::fs::FileExt::seek_write(file, buf, offset)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            count => {
                buf = &buf[count..];
                offset += count as u64;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_beyond_the_end_is_an_error() {
        let content: &[u8] = b"abc";
        let mut buf = [0; 2];
        content.read_at(&mut buf, 1).unwrap();
        assert_eq!(&buf, b"bc");
        assert!(content.read_at(&mut buf, 2).is_err());
        assert!(content.read_at(&mut buf, u64::MAX).is_err());
    }

    #[test]
    fn a_window_reads_and_writes_its_part_of_a_file_only() {
        let file = tempfile::tempfile().unwrap();
        let mut window = Window::new(&file, 10, 4);
        window.write_at(b"abcd", 0).unwrap();
        assert!(window.write_at(b"x", 4).is_err());
        let mut buf = [0; 2];
        window.read_at(&mut buf, 2).unwrap();
        assert_eq!(&buf, b"cd");
        assert_eq!(file.metadata().unwrap().len(), 14);
    }
}

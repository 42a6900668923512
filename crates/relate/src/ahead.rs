//! Reading ahead: short reads of a base are often of bytes that follow each other.

use std::io;
use std::sync::{Mutex, PoisonError};

use crate::content::Content;

/// How many bytes are read at a time. Longer reads are passed on.
const WINDOW: usize = 32 << 10;

/// A content that is read in windows.
pub(crate) struct Ahead<'a> {
    content: &'a dyn Content,
    window: Mutex<Window>,
}

/// Bytes that were read, and where they start.
#[derive(Default)]
struct Window {
    start: u64,
    bytes: Vec<u8>,
}

impl<'a> Ahead<'a> {
    pub(crate) fn new(content: &'a dyn Content) -> Self {
        Self {
            content,
            window: Mutex::default(),
        }
    }
}

impl Content for Ahead<'_> {
    fn len(&self) -> u64 {
        self.content.len()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let left = self.content.len().saturating_sub(offset);
        // What reaches beyond the end is an error that the content words.
        if buf.len() >= WINDOW || buf.len() as u64 > left {
            return self.content.read_at(buf, offset);
        }
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if !window.copy(buf, offset) {
            window.fill(self.content, offset, left.min(WINDOW as u64) as usize)?;
            window.copy(buf, offset);
        }
        Ok(())
    }
}

impl Window {
    /// Sets `buf` to the bytes at `offset`, if all of them are here.
    fn copy(&self, buf: &mut [u8], offset: u64) -> bool {
        let bytes = offset.checked_sub(self.start).and_then(|from| {
            let from = usize::try_from(from).ok()?;
            self.bytes.get(from..from.checked_add(buf.len())?)
        });
        let Some(bytes) = bytes else {
            return false;
        };
        buf.copy_from_slice(bytes);
        true
    }

    fn fill(&mut self, content: &dyn Content, offset: u64, len: usize) -> io::Result<()> {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.resize(len, 0);
        // If this fails, nothing is here.
        content.read_at(&mut bytes, offset)?;
        self.start = offset;
        self.bytes = bytes;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_ahead_is_what_the_content_has() {
        let content: Vec<u8> = (0..100_000u32).map(|number| (number / 7) as u8).collect();
        let ahead = Ahead::new(&content);
        for (offset, len) in [
            (0, 10),
            (5, 20_000),
            (30_000, 5_000),
            (99_990, 10),
            (1, 60_000),
            (99_000, 1_000),
            (100_000, 0),
        ] {
            let mut buf = vec![0; len];
            ahead.read_at(&mut buf, offset as u64).expect("within");
            assert_eq!(buf, content[offset..offset + len], "{offset} {len}");
        }
        let beyond = ahead.read_at(&mut [0; 11], 99_990);
        assert_eq!(
            beyond.map_err(|error| error.kind()),
            Err(io::ErrorKind::UnexpectedEof)
        );
    }
}

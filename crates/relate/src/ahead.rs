//! Reading ahead: short reads of a base are often of bytes that follow each other.

use std::io;
use std::sync::{Mutex, PoisonError};

use crate::content::Content;

/// How many bytes are read at a time, at most. Longer reads are passed on.
const WINDOW: usize = 32 << 10;
/// So many times what was asked for of a window is read ahead behind it, so that reading stays within that of what is used.
const TIMES: usize = 2;

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
    /// How many bytes of it were asked for, those that were asked for twice counted twice.
    used: usize,
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
        // The content itself reports reads beyond its end.
        if buf.len() >= WINDOW || buf.len() as u64 > left {
            return self.content.read_at(buf, offset);
        }
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if !window.copy(buf, offset) {
            let len = buf.len().max(window.ahead(offset));
            window.fill(self.content, offset, left.min(len as u64) as usize)?;
            window.copy(buf, offset);
        }
        Ok(())
    }
}

impl Window {
    /// How many bytes are worth reading at `offset`: none unless it is within the window or just behind it.
    fn ahead(&self, offset: u64) -> usize {
        let end = self.start + self.bytes.len() as u64;
        if (self.start..=end).contains(&offset) {
            self.used.saturating_mul(TIMES).min(WINDOW)
        } else {
            0
        }
    }

    /// Sets `buf` to the bytes at `offset`, if all of them are here.
    fn copy(&mut self, buf: &mut [u8], offset: u64) -> bool {
        let bytes = offset.checked_sub(self.start).and_then(|from| {
            let from = usize::try_from(from).ok()?;
            self.bytes.get(from..from.checked_add(buf.len())?)
        });
        let Some(bytes) = bytes else {
            return false;
        };
        buf.copy_from_slice(bytes);
        self.used = self.used.saturating_add(buf.len());
        true
    }

    fn fill(&mut self, content: &dyn Content, offset: u64, len: usize) -> io::Result<()> {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.resize(len, 0);
        // If reading fails, the window stays empty.
        content.read_at(&mut bytes, offset)?;
        *self = Self {
            start: offset,
            bytes,
            used: 0,
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// Counts the bytes that are read.
    struct Counted<'a>(&'a [u8], AtomicU64);

    impl Content for Counted<'_> {
        fn len(&self) -> u64 {
            Content::len(self.0)
        }

        fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
            self.1.fetch_add(buf.len() as u64, Ordering::Relaxed);
            self.0.read_at(buf, offset)
        }
    }

    #[test]
    fn not_much_more_is_read_than_is_used() {
        let bytes = vec![7; 1 << 20];
        for step in [1, 4096, 40_000, 100_003] {
            let counted = Counted(&bytes, AtomicU64::new(0));
            let ahead = Ahead::new(&counted);
            for number in 0..10_000 {
                let offset = number * step % ((1 << 20) - 16);
                ahead.read_at(&mut [0; 16], offset).expect("within");
            }
            let read = counted.1.load(Ordering::Relaxed);
            assert!(read <= 16 * 10_000 * 3, "{step}: {read}");
        }
    }

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

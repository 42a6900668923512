//! Buffered compressed input that remembers what has not been compared yet.

use std::io::Read;

use crate::error::{Error, Result};

/// Read from the source in pieces of this size.
const PIECE: usize = 1 << 16;

/// Compressed bytes on their way to the inflater and to the comparison.
pub(crate) struct Input<R> {
    source: R,
    raw: Vec<u8>,
    /// Offset of `raw[0]` in the stream.
    base: u64,
    /// The next byte for the inflater, and the next byte to compare: indexes into `raw`.
    next: usize,
    compared: usize,
    ended: bool,
}

impl<R: Read> Input<R> {
    pub(crate) fn new(source: R, offset: u64) -> Self {
        Self {
            source,
            raw: Vec::new(),
            base: offset,
            next: 0,
            compared: 0,
            ended: false,
        }
    }

    /// Starts over with these bytes; nothing more is read from the source after them.
    pub(crate) fn replace(&mut self, bytes: &[u8]) {
        self.raw.clear();
        self.raw.extend_from_slice(bytes);
        self.base = 0;
        self.next = 0;
        self.compared = 0;
        self.ended = true;
    }

    /// Offset in the stream of the next byte.
    pub(crate) fn offset(&self) -> u64 {
        self.base + self.next as u64
    }

    /// Makes `count` bytes from `next` on available if the source has them.
    fn fill(&mut self, from: usize, count: usize) -> Result<bool> {
        while self.raw.len() < from + count {
            if self.ended {
                return Ok(false);
            }
            let len = self.raw.len();
            self.raw.resize(len + PIECE, 0);
            let n = loop {
                match self.source.read(&mut self.raw[len..]) {
                    Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                    other => break other?,
                }
            };
            self.raw.truncate(len + n);
            self.ended = n == 0;
        }
        Ok(true)
    }

    /// The available bytes, at least `want` unless the source ends before.
    pub(crate) fn peek(&mut self, want: usize) -> Result<&[u8]> {
        self.discard();
        self.fill(self.next, want)?;
        Ok(&self.raw[self.next..])
    }

    /// Steps over `count` bytes that `peek` showed.
    pub(crate) fn advance(&mut self, count: usize) {
        self.next = (self.next + count).min(self.raw.len());
    }

    /// Returns bytes that were taken but not used.
    pub(crate) fn retreat(&mut self, count: usize) {
        self.next = self.next.saturating_sub(count);
    }

    /// Takes exactly `count` bytes, or fails.
    pub(crate) fn take(&mut self, count: usize) -> Result<&[u8]> {
        if self.peek(count)?.len() < count {
            return Err(Error::BadStream("cut short"));
        }
        self.next += count;
        Ok(&self.raw[self.next - count..self.next])
    }

    /// Comparing starts at the next byte.
    pub(crate) fn mark(&mut self) {
        self.compared = self.next;
    }

    /// Whether the stream continues with `bytes` where the last comparison ended.
    ///
    /// `Ok(None)` if they are equal as far as the source goes.
    pub(crate) fn compare(&mut self, bytes: &[u8]) -> Result<Option<bool>> {
        self.fill(self.compared, bytes.len())?;
        let there = &self.raw[self.compared..];
        let n = there.len().min(bytes.len());
        if there[..n] != bytes[..n] {
            return Ok(Some(false));
        }
        self.compared += n;
        Ok((n == bytes.len()).then_some(true))
    }

    /// Whether all that the inflater took has been compared.
    pub(crate) fn all_compared(&self) -> bool {
        self.compared == self.next
    }

    /// Without a comparison there is nothing to keep.
    pub(crate) fn skip_comparison(&mut self) {
        self.compared = self.next;
    }

    fn discard(&mut self) {
        let done = self.next.saturating_sub(16).min(self.compared);
        if done >= 16 * PIECE {
            self.raw.drain(..done);
            self.base += done as u64;
            self.next -= done;
            self.compared -= done;
        }
    }
}

//! Writes a target in order and in large parts, and reads back what was written.

use crate::content::Target;
use crate::error::DecodeError;

/// How many bytes are held before they are written.
const CAPACITY: usize = 256 << 10;

/// A target with bytes that are not written yet.
pub(crate) struct Output<'a> {
    target: &'a mut dyn Target,
    held: Vec<u8>,
    /// Where the held bytes go.
    start: u64,
}

impl<'a> Output<'a> {
    pub(crate) fn new(target: &'a mut dyn Target) -> Self {
        Self {
            target,
            held: Vec::with_capacity(CAPACITY),
            start: 0,
        }
    }

    /// The length of the target.
    pub(crate) fn len(&self) -> u64 {
        self.target.len()
    }

    /// Writes `bytes` at `offset`; soon, if it follows what was written last.
    pub(crate) fn write(&mut self, bytes: &[u8], offset: u64) -> Result<(), DecodeError> {
        if self.start + self.held.len() as u64 != offset || self.held.len() >= CAPACITY {
            self.flush()?;
            self.start = offset;
        }
        self.held.extend_from_slice(bytes);
        Ok(())
    }

    /// Reads back bytes that were written.
    pub(crate) fn read(&mut self, buf: &mut [u8], offset: u64) -> Result<(), DecodeError> {
        let end = offset + buf.len() as u64;
        let held_end = self.start + self.held.len() as u64;
        if offset >= self.start && end <= held_end {
            let from = (offset - self.start) as usize;
            buf.copy_from_slice(&self.held[from..from + buf.len()]);
            return Ok(());
        }
        if end > self.start && offset < held_end {
            self.flush()?;
        }
        self.target
            .read_at(buf, offset)
            .map_err(DecodeError::Target)
    }

    /// Writes what is held.
    pub(crate) fn flush(&mut self) -> Result<(), DecodeError> {
        let written = self.target.write_at(&self.held, self.start);
        written.map_err(DecodeError::Target)?;
        self.start += self.held.len() as u64;
        self.held.clear();
        Ok(())
    }
}

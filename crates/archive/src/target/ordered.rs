//! A target that is written from its start to its end, for file systems that fill a jump ahead with zeros.

use std::io::{self, Write};

use crate::target::error::WriteError;
use crate::target::writable::{Published, Target};

/// A target with a position.
pub struct OrderedFile {
    target: Box<dyn Target>,
    position: u64,
}

impl OrderedFile {
    /// Continues `target` at `position`; what is after that is discarded.
    ///
    /// # Errors
    /// If the target cannot be written.
    pub fn new(target: Box<dyn Target>, position: u64) -> Result<Self, WriteError> {
        target
            .truncate(position)
            .map_err(WriteError::io("write", target.path()))?;
        Ok(Self { target, position })
    }

    /// Gives the target the bytes of `start` again that it holds back until it is published, where they were
    /// written by an earlier run.
    ///
    /// # Errors
    /// If the target cannot be written.
    pub fn hold_first(&self, start: &[u8]) -> Result<(), WriteError> {
        self.target
            .write_all_at(&start[..start.len().min(512)], 0)
            .map_err(WriteError::io("write", self.target.path()))
    }

    /// Publishes what was written.
    ///
    /// # Errors
    /// As [`Target::publish`].
    pub fn publish(self) -> Result<Published, WriteError> {
        self.target.publish()
    }
}

impl Write for OrderedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.target.write_at(bytes, self.position)?;
        self.position += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

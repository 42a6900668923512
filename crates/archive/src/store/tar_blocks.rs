//! The blocks of a tar that is read at offsets, for the walkers that find entries in it.

use crate::fault::{Fault, shown_bytes};
use crate::header::BLOCK;
use crate::store::read_at::ReadAt;

/// The most entries that are looked at; no bundle has more.
pub(super) const MAX_ENTRIES: usize = 500_000;

/// A tar, block by block.
pub(super) struct TarBlocks<'a> {
    file: &'a dyn ReadAt,
    size: u64,
    /// What faults call it: `the file`, `the archive`.
    name: &'static str,
}

impl<'a> TarBlocks<'a> {
    pub(super) fn new(file: &'a dyn ReadAt, name: &'static str) -> Result<Self, Fault> {
        let size = file
            .size()
            .map_err(|error| Fault::new(name, 0, format!("cannot be read: {error}")))?;
        Ok(Self { file, size, name })
    }

    /// The tar's size in bytes.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// A fault of the tar itself.
    pub(super) fn fault(&self, offset: u64, what: impl Into<String>) -> Fault {
        Fault::new(self.name, offset, what)
    }

    /// The block at `offset`.
    pub(super) fn block(&self, offset: u64) -> Result<[u8; 512], Fault> {
        let mut block = [0; 512];
        if offset.saturating_add(BLOCK) > self.size {
            return Err(self.fault(
                self.size,
                format!(
                    "it ends without the two zero blocks that end a tar (truncated at {} bytes)",
                    self.size
                ),
            ));
        }
        self.read(&mut block, offset)?;
        Ok(block)
    }

    /// Fills `buffer` from `offset` on.
    pub(super) fn read(&self, buffer: &mut [u8], offset: u64) -> Result<(), Fault> {
        self.file
            .read_exact_at(buffer, offset)
            .map_err(|error| self.fault(offset, format!("cannot be read: {error}")))
    }

    /// Checks that an entry that begins at `start` and ends at `end` is all there.
    pub(super) fn check_end(
        &self,
        name: &[u8],
        start: u64,
        content: u64,
        end: u64,
    ) -> Result<(), Fault> {
        if end <= self.size {
            return Ok(());
        }
        Err(Fault::new(
            shown_bytes(name),
            start,
            format!(
                "the file ends after {} bytes, inside this entry of {content} bytes (truncated)",
                self.size
            ),
        ))
    }
}

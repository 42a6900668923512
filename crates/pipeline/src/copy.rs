//! Copies from a reader to a writer with progress, in pieces that can be cancelled.

use std::io::{self, Read, Write};

use crate::{Cancel, Cancelled};

/// The size of one transfer buffer: large enough that system calls cost nothing beside hashing, small
/// enough to stay in a core's second-level cache.
pub const BUFFER_BYTES: usize = 256 << 10;

/// Why a copy ended early; which side failed decides what can be tried again.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The source failed.
    #[error("cannot read: {0}")]
    Read(#[source] io::Error),
    /// The target failed.
    #[error("cannot write: {0}")]
    Write(#[source] io::Error),
    /// It was asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// Copies all of `reader` into `writer` through `buffer`, tells `advanced` about every piece that is
/// written, and looks at `cancel` between pieces. Returns the number of bytes.
pub fn copy(
    reader: &mut dyn Read,
    writer: &mut dyn Write,
    buffer: &mut [u8],
    cancel: &Cancel,
    mut advanced: impl FnMut(u64),
) -> Result<u64, CopyError> {
    let mut total = 0;
    loop {
        cancel.check()?;
        let read = match reader.read(buffer) {
            Ok(0) => return Ok(total),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(CopyError::Read(error)),
        };
        writer
            .write_all(&buffer[..read])
            .map_err(CopyError::Write)?;
        total += read as u64;
        advanced(read as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_counts_what_it_wrote() {
        let mut out = Vec::new();
        let mut seen = 0;
        let copied = copy(
            &mut &b"hello"[..],
            &mut out,
            &mut [0; 2],
            &Cancel::new(),
            |n| seen += n,
        );
        assert_eq!(copied.unwrap(), 5);
        assert_eq!((out.as_slice(), seen), (&b"hello"[..], 5));
    }

    #[test]
    fn a_cancelled_copy_writes_nothing_more() {
        let cancel = Cancel::new();
        cancel.cancel();
        let mut out = Vec::new();
        let result = copy(&mut &b"hello"[..], &mut out, &mut [0; 2], &cancel, |_| {});
        assert!(matches!(result, Err(CopyError::Cancelled(_))));
        assert!(out.is_empty());
    }
}

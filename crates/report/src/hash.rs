//! The checksum of a bundle's own file: what `sha256sum` prints.

use std::fs::File;
use std::io;
use std::path::Path;

use sealift_archive::Work;
use sealift_oci::{Algorithm, Digest};
use sealift_pipeline::{BUFFER_BYTES, CopyError, Event, HashingReader, copy};

use crate::error::ReportError;

/// The SHA-256 digest of the file at `path`.
///
/// # Errors
/// If it cannot be read, or the work is stopped.
pub(crate) fn file(path: &Path, work: &Work<'_>) -> Result<Digest, ReportError> {
    let failed = |source: io::Error| ReportError::Io {
        name: path.display().to_string(),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    work.observer.event(&Event::Phase {
        name: "computing the checksum",
    });
    work.observer.event(&Event::Total {
        blobs: 1,
        bytes: size,
    });
    let mut reader = HashingReader::new(file, Algorithm::Sha256);
    let mut buffer = vec![0; BUFFER_BYTES];
    let name = Digest::sha256(b"");
    copy(
        &mut reader,
        &mut io::sink(),
        &mut buffer,
        work.cancel,
        |bytes| {
            work.observer.event(&Event::Advanced {
                digest: &name,
                bytes,
            });
        },
    )
    .map_err(|error| match error {
        CopyError::Cancelled(cancelled) => cancelled.into(),
        CopyError::Read(error) | CopyError::Write(error) => failed(error),
    })?;
    Ok(reader.finish().0)
}

//! The checksum of a bundle's file: what `sha256sum` prints, and unlike the identity different for each profile.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sealift_oci::{Algorithm, Digest};
use sealift_pipeline::{
    BUFFER_BYTES, Cancel, Cancelled, CopyError, Event, HashingReader, Observer, copy,
};

/// Why a checksum could not be computed.
#[derive(Debug, thiserror::Error)]
pub enum ChecksumError {
    /// The file cannot be read.
    #[error("cannot read {} to compute its checksum: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It was asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// The SHA-256 of the file at `path`, which is read once, as a phase of its own.
///
/// # Errors
/// If the file cannot be read, or the work is cancelled.
pub fn checksum(
    path: &Path,
    cancel: &Cancel,
    observer: &dyn Observer,
) -> Result<Digest, ChecksumError> {
    let fault = |source| ChecksumError::Io {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(fault)?;
    let bytes = file.metadata().map_err(fault)?.len();
    observer.event(&Event::Phase {
        name: "computing the file's SHA-256",
    });
    observer.event(&Event::Total { blobs: 0, bytes });
    // Progress needs a digest to count bytes for; this one belongs to no blob.
    let digest = Digest::sha256(b"");
    // A file that grows is not read forever.
    let mut reader = HashingReader::new(file.take(bytes), Algorithm::Sha256);
    let mut buffer = vec![0; BUFFER_BYTES];
    let advanced = |bytes| {
        observer.event(&Event::Advanced {
            digest: &digest,
            bytes,
        });
    };
    match copy(&mut reader, &mut io::sink(), &mut buffer, cancel, advanced) {
        Ok(_) => Ok(reader.finish().0),
        Err(CopyError::Cancelled(cancelled)) => Err(cancelled.into()),
        Err(CopyError::Read(error) | CopyError::Write(error)) => Err(fault(error)),
    }
}

#[cfg(test)]
mod tests {
    use sealift_pipeline::NoObserver;

    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, b"bundle").unwrap();
        let sum = checksum(&path, &Cancel::new(), &NoObserver).unwrap();
        assert_eq!(sum, Digest::sha256(b"bundle"));
        let missing = checksum(&folder.path().join("none"), &Cancel::new(), &NoObserver);
        assert!(missing.unwrap_err().to_string().contains("none"));
    }
}

//! A bundle from a pipe. Checking and loading read a bundle at many places, so it is kept in a file first.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use sealift_archive::begins_as_tar;
use sealift_pipeline::{BUFFER_BYTES, Cancel};
use tempfile::TempDir;

use crate::exit::Exit;
use crate::failure::Failure;

/// The name of the file, which messages repeat.
const NAME: &str = "standard-input.tar";

/// A bundle's path; that of a copy of standard input ends with the value.
pub(crate) struct BundlePath {
    path: PathBuf,
    _folder: Option<TempDir>,
}

impl BundlePath {
    /// `path` itself, or for `-` that of a copy of standard input in `scratch`.
    ///
    /// # Errors
    /// If standard input cannot be read or kept.
    pub(crate) fn of(path: &Path, scratch: &Path, cancel: &Cancel) -> Result<Self, Failure> {
        if path != Path::new("-") {
            return Ok(Self {
                path: path.to_owned(),
                _folder: None,
            });
        }
        let failed = |error: io::Error| {
            let message = format!(
                "standard input cannot be kept in {}: {error}",
                scratch.display()
            );
            Failure::message(Exit::Failed, message)
                .hint("choose a folder with enough space with --scratch-dir, or write the bundle to a file first")
        };
        let folder = tempfile::Builder::new()
            .prefix("sealift-")
            .tempdir_in(scratch)
            .map_err(failed)?;
        let path = folder.path().join(NAME);
        let mut file = std::fs::File::create_new(&path).map_err(failed)?;
        copy(&mut io::stdin().lock(), &mut file, cancel, &failed)?;
        Ok(Self {
            path,
            _folder: Some(folder),
        })
    }

    /// Where the bundle is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// How much is read before it is decided whether the rest is.
const START: usize = 4096;

/// Copies all of a bundle; of something else, which may have no end, only what shows that.
fn copy(
    from: &mut impl Read,
    to: &mut impl Write,
    cancel: &Cancel,
    failed: &impl Fn(io::Error) -> Failure,
) -> Result<(), Failure> {
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut start = Vec::new();
    loop {
        cancel.check()?;
        match from.read(&mut buffer) {
            Ok(0) => return to.flush().map_err(failed),
            Ok(read) => {
                to.write_all(&buffer[..read]).map_err(failed)?;
                if start.len() < START {
                    start.extend_from_slice(&buffer[..read]);
                    if start.len() >= START && !begins_as_tar(&start) {
                        return to.flush().map_err(failed);
                    }
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The bytes that are copied of `from`.
    fn copied(from: &mut impl Read) -> usize {
        let mut to = Vec::new();
        let failed = |error: io::Error| Failure::message(Exit::Failed, error.to_string());
        copy(from, &mut to, &Cancel::new(), &failed).ok().unwrap();
        to.len()
    }

    #[test]
    fn what_does_not_begin_as_a_bundle_is_not_read_to_its_end() {
        for byte in [0, b'x'] {
            assert!(copied(&mut io::repeat(byte).take(1 << 30)) <= BUFFER_BYTES);
        }
        assert_eq!(copied(&mut &b"short"[..]), 5);
    }

    #[test]
    fn what_begins_as_a_bundle_is_copied_to_its_end() {
        // A header has the sum of its bytes, with spaces in that field's place.
        let mut tar = vec![0; 3 << 20];
        tar[..10].copy_from_slice(b"oci-layout");
        tar[148..156].fill(b' ');
        let sum: u32 = tar[..512].iter().map(|byte| u32::from(*byte)).sum();
        tar[148..156].copy_from_slice(format!("{sum:07o}\0").as_bytes());
        assert_eq!(copied(&mut tar.as_slice()), tar.len());
    }
}

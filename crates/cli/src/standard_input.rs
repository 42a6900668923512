//! A bundle from a pipe. Checking and loading read a bundle at many places, so it is kept in a file first.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

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

fn copy(
    from: &mut impl Read,
    to: &mut impl Write,
    cancel: &Cancel,
    failed: &impl Fn(io::Error) -> Failure,
) -> Result<(), Failure> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        cancel.check()?;
        match from.read(&mut buffer) {
            Ok(0) => return to.flush().map_err(failed),
            Ok(read) => to.write_all(&buffer[..read]).map_err(failed)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
}

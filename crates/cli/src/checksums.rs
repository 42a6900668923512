//! Checksums of bundles, as `sha256sum` prints and reads them.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use sealift_archive::ChecksumError;
use sealift_oci::{Algorithm, Digest, Hasher};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::{NewFile, ORDINARY, folder, write_all};
use crate::{output, progress};

/// The file that `--checksums` writes into the folder of the output.
const NAME: &str = "SHA256SUMS";

/// Refuses to begin if the checksum of `output`, which does not exist yet, could not be written at the end.
pub(crate) fn check(output: &Path, replace: bool) -> Result<(), Failure> {
    let path = path(output);
    if !replace && path.symlink_metadata().is_ok() && output.symlink_metadata().is_err() {
        let message = format!("{} exists", path.display());
        return Err(Failure::message(Exit::Conflict, message)
            .hint("use --force to replace it, or write the bundle to another folder"));
    }
    Ok(())
}

/// Writes the file of checksums for `output`.
pub(crate) fn write(output: &Path, sum: &Digest, replace: bool) -> Result<(), Failure> {
    let file = NewFile {
        path: path(output),
        bytes: line(sum, output.file_name().unwrap_or_default()),
        mode: ORDINARY,
        owner: None,
    };
    write_all(&[file], replace)
}

fn path(output: &Path) -> PathBuf {
    folder(output).join(NAME)
}

/// A line of the file. A name with a backslash or the end of a line in it is escaped, and the line says so.
fn line(sum: &Digest, name: &OsStr) -> Vec<u8> {
    let mut escaped = Vec::new();
    for byte in name.as_bytes() {
        match byte {
            b'\\' => escaped.extend(b"\\\\"),
            b'\n' => escaped.extend(b"\\n"),
            b'\r' => escaped.extend(b"\\r"),
            byte => escaped.push(*byte),
        }
    }
    let mut line = Vec::new();
    if escaped.len() > name.len() {
        line.push(b'\\');
    }
    line.extend(sum.hex().into_bytes());
    line.extend(b"  ");
    line.extend(escaped);
    line.push(b'\n');
    line
}

/// Prints identity and checksum, and unless `quiet` what they are.
pub(crate) fn print(
    identity: &dyn std::fmt::Display,
    sum: &Digest,
    quiet: bool,
) -> Result<(), Failure> {
    output::line(&format!("identity {identity}"))?;
    output::line(&format!("sha256   {}", sum.hex()))?;
    if quiet {
        return Ok(());
    }
    progress::note(
        "the identity stands for the content, whatever the profile; the sha256 is this file's, as sha256sum prints it",
    );
    Ok(())
}

/// A writer that computes the SHA-256 of what passes.
pub(crate) struct Summed<W> {
    inner: W,
    hasher: Hasher,
}

impl<W: Write> Summed<W> {
    /// A writer to `inner`.
    pub(crate) fn new(inner: W) -> Self {
        Self {
            inner,
            hasher: Hasher::new(Algorithm::Sha256),
        }
    }

    /// The checksum of all that was written.
    pub(crate) fn finish(self) -> Digest {
        self.hasher.finish()
    }
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl From<ChecksumError> for Failure {
    fn from(error: ChecksumError) -> Self {
        match error {
            ChecksumError::Cancelled(cancelled) => cancelled.into(),
            error @ ChecksumError::Io { .. } => Self::new(Exit::Failed, &error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_special_characters_are_escaped_as_sha256sum_does() {
        let sum = Digest::sha256(b"");
        let text = |name: &str| String::from_utf8(line(&sum, OsStr::new(name))).unwrap();
        let hex = sum.hex();
        assert_eq!(text("a b.tar"), format!("{hex}  a b.tar\n"));
        assert_eq!(text("a\\b\n"), format!("\\{hex}  a\\\\b\\n\n"));
    }
}

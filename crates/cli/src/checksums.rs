//! Checksums of bundles, as `sha256sum` prints and reads them.

use std::ffi::OsStr;
use std::fs;
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

/// Refuses to begin if the checksum of `output` could not be written at the end: if the file is not a list of
/// checksums, or if it has one of an `output` that does not exist and may not be replaced.
pub(crate) fn check(output: &Path, replace: bool) -> Result<(), Failure> {
    let path = path(output);
    let lines = lines(&path)?;
    let listed = lines.iter().any(|line| is_of(line, output));
    if !replace && listed && output.symlink_metadata().is_err() {
        let name = output.file_name().unwrap_or_default().display();
        let message = format!("{} has a checksum of another {name}", path.display());
        return Err(Failure::message(Exit::Conflict, message)
            .hint("use --force to replace it, or write the bundle to another folder"));
    }
    Ok(())
}

/// Writes the checksum of `output` to the file of checksums. Lines of other files stay.
pub(crate) fn write(output: &Path, sum: &Digest) -> Result<(), Failure> {
    let path = path(output);
    let mut lines = lines(&path)?;
    lines.retain(|line| !is_of(line, output));
    lines.push(line(sum, output.file_name().unwrap_or_default()));
    let file = NewFile {
        path,
        bytes: lines.concat(),
        mode: ORDINARY,
        owner: None,
    };
    write_all(&[file], true)
}

fn path(output: &Path) -> PathBuf {
    folder(output).join(NAME)
}

/// The lines of the file of checksums at `path`; none if there is no such file.
fn lines(path: &Path) -> Result<Vec<Vec<u8>>, Failure> {
    let failure = |exit, words: &dyn std::fmt::Display| {
        Failure::message(exit, format!("{} {words}", path.display()))
            .hint("write the bundle to another folder, or omit --checksums")
    };
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
            return Err(failure(Exit::Conflict, &"is a folder"));
        }
        Err(error) => {
            return Err(failure(
                Exit::Failed,
                &format_args!("cannot be read: {error}"),
            ));
        }
    };
    let lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let lines: Vec<Vec<u8>> = lines
        .map(|line| [line.strip_suffix(b"\n").unwrap_or(line), b"\n"].concat())
        .collect();
    if lines.iter().all(|line| is_checksum(line)) {
        return Ok(lines);
    }
    Err(failure(
        Exit::Conflict,
        &"exists and is not a list of checksums",
    ))
}

/// Whether this is a line that `sha256sum -c` reads or skips: `HEX  NAME`, `HEX *NAME`, `SHA256 (NAME) = HEX`, or a
/// comment.
fn is_checksum(line: &[u8]) -> bool {
    matches!(line, [b'#' | b'\n', ..]) || line.starts_with(b"SHA256 (") || named(line).is_some()
}

/// The name in a line `HEX  NAME`, as it is escaped there.
fn named(line: &[u8]) -> Option<&[u8]> {
    let line = line.strip_prefix(b"\\").unwrap_or(line);
    let (sum, name) = line.split_at_checked(64)?;
    let name = name
        .strip_prefix(b"  ")
        .or_else(|| name.strip_prefix(b" *"))?;
    let name = name.strip_suffix(b"\n").unwrap_or(name);
    sum.iter().all(u8::is_ascii_hexdigit).then_some(name)
}

/// Whether a line has the checksum of `output`.
fn is_of(line: &[u8], output: &Path) -> bool {
    let (name, _) = escaped(output.file_name().unwrap_or_default());
    named(line).is_some_and(|named| named.strip_prefix(b"./").unwrap_or(named) == name)
}

/// A line of the file. It says whether the name is escaped.
fn line(sum: &Digest, name: &OsStr) -> Vec<u8> {
    let (name, changed) = escaped(name);
    let mut line = Vec::new();
    if changed {
        line.push(b'\\');
    }
    line.extend(sum.hex().into_bytes());
    line.extend(b"  ");
    line.extend(name);
    line.push(b'\n');
    line
}

/// A name in which backslashes and ends of lines are escaped, and whether there were any.
fn escaped(name: &OsStr) -> (Vec<u8>, bool) {
    let mut escaped = Vec::new();
    for byte in name.as_bytes() {
        match byte {
            b'\\' => escaped.extend(b"\\\\"),
            b'\n' => escaped.extend(b"\\n"),
            b'\r' => escaped.extend(b"\\r"),
            byte => escaped.push(*byte),
        }
    }
    let changed = escaped.len() > name.len();
    (escaped, changed)
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

    #[test]
    fn lines_of_other_files_stay() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a.tar"), folder.path().join("b\\c.tar"));
        let sums = folder.path().join(NAME);
        let digest = |text: &str| Digest::sha256(text.as_bytes());
        let old = format!(
            "# mine\n{}  b.tar\n{} *a.tar\n{}  c.tar",
            digest("1").hex(),
            digest("2").hex(),
            digest("3").hex()
        );
        fs::write(&sums, &old).unwrap();
        assert_eq!(check(&a, false).unwrap_err().exit(), Exit::Conflict);
        check(&a, true).unwrap();
        for _ in 0..2 {
            check(&b, false).unwrap();
            write(&a, &digest("4")).unwrap();
            write(&b, &digest("5")).unwrap();
            fs::write(&b, "").unwrap();
        }
        let expected = format!(
            "# mine\n{}  b.tar\n{}  c.tar\n{}  a.tar\n\\{}  b\\\\c.tar\n",
            digest("1").hex(),
            digest("3").hex(),
            digest("4").hex(),
            digest("5").hex()
        );
        assert_eq!(fs::read_to_string(&sums).unwrap(), expected);
    }
}

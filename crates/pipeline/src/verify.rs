//! A reader that hashes and counts what passes, and fails at the end if it is something else.

use std::io::{self, Read};

use sealift_oci::{Algorithm, Digest, Hasher};

/// Hashes and counts what is read through it.
#[derive(Debug)]
pub struct HashingReader<R> {
    inner: R,
    hasher: Hasher,
    bytes: u64,
}

impl<R: Read> HashingReader<R> {
    /// Reads from `inner`.
    pub fn new(inner: R, algorithm: Algorithm) -> Self {
        Self {
            inner,
            hasher: Hasher::new(algorithm),
            bytes: 0,
        }
    }

    /// The digest and the number of the bytes that were read.
    pub fn finish(self) -> (Digest, u64) {
        (self.hasher.finish(), self.bytes)
    }
}

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        self.bytes += read as u64;
        Ok(read)
    }
}

/// Content is not what its descriptor says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// Fewer bytes came than the descriptor says.
    #[error("{digest} ends after {actual} of {expected} bytes")]
    Short {
        /// The expected digest.
        digest: Digest,
        /// How many bytes were expected.
        expected: u64,
        /// How many came.
        actual: u64,
    },
    /// More bytes came than the descriptor says.
    #[error("{digest} has more than the {expected} bytes that its descriptor says")]
    Long {
        /// The expected digest.
        digest: Digest,
        /// How many bytes were expected.
        expected: u64,
    },
    /// As many bytes as expected, but others.
    #[error("the content has digest {actual}, not {expected}")]
    Digest {
        /// The expected digest.
        expected: Digest,
        /// The digest of what came.
        actual: Digest,
    },
}

impl From<Mismatch> for io::Error {
    fn from(mismatch: Mismatch) -> Self {
        io::Error::new(io::ErrorKind::InvalidData, mismatch)
    }
}

/// The mismatch that an error of [`VerifyingReader`] carries; `None` for any other error.
pub fn mismatch_of(error: &io::Error) -> Option<&Mismatch> {
    error.get_ref()?.downcast_ref()
}

/// Passes on exactly the content that was promised: the last byte is followed by the end of the
/// stream only if size and digest agree, else by an error that carries a [`Mismatch`].
#[derive(Debug)]
pub struct VerifyingReader<R> {
    inner: R,
    hasher: Option<Hasher>,
    expected: Digest,
    size: u64,
    read: u64,
}

impl<R: Read> VerifyingReader<R> {
    /// Reads content of `size` bytes and digest `expected` from `inner`.
    pub fn new(inner: R, expected: Digest, size: u64) -> Self {
        Self::resumed(inner, Hasher::new(expected.algorithm()), 0, expected, size)
    }

    /// The same where `hasher` has taken the first `read` bytes already.
    pub fn resumed(inner: R, hasher: Hasher, read: u64, expected: Digest, size: u64) -> Self {
        Self {
            inner,
            hasher: Some(hasher),
            expected,
            size,
            read,
        }
    }

    /// Checks what was read so far as the whole. The end of the stream is reported once and stays.
    fn end(&mut self) -> io::Result<usize> {
        if self.read < self.size {
            return Err(Mismatch::Short {
                digest: self.expected,
                expected: self.size,
                actual: self.read,
            }
            .into());
        }
        if let Some(hasher) = self.hasher.take() {
            let actual = hasher.finish();
            if actual != self.expected {
                return Err(Mismatch::Digest {
                    expected: self.expected,
                    actual,
                }
                .into());
            }
        }
        Ok(0)
    }
}

impl<R: Read> Read for VerifyingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() || self.hasher.is_none() {
            return Ok(0);
        }
        let read = self.inner.read(buffer)?;
        if read == 0 {
            return self.end();
        }
        self.read += read as u64;
        if self.read > self.size {
            return Err(Mismatch::Long {
                digest: self.expected,
                expected: self.size,
            }
            .into());
        }
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&buffer[..read]);
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &[u8], promised: &[u8], size: u64) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        VerifyingReader::new(content, Digest::sha256(promised), size).read_to_end(&mut out)?;
        Ok(out)
    }

    fn fault(content: &[u8], promised: &[u8], size: u64) -> Option<Mismatch> {
        read(content, promised, size)
            .err()
            .and_then(|error| mismatch_of(&error).cloned())
    }

    #[test]
    fn promised_content_passes() {
        assert_eq!(read(b"abc", b"abc", 3).unwrap(), b"abc");
        assert_eq!(read(b"", b"", 0).unwrap(), b"");
    }

    #[test]
    fn every_other_content_ends_in_an_error() {
        assert!(matches!(
            fault(b"ab", b"abc", 3),
            Some(Mismatch::Short { actual: 2, .. })
        ));
        assert!(matches!(
            fault(b"abcd", b"abc", 3),
            Some(Mismatch::Long { .. })
        ));
        assert!(matches!(
            fault(b"abd", b"abc", 3),
            Some(Mismatch::Digest { .. })
        ));
    }

    #[test]
    fn a_hashing_reader_tells_digest_and_size() {
        let mut reader = HashingReader::new(&b"abc"[..], Algorithm::Sha256);
        io::copy(&mut reader, &mut io::sink()).unwrap();
        assert_eq!(reader.finish(), (Digest::sha256(b"abc"), 3));
    }
}

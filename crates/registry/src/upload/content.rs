//! The content of an upload on its way.

use std::io::{self, Read};

use sealift_pipeline::{Cancel, RateLimit, mismatch_of};

use super::source::BlobSource;
use crate::error::ErrorKind;

/// The content of one upload: holds back the part that completes it until the end was read and verified,
/// remembers an error of its own, and reports how far it is.
pub(super) struct Content<'a> {
    inner: Box<dyn Read + Send + 'a>,
    source: &'a dyn BlobSource,
    cancel: &'a Cancel,
    rate: Option<RateLimit>,
    size: u64,
    position: u64,
    is_complete: bool,
    error: Option<io::Error>,
}

impl<'a> Content<'a> {
    pub(super) fn open(
        source: &'a dyn BlobSource,
        offset: u64,
        cancel: &'a Cancel,
        rate: Option<RateLimit>,
    ) -> Result<Self, ErrorKind> {
        Ok(Self {
            inner: source.open(offset).map_err(ErrorKind::Source)?,
            source,
            cancel,
            rate,
            size: source.descriptor().size,
            position: offset,
            is_complete: false,
            error: None,
        })
    }

    /// How many bytes have been handed over, those before the beginning included.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Why the request failed: because of the content itself, if it could not be read.
    pub(super) fn cause(&mut self, kind: ErrorKind) -> ErrorKind {
        if let Err(cancelled) = self.cancel.check() {
            return cancelled.into();
        }
        match self.error.take() {
            Some(error) => ErrorKind::Source(error),
            None => kind,
        }
    }

    /// Checks that everything was read and verified; nothing is committed otherwise.
    pub(super) fn finish(&mut self) -> Result<(), ErrorKind> {
        self.read_end().map_err(ErrorKind::Source)
    }

    fn read_end(&mut self) -> io::Result<()> {
        if self.is_complete {
            return Ok(());
        }
        match self.inner.read(&mut [0])? {
            0 => {
                self.is_complete = true;
                Ok(())
            }
            _ => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "it is longer than its descriptor says",
            )),
        }
    }

    fn read_part(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.cancel.check().map_err(io::Error::other)?;
        let left = usize::try_from(self.size - self.position).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        if wanted == 0 {
            return Ok(0);
        }
        let wanted = match &self.rate {
            Some(rate) => rate.take(wanted, self.cancel).map_err(io::Error::other)?,
            None => wanted,
        };
        let read = self.inner.read(&mut buffer[..wanted])?;
        if let Some(rate) = &self.rate {
            rate.put_back(wanted - read);
        }
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if read == left {
            self.read_end()?;
        }
        Ok(read)
    }
}

impl Read for Content<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.read_part(buffer) {
            Ok(read) => {
                self.position += read as u64;
                self.source.sent(self.position);
                Ok(read)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                // The error goes to the HTTP client, which ends the request, and to `cause`.
                let copy = match mismatch_of(&error) {
                    Some(mismatch) => mismatch.clone().into(),
                    None => io::Error::new(error.kind(), error.to_string()),
                };
                self.error = Some(copy);
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use sealift_oci::{Descriptor, Digest};
    use sealift_pipeline::VerifyingReader;

    use super::*;

    struct Source(Vec<u8>, Descriptor);

    impl BlobSource for Source {
        fn descriptor(&self) -> &Descriptor {
            &self.1
        }

        fn open(&self, offset: u64) -> io::Result<Box<dyn Read + Send + '_>> {
            let mut reader = VerifyingReader::new(&self.0[..], self.1.digest, self.1.size);
            io::copy(&mut (&mut reader).take(offset), &mut io::sink())?;
            Ok(Box::new(reader))
        }
    }

    fn source(bytes: &[u8], promised: &[u8]) -> Source {
        Source(bytes.to_vec(), Descriptor::of("x", promised))
    }

    fn handed_over(source: &Source, offset: u64, step: usize) -> (Vec<u8>, bool) {
        let cancel = Cancel::new();
        let mut content = Content::open(source, offset, &cancel, None).unwrap();
        let (mut out, mut buffer) = (Vec::new(), vec![0; step]);
        loop {
            match content.read(&mut buffer) {
                Ok(0) => return (out, content.finish().is_ok()),
                Ok(read) => out.extend_from_slice(&buffer[..read]),
                Err(_) => {
                    let kind = content.cause(ErrorKind::Transport(String::new()));
                    assert!(matches!(kind, ErrorKind::Source(_)), "{kind}");
                    return (out, false);
                }
            }
        }
    }

    #[test]
    fn right_content_passes_from_any_offset() {
        let right = source(b"0123456789", b"0123456789");
        for (offset, step) in [(0, 3), (0, 100), (4, 1), (10, 1)] {
            let (out, complete) = handed_over(&right, offset, step);
            assert!(complete);
            assert_eq!(out, b"0123456789"[usize::try_from(offset).unwrap()..]);
        }
        assert_eq!(handed_over(&source(b"", b""), 0, 1), (Vec::new(), true));
    }

    #[test]
    fn the_last_part_of_wrong_content_is_held_back() {
        for wrong in [&b"x123456789"[..], b"012345678x", b"0123456789+", b"01234"] {
            let wrong = source(wrong, b"0123456789");
            for (offset, step) in [(0, 3), (0, 100), (4, 1)] {
                let (out, complete) = handed_over(&wrong, offset, step);
                assert!(!complete);
                assert!(out.len() as u64 + offset < 10, "{out:?}");
            }
        }
        let empty = Source(Vec::new(), Descriptor::new("x", Digest::sha256(b"y"), 0));
        assert!(!handed_over(&empty, 0, 1).1);
    }
}

//! Bodies of responses: what only drips has stalled, and what ends early is an error.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use sealift_pipeline::{Cancel, RateLimit};
use ureq::BodyReader;

use crate::options::ClientOptions;
use crate::pace::Pace;

/// Fails if the body comes slower than [`Pace`] allows.
pub(crate) struct SteadyReader<R> {
    inner: R,
    pace: Pace,
}

impl<R: Read> SteadyReader<R> {
    pub(crate) fn new(inner: R, idle_timeout: Duration) -> Self {
        Self {
            inner,
            pace: Pace::new(idle_timeout),
        }
    }
}

impl<R: Read> Read for SteadyReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let before = Instant::now();
        let read = self.inner.read(buffer)?;
        if read > 0 && !self.pace.keeps_up(read, before.elapsed()) {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "hardly any data for too long",
            ));
        }
        Ok(read)
    }
}

/// How a body says where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// It has a `Content-Length`.
    Length,
    /// In chunks, after which trailers may follow without end: what comes after the content is not read.
    Chunked,
    /// Only by the end of the connection, which may have broken.
    Close,
}

/// The content of a blob.
pub(crate) struct BlobReader {
    inner: SteadyReader<BodyReader<'static>>,
    framing: Framing,
    /// How many bytes are still to come.
    left: u64,
    cancel: Cancel,
    rate: Option<RateLimit>,
}

impl BlobReader {
    /// `left` is how many bytes of the blob are to come.
    pub(crate) fn new(
        inner: SteadyReader<BodyReader<'static>>,
        framing: Framing,
        left: u64,
        options: &ClientOptions,
    ) -> Self {
        Self {
            inner,
            framing,
            left,
            cancel: options.cancel.clone(),
            rate: options.rate.clone(),
        }
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // Not `Interrupted`, which readers try again.
        self.cancel.check().map_err(io::Error::other)?;
        let room = match self.framing {
            Framing::Length => buffer.len(),
            _ => usize::try_from(self.left)
                .unwrap_or(usize::MAX)
                .min(buffer.len()),
        };
        if room == 0 {
            return Ok(0);
        }
        let room = match &self.rate {
            Some(rate) => rate.take(room, &self.cancel).map_err(io::Error::other)?,
            None => room,
        };
        let read = self.inner.read(&mut buffer[..room])?;
        if let Some(rate) = &self.rate {
            rate.put_back(room - read);
        }
        self.left = self.left.saturating_sub(read as u64);
        if read == 0 && self.left > 0 && self.framing == Framing::Close {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes its time for each byte.
    struct Drip;

    impl Read for Drip {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            std::thread::sleep(Duration::from_millis(20));
            buffer[0] = 0;
            Ok(1)
        }
    }

    #[test]
    fn a_drip_has_stalled_and_a_stream_has_not() {
        let drip = SteadyReader::new(Drip, Duration::from_millis(100));
        let error = io::copy(&mut drip.take(20), &mut io::sink()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let mut stream = SteadyReader::new(&[0; 4096][..], Duration::from_millis(100));
        assert_eq!(io::copy(&mut stream, &mut io::sink()).unwrap(), 4096);
    }
}

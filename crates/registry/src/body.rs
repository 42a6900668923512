//! Bodies on their way: what drips is a connection that stands still, and what ends early is no end.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use sealift_pipeline::Cancel;
use ureq::BodyReader;

use crate::answer::Answer;

/// Fewer bytes than these in the time that a connection may stand still are none.
const LEAST_PROGRESS: u64 = 1024;

/// Fails where less comes through than a connection that works brings.
pub(crate) struct Steady<R> {
    inner: R,
    idle_timeout: Duration,
    since: Instant,
    moved: u64,
}

impl<R: Read> Steady<R> {
    pub(crate) fn new(inner: R, idle_timeout: Duration) -> Self {
        Self {
            inner,
            idle_timeout,
            since: Instant::now(),
            moved: 0,
        }
    }
}

impl<R: Read> Read for Steady<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.moved += read as u64;
        if self.moved >= LEAST_PROGRESS {
            (self.since, self.moved) = (Instant::now(), 0);
        } else if read > 0 && self.since.elapsed() > self.idle_timeout {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "hardly a byte came through for too long",
            ));
        }
        Ok(read)
    }
}

/// The content of a blob.
pub(crate) struct BlobReader {
    inner: Steady<BodyReader<'static>>,
    /// How many bytes are to come, where nothing else says when the body ends.
    open_end: Option<u64>,
    cancel: Cancel,
}

impl BlobReader {
    /// `left` is how many bytes the blob still has.
    pub(crate) fn new(answer: Answer, left: u64, cancel: Cancel) -> Self {
        let framed = answer.number("content-length").is_some()
            || answer.header("transfer-encoding").is_some();
        Self {
            inner: answer.into_reader(),
            open_end: (!framed).then_some(left),
            cancel,
        }
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // Not `Interrupted`, which readers try again.
        self.cancel.check().map_err(io::Error::other)?;
        let read = self.inner.read(buffer)?;
        if let Some(left) = &mut self.open_end {
            *left = left.saturating_sub(read as u64);
            if read == 0 && *left > 0 && !buffer.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drip_is_a_standstill_and_a_stream_is_not() {
        let drip = Steady::new(&[0; 10][..], Duration::ZERO).read(&mut [0]);
        assert_eq!(drip.unwrap_err().kind(), io::ErrorKind::TimedOut);
        let stream = Steady::new(&[0; 4096][..], Duration::ZERO).read(&mut [0; 4096]);
        assert_eq!(stream.unwrap(), 4096);
        let end = Steady::new(io::empty(), Duration::ZERO).read(&mut [0]);
        assert_eq!(end.unwrap(), 0);
    }
}

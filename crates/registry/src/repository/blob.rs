//! Downloading blobs.

use std::io::Read;

use sealift_oci::{Descriptor, Digest};

use super::Repository;
use crate::body::BlobReader;
use crate::error::{ErrorKind, Refusal, RegistryError};
use crate::request::Request;
use crate::response::{Response, encoded};

/// The content of a blob on its way. The bytes are not checked: hash them while reading.
pub struct BlobBody {
    /// The content from `offset` on.
    pub reader: Box<dyn Read + Send>,
    /// Where the content begins: the offset that was requested, or 0 if the server has no ranges.
    pub offset: u64,
}

impl Repository {
    /// Requests a blob's content from byte `from` on. If the server has no ranges, or answers with another
    /// than was requested, the content comes from its beginning; [`BlobBody::offset`] says so.
    ///
    /// # Errors
    /// If the blob cannot be had, or the response is not that of a blob of this size.
    pub fn blob(&self, descriptor: &Descriptor, from: u64) -> Result<BlobBody, RegistryError> {
        if from > 0 && from >= descriptor.size {
            return Ok(BlobBody {
                reader: Box::new(std::io::empty()),
                offset: from,
            });
        }
        if from > 0
            && let Some(body) = self.rest_of_blob(descriptor, from)?
        {
            return Ok(body);
        }
        let what = || format!("blob {} of {}", descriptor.digest, self.name);
        let response = self.send(&self.blob_request(descriptor), &what)?;
        self.blob_body(response, descriptor, 0)
            .map_err(|kind| self.fail(what(), kind))
    }

    fn blob_request(&self, descriptor: &Descriptor) -> Request<'static> {
        let path = self.path(&format!("blobs/{}", descriptor.digest));
        Request {
            streams: true,
            ..Request::get(path, self.pull_scope())
        }
    }

    /// The content from `from` on; `None` unless the server gives exactly that, or all of it.
    fn rest_of_blob(
        &self,
        descriptor: &Descriptor,
        from: u64,
    ) -> Result<Option<BlobBody>, RegistryError> {
        let what = || format!("blob {} of {}", descriptor.digest, self.name);
        let request = self
            .blob_request(descriptor)
            .header("range", format!("bytes={from}-"));
        let response = match self.send(&request, &what) {
            Ok(response) => response,
            Err(RegistryError {
                kind: ErrorKind::Status(Refusal { status: 416, .. }),
                ..
            }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let rest = ContentRange {
            first: from,
            last: descriptor.size - 1,
            total: Some(descriptor.size),
        };
        let range = response.header("content-range").and_then(content_range);
        let length = response.number("content-length");
        let offset = match response.status {
            206 if range.is_some_and(|range| range.is(&rest))
                && length.is_none_or(|length| length == descriptor.size - from) =>
            {
                from
            }
            // All of it.
            200 => 0,
            _ => return Ok(None),
        };
        self.blob_body(response, descriptor, offset)
            .map(Some)
            .map_err(|kind| self.fail(what(), kind))
    }

    fn blob_body(
        &self,
        response: Response,
        descriptor: &Descriptor,
        offset: u64,
    ) -> Result<BlobBody, ErrorKind> {
        if offset == 0 && response.status != 200 {
            return Err(ErrorKind::Protocol(format!(
                "status {} where a complete blob was requested",
                response.status
            )));
        }
        let left = descriptor.size - offset;
        // Some storage declares a gzipped layer as an encoding, and serves its bytes as they are.
        if let Some(encoding) = response.encoding()
            && response.number("content-length") != Some(left)
        {
            return Err(encoded(&response.words(encoding)));
        }
        let options = self.transport.options();
        let framing = response.framing();
        let reader = BlobReader::new(response.into_reader(), framing, left, options);
        Ok(BlobBody {
            reader: Box::new(reader),
            offset,
        })
    }

    /// Whether the registry has a blob; its size, or 0 if the registry does not give it. A registry that
    /// refuses HEAD is taken not to have it: sending it again is right in any case.
    ///
    /// # Errors
    /// If the registry gives no answer, or does not allow the question.
    pub fn head_blob(&self, digest: &Digest) -> Result<Option<u64>, RegistryError> {
        if self.host.learned().no_head {
            return Ok(None);
        }
        let what = || format!("blob {digest} of {}", self.name);
        let request = Request::new(
            "HEAD",
            self.path(&format!("blobs/{digest}")),
            self.pull_scope(),
        );
        match self.send(&request, &what) {
            Ok(response) => Ok(Some(response.number("content-length").unwrap_or(0))),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) if self.is_head_refused(&error.kind) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether the content of a blob can be had. A registry that refuses HEAD is asked for the blob's last byte.
    ///
    /// # Errors
    /// If the registry gives no answer, does not allow the question, or has a blob of another size.
    pub fn can_read_blob(&self, descriptor: &Descriptor) -> Result<bool, RegistryError> {
        if let Some(size) = self.head_blob(&descriptor.digest)? {
            return Ok(size == descriptor.size || size == 0);
        }
        if !self.host.learned().no_head {
            return Ok(false);
        }
        // What comes is not read: dropping it ends the response.
        match self.blob(descriptor, descriptor.size.saturating_sub(1)) {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether an error says that HEAD is refused, which is remembered.
    pub(crate) fn is_head_refused(&self, kind: &ErrorKind) -> bool {
        let refused = matches!(
            kind,
            ErrorKind::Status(Refusal {
                status: 405 | 501,
                ..
            })
        );
        if refused {
            self.host.learn(|learned| learned.no_head = true);
        }
        refused
    }
}

/// A `Content-Range` (RFC 9110, section 14.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ContentRange {
    first: u64,
    last: u64,
    total: Option<u64>,
}

impl ContentRange {
    /// Whether it is the wanted range, of content of the same size as far as that is known.
    fn is(&self, wanted: &Self) -> bool {
        (self.first, self.last) == (wanted.first, wanted.last)
            && (self.total.is_none() || self.total == wanted.total)
    }
}

fn content_range(header: &str) -> Option<ContentRange> {
    let range = header.trim().strip_prefix("bytes")?.trim_start();
    let (range, total) = range.split_once('/').unwrap_or((range, "*"));
    let (first, last) = range.split_once('-')?;
    Some(ContentRange {
        first: first.trim().parse().ok()?,
        last: last.trim().parse().ok()?,
        total: total.trim().parse().ok(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_range_is_first_and_last_byte_and_perhaps_the_size() {
        let range = |total| ContentRange {
            first: 5,
            last: 9,
            total,
        };
        assert_eq!(content_range("bytes 5-9/10"), Some(range(Some(10))));
        assert_eq!(content_range("bytes 5-9/*"), Some(range(None)));
        for none in ["bytes */10", "items 5-9/10", "5-9/10", "bytes a-b/c"] {
            assert_eq!(content_range(none), None, "{none}");
        }
        assert!(range(None).is(&range(Some(10))));
        assert!(!range(Some(11)).is(&range(Some(10))));
    }
}

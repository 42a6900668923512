//! Blobs: whole, in ranges, deleted.

use super::super::http::{Answer, Payload};
use super::super::store::lock;
use super::{Asked, digest, unsupported};

impl Asked<'_> {
    pub(super) fn get_blob(&self, repository: &str, reference: &str) -> Answer {
        let digest = match digest(reference) {
            Ok(digest) => digest,
            Err(refusal) => return refusal,
        };
        let Some(content) = lock(&self.shared.state).blob(repository, &digest) else {
            return Answer::error(404, "BLOB_UNKNOWN", "blob unknown to registry");
        };
        if let Some(origin) = &self.behaviour.redirect_blobs {
            let location = format!("{origin}{}", self.head.path);
            return Answer::new(307).header("Location", location);
        }
        let size = content.size();
        let wanted = (self.behaviour.ranges && !self.ignore_range)
            .then(|| self.head.header("range"))
            .flatten()
            .and_then(|text| range(text, size));
        let (status, start, length) = match wanted {
            None => (200, 0, size),
            Some(Range::Part(first, last)) => (206, first, last - first + 1),
            Some(Range::Beyond) => {
                return Answer::error(416, "RANGE_INVALID", "range beyond the blob")
                    .header("Content-Range", format!("bytes */{size}"));
            }
        };
        let mut answer = Answer::new(status)
            .header("Content-Type", "application/octet-stream")
            .header("Docker-Content-Digest", digest.to_string())
            .header("ETag", format!("\"{digest}\""));
        if self.behaviour.ranges {
            answer.set("Accept-Ranges", Some("bytes".to_owned()));
        }
        if status == 206 {
            let last = start + length - 1;
            answer.set(
                "Content-Range",
                Some(format!("bytes {start}-{last}/{size}")),
            );
        }
        answer.payload = Payload::Blob {
            content,
            start,
            length,
        };
        answer
    }

    pub(super) fn delete_blob(&self, repository: &str, reference: &str) -> Answer {
        if !self.behaviour.deletes {
            return unsupported();
        }
        let digest = match digest(reference) {
            Ok(digest) => digest,
            Err(refusal) => return refusal,
        };
        let mut state = lock(&self.shared.state);
        let there = state
            .repositories
            .get_mut(repository)
            .is_some_and(|repository| repository.blobs.remove(&digest));
        if there {
            Answer::new(202)
        } else {
            Answer::error(404, "BLOB_UNKNOWN", "blob unknown to registry")
        }
    }
}

enum Range {
    /// First and last byte.
    Part(u64, u64),
    Beyond,
}

/// A single range of RFC 9110; anything else is ignored, as it may be.
fn range(text: &str, size: u64) -> Option<Range> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    if first.is_empty() {
        let suffix: u64 = last.parse().ok()?;
        return Some(match (suffix, size) {
            (0, _) | (_, 0) => Range::Beyond,
            _ => Range::Part(size.saturating_sub(suffix), size - 1),
        });
    }
    let first: u64 = first.parse().ok()?;
    let last: u64 = match last {
        "" => u64::MAX,
        last => last.parse().ok()?,
    };
    if last < first {
        return None;
    }
    Some(if first >= size {
        Range::Beyond
    } else {
        Range::Part(first, last.min(size - 1))
    })
}

//! The tags that a receipt names.

use std::collections::BTreeMap;

use sealift_oci::{Destination, Digest};
use serde::Deserialize;

use crate::loaded::{ReceiptError, destination, parse};

/// The tags that a load set or found right, as its receipt says. Only those that it set are its own: what was right
/// already may belong to somebody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptTags {
    registry: String,
    /// By repository and tag: what the load left it standing for, and whether the load set it.
    tags: BTreeMap<(String, String), Vec<(Digest, bool)>>,
}

#[derive(Deserialize)]
struct RawReceipt {
    destination: String,
    tags: Vec<RawTag>,
}

#[derive(Deserialize)]
struct RawTag {
    repository: String,
    tag: String,
    new: Digest,
    set: bool,
}

impl ReceiptTags {
    /// Reads a receipt; `name` is its file's name, for messages.
    ///
    /// # Errors
    /// If it is not a receipt.
    pub fn read(name: &str, bytes: &[u8]) -> Result<Self, ReceiptError> {
        let raw: RawReceipt = parse(name, bytes)?;
        let destination = destination(name, &raw.destination)?;
        let mut tags: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for tag in raw.tags {
            let left = tags.entry((tag.repository, tag.tag)).or_default();
            left.push((tag.new, tag.set));
        }
        Ok(Self {
            registry: destination.registry().to_owned(),
            tags,
        })
    }

    /// The registry that the load was into.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// Whether the receipt is of a load into the registry of `destination` that set `tag` of `repository` to `digest`.
    pub(super) fn names(
        &self,
        destination: &Destination,
        repository: &str,
        tag: &str,
        digest: &Digest,
    ) -> bool {
        let mut left = self.left(destination, repository, tag).iter();
        left.any(|left| *left == (*digest, true))
    }

    /// Whether the receipt is of a load into the registry of `destination` that has `tag` of `repository`, whatever it
    /// stands for.
    pub(super) fn has(&self, destination: &Destination, repository: &str, tag: &str) -> bool {
        !self.left(destination, repository, tag).is_empty()
    }

    /// What the load left a tag standing for.
    fn left(&self, destination: &Destination, repository: &str, tag: &str) -> &[(Digest, bool)] {
        if self.registry != destination.registry() {
            return &[];
        }
        let name = (repository.to_owned(), tag.to_owned());
        self.tags.get(&name).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_what_the_receipt_names_is_named() {
        let digest = Digest::sha256(b"m");
        let text = format!(
            r#"{{"destination": "r.corp/a", "tags": [{{"repository": "a/app", "tag": "1", "new": "{digest}", "set": true}}, {{"repository": "a/app", "tag": "3", "new": "{digest}", "set": false}}]}}"#
        );
        let tags = ReceiptTags::read("r.json", text.as_bytes()).unwrap();
        let (here, there) = ("r.corp".parse().unwrap(), "other.corp".parse().unwrap());
        assert!(tags.names(&here, "a/app", "1", &digest));
        assert!(!tags.names(&there, "a/app", "1", &digest));
        assert!(!tags.names(&here, "a/app", "2", &digest));
        // What was right before the load is not its own, and can be kept.
        assert!(!tags.names(&here, "a/app", "3", &digest));
        assert!(tags.has(&here, "a/app", "3"));
        assert!(!tags.names(&here, "a/app", "1", &Digest::sha256(b"n")));
        assert!(tags.has(&here, "a/app", "1") && !tags.has(&there, "a/app", "1"));
        assert!(!tags.has(&here, "a/other", "1") && !tags.has(&here, "a/app", "2"));
        assert!(ReceiptTags::read("r.json", b"{}").is_err());
    }
}

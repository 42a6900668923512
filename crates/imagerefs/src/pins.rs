//! The digests that references get when they are pinned.

use std::collections::BTreeMap;

use sealift_oci::{Digest, Reference};

/// Digests by reference, and digests that replace others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pins {
    /// By the name at the destination, without a digest.
    names: BTreeMap<Reference, Digest>,
    /// New digests by those that they replace.
    replaced: BTreeMap<Digest, Digest>,
}

impl Pins {
    /// No pins.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the digest that `reference`, a name at the destination, stands for. `original` is the digest
    /// that the publisher's references have if it differs: an index of which platforms were chosen is a new
    /// one.
    pub fn insert(&mut self, reference: &Reference, digest: Digest, original: Option<Digest>) {
        self.names.insert(without_digest(reference), digest);
        if let Some(original) = original {
            self.replaced.insert(original, digest);
        }
    }

    /// The digest to pin `reference` to, a name at the destination; `None` if it is not known. A digest that
    /// it has already stays, unless another replaces it.
    pub(crate) fn digest_of(&self, reference: &Reference) -> Option<Digest> {
        match reference.digest() {
            Some(digest) => Some(self.replaced.get(digest).copied().unwrap_or(*digest)),
            None => self.names.get(reference).copied(),
        }
    }
}

/// The reference by its tag, or by the tag that a reference by digest alone is stored under.
fn without_digest(reference: &Reference) -> Reference {
    let tag = reference.storage_tag();
    Reference::new(
        reference.registry(),
        reference.repository(),
        Some(&tag),
        None,
    )
    .unwrap_or_else(|_| reference.clone())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn references_are_pinned_by_tag_and_publishers_digests_are_replaced() {
        let (old, new, other) = (
            Digest::sha256(b"old"),
            Digest::sha256(b"new"),
            Digest::sha256(b"other"),
        );
        let reference = |text: &str| text.parse::<Reference>().unwrap();
        let mut pins = Pins::new();
        pins.insert(&reference("r.io/a:v1"), new, Some(old));
        assert_eq!(pins.digest_of(&reference("r.io/a:v1")), Some(new));
        assert_eq!(
            pins.digest_of(&reference(&format!("r.io/a:v1@{old}"))),
            Some(new)
        );
        assert_eq!(
            pins.digest_of(&reference(&format!("r.io/a@{other}"))),
            Some(other)
        );
        assert_eq!(pins.digest_of(&reference("r.io/a:v2")), None);
    }
}

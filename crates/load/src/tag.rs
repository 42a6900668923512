//! Tags at the destination: one that was moved, one that may not be.

use std::fmt;

use sealift_oci::Digest;
use serde::Serialize;

use crate::repository::RepositoryName;

/// A tag that was set by this load.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Moved {
    /// The repository.
    pub repository: RepositoryName,
    /// The tag.
    pub tag: String,
    /// What it stood for before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<Digest>,
    /// What it stands for now.
    pub new: Digest,
}

/// A tag that points elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagConflict {
    /// The repository at the destination.
    pub repository: String,
    /// The tag.
    pub tag: String,
    /// What it stands for there.
    pub there: Digest,
    /// What the bundle has under this name.
    pub wanted: Digest,
}

impl fmt::Display for TagConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{} ({}, not {})",
            self.repository, self.tag, self.there, self.wanted
        )
    }
}

/// Whether a tag has the form of those that stand in for a referrers API: algorithm, `-` and hexadecimal
/// digits, without the suffix that signatures have.
pub(crate) fn is_list(tag: &str) -> bool {
    tag.split_once('-').is_some_and(|(algorithm, hex)| {
        matches!(algorithm, "sha256" | "sha512")
            && hex.len() == 64
            && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_tags_that_list_referrers_have_their_form() {
        let digest = Digest::sha256(b"m");
        assert!(is_list(&digest.referrers_tag()));
        for tag in [
            "v1",
            "sha256-abc",
            &format!("{}.sig", digest.referrers_tag()),
        ] {
            assert!(!is_list(tag), "{tag}");
        }
    }
}

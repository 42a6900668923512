//! What a load wrote and how it was checked, as a value and as JSON.

use sealift_archive::Identity;
use sealift_oci::Digest;
use serde::Serialize;

use crate::name::PlannedName;
use crate::repository::RepositoryName;

/// What a load did: what was sent, mounted and there, what was verified, and which tags moved. It
/// carries no credentials, and no time unless [`Receipt::with_times`] gives some.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// The bundle.
    pub bundle: Identity,
    /// Registry and path.
    pub destination: String,
    /// When it began, in the caller's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
    /// When it ended, in the caller's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished: Option<String>,
    /// The sums.
    pub totals: ReceiptTotals,
    /// What is at the destination now: images, files and referrers, with their names there.
    pub names: Vec<PlannedName>,
    /// Blobs that were sent.
    pub sent: Vec<PlacedBlob>,
    /// Blobs that were mounted from another repository of the registry.
    pub mounted: Vec<PlacedBlob>,
    /// Blobs that the registry was asked for and had.
    pub present: Vec<PlacedBlob>,
    /// Every manifest, how it got there and how it was compared.
    pub manifests: Vec<ManifestReceipt>,
    /// Every tag.
    pub tags: Vec<TagReceipt>,
    /// What is not at the destination, and why; empty unless it was asked to keep going.
    pub failed: Vec<Failed>,
    /// Referrers that are not at the destination, since they cover only publishers' indexes that the registry does
    /// not accept without all their children.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub omitted: Vec<String>,
}

/// The sums of a receipt: what this run did. Bytes are of content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptTotals {
    /// Blobs that were sent.
    pub blobs_sent: u64,
    /// Their bytes.
    pub bytes_sent: u64,
    /// Blobs that were mounted.
    pub blobs_mounted: u64,
    /// Their bytes.
    pub bytes_mounted: u64,
    /// Blobs that the registry was asked for and had.
    pub blobs_present: u64,
    /// Their bytes.
    pub bytes_present: u64,
    /// Blobs of manifests that were there: the registry was not asked for them.
    pub blobs_vouched: u64,
    /// Their bytes.
    pub bytes_vouched: u64,
    /// Manifests that were stored.
    pub manifests_stored: u64,
    /// Manifests that were there.
    pub manifests_present: u64,
    /// Tags that are new or moved.
    pub tags_set: u64,
    /// Tags that pointed right already.
    pub tags_unchanged: u64,
}

/// A blob in a repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlacedBlob {
    /// The repository.
    pub repository: RepositoryName,
    /// The blob.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Where it was mounted from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<RepositoryName>,
}

/// How a manifest on the registry was compared with the bundle's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verified {
    /// Its bytes were fetched after the push and are the same.
    ReadBack,
    /// It was there; the registry names its digest and size, and they are the same.
    Named,
}

/// A manifest in a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ManifestReceipt {
    /// The repository.
    pub repository: RepositoryName,
    /// The manifest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Whether it was stored by this load.
    pub stored: bool,
    /// How it was compared.
    pub verified: Verified,
}

/// A tag at the destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TagReceipt {
    /// The repository.
    pub repository: RepositoryName,
    /// The tag.
    pub tag: String,
    /// What it stood for before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<Digest>,
    /// What it stands for now.
    pub new: Digest,
    /// Whether this load set it, in this run or in an earlier one ([`Receipt::after`]).
    pub set: bool,
}

/// An image, file or referrer that is not at the destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failed {
    /// What it is called in the bundle.
    pub name: String,
    /// Why.
    pub reason: String,
}

impl Receipt {
    /// The receipt of a load that did nothing.
    pub fn empty(bundle: Identity, destination: String) -> Self {
        Self {
            bundle,
            destination,
            started: None,
            finished: None,
            totals: ReceiptTotals::default(),
            names: Vec::new(),
            sent: Vec::new(),
            mounted: Vec::new(),
            present: Vec::new(),
            manifests: Vec::new(),
            tags: Vec::new(),
            failed: Vec::new(),
            omitted: Vec::new(),
        }
    }

    /// The same with the times that the caller measured.
    pub fn with_times(mut self, started: impl Into<String>, finished: impl Into<String>) -> Self {
        self.started = Some(started.into());
        self.finished = Some(finished.into());
        self
    }

    /// Whether everything that was asked for is at the destination.
    pub fn is_complete(&self) -> bool {
        self.failed.is_empty()
    }
    /// The same without what has these tags (`repository:tag`), which could not be set.
    pub(crate) fn without(mut self, registry: &str, tags: &[String], reason: &str) -> Self {
        for tag in tags {
            let destination = format!("{registry}/{tag}");
            let (failed, names) = self
                .names
                .into_iter()
                .partition::<Vec<_>, _>(|name| name.destination == destination);
            self.names = names;
            // The tag that stands in for a referrers API is not the name of anything.
            let failed: Vec<String> = if failed.is_empty() {
                vec![tag.clone()]
            } else {
                failed.into_iter().map(|name| name.source).collect()
            };
            let reason = reason.to_owned();
            self.failed.extend(failed.into_iter().map(|name| Failed {
                name,
                reason: reason.clone(),
            }));
        }
        self
    }
}

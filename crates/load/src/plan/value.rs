//! The plan of a load as a value: what is there, what will be sent, and which tags will move.

use std::collections::{BTreeMap, BTreeSet};

use sealift_archive::Identity;
use sealift_oci::{Destination, Digest};
use serde::{Serialize, Serializer};

use crate::graph::Loaded;
use crate::name::PlannedName;
use crate::repository::RepositoryName;
use crate::tag::TagConflict;

/// A manifest in a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedManifest {
    /// The repository.
    pub repository: RepositoryName,
    /// The manifest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// Its size in bytes.
    pub size: u64,
    /// Whether the registry has it, with this digest and size.
    pub present: bool,
    /// For a publisher's index of which children are missing: the new index that gets its tags if the registry
    /// refuses it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stand_in: Option<Digest>,
    /// The position of the new index in the same repository.
    #[serde(skip)]
    pub(crate) stand_in_site: Option<usize>,
    /// Its position in the graph.
    #[serde(skip)]
    pub(crate) node: usize,
}

/// What becomes of a blob in one repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "action")]
pub enum BlobAction {
    /// The registry has it.
    Present,
    /// It is mounted from another repository, which has it or gets it before.
    Mount {
        /// Which.
        from: RepositoryName,
    },
    /// It is sent.
    Send,
}

/// A blob in one repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BlobPlace {
    /// The repository.
    pub repository: RepositoryName,
    /// What becomes of it there.
    #[serde(flatten)]
    pub action: BlobAction,
}

/// A blob that the registry was asked for. Blobs of manifests that are there are not asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedBlob {
    /// The blob.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// The repositories that need it.
    pub places: Vec<BlobPlace>,
}

/// A blob of a base that is at the destination. It is read from there if the rebuild of a blob needs it, or if it
/// cannot be mounted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedBaseBlob {
    /// The blob.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// The repository that has it.
    pub repository: RepositoryName,
}

/// What becomes of a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "action")]
pub enum TagAction {
    /// It is new.
    Set,
    /// It stands for the right manifest.
    Unchanged,
    /// It stands for another manifest and moves, as was asked for.
    Move {
        /// What it stands for now.
        from: Digest,
    },
    /// It stands for another manifest and may not be moved.
    Conflict {
        /// What it stands for now.
        there: Digest,
    },
}

/// A tag in a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedTag {
    /// The repository.
    pub repository: RepositoryName,
    /// The tag.
    pub tag: String,
    /// What it will stand for.
    pub digest: Digest,
    /// What becomes of it.
    #[serde(flatten)]
    pub action: TagAction,
    /// The manifest's position in [`Plan::manifests`].
    #[serde(skip)]
    pub(crate) site: usize,
    /// Whether it names a signature, which has to be there before the image that it is for.
    #[serde(skip)]
    pub(crate) early: bool,
}

/// The referrers of one subject in one repository. Where the registry has no referrers API they are
/// merged into the tag that stands in for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedReferrers {
    /// The repository.
    pub repository: RepositoryName,
    /// What they refer to.
    pub subject: Digest,
    /// Their manifests.
    pub manifests: Vec<Digest>,
    /// The manifests' positions in [`Plan::manifests`].
    #[serde(skip)]
    pub(crate) sites: Vec<usize>,
}

/// The sums of a plan. Bytes are of content; a blob counts once for each repository.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// Images.
    pub images: u64,
    /// Carried files.
    pub files: u64,
    /// Signatures, attestations, SBOMs.
    pub referrers: u64,
    /// Repositories at the destination.
    pub repositories: u64,
    /// Manifests, for each repository.
    pub manifests: u64,
    /// Of these, those that are there.
    pub manifests_present: u64,
    /// Different blobs of everything that is loaded.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Blobs to send.
    pub blobs_to_send: u64,
    /// Their bytes.
    pub bytes_to_send: u64,
    /// Blobs to mount.
    pub blobs_to_mount: u64,
    /// Their bytes.
    pub bytes_to_mount: u64,
    /// Blobs of bases that are read from the destination to rebuild others.
    pub base_blobs: u64,
    /// Their bytes.
    pub base_bytes: u64,
    /// Bytes of scratch space that rebuilding needs at most.
    pub scratch_bytes: u64,
    /// Tags that are new.
    pub tags_to_set: u64,
    /// Tags that move.
    pub tags_to_move: u64,
    /// Tags that stay.
    pub tags_unchanged: u64,
    /// Tags that may not be moved: with one of these, nothing is done.
    pub conflicts: u64,
}

/// What a load is about to do: made by [`crate::plan`], done by [`crate::execute`], printed as JSON by
/// serde.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    pub(crate) bundle: Identity,
    #[serde(serialize_with = "as_text")]
    pub(crate) destination: Destination,
    pub(crate) totals: Totals,
    pub(crate) names: Vec<PlannedName>,
    pub(crate) tags: Vec<PlannedTag>,
    pub(crate) manifests: Vec<PlannedManifest>,
    pub(crate) blobs: Vec<PlannedBlob>,
    pub(crate) referrers: Vec<PlannedReferrers>,
    /// Blobs of a delta's bases.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) bases: Vec<PlannedBaseBlob>,
    /// By the positions of publishers' indexes that the registry may refuse: the positions of what covers only
    /// those.
    #[serde(skip)]
    pub(crate) covering: BTreeMap<usize, BTreeSet<usize>>,
    #[serde(skip)]
    pub(crate) graph: Loaded,
    #[serde(skip)]
    pub(crate) keep_going: bool,
    /// Whether tags may be moved from whatever they stand for.
    #[serde(skip)]
    pub(crate) overwrite: bool,
}

fn as_text<S: Serializer>(destination: &Destination, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(destination)
}

impl Plan {
    /// The position of the new index that stands in for the publisher's at `site`.
    pub(crate) fn stand_in(&self, site: usize) -> Option<usize> {
        self.manifests[site].stand_in_site
    }

    /// Blobs, each with its size, of manifests that are there, for each repository. The registry was not asked for
    /// them.
    pub(crate) fn vouched(&self) -> Vec<(Digest, u64)> {
        let asked = self.blobs.iter().flat_map(|blob| {
            let places = blob.places.iter();
            places.map(|place| (&place.repository, blob.digest))
        });
        let asked: BTreeSet<(&RepositoryName, Digest)> = asked.collect();
        let there = self.manifests.iter().filter(|manifest| manifest.present);
        let blobs = there.flat_map(|manifest| {
            let blobs = self.graph.nodes[manifest.node].blobs.iter();
            blobs.map(|blob| (&manifest.repository, self.graph.blobs[*blob]))
        });
        let blobs: BTreeMap<_, u64> = blobs
            .map(|(repository, blob)| ((repository, blob.digest), blob.size))
            .collect();
        let vouched = blobs
            .into_iter()
            .filter(|(place, _)| !asked.contains(place));
        vouched.map(|((_, digest), size)| (digest, size)).collect()
    }

    /// The bundle's identity.
    pub fn bundle(&self) -> Identity {
        self.bundle
    }

    /// Where it goes.
    pub fn destination(&self) -> &Destination {
        &self.destination
    }

    /// The sums.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Images, then files, then referrers, with their names at the destination.
    pub fn names(&self) -> &[PlannedName] {
        &self.names
    }

    /// Every tag.
    pub fn tags(&self) -> &[PlannedTag] {
        &self.tags
    }

    /// Every manifest in every repository.
    pub fn manifests(&self) -> &[PlannedManifest] {
        &self.manifests
    }

    /// Every blob that the registry was asked for, the largest first.
    pub fn blobs(&self) -> &[PlannedBlob] {
        &self.blobs
    }

    /// Blobs of the bases of a delta that are at the destination and may be read from there.
    pub fn bases(&self) -> &[PlannedBaseBlob] {
        &self.bases
    }

    /// Everything that refers to something, by repository and subject.
    pub fn referrers(&self) -> &[PlannedReferrers] {
        &self.referrers
    }

    /// Tags that point elsewhere and may not be moved. With one of these, [`crate::execute`] refuses.
    pub fn conflicts(&self) -> Vec<TagConflict> {
        self.tags
            .iter()
            .filter_map(|tag| match tag.action {
                TagAction::Conflict { there } => Some(TagConflict {
                    repository: tag.repository.to_string(),
                    tag: tag.tag.clone(),
                    there,
                    wanted: tag.digest,
                }),
                _ => None,
            })
            .collect()
    }

    /// Whether everything is there already.
    pub fn is_done(&self) -> bool {
        let totals = &self.totals;
        totals.manifests == totals.manifests_present
            && totals.blobs_to_send + totals.blobs_to_mount == 0
            && totals.tags_to_set + totals.tags_to_move + totals.conflicts == 0
    }
}

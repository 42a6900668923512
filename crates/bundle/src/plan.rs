//! What a bundle will be, before a byte of it is written.

mod saved;
mod summary;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use sealift_archive::{BaseFile, Contents, Layout, Program, SharedBlobs};
use sealift_oci::Digest;
use serde::{Deserialize, Serialize};

use crate::error::BundleError;
use crate::sources::{Locals, Source, SourceId};
use crate::spool::Spool;

pub use summary::{LeftOut, OmittedImage, PlannedFile, PlannedImage, PlannedReferrer, Summary};

/// What is about to be created: the contents, where each blob comes from, and what a person should know
/// of it. Where each byte goes is decided by a profile when the plan is executed. Serialised, it is its
/// [`Summary`].
#[derive(Clone)]
pub struct Plan {
    parts: PlanParts,
    summary: Summary,
}

/// What a plan is made of.
#[derive(Clone)]
pub(crate) struct PlanParts {
    pub(crate) planned: Planned,
    /// Images that were requested and could not be resolved.
    pub(crate) omitted: Vec<OmittedImage>,
    /// The digest of what was asked for.
    pub(crate) request: Digest,
    /// Where content comes from; items name these by number.
    pub(crate) sources: Vec<Source>,
    /// What was read while resolving; empty for a plan that was taken up.
    pub(crate) spool: Arc<Spool>,
    /// Blobs that are not fetched, since bases of a delta have them.
    pub(crate) shared: BTreeSet<Digest>,
    /// Layouts and archives that are open; the others are opened when they are needed.
    pub(crate) locals: Locals,
}

/// What will be in the bundle, and what there is to report.
#[derive(Clone)]
pub(crate) struct Planned {
    pub(crate) contents: Contents,
    /// The size of the file in bytes.
    pub(crate) total_bytes: u64,
    /// Every manifest and blob.
    pub(crate) items: BTreeMap<Digest, Item>,
    /// Images, referrers and files; items name these by number.
    pub(crate) needs: Vec<Need>,
    /// Manifests that were made here, which no source has.
    pub(crate) made: BTreeMap<Digest, String>,
    /// By reference: what of the image is left out, and why.
    pub(crate) left_out: BTreeMap<String, Vec<LeftOut>>,
    /// By reference: what refers to the original of a new index.
    pub(crate) not_covered: BTreeMap<String, Vec<String>>,
    /// By reference: the mirror's repository that the image is pulled from.
    pub(crate) pulled_from: BTreeMap<String, String>,
    pub(crate) warnings: Vec<String>,
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Plan").field(&self.summary).finish()
    }
}

/// One manifest or blob of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Item {
    pub(crate) size: u64,
    pub(crate) manifest: bool,
    /// A small blob that belongs before the layers.
    pub(crate) config: bool,
    /// Its descriptor names URLs to fetch it from.
    pub(crate) has_urls: bool,
    /// Where it can be had, in the order in which it is tried. Empty for what was made here.
    pub(crate) sources: BTreeSet<SourceId>,
    /// What needs it.
    pub(crate) needed_by: Vec<u32>,
}

/// Something that the request or a registry named, with all that it needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Need {
    /// For messages: the reference, or what stands for one.
    pub(crate) name: String,
    /// Bytes of all that it needs.
    pub(crate) bytes: u64,
}

impl Item {
    pub(crate) fn new(size: u64, manifest: bool) -> Self {
        Self {
            size,
            manifest,
            config: false,
            has_urls: false,
            sources: BTreeSet::new(),
            needed_by: Vec::new(),
        }
    }
}

impl Plan {
    pub(crate) fn new(parts: PlanParts) -> Self {
        Self {
            summary: Summary::of(&parts.planned, &parts.omitted),
            parts,
        }
    }

    /// What a person should know of it.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// What the bundle will carry.
    pub fn contents(&self) -> &Contents {
        &self.parts.planned.contents
    }

    /// The programs that read bundles, which the bundle will carry.
    pub fn programs(&self) -> Vec<Program> {
        let carried = self.parts.locals.carried.values();
        carried.filter_map(|file| Program::of(file)).collect()
    }

    /// The size of the plain bundle in bytes.
    pub fn total_bytes(&self) -> u64 {
        self.parts.planned.total_bytes
    }

    /// The same plan for a delta on `bases`: what they have is not fetched.
    pub fn on_bases(mut self, bases: &[BaseFile]) -> Self {
        let shared = SharedBlobs::of(self.contents().record(), bases);
        self.parts.shared = shared.digests().collect();
        self
    }

    /// The same plan of which only these blobs are fetched.
    pub(crate) fn only(&self, blobs: &BTreeSet<Digest>) -> Self {
        let mut plan = self.clone();
        let all = self.contents().record().blobs.iter();
        let all = all.map(|blob| blob.digest);
        plan.parts.shared = all.filter(|digest| !blobs.contains(digest)).collect();
        plan
    }

    /// Bytes of manifests and blobs that are fetched, each counted once.
    pub fn fetched_bytes(&self) -> u64 {
        self.fetched().map(|(_, item)| item.size).sum()
    }

    /// Every manifest and blob that is fetched.
    pub(crate) fn fetched(&self) -> impl Iterator<Item = (&Digest, &Item)> {
        let items = self.planned().items.iter();
        items.filter(|(digest, _)| !self.parts.shared.contains(digest))
    }

    /// Where every byte of the plain file goes that is fetched.
    pub(crate) fn layout(&self) -> Result<Layout, BundleError> {
        let shared = &self.parts.shared;
        if shared.is_empty() {
            return Ok(Layout::new(self.contents())?);
        }
        let contents = self.contents().without(|digest| shared.contains(digest));
        Ok(Layout::new(&contents)?)
    }

    /// The digest of the request.
    pub fn request(&self) -> Digest {
        self.parts.request
    }

    pub(crate) fn parts(&self) -> &PlanParts {
        &self.parts
    }

    pub(crate) fn planned(&self) -> &Planned {
        &self.parts.planned
    }

    /// What needs `digest`, by name.
    pub(crate) fn needed_by(&self, digest: &Digest) -> Vec<String> {
        let Some(item) = self.planned().items.get(digest) else {
            return Vec::new();
        };
        let names = item.needed_by.iter().filter_map(|number| {
            let index = usize::try_from(*number).ok()?;
            Some(self.planned().needs.get(index)?.name.clone())
        });
        names.collect()
    }
}

impl Serialize for Plan {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.summary.serialize(serializer)
    }
}

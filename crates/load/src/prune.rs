//! Tags that an earlier release left at the destination: which they are, and their deletion.
//!
//! Only a tag that stands for what the earlier release put there is deleted, and only if a receipt says that a load put
//! it there. Blobs and manifests are the business of the registry's own garbage collection, unless the registry deletes
//! tags only with their manifest.

mod delete;
mod receipt;

use std::collections::{BTreeMap, BTreeSet};

use sealift_archive::{Record, RecordEntry, destinations};
use sealift_oci::Digest;
use sealift_pipeline::Event;
use serde::Serialize;

use crate::context::Context;
use crate::error::LoadError;
use crate::plan::Registry;
use crate::request::Request;

pub use delete::{NotPruned, PruneError, Pruned, prune};
pub use receipt::ReceiptTags;

/// A tag of an earlier release that the new one does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OldTag {
    /// The repository.
    pub repository: String,
    /// The tag.
    pub tag: String,
    /// What it stood for in the earlier release.
    pub digest: Digest,
    /// What it is at the destination.
    #[serde(flatten)]
    pub state: OldTagState,
    /// Whether a receipt says that a load set it; `false` without receipts.
    pub in_receipt: bool,
    /// Whether another load whose tags are kept has it too.
    pub kept: bool,
}

/// What a tag of an earlier release is at the destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum OldTagState {
    /// It stands for what the earlier release put there.
    There,
    /// It stands for something else, which is somebody else's.
    Changed {
        /// What it stands for now.
        now: Digest,
    },
    /// It is gone.
    Absent,
}

/// Tags of earlier releases at a destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PrunePlan {
    /// The registry, and the path below which everything is.
    pub destination: String,
    /// The tags, by repository and name.
    pub tags: Vec<OldTag>,
    /// The manifests of the new release: none of them is deleted with a tag.
    #[serde(skip)]
    kept: BTreeSet<Digest>,
}

impl PrunePlan {
    /// The tags that are deleted: there, unchanged, in a receipt, and in none whose tags are kept.
    pub fn to_delete(&self) -> impl Iterator<Item = &OldTag> {
        let tags = self.tags.iter();
        tags.filter(|tag| tag.state == OldTagState::There && tag.in_receipt && !tag.kept)
    }
}

/// Receipts of loads into the destination.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PruneReceipts {
    /// Of earlier releases: what they list may be deleted.
    pub old: Vec<ReceiptTags>,
    /// Of anything else: what they list is kept.
    pub kept: Vec<ReceiptTags>,
}

/// Finds the tags that `old` releases have at the destination of `request` and the release `new` has not. Nothing is
/// written. The `receipts` say which of them loads put there.
///
/// # Errors
/// If a name is not one at the destination, or the registry does not answer.
pub fn plan_prune(
    new: &Record,
    old: &[&Record],
    receipts: &PruneReceipts,
    request: &Request,
    context: &Context<'_>,
) -> Result<PrunePlan, LoadError> {
    let kept = tags_of(new, request)?;
    let mut wanted: Tags = BTreeMap::new();
    for record in old {
        for (name, digests) in tags_of(record, request)? {
            if !kept.contains_key(&name) {
                wanted.entry(name).or_default().extend(digests);
            }
        }
    }
    let wanted: Vec<(Name, Vec<Digest>)> = wanted.into_iter().collect();
    context.observer.event(&Event::Phase {
        name: "asking the registry",
    });
    let registry = registry(request, context);
    let answers = registry.parallel(&wanted, |((repository, tag), _)| {
        registry.tag(repository, tag)
    })?;
    let tags = wanted.into_iter().zip(answers);
    let tags = tags.filter_map(|(((repository, tag), digests), there)| {
        let there = there.map(|there| there.digest);
        let (state, digest) = match there {
            None => (OldTagState::Absent, *digests.first()?),
            Some(there) if digests.contains(&there) => (OldTagState::There, there),
            Some(now) => (OldTagState::Changed { now }, *digests.first()?),
        };
        let destination = &request.destination;
        let (mut old, mut kept) = (receipts.old.iter(), receipts.kept.iter());
        Some(OldTag {
            state,
            in_receipt: old.any(|one| one.names(destination, &repository, &tag, &digest)),
            kept: kept.any(|one| one.has(destination, &repository, &tag)),
            repository,
            tag,
            digest,
        })
    });
    Ok(PrunePlan {
        destination: request.destination.to_string(),
        tags: tags.collect(),
        kept: new.manifests.iter().map(|one| one.digest).collect(),
    })
}

/// A repository and a tag.
type Name = (String, String);
/// Tags, and what each may stand for.
type Tags = BTreeMap<Name, Vec<Digest>>;

/// The tags of a release, and what a load leaves them standing for: of an image of which platforms were selected, the
/// new index or the publisher's.
fn tags_of(record: &Record, request: &Request) -> Result<Tags, LoadError> {
    let mut tags = Tags::new();
    for manifest in destinations(record, &request.naming, &request.destination)?.iter() {
        let Some(tag) = &manifest.tag else { continue };
        let name = (manifest.repository.clone(), tag.clone());
        let digests = tags.entry(name).or_default();
        digests.push(manifest.descriptor.digest);
        if let RecordEntry::Image(n) = manifest.of {
            let original = record.images[n].original.as_ref();
            digests.extend(original.map(|original| original.digest));
        }
    }
    Ok(tags)
}

fn registry<'a>(request: &'a Request, context: &Context<'a>) -> Registry<'a> {
    Registry {
        client: context.client,
        name: request.destination.registry(),
        connections: context.budget.connections(),
        cancel: context.cancel,
    }
}

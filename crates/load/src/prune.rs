//! Tags that an earlier release left at the destination: which they are, and their deletion.
//!
//! Only a tag that stands for what the earlier release put there is deleted, and only if a receipt says that a load put
//! it there. Blobs and manifests are the business of the registry's own garbage collection.

mod receipt;

use std::collections::{BTreeMap, BTreeSet};

use sealift_archive::{Record, destinations};
use sealift_oci::Digest;
use sealift_pipeline::Event;
use sealift_registry::{Deletion, RegistryError};
use serde::Serialize;

use crate::context::Context;
use crate::error::LoadError;
use crate::plan::Registry;
use crate::request::Request;

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
    /// Whether the receipt says that a load put it there; `false` without a receipt.
    pub in_receipt: bool,
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
}

impl PrunePlan {
    /// The tags that are deleted: there, unchanged, and in the receipt.
    pub fn to_delete(&self) -> impl Iterator<Item = &OldTag> {
        let tags = self.tags.iter();
        tags.filter(|tag| tag.state == OldTagState::There && tag.in_receipt)
    }
}

/// What a deletion did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pruned {
    /// Tags that were deleted, with their repositories.
    pub deleted: Vec<String>,
    /// Tags that were to be deleted and are still there.
    pub failed: Vec<NotPruned>,
}

/// A tag that was not deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NotPruned {
    /// The tag, with its repository.
    pub tag: String,
    /// Why.
    pub reason: String,
}

/// Finds the tags that `old` releases have at the destination of `request` and the release `new` has not. Nothing is
/// written.
///
/// # Errors
/// If a name is not one at the destination, or the registry does not answer.
pub fn plan_prune(
    new: &Record,
    old: &[&Record],
    receipt: Option<&ReceiptTags>,
    request: &Request,
    context: &Context<'_>,
) -> Result<PrunePlan, LoadError> {
    let named = |record: &Record| -> Result<BTreeMap<(String, String), Digest>, LoadError> {
        let named = destinations(record, &request.naming, &request.destination)?;
        let tags = named.iter().filter_map(|manifest| {
            let name = (manifest.repository.clone(), manifest.tag.clone()?);
            Some((name, manifest.descriptor.digest))
        });
        Ok(tags.collect())
    };
    let kept: BTreeSet<(String, String)> = named(new)?.into_keys().collect();
    let mut wanted = BTreeMap::new();
    for record in old {
        wanted.extend(named(record)?);
    }
    let wanted: Vec<((String, String), Digest)> = wanted
        .into_iter()
        .filter(|(name, _)| !kept.contains(name))
        .collect();
    context.observer.event(&Event::Phase {
        name: "asking the registry",
    });
    let registry = registry(request, context);
    let answers = registry.parallel(&wanted, |((repository, tag), _)| {
        registry.tag(repository, tag)
    })?;
    let tags = wanted.into_iter().zip(answers);
    let tags = tags.map(|(((repository, tag), digest), there)| OldTag {
        state: match there {
            None => OldTagState::Absent,
            Some(there) if there.digest == digest => OldTagState::There,
            Some(there) => OldTagState::Changed { now: there.digest },
        },
        in_receipt: receipt
            .is_some_and(|receipt| receipt.names(&request.destination, &repository, &tag, &digest)),
        repository,
        tag,
        digest,
    });
    Ok(PrunePlan {
        destination: request.destination.to_string(),
        tags: tags.collect(),
    })
}

/// Deletes what `plan` says. A tag that changed meanwhile is left alone. One that cannot be deleted does not stop the
/// others.
///
/// # Errors
/// If it was asked to stop.
pub fn prune(
    plan: &PrunePlan,
    request: &Request,
    context: &Context<'_>,
) -> Result<Pruned, LoadError> {
    context.observer.event(&Event::Phase {
        name: "deleting tags",
    });
    let registry = registry(request, context);
    let tags: Vec<&OldTag> = plan.to_delete().collect();
    let results = registry.parallel(&tags, |tag| {
        Ok::<_, LoadError>(match delete(&registry, tag) {
            Err(LoadError::Cancelled(cancelled)) => return Err(cancelled.into()),
            result => result,
        })
    })?;
    let mut pruned = Pruned::default();
    for (tag, result) in tags.into_iter().zip(results) {
        let name = format!("{}:{}", tag.repository, tag.tag);
        match result {
            Ok(None) => pruned.deleted.push(name),
            Ok(Some(reason)) => pruned.failed.push(NotPruned { tag: name, reason }),
            Err(error) => pruned.failed.push(NotPruned {
                tag: name,
                reason: error.to_string(),
            }),
        }
    }
    Ok(pruned)
}

/// Deletes one tag; why not, if the registry has a reason.
fn delete(registry: &Registry<'_>, tag: &OldTag) -> Result<Option<String>, LoadError> {
    let there = registry.tag(&tag.repository, &tag.tag)?;
    match there {
        None => return Ok(None),
        Some(there) if there.digest == tag.digest => {}
        Some(there) => return Ok(Some(format!("it stands for {} now", there.digest))),
    }
    let repository = registry.repository(&tag.repository)?;
    let deleted: Result<Deletion, RegistryError> = repository.delete_tag(&tag.tag);
    match deleted.map_err(LoadError::registry)? {
        Deletion::Deleted | Deletion::Absent => Ok(None),
        Deletion::Unsupported => Ok(Some("the registry does not delete tags".to_owned())),
    }
}

fn registry<'a>(request: &'a Request, context: &Context<'a>) -> Registry<'a> {
    Registry {
        client: context.client,
        name: request.destination.registry(),
        connections: context.budget.connections(),
        cancel: context.cancel,
    }
}

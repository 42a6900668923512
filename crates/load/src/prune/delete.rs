//! The deletion of tags of earlier releases.
//!
//! A registry that deletes tags is asked to delete each. Another one may delete manifests with all their tags: that is
//! done only if nothing but tags that are to be deleted leads to the manifest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sealift_oci::{Digest, media_type};
use sealift_pipeline::Event;
use sealift_registry::{Deletion, RegistryError, Repository};
use serde::{Serialize, Serializer};

use super::{OldTag, PrunePlan, registry};
use crate::context::Context;
use crate::error::LoadError;
use crate::plan::Registry;
use crate::request::Request;

/// What a deletion did.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pruned {
    /// Tags that were deleted, with their repositories.
    pub deleted: Vec<String>,
    /// Tags that were to be deleted and are still there.
    pub failed: Vec<NotPruned>,
}

/// A tag that was not deleted.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NotPruned {
    /// The tag, with its repository.
    pub tag: String,
    /// Why.
    #[serde(serialize_with = "as_text")]
    pub reason: PruneError,
}

/// Why a tag was not deleted.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PruneError {
    /// It was moved since the plan was made.
    #[error("it points to {now} now")]
    Moved {
        /// What it points to.
        now: Digest,
    },
    /// The registry deletes nothing.
    #[error("the registry does not allow deletion")]
    Unsupported,
    /// The registry deletes a manifest with all its tags, and the new release contains the manifest.
    #[error(
        "the registry deletes tags only together with their manifest, which the new release contains too"
    )]
    InNewRelease,
    /// The registry deletes a manifest with all its tags, and another tag needs the manifest.
    #[error(
        "the registry deletes tags only together with their manifest, which the tag {tag} of the repository needs too"
    )]
    Shared {
        /// A tag that needs the manifest.
        tag: String,
    },
    /// The registry did not answer, or refused.
    #[error(transparent)]
    Registry(Arc<RegistryError>),
}

fn as_text<S: Serializer>(error: &PruneError, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(error)
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
    let results = registry.parallel(&tags, |tag| deleted(delete_tag(&registry, tag)))?;
    let mut outcome: BTreeMap<(&str, &str), Result<(), PruneError>> = BTreeMap::new();
    let mut with_manifest: BTreeMap<&str, Vec<&OldTag>> = BTreeMap::new();
    for (tag, result) in tags.iter().copied().zip(results) {
        match result {
            Ok(Deletion::TagUnsupported) => {
                let same = with_manifest.entry(&tag.repository).or_default();
                same.push(tag);
            }
            Ok(Deletion::Unsupported) => {
                outcome.insert(name(tag), Err(PruneError::Unsupported));
            }
            Ok(Deletion::Deleted | Deletion::Absent) => {
                outcome.insert(name(tag), Ok(()));
            }
            Err(error) => {
                outcome.insert(name(tag), Err(error));
            }
        }
    }
    let repositories: Vec<Vec<&OldTag>> = with_manifest.into_values().collect();
    let results = registry.parallel(&repositories, |tags| {
        deleted(delete_manifests(&registry, tags, &plan.kept))
    })?;
    for (tags, result) in repositories.iter().zip(results) {
        for tag in tags {
            let result = match &result {
                Ok(manifests) => manifests.get(&tag.digest).cloned().unwrap_or(Ok(())),
                Err(error) => Err(error.clone()),
            };
            outcome.insert(name(tag), result);
        }
    }
    let mut pruned = Pruned::default();
    for ((repository, tag), result) in outcome {
        let tag = format!("{repository}:{tag}");
        match result {
            Ok(()) => pruned.deleted.push(tag),
            Err(reason) => pruned.failed.push(NotPruned { tag, reason }),
        }
    }
    Ok(pruned)
}

fn name(tag: &OldTag) -> (&str, &str) {
    (&tag.repository, &tag.tag)
}

/// A failure that does not stop the others; only being asked to stop does.
fn deleted<T>(result: Result<T, Failed>) -> Result<Result<T, PruneError>, LoadError> {
    match result {
        Ok(done) => Ok(Ok(done)),
        Err(Failed::Tag(error)) => Ok(Err(error)),
        Err(Failed::Load(LoadError::Registry(error))) => {
            Ok(Err(PruneError::Registry(Arc::new(error))))
        }
        Err(Failed::Load(error)) => Err(error),
    }
}

/// Why one tag or all of them are not deleted.
enum Failed {
    Tag(PruneError),
    Load(LoadError),
}

impl From<LoadError> for Failed {
    fn from(error: LoadError) -> Self {
        Self::Load(error)
    }
}

/// Deletes one tag, unless it stands for something else by now.
fn delete_tag(registry: &Registry<'_>, tag: &OldTag) -> Result<Deletion, Failed> {
    match registry.tag(&tag.repository, &tag.tag)? {
        None => return Ok(Deletion::Absent),
        Some(there) if there.digest == tag.digest => {}
        Some(there) => return Err(Failed::Tag(PruneError::Moved { now: there.digest })),
    }
    let repository = registry.repository(&tag.repository)?;
    let deletion = repository.delete_tag(&tag.tag);
    Ok(deletion.map_err(LoadError::registry)?)
}

/// Deletes the manifests of `tags`, which are all of one repository, but those that something else needs.
fn delete_manifests(
    registry: &Registry<'_>,
    tags: &[&OldTag],
    kept: &BTreeSet<Digest>,
) -> Result<BTreeMap<Digest, Result<(), PruneError>>, Failed> {
    let Some(first) = tags.first() else {
        return Ok(BTreeMap::new());
    };
    let repository = registry.repository(&first.repository)?;
    let needed = needed_by_others(registry, tags)?;
    let digests: BTreeSet<Digest> = tags.iter().map(|tag| tag.digest).collect();
    let mut results = BTreeMap::new();
    for digest in digests {
        let result = if kept.contains(&digest) {
            Err(PruneError::InNewRelease)
        } else if let Some(tag) = needed.get(&digest) {
            Err(PruneError::Shared { tag: tag.clone() })
        } else {
            let deletion = repository.delete_manifest(&digest);
            match deletion.map_err(LoadError::registry)? {
                Deletion::Deleted | Deletion::Absent => Ok(()),
                Deletion::TagUnsupported | Deletion::Unsupported => Err(PruneError::Unsupported),
            }
        };
        results.insert(digest, result);
    }
    Ok(results)
}

/// No tag's index is looked through further than this many manifests.
const MAX_LISTED: usize = 10_000;

/// Whether a manifest may list others: what is announced as an image lists none.
fn may_list(media_type: &str) -> bool {
    !matches!(
        media_type,
        media_type::OCI_MANIFEST | media_type::DOCKER_MANIFEST
    )
}

/// Every manifest that the index `root` lists, and those in it; `None` if they are too many.
fn listed(
    registry: &Registry<'_>,
    repository: &Repository,
    root: Digest,
) -> Result<Option<BTreeSet<Digest>>, LoadError> {
    let mut found = BTreeSet::new();
    let mut open = vec![root];
    while let Some(digest) = open.pop() {
        registry.cancel.check()?;
        let index = repository.manifest(&digest.to_string());
        let index = index.map_err(LoadError::registry)?;
        for child in index.children() {
            if !found.insert(child.digest) {
                continue;
            }
            if found.len() > MAX_LISTED {
                return Ok(None);
            }
            if may_list(&child.media_type) {
                open.push(child.digest);
            }
        }
    }
    Ok(Some(found))
}

/// Every manifest that a tag of the repository besides `tags` stands for or lists, with one such tag.
fn needed_by_others(
    registry: &Registry<'_>,
    tags: &[&OldTag],
) -> Result<BTreeMap<Digest, String>, LoadError> {
    let Some(first) = tags.first() else {
        return Ok(BTreeMap::new());
    };
    let repository = registry.repository(&first.repository)?;
    let ours: BTreeSet<&str> = tags.iter().map(|tag| tag.tag.as_str()).collect();
    let mut needed = BTreeMap::new();
    for tag in repository.tags().map_err(LoadError::registry)? {
        registry.cancel.check()?;
        if ours.contains(tag.as_str()) {
            continue;
        }
        let Some(there) = registry.tag(&first.repository, &tag)? else {
            continue;
        };
        if may_list(&there.media_type) {
            match listed(registry, &repository, there.digest)? {
                Some(listed) => {
                    needed.extend(listed.into_iter().map(|digest| (digest, tag.clone())));
                }
                // What is too much to look through may need any of them.
                None => needed.extend(tags.iter().map(|own| (own.digest, tag.clone()))),
            }
        }
        needed.insert(there.digest, tag);
    }
    Ok(needed)
}

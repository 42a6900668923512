//! Where the blobs are that a delta needs from its bases: in bundles that were given, or at the destination, where the
//! bases were loaded before. What is nowhere is known before anything is written.

use std::collections::{BTreeMap, BTreeSet};

use sealift_archive::{AbsentBase, Bundle, Delta, all_destinations, check_scratch};
use sealift_oci::Digest;

use crate::base::Found;
use crate::context::Context;
use crate::error::{AbsentAtDestination, LoadError};
use crate::plan::ask::Registry;
use crate::plan::value::{BlobAction, Plan, PlannedBaseBlob, PlannedBlob};
use crate::repository::RepositoryName;
use crate::request::Request;

/// Settles where blobs of bases come from. What is left out of the delta and is in another repository of the
/// destination is mounted from there.
///
/// # Errors
/// If something is neither at the destination nor in bundles that were given.
pub(super) fn settle(
    bundle: &Bundle,
    registry: &Registry<'_>,
    blobs: &mut [PlannedBlob],
    request: &Request,
) -> Result<Vec<PlannedBaseBlob>, LoadError> {
    let Some(delta) = bundle.delta() else {
        return Ok(Vec::new());
    };
    let wanted = wanted(delta, blobs);
    let places = places(delta, &wanted, request)?;
    let found = find(delta, registry, &wanted, &places)?;
    mount(delta, blobs, &found);
    let absent = |digest: &Digest| !delta.has(digest) && !found.contains_key(digest);
    let missing: Vec<AbsentBase> = delta.absent(wanted.iter().copied().filter(absent));
    if !missing.is_empty() {
        return Err(LoadError::Absent(AbsentAtDestination {
            bundle: bundle.name().to_owned(),
            destination: request.destination.to_string(),
            absent: missing,
        }));
    }
    let read = found.into_iter().map(|(digest, found)| PlannedBaseBlob {
        digest,
        size: found.size,
        repository: found.repository,
    });
    Ok(read.collect())
}

/// The blobs of bases without which a blob that is not present cannot be brought to the destination.
fn wanted(delta: &Delta, blobs: &[PlannedBlob]) -> BTreeSet<Digest> {
    let is_missing = |blob: &&PlannedBlob| {
        let left_out = delta.left_out().contains_key(&blob.digest);
        blob.places.iter().any(|place| match place.action {
            BlobAction::Send => true,
            // Where the registry does not mount, the content is sent.
            BlobAction::Mount { .. } => left_out,
            BlobAction::Present => false,
        })
    };
    let missing = blobs.iter().filter(is_missing);
    missing.flat_map(|blob| delta.needs(&blob.digest)).collect()
}

/// The repositories in which each blob should be, if the bases were loaded under the names of this request.
fn places(
    delta: &Delta,
    wanted: &BTreeSet<Digest>,
    request: &Request,
) -> Result<BTreeMap<Digest, BTreeSet<RepositoryName>>, LoadError> {
    let mut places: BTreeMap<Digest, BTreeSet<RepositoryName>> = BTreeMap::new();
    for base in delta.bases() {
        let named = all_destinations(base.record(), &request.naming, &request.destination)?;
        for manifest in named.iter() {
            let reach = base.graph().reach([manifest.descriptor.digest]);
            let repository = RepositoryName::new(&manifest.repository);
            for digest in reach
                .blobs
                .into_keys()
                .filter(|digest| wanted.contains(digest))
            {
                let known = places.entry(digest).or_default();
                known.insert(repository.clone());
            }
        }
    }
    Ok(places)
}

/// The blobs that are at the destination, but those that are in bundles that were given.
fn find(
    delta: &Delta,
    registry: &Registry<'_>,
    wanted: &BTreeSet<Digest>,
    places: &BTreeMap<Digest, BTreeSet<RepositoryName>>,
) -> Result<BTreeMap<Digest, Found>, LoadError> {
    let asked: Vec<(Digest, u64)> = wanted
        .iter()
        .filter(|digest| !delta.has(digest))
        .filter_map(|digest| Some((*digest, delta.needed().get(digest)?.size)))
        .collect();
    let answers = registry.parallel(&asked, |(digest, size)| {
        for repository in places.get(digest).into_iter().flatten() {
            if registry.can_read_blob(repository, digest, *size)? {
                return Ok(Some(repository.clone()));
            }
        }
        Ok(None)
    })?;
    let found = asked.into_iter().zip(answers);
    Ok(found
        .filter_map(|((digest, size), repository)| {
            let repository = repository?;
            Some((digest, Found { size, repository }))
        })
        .collect())
}

/// What is left out stays where it was found, and is mounted from there.
fn mount(delta: &Delta, blobs: &mut [PlannedBlob], found: &BTreeMap<Digest, Found>) {
    for blob in blobs {
        let Some(found) = found.get(&blob.digest) else {
            continue;
        };
        if !delta.left_out().contains_key(&blob.digest) {
            continue;
        }
        for place in &mut blob.places {
            if place.action == BlobAction::Send {
                place.action = if place.repository == found.repository {
                    BlobAction::Present
                } else {
                    BlobAction::Mount {
                        from: found.repository.clone(),
                    }
                };
            }
        }
    }
}

/// Adds what is read from the destination, and the scratch space that rebuilding needs. Whether there is as much is
/// checked.
///
/// # Errors
/// If there is less.
pub(super) fn account(
    bundle: &Bundle,
    plan: &mut Plan,
    context: &Context<'_>,
) -> Result<(), LoadError> {
    let sent = plan.blobs.iter().filter(|blob| {
        let mut places = blob.places.iter();
        places.any(|place| place.action == BlobAction::Send)
    });
    let sent: Vec<Digest> = sent.map(|blob| blob.digest).collect();
    let delta = bundle.delta().into_iter();
    let needed = delta.flat_map(|delta| sent.iter().flat_map(|digest| delta.needs(digest)));
    let needed: BTreeSet<Digest> = needed.collect();
    let read = plan.bases.iter();
    let read: Vec<u64> = read
        .filter(|blob| needed.contains(&blob.digest))
        .map(|blob| blob.size)
        .collect();
    plan.totals.base_blobs = read.len() as u64;
    plan.totals.base_bytes = read.iter().sum();
    plan.totals.scratch_bytes = bundle.scratch(sent).saturating_add(plan.totals.base_bytes);
    Ok(check_scratch(context.scratch, plan.totals.scratch_bytes)?)
}

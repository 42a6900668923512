//! A sample of the blobs of a plan, fetched into scratch space and packed: what a compact bundle or a delta of the plan
//! will be like.

use std::collections::BTreeSet;
use std::fs::File;
use std::sync::Arc;

use sealift_archive::{
    BaseFile, Bundle, CompactOptions, ConvertError, Sample, SampleEstimate, Work, check_scratch,
    estimate_packing, open_sampled,
};
use sealift_oci::Digest;
use sealift_pipeline::Event;
use serde::Serialize;

use crate::context::Context;
use crate::error::BundleError;
use crate::execute::stream;
use crate::plan::Plan;
use crate::sources::Source;

/// What a sample says of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanEstimate {
    /// What follows from it; `None` if the sample is not representative.
    #[serde(flatten)]
    pub estimate: Option<SampleEstimate>,
    /// Bytes of blobs of the sample that were fetched from registries; the others are on this machine.
    pub fetched_bytes: u64,
    /// The limit in bytes with which a sample is representative.
    #[serde(skip)]
    pub needed_bytes: u64,
}

/// Fetches blobs of `plan` with at most `limit` bytes together into scratch space and packs them as a compact bundle
/// or, with `bases`, as a delta on them would be. Scratch space is empty afterwards. A sample that would not be
/// representative is not fetched.
///
/// # Errors
/// If a blob cannot be fetched or packed, or scratch space is missing.
pub fn estimate(
    plan: &Plan,
    bases: &[BaseFile],
    limit: u64,
    options: &CompactOptions,
    context: &Context<'_>,
) -> Result<PlanEstimate, BundleError> {
    let manifests = gather(plan, &BTreeSet::new(), context)?;
    let sample = Sample::choose(&manifests, bases, limit);
    let needed_bytes = sample.needed_bytes();
    if !sample.is_representative() {
        return Ok(PlanEstimate {
            estimate: None,
            fetched_bytes: 0,
            needed_bytes,
        });
    }
    context.observer.event(&Event::Phase {
        name: "fetching a sample",
    });
    let blobs = sample.digests();
    let bundle = gather(plan, &blobs, context)?;
    let work = Work {
        budget: context.budget,
        cancel: context.cancel,
        observer: context.observer,
    };
    Ok(PlanEstimate {
        estimate: estimate_packing(&bundle, bases, &sample, options, &work)?,
        fetched_bytes: from_registries(plan, &blobs),
        needed_bytes,
    })
}

/// The bundle of `plan` with only these blobs, in a nameless file.
fn gather(
    plan: &Plan,
    blobs: &BTreeSet<Digest>,
    context: &Context<'_>,
) -> Result<Bundle, BundleError> {
    let part = plan.only(blobs);
    let needed = part.layout()?.total_bytes();
    check_scratch(context.scratch, needed).map_err(ConvertError::from)?;
    let mut file: File = tempfile::tempfile_in(context.scratch).map_err(BundleError::Sample)?;
    stream::write(&part, &mut file, context).map_err(|error| match error {
        BundleError::Stream(error) => BundleError::Sample(error),
        error => error,
    })?;
    let resources = context.reading().resources;
    let has = |digest: &Digest| blobs.contains(digest);
    let name = "the sample";
    Ok(open_sampled(
        Arc::new(file),
        plan.contents(),
        has,
        name,
        &resources,
    )?)
}

/// Bytes of the blobs whose first source is a registry.
fn from_registries(plan: &Plan, blobs: &BTreeSet<Digest>) -> u64 {
    let sources = &plan.parts().sources;
    let items = blobs
        .iter()
        .filter_map(|digest| plan.planned().items.get(digest));
    let fetched = items.filter(|item| {
        let first = item
            .sources
            .first()
            .and_then(|id| usize::try_from(*id).ok());
        let first = first.and_then(|index| sources.get(index));
        matches!(first, Some(Source::Registry { .. }))
    });
    fetched.map(|item| item.size).sum()
}

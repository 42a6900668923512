//! What an interrupted run left, and whether there is room for the rest.

use std::fs;
use std::os::unix::fs::MetadataExt;

use sealift_archive::{Journal, OutputPlace, SavedState};
use sealift_oci::Digest;
use serde::Serialize;

use crate::output::OutputFile;
use crate::plan::Plan;
use crate::request::Request;

/// What an interrupted run left under the output's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Earlier {
    /// Nothing.
    Nothing,
    /// A run with this very plan; it is taken up.
    SamePlan,
    /// A run with another plan; what it left is replaced.
    OtherPlan,
}

/// What is there before the work begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// What an interrupted run left.
    pub earlier: Earlier,
    /// How many manifests and blobs are whole.
    pub whole_blobs: u64,
    /// How many bytes those have.
    pub whole_bytes: u64,
    /// How many bytes of manifests and blobs have still to come, what is half there included.
    pub missing_bytes: u64,
    /// How many bytes are free for the file, what its partial file holds included; none where the file
    /// system does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub free_bytes: Option<u64>,
    /// The largest file that the file system can have, where that is small (vfat).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub largest_file: Option<u64>,
    /// Whether the file fits by both; true where nobody knows.
    pub enough_space: bool,
    /// Whether a file has the output's name already.
    pub output_exists: bool,
}

/// The plan that an interrupted run of `request` left for `output`, if it did: no registry is asked for
/// it again, and a tag that moved meanwhile does not shift it.
pub fn resume(request: &Request, output: &OutputFile) -> Option<Plan> {
    let saved = Journal::peek(&output.journal());
    if saved.request != Some(request.digest()) {
        return None;
    }
    let plan = Plan::from_text(&saved.plan, output.folder())?;
    has_partial(&plan, output).then_some(plan)?.with_locals()
}

/// What is there for `plan` at `output`, without touching it.
pub fn status(plan: &Plan, output: &OutputFile) -> Status {
    let saved = Journal::peek(&output.journal());
    let earlier = earlier(plan, output, &saved);
    let partial = partial_bytes(output);
    let items = plan.whole().items.iter();
    let whole: Vec<u64> = items
        .filter(|(digest, _)| {
            earlier == Earlier::SamePlan && is_there(plan, &saved, partial, digest)
        })
        .map(|(_, item)| item.size)
        .collect();
    let whole_bytes = whole.iter().sum();
    let place = OutputPlace::of(output.folder()).ok();
    let free_bytes = free(place.as_ref(), output);
    let largest_file = place.and_then(|place| place.largest_file);
    let total = plan.layout().total_bytes();
    Status {
        earlier,
        whole_blobs: whole.len() as u64,
        whole_bytes,
        missing_bytes: plan.summary().content_bytes.saturating_sub(whole_bytes),
        free_bytes,
        largest_file,
        enough_space: free_bytes.is_none_or(|free| free >= total)
            && largest_file.is_none_or(|largest| largest >= total),
        output_exists: output.path.exists(),
    }
}

/// What `saved` means to `plan`.
pub(crate) fn earlier(plan: &Plan, output: &OutputFile, saved: &SavedState) -> Earlier {
    match saved.request {
        None => Earlier::Nothing,
        Some(request)
            if request == plan.parts().request
                && has_partial(plan, output)
                && saved.plan == plan.to_text() =>
        {
            Earlier::SamePlan
        }
        Some(_) => Earlier::OtherPlan,
    }
}

/// Whether a partial file is there that can be the plan's. Without one there is nothing to take up.
fn has_partial(plan: &Plan, output: &OutputFile) -> bool {
    (1..=plan.layout().total_bytes()).contains(&partial_bytes(output))
}

fn partial_bytes(output: &OutputFile) -> u64 {
    fs::metadata(output.partial()).map_or(0, |metadata| metadata.len())
}

/// Whether the partial file has all of a blob: as the journal says, or, where the file is written in
/// order and shorter than the bundle, as far as it reaches.
fn is_there(plan: &Plan, saved: &SavedState, partial: u64, digest: &Digest) -> bool {
    let in_order = partial < plan.layout().total_bytes();
    saved.is_whole(digest)
        || in_order
            && plan
                .layout()
                .extent(digest)
                .is_some_and(|extent| extent.offset + extent.size <= partial)
}

/// How many bytes are free for the file, its partial file counted as free.
fn free(place: Option<&OutputPlace>, output: &OutputFile) -> Option<u64> {
    let own = fs::metadata(output.partial()).map_or(0, |metadata| metadata.blocks() * 512);
    Some(place?.free?.saturating_add(own))
}

//! What an interrupted run left, and whether the rest fits.

use sealift_archive::{FileSystem, Interrupted, OutputFile, Written};
use sealift_oci::Digest;
use serde::Serialize;

use crate::plan::Plan;
use crate::request::Request;

/// What an interrupted run left under the output's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Earlier {
    /// Nothing.
    Nothing,
    /// A run with this plan; it is resumed.
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
    /// How many manifests and blobs are complete.
    #[serde(rename = "wholeBlobs")]
    pub complete_blobs: u64,
    /// How many bytes those have.
    #[serde(rename = "wholeBytes")]
    pub complete_bytes: u64,
    /// How many bytes of manifests and blobs are still to be fetched, those of incomplete blobs included.
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

/// The plan that an interrupted run of `request` left for `output`, if it did. No registry is asked for it
/// again, and a tag that moved meanwhile does not change it.
pub fn resume(request: &Request, output: &OutputFile) -> Option<Plan> {
    let left = output.interrupted();
    if left.request != Some(request.digest()) {
        return None;
    }
    let plan = Plan::from_text(&left.plan, output.folder())?;
    has_partial(&plan, &left).then_some(plan)?.with_locals()
}

/// What is there for `plan` at `output`, without changing it.
pub fn status(plan: &Plan, output: &OutputFile) -> Status {
    let left = output.interrupted();
    let earlier = earlier(plan, &left);
    let (complete_blobs, complete_bytes) = match earlier {
        Earlier::SamePlan => complete(plan, &left),
        Earlier::Nothing | Earlier::OtherPlan => (0, 0),
    };
    let file_system = output.file_system().ok();
    let free_bytes = free(file_system.as_ref(), &left);
    let largest_file = file_system.and_then(|file_system| file_system.largest_file);
    let total = plan
        .layout()
        .map_or(plan.total_bytes(), |layout| layout.total_bytes());
    Status {
        earlier,
        complete_blobs,
        complete_bytes,
        missing_bytes: plan.fetched_bytes().saturating_sub(complete_bytes),
        free_bytes,
        largest_file,
        enough_space: free_bytes.is_none_or(|free| free >= total)
            && largest_file.is_none_or(|largest| largest >= total),
        output_exists: output.path.symlink_metadata().is_ok(),
    }
}

/// What an interrupted run means to `plan`.
fn earlier(plan: &Plan, left: &Interrupted) -> Earlier {
    match left.request {
        None => Earlier::Nothing,
        Some(request)
            if request == plan.parts().request
                && has_partial(plan, left)
                && left.plan == plan.to_text() =>
        {
            Earlier::SamePlan
        }
        Some(_) => Earlier::OtherPlan,
    }
}

/// Whether a partial file is there that can be the plan's. Without one there is nothing to resume.
fn has_partial(plan: &Plan, left: &Interrupted) -> bool {
    (1..=plan.total_bytes()).contains(&left.partial_bytes)
}

/// How many blobs of the plan the partial file contains completely, and their bytes: as the journal says,
/// or, where the file is written in order and shorter than the bundle, as far as it reaches.
fn complete(plan: &Plan, left: &Interrupted) -> (u64, u64) {
    let Ok(layout) = plan.layout() else {
        return (0, 0);
    };
    let in_order = left.partial_bytes < layout.total_bytes();
    let reached = |digest: &Digest| {
        let extent = layout.extent(digest);
        in_order && extent.is_some_and(|extent| extent.end() <= left.partial_bytes)
    };
    let complete = plan.fetched().filter(|(digest, _)| {
        left.written.get(digest) == Some(&Written::Complete) || reached(digest)
    });
    complete.fold((0, 0), |(blobs, bytes), (_, item)| {
        (blobs + 1, bytes + item.size)
    })
}

/// How many bytes are free for the file, its partial file counted as free.
fn free(file_system: Option<&FileSystem>, left: &Interrupted) -> Option<u64> {
    Some(file_system?.free?.saturating_add(left.allocated_bytes))
}

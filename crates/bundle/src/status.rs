//! What an interrupted run left, and whether there is room for the rest.

use std::path::PathBuf;

use serde::Serialize;

use crate::plan::Plan;
use crate::request::Request;

/// The file that a bundle is written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputFile {
    /// Its name. `.partial` is appended until it is whole.
    pub path: PathBuf,
    /// The folder for the journal; beside the file where none is given.
    pub state_dir: Option<PathBuf>,
    /// Whether a file that is there already is replaced, once the new one is whole.
    pub force: bool,
}

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
    /// How many bytes have still to come.
    pub missing_bytes: u64,
    /// How many bytes are free for the file, what its partial file holds included; none where the file
    /// system does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub free_bytes: Option<u64>,
    /// Whether that is enough.
    pub enough_space: bool,
    /// Whether a file has the output's name already.
    pub output_exists: bool,
}

/// The plan that an interrupted run of `request` left for `output`, if it did: no registry is asked for
/// it again, and a tag that moved meanwhile does not shift it.
pub fn resume(request: &Request, output: &OutputFile) -> Option<Plan> {
    let _ = (request, output);
    None
}

/// What is there for `plan` at `output`, without touching it.
pub fn status(plan: &Plan, output: &OutputFile) -> Status {
    let _ = (plan, output);
    unimplemented!()
}

//! From a plan to a file or a stream.

mod file;
mod ordered;
mod stream;
mod transfer;

use std::io::Write;
use std::path::PathBuf;

use sealift_archive::Identity;
use sealift_oci::Digest;
use sealift_pipeline::Event;
use serde::Serialize;

use crate::context::Context;
use crate::error::{BlobFailure, BundleError, FetchError};
use crate::output::OutputFile;
use crate::plan::{Item, Plan};

/// Where a bundle goes.
pub enum Target<'a> {
    /// Into a file, which can be interrupted and taken up again.
    File(&'a OutputFile),
    /// Into a stream, in order: the same bytes.
    Stream(&'a mut dyn Write),
}

/// What was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The bundle's identity.
    pub identity: Identity,
    /// The file; none for a stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// The file's size in bytes.
    pub total_bytes: u64,
    /// How many blobs were fetched by this run.
    pub fetched_blobs: u64,
    /// How many bytes of them this run moved; what a retry repeated is not counted.
    pub fetched_bytes: u64,
    /// How many manifests and blobs an earlier run had left whole.
    pub present_blobs: u64,
}

/// Fetches what the plan needs and writes the bundle.
///
/// A file that was begun by the same request and plan is taken up: nothing whole is asked for again.
/// Whatever ends the work early leaves a partial file and its journal to go on from.
pub fn execute(
    plan: &Plan,
    target: Target<'_>,
    context: &Context<'_>,
) -> Result<Report, BundleError> {
    context.observer.event(&Event::Phase { name: "fetching" });
    match target {
        Target::File(output) => file::write(plan, output, context),
        Target::Stream(output) => stream::write(plan, output, context),
    }
}

fn failure(plan: &Plan, digest: &Digest, item: &Item, error: FetchError) -> BlobFailure {
    BlobFailure {
        digest: *digest,
        size: item.size,
        needed_by: plan.needed_by(digest),
        error,
    }
}

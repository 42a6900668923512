//! From a plan to a file or a stream.

pub(crate) mod compact;
mod file;
mod ordered;
pub(crate) mod sample;
mod stream;
mod transfer;

use std::io::Write;
use std::path::PathBuf;

use sealift_archive::{BaseFile, CompactOptions, CompactReport, Identity, OutputFile};
use sealift_oci::Digest;
use sealift_pipeline::Event;
use serde::Serialize;

use crate::context::Context;
use crate::error::{BlobFailure, BundleError, FetchError};
use crate::plan::{Item, Plan};

/// Where a bundle goes.
pub enum Output<'a> {
    /// Into a file, which can be interrupted and resumed.
    File(&'a OutputFile),
    /// Into a compact file.
    Compact(&'a OutputFile, &'a CompactOptions),
    /// Into a compact file without what bases have.
    Delta(&'a OutputFile, &'a [BaseFile], &'a CompactOptions),
    /// Into a stream, in order: the same bytes.
    Stream(&'a mut dyn Write),
}

/// What was written.
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
    /// How many manifests and blobs an earlier run had left complete.
    pub present_blobs: u64,
    /// How the blobs were packed, and what is left to bases; `None` for a plain bundle, and for one that an earlier run finished.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compact: Option<CompactReport>,
}

/// Fetches what the plan needs and writes the bundle.
///
/// A file that was begun by the same request and plan is resumed: nothing complete is requested again.
/// Whatever ends the work early leaves a partial file and its journal to continue from.
///
/// # Errors
/// All blobs that could not be fetched, or the first failure that nothing can continue after.
pub fn execute(
    plan: &Plan,
    output: Output<'_>,
    context: &Context<'_>,
) -> Result<Report, BundleError> {
    context.observer.event(&Event::Phase { name: "fetching" });
    match output {
        Output::File(output) => file::write(plan, output, context),
        Output::Compact(output, options) => {
            let (report, compact) = compact::write(plan, output, &[], options, context)?;
            Ok(Report { compact, ..report })
        }
        Output::Delta(output, bases, options) => {
            let (report, compact) = compact::write(plan, output, bases, options, context)?;
            Ok(Report { compact, ..report })
        }
        Output::Stream(output) => stream::write(plan, output, context),
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

use std::io;

use sealift_oci::Digest;
use sealift_pipeline::{
    BUFFER_BYTES, Cancel, Cancelled, CopyError, Event, JobError, Observer, Outcome, copy,
    run_parallel,
};
use serde::Serialize;

use crate::bundle::Bundle;
use crate::layout::Extent;
use crate::record::Identity;

/// One damaged blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// The entry's name in the file.
    pub entry: String,
    /// Where its content begins, in bytes from the file's start.
    pub offset: u64,
    /// What is wrong.
    pub what: String,
    /// The images and files that need it.
    pub touches: Vec<String>,
}

/// What reading a whole bundle showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VerifyReport {
    /// The bundle's identity.
    pub identity: Identity,
    /// How many manifests and blobs were read.
    pub blobs: u64,
    /// How many bytes of content were hashed.
    pub bytes: u64,
    /// What is damaged; empty for a bundle that is whole.
    pub problems: Vec<Problem>,
}

/// Reads every blob of `bundle` on `threads` threads and compares its digest. Structure and manifests
/// were checked when it was opened.
pub fn verify(
    bundle: &Bundle,
    threads: usize,
    cancel: &Cancel,
    observer: &dyn Observer,
) -> Result<VerifyReport, Cancelled> {
    let mut blobs: Vec<(Digest, Extent)> = bundle
        .extents()
        .map(|(digest, extent)| (*digest, extent))
        .collect();
    let bytes = blobs.iter().map(|(_, extent)| extent.size).sum();
    observer.event(&Event::Phase { name: "verifying" });
    observer.event(&Event::Total {
        blobs: blobs.len() as u64,
        bytes,
    });
    // Largest first: the last thread to end then ends with a small one.
    blobs.sort_by_key(|(_, extent)| std::cmp::Reverse(extent.size));
    let results = run_parallel(threads, &blobs, cancel, |(digest, extent)| {
        check(bundle, digest, *extent, cancel, observer)
    });
    let mut problems = Vec::new();
    for ((digest, extent), result) in blobs.iter().zip(results) {
        match result {
            Ok(()) => {}
            Err(
                JobError::Cancelled(cancelled) | JobError::Failed(CopyError::Cancelled(cancelled)),
            ) => return Err(cancelled),
            Err(JobError::Failed(CopyError::Read(error) | CopyError::Write(error))) => {
                problems.push(problem(bundle, digest, *extent, &error));
            }
        }
    }
    problems.sort_by_key(|problem| problem.offset);
    Ok(VerifyReport {
        identity: bundle.identity(),
        blobs: blobs.len() as u64,
        bytes,
        problems,
    })
}

fn check(
    bundle: &Bundle,
    digest: &Digest,
    extent: Extent,
    cancel: &Cancel,
    observer: &dyn Observer,
) -> Result<(), CopyError> {
    let Some(mut reader) = bundle.blob(digest) else {
        return Ok(());
    };
    observer.event(&Event::Started {
        digest,
        size: extent.size,
        what: "",
    });
    let mut buffer = vec![0; BUFFER_BYTES];
    let result = copy(&mut reader, &mut io::sink(), &mut buffer, cancel, |bytes| {
        observer.event(&Event::Advanced { digest, bytes });
    });
    let outcome = if result.is_ok() {
        Outcome::Verified
    } else {
        Outcome::Failed
    };
    observer.event(&Event::Finished { digest, outcome });
    result.map(drop)
}

fn problem(bundle: &Bundle, digest: &Digest, extent: Extent, error: &io::Error) -> Problem {
    Problem {
        entry: digest.blob_path(),
        offset: extent.offset,
        what: error.to_string(),
        touches: bundle.touched_by(digest),
    }
}

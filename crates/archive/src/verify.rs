//! Reads all of a bundle and compares every digest.

use std::collections::BTreeMap;
use std::io;

use sealift_oci::Digest;
use sealift_pipeline::{
    BUFFER_BYTES, Budget, Cancel, Cancelled, CopyError, Event, JobError, Observer, Outcome,
    VerifyingReader, copy, mismatch_of,
};
use serde::Serialize;

use crate::bundle::Bundle;
use crate::contents::{Identity, NeededBy};
use crate::store::Store;

/// One corrupt blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CorruptBlob {
    /// The entry's name in the file.
    pub entry: String,
    /// Where its content begins, in bytes from the file's start.
    pub offset: u64,
    /// What is wrong.
    pub what: String,
    /// The images and files that need it.
    #[serde(flatten)]
    pub needed_by: NeededBy,
}

/// What reading a complete bundle showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VerifyReport {
    /// The bundle's identity.
    pub identity: Identity,
    /// How many manifests and blobs were read.
    pub blobs: u64,
    /// How many bytes of content were hashed.
    pub bytes: u64,
    /// Whether the blobs themselves were compared. Of a compact bundle that was not verified deeply, only the
    /// parts were that blobs are rebuilt from.
    pub rebuilt: bool,
    /// What is corrupt; empty if the bundle is intact.
    pub problems: Vec<CorruptBlob>,
}

/// Why a bundle was not verified. What is corrupt is in the report.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Something that verifying needs failed, most likely scratch space.
    #[error("cannot verify {bundle}: {source}")]
    Environment {
        /// The bundle.
        bundle: String,
        /// What failed.
        source: io::Error,
    },
    /// It was interrupted.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// Whether `error`, which came of reading a blob, is about the machine that reads (scratch space, memory,
/// threads, open files) and not about the blob.
pub fn is_environment_fault(error: &io::Error) -> bool {
    sealift_pack::is_scratch_fault(error)
        || matches!(
            error.kind(),
            io::ErrorKind::OutOfMemory
                | io::ErrorKind::WouldBlock
                | io::ErrorKind::StorageFull
                | io::ErrorKind::QuotaExceeded
                | io::ErrorKind::FileTooLarge
        )
}

/// Whether `error`, which came of reading a blob, says that its content is not what its digest or its form promises.
pub fn is_content_fault(error: &io::Error) -> bool {
    mismatch_of(error).is_some() || error.kind() == io::ErrorKind::InvalidData
}

/// Reads all of `bundle` and compares every digest. Structure and manifests were checked when it was
/// opened. Blobs that are rebuilt when they are read are rebuilt only if `deep`; else the parts are compared
/// that they are rebuilt from.
///
/// # Errors
/// If `cancel` is raised before everything was read, or what reading needs fails.
pub fn verify(
    bundle: &Bundle,
    deep: bool,
    budget: &Budget,
    cancel: &Cancel,
    observer: &dyn Observer,
) -> Result<VerifyReport, VerifyError> {
    let parts = if deep { None } else { bundle.store().stored() };
    let (store, sizes): (&dyn Store, BTreeMap<Digest, u64>) = match &parts {
        Some(parts) => (parts.store, parts.sizes.iter().copied().collect()),
        None => (bundle.store(), bundle.sizes().collect()),
    };
    let bytes = sizes.values().sum();
    observer.event(&Event::Phase { name: "verifying" });
    observer.event(&Event::Total {
        blobs: sizes.len() as u64,
        bytes,
    });
    let mut problems = Vec::new();
    for group in store.groups(sizes.keys().copied().collect()) {
        let results = budget.compute(&group, cancel, |digest| {
            check(store, digest, sizes[digest], cancel, observer)
        });
        for (digest, result) in group.iter().zip(results) {
            match result {
                Ok(()) => {}
                Err(
                    JobError::Cancelled(cancelled)
                    | JobError::Failed(CopyError::Cancelled(cancelled)),
                ) => return Err(cancelled.into()),
                Err(JobError::Failed(CopyError::Read(error) | CopyError::Write(error))) => {
                    cancel.check()?;
                    if is_environment_fault(&error) {
                        return Err(VerifyError::Environment {
                            bundle: bundle.name().to_owned(),
                            source: error,
                        });
                    }
                    problems.push((*digest, CorruptBlob::of(store, digest, &error)));
                }
            }
        }
    }
    let problems = named(bundle, problems);
    Ok(VerifyReport {
        identity: bundle.identity(),
        blobs: sizes.len() as u64,
        bytes,
        rebuilt: parts.is_none(),
        problems,
    })
}

fn check(
    store: &dyn Store,
    digest: &Digest,
    size: u64,
    cancel: &Cancel,
    observer: &dyn Observer,
) -> Result<(), CopyError> {
    let content = store.open(digest, 0).map_err(CopyError::Read)?;
    let mut reader = VerifyingReader::new(content, *digest, size);
    observer.event(&Event::Started {
        digest,
        size,
        what: "",
    });
    let mut buffer = vec![0; BUFFER_BYTES];
    let result = copy(&mut reader, &mut io::sink(), &mut buffer, cancel, |bytes| {
        observer.event(&Event::Advanced { digest, bytes });
    });
    let outcome = if result.is_ok() {
        Outcome::Verified
    } else {
        Outcome::not_done(&[cancel])
    };
    observer.event(&Event::Finished { digest, outcome });
    result.map(drop)
}

impl CorruptBlob {
    /// A blob of `bundle` whose reading ended with `error`.
    pub fn new(bundle: &Bundle, digest: &Digest, error: &io::Error) -> Self {
        Self {
            needed_by: bundle.needed_by(digest),
            ..Self::of(bundle.store(), digest, error)
        }
    }

    fn of(store: &dyn Store, digest: &Digest, error: &io::Error) -> Self {
        let location = store.locate(digest);
        Self {
            entry: location.entry,
            offset: location.offset,
            what: error.to_string(),
            needed_by: NeededBy::default(),
        }
    }
}

/// The problems in the file's order, with the names of what needs the blobs.
fn named(bundle: &Bundle, problems: Vec<(Digest, CorruptBlob)>) -> Vec<CorruptBlob> {
    let digests = problems.iter().map(|(digest, _)| *digest).collect();
    let mut names = bundle.needed_by_each(&digests);
    let problems = problems.into_iter().map(|(digest, problem)| CorruptBlob {
        needed_by: names.remove(&digest).unwrap_or_default(),
        ..problem
    });
    let mut problems: Vec<CorruptBlob> = problems.collect();
    problems.sort_by_key(|problem| problem.offset);
    problems
}

//! The record of a bundle as a file of its own: what a delta can be built on where the bundle is not.

use std::collections::BTreeMap;

use sealift_oci::Digest;
use sealift_pack::{Base, Blob};

use crate::bundle::Bundle;
use crate::contents::{Artifact, ArtifactKind};
use crate::profile::compact::{CompactOptions, PartsWriter, pack_options, summarize};
use crate::profile::error::ConvertError;
use crate::profile::export::Work;
use crate::target::{OrderedFile, Published, Target};

/// The version of what is written for the same bundle.
const VERSION: u32 = 1;

/// What identifies a record for the journal: the same text is the same bytes.
pub fn record_plan(bundle: &Bundle) -> String {
    format!("record {VERSION} {}", bundle.identity())
}

/// Writes the record of `bundle`, its manifests, and a summary of each blob into `target`: which files it contains, by
/// digest, and where. What `target` has is discarded: a record is written in less time than a bundle is read.
///
/// # Errors
/// If `bundle` cannot be read or is corrupt, or the target cannot be written.
pub fn write_record(
    bundle: &Bundle,
    target: Box<dyn Target>,
    options: &CompactOptions,
    work: &Work<'_>,
) -> Result<Published, ConvertError> {
    let options = pack_options(bundle.identity().0, options, work);
    let blobs = bundle.record().blobs.iter();
    let blobs: Vec<Blob> = blobs
        .map(|blob| Blob {
            digest: blob.digest,
            size: blob.size,
        })
        .collect();
    let (bases, _opened) = summarize(bundle, &blobs, &options, work)?;
    let mut parts = PartsWriter::new(OrderedFile::new(target, 0)?, 0);
    let metadata = parts.begin(bundle)?;
    let summary = parts.bytes(&summary(&blobs, &bases))?;
    let kind = ArtifactKind::Record { summary };
    let output = parts.finish(&Artifact { metadata, kind })?;
    Ok(output.publish()?)
}

/// The summaries of `blobs` one after the other, each after its length.
fn summary(blobs: &[Blob], bases: &[Base]) -> Vec<u8> {
    let known: BTreeMap<Digest, &Base> = bases
        .iter()
        .map(|base| (base.blob().digest, base))
        .collect();
    let mut bytes = Vec::new();
    for blob in blobs {
        let summary = known.get(&blob.digest);
        let summary = summary.map_or_else(Vec::new, |base| base.summary().to_bytes());
        bytes.extend_from_slice(&(summary.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&summary);
    }
    bytes
}

//! What a delta bundle leaves to its bases, as plans and reports show it.

use sealift_archive::{BaseFile, ByteRange, DeltaEstimate, Identity, Record, SharedBlobs};
use serde::Serialize;

use crate::words;

/// What will be left to bases.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeltaPlan<'a> {
    bases: Vec<PlannedBase<'a>>,
    /// Blobs that bases have.
    left_out_blobs: u64,
    left_out_bytes: u64,
    /// Blobs that are packed; what is similar in a base is stored as differences.
    packed_blobs: u64,
    packed_bytes: u64,
    /// What may be stored of these.
    estimate: DeltaEstimate,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PlannedBase<'a> {
    name: &'a str,
    identity: Identity,
    images: u64,
    /// Whether the blobs are there: without them only equal files are found.
    blobs: bool,
}

impl<'a> DeltaPlan<'a> {
    /// What a delta of `record` leaves to `bases`.
    pub(crate) fn new(record: &Record, bases: &'a [BaseFile]) -> Self {
        let shared = SharedBlobs::of(record, bases);
        let (packed_blobs, packed_bytes) = shared.rest(record);
        let bases = bases.iter().map(|base| PlannedBase {
            name: base.name(),
            identity: base.identity(),
            images: base.record().images.len() as u64,
            blobs: base.blobs().is_some(),
        });
        Self {
            bases: bases.collect(),
            left_out_blobs: shared.blobs(),
            left_out_bytes: shared.bytes(),
            packed_blobs,
            packed_bytes,
            estimate: DeltaEstimate::of(packed_bytes),
        }
    }

    /// The plan in words, a line for each base.
    pub(crate) fn words(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for base in &self.bases {
            let images = words::count(base.images, "image");
            lines.push(format!("base {}: {images}, {}", base.name, base.identity));
            if !base.blobs {
                lines.push(format!(
                    "    a record: equal files are found, but similar files are not stored as differences; with the \
                     bundle itself the delta would be smaller by an estimated {}",
                    range(self.estimate.of_records_more())
                ));
            }
        }
        lines.push(format!(
            "left out: {} ({}) that the bases have",
            words::count(self.left_out_blobs, "blob"),
            words::bytes(self.left_out_bytes)
        ));
        lines.push(format!(
            "to pack: {} ({})",
            words::count(self.packed_blobs, "blob"),
            words::bytes(self.packed_bytes)
        ));
        let (bundles, records) = (self.estimate.with_bundles, self.estimate.with_records);
        lines.push(format!(
            "estimate by other releases: {} stored with bundles as bases, {} with only their records",
            range(bundles),
            range(records)
        ));
        lines
    }
}

fn range(range: ByteRange) -> String {
    format!(
        "{} to {}",
        words::bytes(range.least),
        words::bytes(range.most)
    )
}

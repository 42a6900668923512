//! What is packed into a compact bundle, and what a delta bundle leaves to its bases, as plans and reports show it.

use sealift_archive::{BaseFile, DeltaEstimate, Identity, Record, SharedBlobs};
use serde::Serialize;

use crate::estimates::range;
use crate::words;

/// What will be packed, and what will be left to bases.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PackingPlan<'a> {
    bases: Vec<PlannedBase<'a>>,
    /// Blobs that bases have.
    left_out_blobs: u64,
    left_out_bytes: u64,
    /// Blobs that are packed; what is similar in a base is stored as differences.
    packed_blobs: u64,
    packed_bytes: u64,
    /// What may be stored of these, by other releases; `None` without bases.
    #[serde(skip_serializing_if = "Option::is_none")]
    estimate: Option<DeltaEstimate>,
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

impl<'a> PackingPlan<'a> {
    /// What is packed of `record`, and what is left to `bases`, if there are any.
    pub(crate) fn new(record: &Record, bases: &'a [BaseFile]) -> Self {
        let shared = SharedBlobs::of(record, bases);
        let (packed_blobs, packed_bytes) = shared.rest(record);
        let estimate = (!bases.is_empty()).then(|| DeltaEstimate::of(packed_bytes));
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
            estimate,
        }
    }

    /// The plan in words: a line for each base, and what is packed. `sampled` says that a sample shows the size.
    pub(crate) fn words(&self, sampled: bool) -> Vec<String> {
        let mut lines = Vec::new();
        for base in &self.bases {
            let images = words::count(base.images, "image");
            lines.push(format!("base {}: {images}, {}", base.name, base.identity));
            if let Some(estimate) = self.estimate.filter(|_| !base.blobs) {
                lines.push(format!(
                    "    a record: equal files are found, but similar files are not stored as differences; with the \
                     bundle itself the delta would be smaller by an estimated {}",
                    range(estimate.of_records_more())
                ));
            }
        }
        if !self.bases.is_empty() {
            lines.push(format!(
                "left out: {} ({}) that the bases contain",
                words::count(self.left_out_blobs, "blob"),
                words::bytes(self.left_out_bytes)
            ));
        }
        lines.push(format!(
            "to pack: {} ({})",
            words::count(self.packed_blobs, "blob"),
            words::bytes(self.packed_bytes)
        ));
        if let Some(estimate) = self.estimate.filter(|_| !sampled) {
            lines.push(format!(
                "estimate by other releases: {} stored with bundles as bases, {} with only their records",
                range(estimate.with_bundles),
                range(estimate.with_records)
            ));
        }
        lines
    }
}

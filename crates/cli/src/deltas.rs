//! What a delta bundle leaves to its bases, as plans and reports show it.

use sealift_archive::{BaseFile, Identity, Record, SharedBlobs};
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
        let packed = record.blobs.iter();
        let packed: Vec<u64> = packed
            .filter(|blob| !shared.contains(&blob.digest))
            .map(|blob| blob.size)
            .collect();
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
            packed_blobs: packed.len() as u64,
            packed_bytes: packed.iter().sum(),
        }
    }

    /// The plan in words, a line for each base.
    pub(crate) fn words(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for base in &self.bases {
            let images = words::count(base.images, "image");
            lines.push(format!("base {}: {images}, {}", base.name, base.identity));
            if !base.blobs {
                lines.push(
                    "    a record: equal files are found, but similar files are not stored as differences, which only \
                     the bundle itself allows"
                        .to_owned(),
                );
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
        lines
    }
}

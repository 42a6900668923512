//! How large a delta may become, before what is in its blobs is known.

use serde::Serialize;

/// What deltas of releases of Go programs, Debian, Python and Node.js packages stored of each 1000 bytes of layers that
/// changed, the least and the most (docs/compact.md, "Figures of packs with bases").
const WITH_BUNDLES: [u64; 2] = [4, 41];
const WITH_RECORDS: [u64; 2] = [126, 569];

/// Between so many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ByteRange {
    /// The least.
    pub least: u64,
    /// The most.
    pub most: u64,
}

/// An estimate of what a delta stores of the blobs that its bases do not have. Until they are fetched only their sizes
/// are known: how much of their content the bases have is taken from other releases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeltaEstimate {
    /// If the bases are bundles: what is similar is stored as differences.
    pub with_bundles: ByteRange,
    /// If only their records are there: only files that are equal are left out.
    pub with_records: ByteRange,
}

impl DeltaEstimate {
    /// Of blobs that have so many bytes together.
    pub fn of(bytes: u64) -> Self {
        let range = |[least, most]: [u64; 2]| ByteRange {
            least: share(bytes, least),
            most: share(bytes, most),
        };
        Self {
            with_bundles: range(WITH_BUNDLES),
            with_records: range(WITH_RECORDS),
        }
    }

    /// How many bytes more a delta has if only the records of its bases are there.
    pub fn of_records_more(&self) -> ByteRange {
        let (bundles, records) = (self.with_bundles, self.with_records);
        ByteRange {
            least: records.least.saturating_sub(bundles.most),
            most: records.most.saturating_sub(bundles.least),
        }
    }
}

fn share(bytes: u64, permille: u64) -> u64 {
    let share = u128::from(bytes) * u128::from(permille) / 1000;
    u64::try_from(share).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_worth_less_than_the_bundle() {
        let estimate = DeltaEstimate::of(1_000_000);
        let (bundles, records) = (estimate.with_bundles, estimate.with_records);
        assert!(bundles.least < bundles.most && bundles.most < records.least);
        let more = estimate.of_records_more();
        assert_eq!(more.least, records.least - bundles.most);
        assert!(more.least < more.most && more.most < 1_000_000);
        assert_eq!(DeltaEstimate::of(0).of_records_more().most, 0);
        assert!(DeltaEstimate::of(u64::MAX).with_records.most < u64::MAX);
    }
}

//! How large a compact bundle or a delta will be, and how long packing takes, by packing a sample.
//!
//! The sample is packed as the bundle would be. Its two halves are packed alone as well: what they save by being
//! together is what relations between blobs save each time that the content doubles. The true size lies between that
//! trend, continued up to all blobs, and a bundle in which nothing more is related than in the sample.

use std::collections::BTreeSet;

use serde::Serialize;

use sealift_oci::Digest;

use crate::bases::BaseFile;
use crate::bundle::Bundle;
use crate::profile::compact::clock::{Clock, Took};
use crate::profile::compact::estimate::ByteRange;
use crate::profile::compact::known::KnownBases;
use crate::profile::compact::packing::{Measured, Packer};
use crate::profile::compact::parts::file_bytes;
use crate::profile::compact::sample::Sample;
use crate::profile::compact::{CompactOptions, pack_options};
use crate::profile::error::ConvertError;
use crate::profile::export::Work;

/// How far sizes may be off, at least, as a share of them: a sample is never quite like the rest.
const MARGIN: f64 = 0.1;
/// The same where a sample says nothing of how much blobs differ: if it has only one, and of those that are too large
/// for it.
const WIDE_MARGIN: f64 = 0.5;
/// Two halves that are related save at most so much of each other: together they are as large as one.
const LEAST_TREND: f64 = 0.5;
/// Blobs that are not packed cost this much more at most than in a plain bundle, in thousandths.
const OVERHEAD: u64 = 1;

/// What packing a sample says of the whole bundle.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SampleEstimate {
    /// How many blobs are packed in all.
    pub blobs: u64,
    /// Their bytes as registries serve them.
    pub blob_bytes: u64,
    /// How many of them were packed.
    pub sampled_blobs: u64,
    /// Their bytes as registries serve them.
    pub sampled_bytes: u64,
    /// Bytes of the blobs that are too large for the sample.
    pub larger_bytes: u64,
    /// Whether everything was packed, so that the sizes are not estimated.
    pub exact: bool,
    /// Bytes of packs and of blobs that are kept as they are.
    pub stored_bytes: ByteRange,
    /// Bytes of the file.
    pub file_bytes: ByteRange,
    /// Seconds that packing takes: with all threads busy, and with threads as busy as they were with the sample.
    pub seconds: SecondRange,
    /// How many threads.
    pub threads: usize,
    /// Bytes of scratch space that packing needs at most.
    pub scratch_bytes: u64,
}

/// Between so many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SecondRange {
    /// The least.
    pub least: f64,
    /// The most.
    pub most: f64,
}

/// Packs `sample`, a sample of `bundle` for the same `bases`, in scratch space, which is empty afterwards, and
/// extrapolates to all of the bundle. `None` if the sample is not representative.
///
/// # Errors
/// If blobs of the sample or of a base cannot be read or are corrupt, or scratch space is missing.
pub fn estimate_packing(
    bundle: &Bundle,
    bases: &[BaseFile],
    sample: &Sample,
    options: &CompactOptions,
    work: &Work<'_>,
) -> Result<Option<SampleEstimate>, ConvertError> {
    if !sample.is_representative() {
        return Ok(None);
    }
    let packing = pack_options(bundle.identity().0, options, work);
    let blobs = sample.digests();
    bundle.check_readable(blobs.iter().copied())?;
    let mut clock = Clock::start();
    let known = KnownBases::new(bases, &|digest| sample.has_base(digest), &packing, work)?;
    let looked = clock.lap();
    let packer = Packer::new(bundle, &known, blobs, options, work);
    let _opened = packer.open_groups()?;
    let survey = packer.survey()?;
    let together = packer.measure(survey.clone())?;
    let packed = clock.lap();
    let halves = if sample.is_complete() {
        None
    } else {
        Halves::measure(&packer, &survey, sample)?
    };
    let sizes = Sizes {
        sample,
        stored: together.stored(bundle),
        halves,
    };
    let stored_bytes = sizes.range();
    let frame = file_bytes(bundle, bases, &together.packs, &together.kept)? - sizes.stored;
    let times = Times {
        looked,
        of_bases: ratio(all_base_bytes(bases), known.read_bytes()),
        packed,
        of_blobs: ratio(sample.all_bytes(), sample.bytes()),
    };
    Ok(Some(SampleEstimate {
        blobs: sample.all_blobs(),
        blob_bytes: sample.all_bytes(),
        sampled_blobs: sample.blobs(),
        sampled_bytes: sample.bytes(),
        larger_bytes: sample.larger_bytes(),
        exact: sample.is_complete(),
        stored_bytes,
        file_bytes: ByteRange {
            least: stored_bytes.least.saturating_add(frame),
            most: stored_bytes.most.saturating_add(frame),
        },
        seconds: times.range(work.budget.threads()),
        threads: work.budget.threads(),
        scratch_bytes: scratch(&together, options, times.of_blobs),
    }))
}

/// What the halves of a sample store alone.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Halves {
    /// Bytes that both store together, each in packs of its own.
    stored: u64,
    /// By how much one differs from the other in what is stored of a byte, as a share of both.
    spread: f64,
}

impl Halves {
    /// `None` if one is empty.
    fn measure(
        packer: &Packer<'_>,
        survey: &sealift_pack::Survey,
        sample: &Sample,
    ) -> Result<Option<Self>, ConvertError> {
        let halves = sample.halves();
        if halves.iter().any(BTreeSet::is_empty) {
            return Ok(None);
        }
        let mut stored = [0; 2];
        let mut rates = [0.0; 2];
        for (number, half) in halves.iter().enumerate() {
            stored[number] = packer.measure(part(survey, half))?.stored(packer.bundle());
            let sizes = half
                .iter()
                .filter_map(|digest| packer.bundle().size(digest));
            rates[number] = ratio(stored[number], sizes.sum());
        }
        let sum = rates[0] + rates[1];
        Ok(Some(Self {
            stored: stored[0] + stored[1],
            spread: if sum > 0.0 {
                (rates[0] - rates[1]).abs() / sum
            } else {
                0.0
            },
        }))
    }
}

/// What a survey says of `blobs`.
fn part(survey: &sealift_pack::Survey, blobs: &BTreeSet<Digest>) -> sealift_pack::Survey {
    let packable = survey.packable.iter();
    let kept = survey.kept.iter();
    sealift_pack::Survey {
        packable: packable
            .filter(|surveyed| blobs.contains(&surveyed.blob().digest))
            .cloned()
            .collect(),
        kept: kept
            .filter(|(digest, _)| blobs.contains(digest))
            .cloned()
            .collect(),
    }
}

/// What a sample stores, and what follows for all blobs.
struct Sizes<'a> {
    sample: &'a Sample,
    /// Bytes that the sample stores.
    stored: u64,
    halves: Option<Halves>,
}

impl Sizes<'_> {
    fn range(&self) -> ByteRange {
        let (least, most) = (self.stored, self.stored);
        if self.sample.is_complete() {
            return ByteRange { least, most };
        }
        let factor = ratio(self.sample.all_bytes(), self.sample.bytes());
        let unlike = ratio(self.sample.larger_bytes(), self.sample.all_bytes());
        let (margin, trend) = match self.halves {
            Some(halves) => (
                halves.spread.max(MARGIN) * (1.0 - unlike) + WIDE_MARGIN * unlike,
                ratio(self.stored, halves.stored).clamp(LEAST_TREND, 1.0),
            ),
            None => (WIDE_MARGIN, LEAST_TREND),
        };
        let as_sampled = scaled(self.stored, factor);
        let bound = self.sample.all_bytes();
        let bound = bound.saturating_add(bound / 1000 * OVERHEAD);
        let most = scaled(as_sampled, 1.0 + margin).min(bound);
        let doublings = factor.max(1.0).log2();
        let least = scaled(as_sampled, trend.powf(doublings) * (1.0 - margin));
        // Blobs of bases that were not looked into may have something of the sample; else it is stored in any case.
        let bound = if self.sample.has_all_bases() {
            self.stored
        } else {
            0
        };
        ByteRange {
            least: least.max(bound).min(most),
            most,
        }
    }
}

/// How long the parts of the work took, and how much more of each there is.
struct Times {
    looked: Took,
    of_bases: f64,
    packed: Took,
    of_blobs: f64,
}

impl Times {
    fn range(&self, threads: usize) -> SecondRange {
        let all = |time: fn(&Took) -> f64| {
            time(&self.looked) * self.of_bases + time(&self.packed) * self.of_blobs
        };
        let threads = u32::try_from(threads).unwrap_or(u32::MAX);
        let busy = all(|took| took.processor.as_secs_f64()) / f64::from(threads);
        let most = all(|took| took.elapsed.as_secs_f64());
        SecondRange {
            least: busy.min(most),
            most,
        }
    }
}

/// What packing all blobs needs at most: as much for each opened byte as the sample, and no more than for a full pack.
fn scratch(together: &Measured, options: &CompactOptions, of_blobs: f64) -> u64 {
    let full = ratio(options.pack_bytes, together.opened);
    scaled(together.scratch, of_blobs.min(full).max(1.0))
}

fn all_base_bytes(bases: &[BaseFile]) -> u64 {
    let bundles = bases.iter().filter(|base| base.blobs().is_some());
    let blobs = bundles.flat_map(|base| &base.record().blobs);
    let once: BTreeSet<(Digest, u64)> = blobs.map(|blob| (blob.digest, blob.size)).collect();
    once.into_iter().map(|(_, size)| size).sum()
}

/// How many times as many `bytes` are as `others`; 1 if there are no others.
#[expect(clippy::cast_precision_loss, reason = "an estimate needs fewer digits")]
fn ratio(bytes: u64, others: u64) -> f64 {
    if others == 0 {
        1.0
    } else {
        bytes as f64 / others as f64
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate needs fewer digits, and the factor is positive"
)]
fn scaled(bytes: u64, factor: f64) -> u64 {
    (bytes as f64 * factor).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn took(elapsed: u64, processor: u64) -> Took {
        Took {
            elapsed: std::time::Duration::from_secs(elapsed),
            processor: std::time::Duration::from_secs(processor),
        }
    }

    #[test]
    fn the_trend_of_the_halves_is_continued_and_never_below_the_sample() {
        let range = |stored, halves, spread| {
            let halves = Some(Halves {
                stored: halves,
                spread,
            });
            sizes(1_000, 8_000, stored, halves, true)
        };
        // Nothing is related: as in the sample, but for the margin.
        assert_eq!(range(300, 300, 0.0), (2_160, 2_640));
        // Each doubling saves a tenth, three times.
        assert_eq!(range(270, 300, 0.0), (1_417, 2_376));
        // All is the same.
        assert_eq!(range(100, 200, 0.0).0, 100);
        assert_eq!(range(300, 300, 0.5), (1_200, 3_600));
        assert_eq!(range(1_000, 1_000, 0.9).1, 8_008);
    }

    #[test]
    fn blobs_that_are_too_large_for_a_sample_widen_the_range() {
        let halves = Some(Halves {
            stored: 300,
            spread: 0.1,
        });
        assert_eq!(
            ranges(1_000, (8_000, 4_000), 300, halves, true),
            (1_680, 3_120)
        );
    }

    #[test]
    fn a_sample_of_one_blob_says_little() {
        assert_eq!(sizes(1_000, 2_000, 300, None, true), (300, 900));
        // More of the bases may have all of it.
        assert_eq!(sizes(1_000, 2_000, 300, None, false), (150, 900));
    }

    fn sizes(
        sampled: u64,
        all: u64,
        stored: u64,
        halves: Option<Halves>,
        all_bases: bool,
    ) -> (u64, u64) {
        ranges(sampled, (all, 0), stored, halves, all_bases)
    }

    fn ranges(
        sampled: u64,
        all: (u64, u64),
        stored: u64,
        halves: Option<Halves>,
        all_bases: bool,
    ) -> (u64, u64) {
        let sample = Sample::of_sizes(sampled, all, all_bases);
        let sizes = Sizes {
            sample: &sample,
            stored,
            halves,
        };
        let range = sizes.range();
        (range.least, range.most)
    }

    #[test]
    fn times_grow_with_what_they_are_spent_on() {
        let times = Times {
            looked: took(2, 2),
            of_bases: 3.0,
            packed: took(10, 12),
            of_blobs: 5.0,
        };
        let range = times.range(2);
        assert_eq!((range.least, range.most), (33.0, 56.0));
        // A clock that counts other work of the process too does not turn the range around.
        let range = times.range(1);
        assert_eq!((range.least, range.most), (56.0, 56.0));
    }
}

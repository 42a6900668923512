//! What packing a sample says of a compact bundle or a delta, in words.

use std::path::Path;
use std::time::Duration;

use sealift_archive::{ByteRange, SampleEstimate, check_scratch};
use sealift_bundle::PlanEstimate;

use crate::words;

/// The size of a sample of a local bundle, if that is representative.
pub(crate) const SAMPLE: u64 = 64 * MB;
/// The largest sample without `--sample`.
pub(crate) const MAX_SAMPLE: u64 = 512 * MB;

const MB: u64 = 1_000_000;

/// The estimate in words, with `scratch` as the folder for temporary data.
pub(crate) fn words(estimate: &SampleEstimate, scratch: &Path) -> Vec<String> {
    let mut lines = if estimate.exact {
        vec![format!(
            "size of the bundle: {} ({} bytes); every blob was packed, so this is exact",
            words::bytes(estimate.file_bytes.most),
            estimate.file_bytes.most
        )]
    } else {
        estimated(estimate)
    };
    lines.push(time(estimate));
    lines.push(space(estimate, scratch));
    lines
}

fn estimated(estimate: &SampleEstimate) -> Vec<String> {
    let mut lines = vec![
        format!(
            "sample: {} of {} ({} of {}) packed",
            estimate.sampled_blobs,
            words::count(estimate.blobs, "blob"),
            words::bytes(estimate.sampled_bytes),
            words::bytes(estimate.blob_bytes)
        ),
        format!(
            "estimated size of the bundle: {} ({} of the blobs)",
            range(estimate.file_bytes),
            percentages(estimate)
        ),
        "    larger bundles share more content than a sample: expect the lower half of this range"
            .to_owned(),
    ];
    if estimate.larger_bytes > 0 {
        lines.push(format!(
            "    {} are in blobs that are larger than the sample: a larger one (--sample) narrows the range",
            words::bytes(estimate.larger_bytes)
        ));
    }
    lines
}

/// The estimate of a plan in words, with the bytes that were fetched.
pub(crate) fn planned(sample: &PlanEstimate, scratch: &Path) -> Vec<String> {
    match &sample.estimate {
        Some(estimate) => {
            let fetched = format!(
                "fetched for the sample: {}",
                words::bytes(sample.fetched_bytes)
            );
            let mut lines = vec![fetched];
            lines.extend(self::words(estimate, scratch));
            lines
        }
        None => vec![no_estimate(sample.needed_bytes)],
    }
}

/// How to get an estimate, in words.
pub(crate) fn not_sampled() -> String {
    "size of the bundle: unknown until it is packed; use --sample 64M to estimate it".to_owned()
}

/// Why there is no estimate, in words: a sample needs more bytes.
pub(crate) fn no_estimate(needed: u64) -> String {
    format!(
        "size as packed: not estimated, because most of the content is in blobs that are larger than the sample; \
         use --sample {}M",
        needed.div_ceil(MB)
    )
}

/// Two sizes, or one if both read the same.
pub(crate) fn range(range: ByteRange) -> String {
    let (least, most) = (words::bytes(range.least), words::bytes(range.most));
    if least == most {
        least
    } else {
        format!("{least} to {most}")
    }
}

fn percentages(estimate: &SampleEstimate) -> String {
    let percent = |bytes: u64| bytes.saturating_mul(100) / estimate.blob_bytes.max(1);
    let (least, most) = (
        percent(estimate.stored_bytes.least),
        percent(estimate.stored_bytes.most),
    );
    format!("{least} % to {most} %")
}

fn time(estimate: &SampleEstimate) -> String {
    let seconds = |seconds: f64| words::duration(Duration::from_secs_f64(seconds));
    let (least, most) = (
        seconds(estimate.seconds.least),
        seconds(estimate.seconds.most),
    );
    let range = if least == most {
        least
    } else {
        format!("{least} to {most}")
    };
    format!(
        "estimated time to pack: {range} with {}",
        words::count(estimate.threads as u64, "thread")
    )
}

fn space(estimate: &SampleEstimate, scratch: &Path) -> String {
    let needed = format!(
        "scratch space to pack: up to {}",
        words::bytes(estimate.scratch_bytes)
    );
    match check_scratch(scratch, estimate.scratch_bytes) {
        Ok(()) => needed,
        Err(short) => format!(
            "{needed}; {} has {} free, which may not be enough",
            scratch.display(),
            words::bytes(short.free)
        ),
    }
}

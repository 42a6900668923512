//! What `bundle --dry-run` prints of the plan.

use std::path::Path;

use sealift_bundle::{Earlier, Plan, PlannedImage, Status};

use super::{ProfileArg, omitted};
use crate::deltas::PackingPlan;
use crate::words;

/// What becomes of what an interrupted run with another plan left.
pub(super) const REPLACED: &str = "an unfinished file of another plan will be replaced";

/// What will be in the bundle.
pub(super) fn plan_words(
    plan: &Plan,
    profile: ProfileArg,
    delta: Option<&PackingPlan<'_>>,
    sampled: bool,
) -> Vec<String> {
    let summary = plan.summary();
    let mut lines: Vec<String> = summary.images.iter().flat_map(image_words).collect();
    lines.extend(omitted::lines(plan));
    lines.extend(summary.referrers.iter().map(|referrer| {
        let (kind, subject, digest) = (&referrer.kind, &referrer.subject_name, referrer.digest);
        format!("{kind} of {subject}: {digest}")
    }));
    lines.extend(summary.files.iter().map(|file| {
        format!(
            "{} as {}: {}",
            file.name,
            file.reference,
            words::bytes(file.bytes)
        )
    }));
    lines.extend(
        summary
            .warnings
            .iter()
            .map(|warning| format!("warning: {warning}")),
    );
    lines.push(format!(
        "{}, {}, {}, {}: {}, {} saved by sharing",
        words::count(summary.images.len() as u64, "image"),
        words::attached(summary.referrers.len() as u64),
        words::count(summary.files.len() as u64, "file"),
        words::count(summary.blobs + summary.manifests, "blob"),
        words::bytes(summary.content_bytes),
        words::bytes(summary.shared_bytes)
    ));
    if let Some(delta) = delta {
        lines.extend(delta.words(sampled));
    } else {
        let plain = if profile == ProfileArg::Compact {
            "size of the plain bundle"
        } else {
            "size of the bundle"
        };
        lines.push(format!(
            "{plain}: {} ({} bytes)",
            words::bytes(summary.total_bytes),
            summary.total_bytes
        ));
    }
    lines
}

fn image_words(image: &PlannedImage) -> Vec<String> {
    let platforms = match image.platforms.len() {
        0 => String::new(),
        _ => format!(", {}", image.platforms.join(" ")),
    };
    let mut lines = vec![format!(
        "{} {}, {}{platforms}",
        image.reference,
        image.digest,
        words::bytes(image.bytes)
    )];
    if let Some(place) = &image.pulled_from {
        lines.push(format!("    pulled from {place}"));
    }
    if image.new_digest {
        lines.push("    new digest: the source contains no manifest".to_owned());
    }
    if let Some(original) = &image.original {
        lines.push(format!(
            "    new index for the selected platforms; the publisher's index is bundled too: {original}"
        ));
    }
    lines.extend(
        image
            .no_longer_covered_by
            .iter()
            .map(|what| format!("    no longer covered by {what}")),
    );
    lines.extend(
        image
            .left_out
            .iter()
            .map(|left| format!("    omitted: {} ({})", left.platform, left.reason)),
    );
    lines
}

/// What is at `path` before the work begins.
pub(super) fn status_words(path: &Path, status: &Status) -> String {
    let mut words = vec![format!(
        "{}: {} to fetch",
        path.display(),
        words::bytes(status.missing_bytes)
    )];
    if status.complete_blobs > 0 {
        words.push(format!(
            "{} ({}) complete from an interrupted run",
            words::count(status.complete_blobs, "blob"),
            words::bytes(status.complete_bytes)
        ));
    }
    if status.earlier == Earlier::OtherPlan {
        words.push(REPLACED.to_owned());
    }
    if let Some(free) = status.free_bytes {
        let enough = if status.enough_space {
            ""
        } else {
            ", which is NOT enough"
        };
        words.push(format!("{} free{enough}", words::bytes(free)));
    }
    if status.output_exists {
        words.push("the file exists".to_owned());
    }
    words.join("; ")
}

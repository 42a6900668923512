//! Image references of one file, rewritten for a destination: what `rewrite` and `product` share.

use std::path::Path;

use sealift_archive::Record;
use sealift_imagerefs::{Pins, Relocation, Rewrite, plan_pull_secret, plan_rewrite, unified_diff};
use sealift_load::Loaded;
use sealift_oci::{Destination, Naming};
use serde::Serialize;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::sources::read_input;

/// Where references go, and what else is put into the files.
pub(crate) struct Rewriting<'a> {
    pub(crate) destination: &'a Destination,
    pub(crate) naming: &'a Naming,
    /// The digests to pin references to; `None` if tags stay.
    pub(crate) pins: Option<Pins>,
    /// The pull secret to add to workloads.
    pub(crate) pull_secret: Option<&'a str>,
}

/// One file, before and after.
pub(crate) struct Rewritten {
    pub(crate) name: String,
    pub(crate) old: Vec<u8>,
    pub(crate) new: Vec<u8>,
    pub(crate) report: FileReport,
}

/// What became of one file's references.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FileReport {
    pub(crate) file: String,
    pub(crate) replaced: Vec<Replaced>,
    /// References that were already correct.
    pub(crate) settled: usize,
    /// What was skipped, each with its location and the reason.
    pub(crate) left_alone: Vec<String>,
    /// References without a digest although digests were wanted, each with its location.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) unpinned: Vec<String>,
    /// What the file was recognized as.
    pub(crate) form: &'static str,
    #[serde(skip)]
    pub(crate) description: &'static str,
    /// Workloads that got the pull secret.
    pub(crate) pull_secrets: usize,
}

/// One reference that got another.
#[derive(Debug, Serialize)]
pub(crate) struct Replaced {
    pub(crate) line: usize,
    pub(crate) old: String,
    pub(crate) new: String,
}

impl Rewritten {
    /// Whether anything is different.
    pub(crate) fn changed(&self) -> bool {
        self.old != self.new
    }

    /// Whether nothing in it is or may be an image, and no pull secret was added.
    pub(crate) fn has_nothing(&self) -> bool {
        let report = &self.report;
        report.replaced.is_empty()
            && report.settled == 0
            && report.left_alone.is_empty()
            && report.pull_secrets == 0
    }

    /// The change as `diff -u` prints it.
    pub(crate) fn diff(&self) -> String {
        unified_diff(&self.name, &self.old, &self.new)
    }
}

/// The digests of the images in `record`, by their names at `destination`.
pub(crate) fn pins(
    record: &Record,
    destination: &Destination,
    naming: &Naming,
) -> Result<Pins, Failure> {
    let mut pins = Pins::new();
    for image in &record.images {
        let reference = naming
            .reference_at(&image.reference, destination)
            .map_err(|error| Failure::new(Exit::Usage, &error))?;
        let original = image.original.as_ref().map(|original| original.digest);
        pins.insert(&reference, image.descriptor.digest, original);
    }
    Ok(pins)
}

/// The digests that a receipt says the images have at the destination.
pub(crate) fn pins_of_receipt(loaded: &Loaded) -> Pins {
    let mut pins = Pins::new();
    for image in loaded.images.values() {
        pins.insert(&image.name, image.digest, image.original);
    }
    pins
}

/// Reads and rewrites one file; nothing is written.
pub(crate) fn rewrite(path: &Path, rewriting: &Rewriting<'_>) -> Result<Rewritten, Failure> {
    let name = path.display().to_string();
    let old = read_input(path, &name)?;
    let mut relocation = Relocation::new(rewriting.destination, rewriting.naming);
    if let Some(pins) = &rewriting.pins {
        relocation = relocation.with_pins(pins);
    }
    let usage = |error: &(dyn std::error::Error + 'static)| Failure::new(Exit::Usage, error);
    let plan = plan_rewrite(&name, &old, &relocation).map_err(|error| usage(&error))?;
    let moved = plan.apply(&old).map_err(|error| usage(&error))?;
    let mut report = report(&name, &plan);
    if rewriting.pins.is_some() {
        report.unpinned = unpinned(&name, &plan);
    }
    let new = match rewriting.pull_secret {
        Some(secret) => with_pull_secret(&name, &moved, secret, &mut report)?,
        None => moved,
    };
    Ok(Rewritten {
        name,
        old,
        new,
        report,
    })
}

fn report(name: &str, plan: &Rewrite) -> FileReport {
    let replaced = plan.replaced.iter().map(|(occurrence, new)| Replaced {
        line: occurrence.line,
        old: occurrence.text.clone(),
        new: new.to_string(),
    });
    let places = plan.not_understood.iter();
    let not_understood = places.map(|place| format!("{name}:{place}"));
    FileReport {
        file: name.to_owned(),
        form: plan.input.as_str(),
        description: plan.input.description(),
        replaced: replaced.collect(),
        settled: plan.settled.len(),
        left_alone: unknown(name, plan).chain(not_understood).collect(),
        unpinned: Vec::new(),
        pull_secrets: 0,
    }
}

/// References for which there is no replacement.
fn unknown<'a>(name: &'a str, plan: &'a Rewrite) -> impl Iterator<Item = String> + 'a {
    plan.unknown.iter().map(move |(occurrence, reason)| {
        format!(
            "{name}:{}:{}: {}: {reason}",
            occurrence.line, occurrence.column, occurrence.text
        )
    })
}

/// References that a plan with pins leaves without a digest.
fn unpinned(name: &str, plan: &Rewrite) -> Vec<String> {
    let incomplete = plan.incomplete.iter().map(|occurrence| {
        format!(
            "{name}:{}:{}: {}: no tag specified",
            occurrence.line, occurrence.column, occurrence.text
        )
    });
    let places = plan.not_understood.iter();
    let images = places.filter(|place| place.reason.concerns_image());
    let not_understood = images.map(|place| format!("{name}:{place}"));
    unknown(name, plan)
        .chain(incomplete)
        .chain(not_understood)
        .collect()
}

fn with_pull_secret(
    name: &str,
    bytes: &[u8],
    secret: &str,
    report: &mut FileReport,
) -> Result<Vec<u8>, Failure> {
    // A workload that names the secret needs nothing of its service account.
    let plan = plan_pull_secret(name, bytes, secret, &|resource| {
        resource.kind != "ServiceAccount"
    })
    .map_err(|error| Failure::new(Exit::Usage, &error))?;
    report.pull_secrets = plan.edits.len();
    let unclear = plan.not_understood.iter();
    report
        .left_alone
        .extend(unclear.map(|place| format!("{name}:{place}")));
    plan.apply(bytes)
        .map_err(|error| Failure::new(Exit::Usage, &error))
}

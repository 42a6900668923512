//! Image references of one file, put to a destination: what `rewrite` and `product` share.

use std::collections::BTreeMap;
use std::path::Path;

use sealift_archive::Record;
use sealift_imagerefs::{
    Answer, Mapping, Relocation, plan_pull_secret, plan_rewrite, unified_diff,
};
use sealift_oci::{Destination, Digest, Naming, Reference};
use serde::Serialize;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::sources::read_input;

/// Where references go, and what else is put into the files.
pub(crate) struct Rewriting<'a> {
    pub(crate) destination: &'a Destination,
    pub(crate) naming: &'a Naming,
    /// What a bundle's images are pinned to; none where tags stay.
    pub(crate) pins: Option<Pins>,
    /// The pull secret that workloads are to name.
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
    /// References that were at the destination already.
    pub(crate) settled: usize,
    /// What was left alone, each with its place and the reason.
    pub(crate) left_alone: Vec<String>,
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

    /// The change as `diff -u` prints it.
    pub(crate) fn diff(&self) -> String {
        unified_diff(&self.name, &self.old, &self.new)
    }
}

/// The digests of a bundle's images.
pub(crate) struct Pins {
    /// By the name at the destination, without a digest.
    names: BTreeMap<Reference, Digest>,
    /// Publishers' indexes of which platforms were chosen, and the new ones in the bundle.
    chosen: BTreeMap<Digest, Digest>,
}

impl Pins {
    /// Those of `record` at `destination`.
    pub(crate) fn of(
        record: &Record,
        destination: &Destination,
        naming: &Naming,
    ) -> Result<Self, Failure> {
        let mut pins = Self {
            names: BTreeMap::new(),
            chosen: BTreeMap::new(),
        };
        for image in &record.images {
            let there = naming
                .reference_at(&image.reference, destination)
                .map_err(|error| Failure::new(Exit::Usage, &error))?;
            pins.names
                .insert(without_digest(&there), image.descriptor.digest);
            if let Some(original) = &image.original {
                pins.chosen.insert(original.digest, image.descriptor.digest);
            }
        }
        Ok(pins)
    }
}

/// To the destination; and where a publisher's digest is named of which the bundle has a new index, to
/// that one.
struct Repinned<'a> {
    relocation: Relocation<'a>,
    chosen: Option<&'a BTreeMap<Digest, Digest>>,
}

impl Mapping for Repinned<'_> {
    fn image(&self, reference: &Reference) -> Answer {
        let answer = self.relocation.image(reference);
        let there = match &answer {
            Answer::Replace(there) => there,
            _ => reference,
        };
        let new = there.digest().and_then(|old| self.chosen?.get(old));
        match new {
            Some(new) if there.digest() != Some(new) => Answer::Replace(there.with_digest(*new)),
            _ => answer,
        }
    }

    fn name(&self, reference: &Reference) -> Answer {
        self.relocation.name(reference)
    }
}

fn without_digest(reference: &Reference) -> Reference {
    Reference::new(
        reference.registry(),
        reference.repository(),
        Some(&reference.storage_tag()),
        None,
    )
    .unwrap_or_else(|_| reference.clone())
}

/// Reads and rewrites one file; nothing is written.
pub(crate) fn rewrite(path: &Path, rewriting: &Rewriting<'_>) -> Result<Rewritten, Failure> {
    let name = path.display().to_string();
    let old = read_input(path, &name)?;
    let lookup = |reference: &Reference| rewriting.pins.as_ref()?.names.get(reference).copied();
    let mut relocation = Relocation::new(rewriting.destination, rewriting.naming);
    if rewriting.pins.is_some() {
        relocation = relocation.with_pins(&lookup);
    }
    let mapping = Repinned {
        relocation,
        chosen: rewriting.pins.as_ref().map(|pins| &pins.chosen),
    };
    let usage = |error: &(dyn std::error::Error + 'static)| Failure::new(Exit::Usage, error);
    let plan = plan_rewrite(&name, &old, &mapping).map_err(|error| usage(&error))?;
    let moved = plan.apply(&old).map_err(|error| usage(&error))?;
    let replaced = plan.replaced.iter().map(|(occurrence, new)| Replaced {
        line: occurrence.line,
        old: occurrence.text.clone(),
        new: new.to_string(),
    });
    let unknown = plan.unknown.iter().map(|(occurrence, reason)| {
        format!(
            "{name}:{}:{}: {}: {reason}",
            occurrence.line, occurrence.column, occurrence.text
        )
    });
    let unclear = plan
        .not_understood
        .iter()
        .map(|place| format!("{name}:{place}"));
    let mut report = FileReport {
        replaced: replaced.collect(),
        settled: plan.settled.len(),
        left_alone: unknown.chain(unclear).collect(),
        pull_secrets: 0,
        file: name.clone(),
    };
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

//! `load --prune-plan` and `load --prune`: tags of the release that a delta bundle builds on.

use std::path::{Path, PathBuf};

use clap::Args;
use sealift_archive::{Base, Bundle, Record};
use sealift_load::{
    Context, NotPruned, OldTag, OldTagState, PruneError, PrunePlan, PruneReceipts, Pruned, Receipt,
    ReceiptTags, Request, plan_prune, prune,
};
use sealift_oci::Destination;
use serde::Serialize;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::heading;
use crate::hints::{self, Hint};
use crate::{files, output, receipt, words};

/// Which tags of earlier releases are listed and deleted.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = heading::EARLIER)]
pub(super) struct PruneArgs {
    /// List tags of the delta's base at the destination that are not in the bundle; write nothing
    #[arg(long, conflicts_with_all = ["only", "skip"])]
    prune_plan: bool,
    /// After the load, delete such tags if the load that wrote RECEIPT set them (repeatable)
    ///
    /// A tag is deleted only if it still points to the digest in the receipt. If the registry can delete a tag only
    /// together with its manifest, that is done only if no other tag and no image of this bundle needs the manifest.
    #[arg(long, value_name = "RECEIPT", conflicts_with_all = ["only", "skip"])]
    prune: Vec<PathBuf>,
    /// Keep the tags listed in RECEIPT, the receipt of another bundle that shares images with this one (repeatable)
    #[arg(long, value_name = "RECEIPT")]
    prune_keep: Vec<PathBuf>,
}

/// The releases that a bundle builds on, and what receipts say.
pub(super) struct Earlier<'a> {
    bases: &'a [Base],
    receipts: PruneReceipts,
}

impl PruneArgs {
    /// Whether only the tags are listed.
    pub(super) fn only_plan(&self) -> bool {
        self.prune_plan
    }

    /// Checks that `output`, which the receipt of this load is written to, is none of the receipts that are read: it
    /// is replaced before tags are deleted, and the same command could not be run again.
    ///
    /// # Errors
    /// If it is one of them.
    pub(super) fn check_receipt(&self, output: Option<&Path>) -> Result<(), Failure> {
        let mut read = self.prune.iter().chain(&self.prune_keep);
        let same = output.filter(|output| read.any(|path| files::is_same(path, output)));
        let Some(output) = same else { return Ok(()) };
        let message = format!(
            "{} cannot be both the receipt of this load and one of an earlier load",
            output.display()
        );
        Err(Failure::message(Exit::Usage, message).hint("use another name with --receipt"))
    }

    /// The failure of an incomplete load, after which nothing is deleted.
    pub(super) fn incomplete(&self, failure: Failure) -> Failure {
        if self.prune.is_empty() {
            return failure;
        }
        failure.hint("no tags were deleted, since the load is incomplete")
    }

    /// What to prune by; `None` unless it was asked for.
    ///
    /// # Errors
    /// If the bundle contains no record of an earlier release, or a file is not a receipt.
    pub(super) fn earlier<'a>(
        &self,
        bundle: &'a Bundle,
        destination: &Destination,
    ) -> Result<Option<Earlier<'a>>, Failure> {
        if !self.prune_plan && self.prune.is_empty() {
            if self.prune_keep.is_empty() {
                return Ok(None);
            }
            let message = "--prune-keep has no effect without --prune or --prune-plan";
            return Err(Failure::message(Exit::Usage, message)
                .hint("add --prune RECEIPT or --prune-plan, or omit --prune-keep"));
        }
        let Some(delta) = bundle.delta() else {
            let message = format!(
                "{} is not a delta bundle, so there is no earlier release to delete tags of",
                bundle.name()
            );
            return Err(Failure::message(Exit::Usage, message).hint(
                "omit --prune-plan and --prune, or load a bundle that was built with --base",
            ));
        };
        let read = |paths: &[PathBuf]| -> Result<Vec<ReceiptTags>, Failure> {
            let receipts = paths.iter().map(|path| of_registry(path, destination));
            receipts.collect()
        };
        Ok(Some(Earlier {
            bases: delta.bases(),
            receipts: PruneReceipts {
                old: read(&self.prune)?,
                kept: read(&self.prune_keep)?,
            },
        }))
    }
}

/// Reads the receipt at `path`. One of another registry says nothing about this one, and its tags would be kept or
/// deleted contrary to what was meant.
fn of_registry(path: &Path, destination: &Destination) -> Result<ReceiptTags, Failure> {
    let tags = receipt::tags(path)?;
    if tags.registry() == destination.registry() {
        return Ok(tags);
    }
    let message = format!(
        "{} is the receipt of a load into {}, not into {}",
        path.display(),
        tags.registry(),
        destination.registry()
    );
    Err(Failure::message(Exit::Usage, message)
        .hint("name the registry as in the earlier load, or omit this receipt"))
}

impl Earlier<'_> {
    /// The tags at the destination of `request`.
    pub(super) fn plan(
        &self,
        bundle: &Bundle,
        request: &Request,
        context: &Context<'_>,
    ) -> Result<PrunePlan, Failure> {
        let old: Vec<&Record> = self.bases.iter().map(Base::record).collect();
        let (new, receipts) = (bundle.record(), &self.receipts);
        Ok(plan_prune(new, &old, receipts, request, context)?)
    }
}

/// Deletes what `plan` says, unless the load that went before is incomplete.
pub(super) fn delete(
    plan: Option<&PrunePlan>,
    loaded: &Receipt,
    request: &Request,
    context: &Context<'_>,
) -> Result<Option<Pruned>, Failure> {
    match plan {
        Some(plan) if loaded.is_complete() => Ok(Some(prune(plan, request, context)?)),
        _ => Ok(None),
    }
}

/// Prints the plan.
pub(super) fn print(plan: &PrunePlan, json: bool) -> Result<Exit, Failure> {
    if json {
        output::json(plan)?;
    } else {
        output::lines(&plan_words(plan))?;
    }
    Ok(Exit::Done)
}

/// The plan, a line for each tag and one with the sums.
pub(super) fn plan_words(plan: &PrunePlan) -> Vec<String> {
    let mut lines: Vec<String> = plan.tags.iter().map(tag_words).collect();
    let absent = plan.tags.iter();
    let absent = absent.filter(|tag| tag.state == OldTagState::Absent);
    let (deleted, absent) = (plan.to_delete().count(), absent.count());
    lines.push(format!(
        "{} of the base not in this bundle: {deleted} to delete, {} to keep, {absent} already gone",
        words::count(plan.tags.len() as u64, "tag"),
        plan.tags.len() - deleted - absent
    ));
    lines
}

fn tag_words(tag: &OldTag) -> String {
    let what = match tag.state {
        OldTagState::Absent => "already gone".to_owned(),
        OldTagState::Changed { now } => {
            format!("kept: it points to {now} now, not to {}", tag.digest)
        }
        OldTagState::There if tag.kept => "kept: the receipt of another load lists it".to_owned(),
        OldTagState::There if tag.in_receipt => format!("to delete: {}", tag.digest),
        OldTagState::There => format!(
            "kept: no receipt passed with --prune says that its load set it to {}",
            tag.digest
        ),
    };
    format!("{}:{}  {what}", tag.repository, tag.tag)
}

/// What was deleted, a line for each tag.
pub(super) fn pruned_words(pruned: &Pruned) -> Vec<String> {
    let deleted = pruned.deleted.iter();
    deleted.map(|tag| format!("deleted {tag}")).collect()
}

/// What a load printed as JSON, with what was deleted after it.
#[derive(Serialize)]
pub(super) struct WithPruned<'a> {
    #[serde(flatten)]
    pub(super) receipt: &'a Receipt,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pruned: Option<&'a Pruned>,
}

/// The plan of a load as JSON, with what is to be deleted after it.
#[derive(Serialize)]
pub(super) struct WithPrunePlan<'a> {
    #[serde(flatten)]
    pub(super) plan: &'a sealift_load::Plan,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) prune: Option<&'a PrunePlan>,
}

/// The failure of a load that is done but for its deletions; `None` if there is nothing to report.
pub(super) fn failure(pruned: &Pruned) -> Option<Failure> {
    if pruned.failed.is_empty() {
        return None;
    }
    let count = words::count(pruned.failed.len() as u64, "tag");
    let message = format!("the load is done, but {count} could not be deleted:");
    let items = pruned.failed.iter();
    let items = items.map(|failed| format!("{}: {}", failed.tag, failed.reason));
    let failure = Failure::message(Exit::Failed, message).items(items);
    let mut hints: Vec<Hint> = pruned.failed.iter().filter_map(hint).collect();
    hints.sort_unstable();
    hints.dedup();
    Some(hints.into_iter().fold(failure, Failure::hint))
}

fn hint(failed: &NotPruned) -> Option<Hint> {
    match &failed.reason {
        PruneError::Unsupported => Some(
            "enable deletion in the registry's configuration (distribution: storage.delete.enabled) and run the same command again, or delete these tags with the registry's own tools".into(),
        ),
        PruneError::Registry(error) => hints::registry::hint(error),
        _ => None,
    }
}

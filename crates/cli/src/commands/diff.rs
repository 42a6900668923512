//! `sealift diff`: shows what differs between two bundles.

use std::path::PathBuf;

use clap::Args;
use sealift_archive::Work;
use sealift_pipeline::{Budget, Cancel, cores};
use sealift_report::diff;

use crate::args::{BaseArgs, OutputArgs, ScratchArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;
use crate::progress::observer;

mod print;

/// Show what differs between two bundles
///
/// Prints the images that were added, removed or moved to another digest, and what changed in each of them: layers,
/// files, packages (dpkg, apk, rpm, Go modules), signatures, sizes. Reads the layers of images that changed;
/// nothing is unpacked, and no network is used. The bundles may have different profiles. Each bundle is
/// also used as a base of the other; name further bases of delta bundles with --base.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
    sealift diff calico-3.32.0.tar calico-3.32.1.tar
    sealift diff calico-1.tar calico-2-delta.tar
    sealift diff calico-2-delta.tar calico-3-delta.tar --base calico-1.tar
    sealift diff --json old.tar new.tar | jq '.images[] | select(.change != \"unchanged\") | .reference'")]
pub(crate) struct DiffArgs {
    /// The old bundle
    old: PathBuf,
    /// The new bundle
    new: PathBuf,
    /// List every changed file and package, not only the largest and the first
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    bases: BaseArgs,
    #[command(flatten)]
    scratch: ScratchArgs,
    #[command(flatten)]
    output: OutputArgs,
}

pub(crate) fn run(args: &DiffArgs, cancel: &Cancel) -> Result<Exit, Failure> {
    let budget = Budget::new(1, cores());
    let reading = args.scratch.reading(&budget, cancel);
    let [old, new] = args.bases.open_both([&args.old, &args.new], &reading)?;
    let observer = observer(args.output.quiet);
    let work = Work {
        budget: &budget,
        cancel,
        observer: &observer,
    };
    let diff = diff(&old, &new, &work)?;
    drop(observer);
    if args.output.json {
        output::json(&diff)?;
    } else {
        output::lines(&print::text(&diff, args.all))?;
    }
    Ok(Exit::Done)
}

//! `sealift record`: writes the record of a bundle, which a delta bundle can be built on without the bundle.

use std::path::PathBuf;

use clap::Args;
use sealift_archive::{
    CompactOptions, Effort, FileTarget, OutputFile, Work, record_plan, write_record,
};
use sealift_pipeline::{Budget, Cancel, cores};

use crate::args::{BaseArgs, ScratchArgs, open_readable};
use crate::commands::compact::write_failure;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;
use crate::progress::observer;

/// Write the record of a bundle: a small file that can replace the bundle as the base of a delta bundle
///
/// A record contains the names, the manifests and the digest of every file, but no content. A delta bundle on a record
/// leaves out equal blobs and files. To store similar files as differences too, use the bundle itself as base.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
    sealift record calico-1.tar -o calico-1.record
    sealift bundle --product calico@v3.32.1 --base calico-1.record -o calico-2-delta.tar")]
pub(crate) struct RecordArgs {
    /// The bundle
    bundle: PathBuf,
    /// The record to write
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// Replace the output if it exists, once the new record is complete
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    bases: BaseArgs,
    #[command(flatten)]
    scratch: ScratchArgs,
    /// Print only warnings and the result
    #[arg(long, short)]
    quiet: bool,
}

pub(crate) fn run(args: &RecordArgs, cancel: &Cancel) -> Result<Exit, Failure> {
    let file = OutputFile {
        path: args.output.clone(),
        state_dir: None,
        replace: args.force,
    };
    file.check().map_err(|error| write_failure(&error))?;
    let budget = Budget::new(1, cores());
    let reading = args.scratch.reading(&budget, cancel);
    let bundle = open_readable(&args.bases, &args.bundle, &reading)?;
    let target = FileTarget::begin(&file, bundle.identity().0, &record_plan(&bundle))
        .map_err(|error| write_failure(&error))?;
    let observer = observer(args.quiet);
    let work = Work {
        budget: &budget,
        cancel,
        observer: &observer,
    };
    let options = CompactOptions {
        effort: Effort::Default,
        pack_bytes: u64::MAX,
        scratch: args.scratch.folder(),
    };
    let published = write_record(&bundle, Box::new(target), &options, &work)?;
    drop(observer);
    output::published(&published)?;
    output::line(&format!("identity {}", bundle.identity()))?;
    Ok(Exit::Done)
}

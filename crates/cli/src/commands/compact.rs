use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use sealift_archive::{
    Bundle, CompactOptions, CompactReport, ConvertError, Effort, FileTarget, OutputFile, Work,
    WriteError, compact_plan, write_compact,
};
use sealift_pipeline::{Budget, Cancel, cores};

use crate::args::{OutputArgs, ScratchArgs, heading};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress::observer;
use crate::{output, words};

/// Convert a bundle to the compact profile
///
/// Content that layers share is stored once, related and compressed. Every blob is rebuilt while the bundle is
/// written: those that cannot be rebuilt byte for byte are kept unchanged and listed. No network is used.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n    sealift compact calico.tar -o calico-compact.tar")]
pub(crate) struct CompactArgs {
    /// The bundle
    bundle: PathBuf,
    /// Write the compact bundle to this file
    #[arg(long, short, help_heading = heading::OUTPUT, value_name = "FILE")]
    output: PathBuf,
    /// Replace the output if it exists, once the new bundle is complete
    #[arg(long, help_heading = heading::OUTPUT)]
    force: bool,
    #[command(flatten)]
    packing: PackingArgs,
    #[command(flatten)]
    scratch: ScratchArgs,
    #[command(flatten)]
    output_args: OutputArgs,
}

/// How blobs are packed.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = heading::PERFORMANCE)]
pub(crate) struct PackingArgs {
    /// Processor time spent on the size of a compact bundle
    #[arg(long, value_name = "EFFORT", default_value = "default")]
    effort: EffortArg,
    /// Maximum size of a pack in gigabytes of uncompressed content; reading one needs as much scratch space
    #[arg(long, value_name = "GB", default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=1024))]
    pack_size: u64,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum EffortArg {
    Fast,
    Default,
    Best,
}

impl PackingArgs {
    /// The options, with `scratch` for temporary data.
    pub(crate) fn options(&self, scratch: &Path) -> CompactOptions {
        CompactOptions {
            effort: match self.effort {
                EffortArg::Fast => Effort::Fast,
                EffortArg::Default => Effort::Default,
                EffortArg::Best => Effort::Best,
            },
            pack_bytes: self.pack_size.saturating_mul(1_000_000_000),
            scratch: scratch.to_owned(),
        }
    }
}

pub(crate) fn run(args: &CompactArgs, cancel: &Cancel) -> Result<Exit, Failure> {
    let output = OutputFile {
        path: args.output.clone(),
        state_dir: None,
        replace: args.force,
    };
    output.check().map_err(|error| write_failure(&error))?;
    let budget = Budget::new(1, cores());
    let bundle = Bundle::open(&args.bundle, &args.scratch.reading(&budget, cancel))?;
    let options = args.packing.options(&args.scratch.folder());
    let plan = compact_plan(&bundle, &options);
    let target = FileTarget::begin(&output, bundle.identity().0, &plan)
        .map_err(|error| write_failure(&error))?;
    let observer = observer(args.output_args.quiet);
    let work = Work {
        budget: &budget,
        cancel,
        observer: &observer,
    };
    let (published, report) = write_compact(&bundle, Box::new(target), &options, &work)?;
    drop(observer);
    if args.output_args.json {
        output::json(&report)?;
    } else {
        output::line(&format!(
            "{}: {}",
            published.path.display(),
            words::bytes(published.bytes)
        ))?;
        output::lines(&compact_words(&report))?;
        output::line(&format!("identity {}", bundle.identity()))?;
    }
    Ok(Exit::Done)
}

/// What a compact bundle saves, and what it keeps as it is.
pub(crate) fn compact_words(report: &CompactReport) -> Vec<String> {
    let permille = report
        .stored_bytes
        .saturating_mul(1000)
        .checked_div(report.blob_bytes)
        .unwrap_or(1000);
    let mut lines = vec![format!(
        "{} of blobs stored in {} ({}.{} %), {}",
        words::bytes(report.blob_bytes),
        words::bytes(report.stored_bytes),
        permille / 10,
        permille % 10,
        words::count(report.packs, "pack")
    )];
    lines.extend(report.kept.iter().map(|blob| {
        let (digest, size) = (blob.digest, words::bytes(blob.size));
        format!("kept unchanged: {digest} ({size}): {}", blob.reason)
    }));
    lines
}

/// The failure of an output.
pub(crate) fn write_failure(error: &WriteError) -> Failure {
    let exit = match error {
        WriteError::Exists { .. }
        | WriteError::NotRegular { .. }
        | WriteError::Foreign { .. }
        | WriteError::Replaced { .. } => Exit::Conflict,
        WriteError::NoFolder { .. } => Exit::Usage,
        _ => Exit::Failed,
    };
    let failure = Failure::new(exit, error);
    match error {
        WriteError::Exists { .. } => {
            failure.hint("use --force to replace it, or choose another name")
        }
        _ => failure,
    }
}

impl From<ConvertError> for Failure {
    fn from(error: ConvertError) -> Self {
        match &error {
            ConvertError::Cancelled(cancelled) => (*cancelled).into(),
            ConvertError::Write(error) => write_failure(error),
            error if error.is_corrupt() => Self::new(Exit::Damaged, error),
            error => Self::new(Exit::Failed, error),
        }
    }
}

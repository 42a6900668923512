//! `sealift compact`: converts a bundle to the compact profile.

use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use sealift_archive::{
    BaseFile, BaseFiles, Bundle, CompactOptions, CompactReport, ConvertError, Effort, FileTarget,
    OutputFile, Published, Reading, Sample, SampleEstimate, Work, WriteError, check_packing,
    compact_plan, estimate_packing, write_compact, write_delta,
};
use sealift_pipeline::{Budget, Cancel, cores};
use serde::Serialize;

use crate::args::{OutputArgs, ScratchArgs, size};
use crate::deltas::PackingPlan;
use crate::estimates::{MAX_SAMPLE, SAMPLE};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::heading;
use crate::interruption::Kept;
use crate::progress::observer;
use crate::{estimates, hints, output, words};

/// Convert a bundle to the compact profile, or to a delta bundle
///
/// Content that layers share is stored once, similar files are stored as differences, and everything is compressed.
/// Every blob is rebuilt while the bundle is written; blobs that cannot be rebuilt byte for byte are stored unchanged
/// and listed. No network is used.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
    sealift compact calico.tar --dry-run
    sealift compact calico.tar -o calico-compact.tar
    sealift compact calico-2.tar --base calico-1.tar -o calico-2-delta.tar")]
pub(crate) struct CompactArgs {
    /// The bundle
    bundle: PathBuf,
    /// Write the compact bundle to this file
    #[arg(
        long,
        short,
        help_heading = heading::OUTPUT,
        value_name = "FILE",
        required_unless_present = "dry_run"
    )]
    output: Option<PathBuf>,
    /// Write a delta bundle on this bundle or record: equal content is left out, similar content is stored as
    /// differences (repeatable)
    #[arg(long, value_name = "FILE")]
    base: Vec<PathBuf>,
    /// Estimate the size of the output and the time to write it from a sample of the blobs; write nothing
    ///
    /// The sample is packed in scratch space with the same options. A bundle that is not larger than the sample is packed
    /// completely, so that its size is exact.
    #[arg(long)]
    dry_run: bool,
    /// With --dry-run, pack at most this many bytes of blobs: 500k, 64M, 1G; 0 skips the estimate [default: 64M, or up to
    /// 512M if the blobs are large]
    #[arg(long, value_name = "SIZE", requires = "dry_run", value_parser = size)]
    sample: Option<u64>,
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

/// How the blobs of a complete bundle are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProfileArg {
    /// As the registry served them
    Plain,
    /// Decompressed, without duplicates, and compressed again; rebuilt byte for byte on load
    Compact,
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

/// What will be packed, as `--dry-run --json` prints it.
#[derive(Serialize)]
struct DryRun<'a> {
    #[serde(flatten)]
    plan: PackingPlan<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sample: Option<SampleEstimate>,
}

impl CompactArgs {
    /// What the command keeps when it is interrupted.
    pub(super) fn keeps(&self) -> Kept {
        if self.dry_run {
            return Kept::Nothing;
        }
        Kept::Progress
    }
}

pub(crate) fn run(args: &CompactArgs, cancel: &Cancel) -> Result<Exit, Failure> {
    let output = args.output.clone().map(|path| OutputFile {
        path,
        state_dir: None,
        replace: args.force,
    });
    if let Some(output) = &output {
        output.check().map_err(|error| write_failure(&error))?;
    }
    let budget = Budget::new(1, cores());
    let reading = args.scratch.reading(&budget, cancel);
    let bases = BaseFiles::open(&args.base, &reading.resources)?;
    let reading = Reading {
        bases: bases.bundles().clone(),
        ..reading
    };
    let bundle = Bundle::open(&args.bundle, &reading)?;
    let observer = observer(args.output_args.quiet);
    let work = Work {
        budget: &budget,
        cancel,
        observer: &observer,
    };
    let output = match output {
        Some(output) if !args.dry_run => output,
        _ => return dry_run(args, &bundle, bases.list(), &work),
    };
    let options = args.packing.options(&args.scratch.folder());
    let (published, packed) = pack(&bundle, bases.list(), &output, &options, &work)?;
    drop(observer);
    report(&bundle, &published, &packed, args.output_args)
}

fn dry_run(
    args: &CompactArgs,
    bundle: &Bundle,
    bases: &[BaseFile],
    work: &Work<'_>,
) -> Result<Exit, Failure> {
    let scratch = args.scratch.folder();
    let plan = PackingPlan::new(bundle.record(), bases);
    let sample = match args.sample {
        Some(0) => None,
        Some(bytes) => Some(Sample::choose(bundle, bases, bytes)),
        None => Some(Sample::choose_within(bundle, bases, SAMPLE, MAX_SAMPLE)),
    };
    let options = args.packing.options(&scratch);
    let estimate = match &sample {
        Some(sample) => estimate_packing(bundle, bases, sample, &options, work)?,
        None => None,
    };
    if args.output_args.json {
        output::json(&DryRun {
            plan,
            sample: estimate,
        })?;
    } else {
        output::lines(&plan.words(estimate.is_some()))?;
        output::lines(&match (&estimate, &sample) {
            (Some(estimate), _) => estimates::words(estimate, &scratch),
            (None, Some(sample)) => vec![estimates::no_estimate(sample.needed_bytes())],
            (None, None) => Vec::new(),
        })?;
        output::line(&format!("identity {}", bundle.identity()))?;
    }
    Ok(Exit::Done)
}

/// Writes `bundle` as a delta on `bases`, or as a compact bundle if there are none.
pub(crate) fn pack(
    bundle: &Bundle,
    bases: &[BaseFile],
    output: &OutputFile,
    options: &CompactOptions,
    work: &Work<'_>,
) -> Result<(Published, CompactReport), Failure> {
    check_packing(bundle, bases)?;
    let plan = compact_plan(bundle, bases, options);
    let target = FileTarget::begin(output, bundle.identity().0, &plan)
        .map_err(|error| write_failure(&error))?;
    let target = Box::new(target);
    Ok(if bases.is_empty() {
        write_compact(bundle, target, options, work)?
    } else {
        write_delta(bundle, bases, target, options, work)?
    })
}

/// Reports what was written.
pub(crate) fn report(
    bundle: &Bundle,
    published: &Published,
    packed: &CompactReport,
    output_args: OutputArgs,
) -> Result<Exit, Failure> {
    if output_args.json {
        output::json(packed)?;
    } else {
        output::published(published)?;
        output::lines(&compact_words(packed))?;
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
    if let Some(delta) = &report.delta {
        lines.push(format!(
            "left out: {} ({}) that the bases contain",
            words::count(delta.left_out_blobs, "blob"),
            words::bytes(delta.left_out_bytes)
        ));
    }
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
        WriteError::Exists { .. } => failure.hint(hints::EXISTS),
        WriteError::Locked { .. } => failure.hint(hints::LOCKED),
        WriteError::NoSpace { .. } => failure.hint(hints::SPACE),
        WriteError::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
            failure.hint(hints::SPACE)
        }
        _ => failure,
    }
}

impl From<ConvertError> for Failure {
    fn from(error: ConvertError) -> Self {
        match &error {
            ConvertError::Cancelled(cancelled) => (*cancelled).into(),
            ConvertError::Write(error) => write_failure(error),
            ConvertError::Absent(absent) => absent.clone().into(),
            ConvertError::Scratch(scratch) => scratch.clone().into(),
            ConvertError::Bases { .. } => Self::new(Exit::Usage, &error),
            error if error.is_corrupt() => Self::new(Exit::Damaged, error),
            error => Self::new(Exit::Failed, error),
        }
    }
}

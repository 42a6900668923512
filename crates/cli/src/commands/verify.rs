use std::path::PathBuf;

use clap::Args;
use sealift_archive::{Bundle, OpenError, VerifyError, VerifyReport};
use sealift_pipeline::{Budget, Cancel, cores};
use serde::Serialize;

use crate::args::{OutputArgs, ScratchArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress::observer;
use crate::{output, words};

/// Check a bundle: its structure, then the digest of everything in it
///
/// Nothing is unpacked and nothing is written. What is wrong is told with its place in the file and the
/// images that it touches.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n    sealift verify calico.tar")]
pub(crate) struct VerifyArgs {
    /// The bundle
    bundle: PathBuf,
    /// How many threads hash [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
    /// Rebuild every blob of a compact bundle and compare it too, not only the packs
    #[arg(long)]
    deep: bool,
    #[command(flatten)]
    scratch: ScratchArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// The report of a bundle whose structure is damaged: there was no digest to check.
#[derive(Serialize)]
struct Unopened<'a> {
    file: &'a str,
    problems: [UnopenedProblem<'a>; 1],
}

#[derive(Serialize)]
struct UnopenedProblem<'a> {
    entry: &'a str,
    offset: u64,
    what: &'a str,
}

pub(crate) fn run(args: &VerifyArgs, cancel: &Cancel) -> Result<Exit, Failure> {
    let budget = Budget::new(1, args.threads.map_or_else(cores, usize::from));
    let bundle = match Bundle::open(&args.bundle, &args.scratch.reading(&budget, cancel)) {
        Ok(bundle) => bundle,
        Err(error) => return unopened(&error, args.output.json),
    };
    let observer = observer(args.output.quiet);
    let report = sealift_archive::verify(&bundle, args.deep, &budget, cancel, &*observer)?;
    drop(observer);
    if args.output.json {
        output::json(&report)?;
    } else {
        print(&bundle, &report, args.output.quiet)?;
    }
    if report.problems.is_empty() {
        return Ok(Exit::Done);
    }
    let damaged = words::count(report.problems.len() as u64, "blob");
    let message = format!(
        "{} is damaged: {damaged} of {}",
        bundle.name(),
        report.blobs
    );
    Err(Failure::message(Exit::Damaged, message).hint(
        "copy the file again from where it was written; if that one is damaged too, build it again",
    ))
}

impl From<VerifyError> for Failure {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Cancelled(cancelled) => cancelled.into(),
            error @ VerifyError::Environment { .. } => Self::new(Exit::Failed, &error)
                .hint("free some space, or use --scratch-dir with a larger folder"),
        }
    }
}

fn unopened(error: &OpenError, json: bool) -> Result<Exit, Failure> {
    if let (true, OpenError::Fault { name, fault }) = (json, error) {
        output::json(&Unopened {
            file: name,
            problems: [UnopenedProblem {
                entry: &fault.entry,
                offset: fault.offset,
                what: &fault.what,
            }],
        })?;
    }
    Err(error.into())
}

fn print(bundle: &Bundle, report: &VerifyReport, quiet: bool) -> Result<(), Failure> {
    for problem in &report.problems {
        output::line(&format!(
            "damaged: {} at byte {}: {}",
            problem.entry, problem.offset, problem.what
        ))?;
        for image in &problem.needed_by {
            output::line(&format!("    touches {image}"))?;
        }
    }
    if report.problems.is_empty() && !quiet {
        output::line(&format!(
            "{} is whole: {}, {} hashed",
            bundle.name(),
            words::count(report.blobs, "blob"),
            words::bytes(report.bytes)
        ))?;
        if !report.rebuilt {
            output::line(
                "the packs were compared, the blobs in them were not rebuilt (--deep does)",
            )?;
        }
        output::line(&format!("identity {}", report.identity))?;
    }
    Ok(())
}

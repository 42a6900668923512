//! `sealift verify`: checks a bundle.

use std::path::PathBuf;
use std::thread;

use clap::Args;
use sealift_archive::{
    Bases, Bundle, OpenError, Profile, Reading, VerifyError, VerifyReport, checksum,
};
use sealift_oci::Digest;
use sealift_pipeline::{Budget, Cancel, NoObserver, cores};
use serde::Serialize;

use crate::args::{BaseArgs, OutputArgs, ScratchArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::heading;
use crate::progress::observer;
use crate::standard_input::BundlePath;
use crate::{checksums, hints, output, words};

/// Check a bundle: its structure, then the digest of everything in it
///
/// Nothing is unpacked or written. Each problem is reported with its position in the file and the images that it
/// affects.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
    sealift verify calico.tar
    sealift verify calico-2-delta.tar --base calico-1.tar")]
pub(crate) struct VerifyArgs {
    /// The bundle; - is standard input, which is kept in the scratch folder first
    bundle: PathBuf,
    /// Number of threads that compute digests [default: one for each core]
    #[arg(long, help_heading = heading::PERFORMANCE, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
    /// Also rebuild every blob of a compact or delta bundle and check its digest, not only the packs; implied by --base
    #[arg(long)]
    deep: bool,
    #[command(flatten)]
    bases: BaseArgs,
    #[command(flatten)]
    scratch: ScratchArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// The report as `--json` prints it.
#[derive(Serialize)]
struct Verified<'a> {
    #[serde(flatten)]
    report: &'a VerifyReport,
    /// The checksum of the file, in hexadecimal digits.
    sha256: String,
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
    let path = BundlePath::of(&args.bundle, &args.scratch.folder(), cancel)?;
    let reading = args.scratch.reading(&budget, cancel);
    let reading = Reading {
        bases: Bases::open(&args.bases.base, &reading.resources)?,
        ..reading
    };
    let bundle = match Bundle::open(path.path(), &reading) {
        Ok(bundle) => bundle,
        Err(error) => return unopened(&error, args.output.json),
    };
    BaseArgs::check(&bundle, &reading.bases)?;
    let deep = args.deep || !args.bases.base.is_empty();
    if deep {
        bundle.check_readable(bundle.sizes().map(|(digest, _)| digest))?;
    }
    let observer = observer(args.output.quiet);
    // Both read the file once; done at the same time, it comes from the disk once.
    let (report, sum) = thread::scope(|scope| {
        let sum = scope.spawn(|| checksum(path.path(), cancel, &NoObserver));
        let report = sealift_archive::verify(&bundle, deep, &budget, cancel, &*observer);
        (report, sum.join())
    });
    let report = report?;
    let sum =
        sum.map_err(|_| Failure::message(Exit::Failed, "the checksum was not computed"))??;
    drop(observer);
    if args.output.json {
        output::json(&Verified {
            report: &report,
            sha256: sum.hex(),
        })?;
    } else {
        print(&bundle, &report, &sum, args.output.quiet)?;
    }
    if report.problems.is_empty() {
        return Ok(Exit::Done);
    }
    let damaged = words::count(report.problems.len() as u64, "blob");
    let message = format!(
        "{} is corrupt: {damaged} of {}",
        bundle.name(),
        report.blobs
    );
    Err(Failure::message(Exit::Damaged, message).hint(
        "copy the file again from where it was written; if that copy is corrupt too, create the bundle again",
    ))
}

impl From<VerifyError> for Failure {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Cancelled(cancelled) => cancelled.into(),
            VerifyError::Environment { ref source, .. } => {
                let failure = Self::new(Exit::Failed, &error);
                match hints::scratch(source) {
                    Some(hint) => failure.hint(hint),
                    None => failure,
                }
            }
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

fn print(bundle: &Bundle, report: &VerifyReport, sum: &Digest, quiet: bool) -> Result<(), Failure> {
    for problem in &report.problems {
        output::line(&format!(
            "corrupt: {} at byte {}: {}",
            problem.entry, problem.offset, problem.what
        ))?;
        for image in &problem.needed_by.names {
            output::line(&format!("    affects: {image}"))?;
        }
        if problem.needed_by.more > 0 {
            output::line(&format!("    affects: {} more", problem.needed_by.more))?;
        }
    }
    if report.problems.is_empty() {
        output::line(&format!(
            "{} is complete and correct: {}, {} checked",
            bundle.name(),
            words::count(report.blobs, "blob"),
            words::bytes(report.bytes)
        ))?;
        if !report.rebuilt {
            output::line(match bundle.profile() {
                Profile::Delta => {
                    "checked the packs; use --base FILE to rebuild the blobs in them too"
                }
                _ => "checked the packs; use --deep to rebuild the blobs in them too",
            })?;
        }
        checksums::print(&report.identity, sum, quiet)?;
    }
    Ok(())
}

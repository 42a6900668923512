//! `sealift report`: writes a page about a bundle.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use sealift_archive::{CorruptBlob, FileTarget, OrderedFile, OutputFile, Target, Work, WriteError};
use sealift_oci::Digest;
use sealift_pipeline::{Budget, Cancel, cores};
use sealift_report::{Facts, ReportError, page};

use crate::args::{BaseArgs, OutputArgs, ScratchArgs};
use crate::commands::compact::write_failure;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress::observer;
use crate::{output, words};

/// Write a page about a bundle, for a security review or for the person who carries it
///
/// Writes one self-contained HTML file: identity and checksum, images with their sizes and origin, signatures,
/// attestations and SBOMs, packages, omitted content, and everything that could not be read. Reads the layers of
/// all images; nothing is unpacked, and no network is used.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
    sealift report calico.tar -o calico.html
    sealift report calico-2-delta.tar --base calico-1.tar -o calico-2.html
    sealift report --json calico.tar | jq '.images[].platforms[].inventory.packages'")]
pub(crate) struct ReportArgs {
    /// The bundle
    bundle: PathBuf,
    /// The HTML page to write; - is standard output
    #[arg(long, short, value_name = "FILE", required_unless_present = "json")]
    output: Option<PathBuf>,
    /// Replace the output if it exists, once the new page is complete
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    bases: BaseArgs,
    #[command(flatten)]
    scratch: ScratchArgs,
    #[command(flatten)]
    output_args: OutputArgs,
}

pub(crate) fn run(args: &ReportArgs, cancel: &Cancel) -> Result<Exit, Failure> {
    let to_file = args
        .output
        .as_deref()
        .filter(|path| *path != Path::new("-"));
    let file = to_file.map(|path| OutputFile {
        path: path.to_owned(),
        state_dir: None,
        replace: args.force,
    });
    if let Some(file) = &file {
        refuse_existing(file).map_err(|error| write_failure(&error))?;
    }
    let budget = Budget::new(1, cores());
    let reading = args.scratch.reading(&budget, cancel);
    let bundle = args.bases.open(&args.bundle, &reading)?;
    let observer = observer(args.output_args.quiet);
    let work = Work {
        budget: &budget,
        cancel,
        observer: &observer,
    };
    let facts = Facts::gather(&bundle, &args.bundle, &work)?;
    drop(observer);
    if args.output_args.json {
        output::json(&facts)?;
    }
    match file {
        Some(file) => {
            publish(&file, bundle.identity().0, &page(&facts))?;
            if !args.output_args.json {
                output::lines(&summary(&facts, &file.path))?;
            }
        }
        None if args.output_args.json => {}
        None => output::bytes(page(&facts).as_bytes())?,
    }
    Ok(Exit::Done)
}

/// Refuses an output before the work that could not be published after it.
fn refuse_existing(file: &OutputFile) -> Result<(), WriteError> {
    file.check()?;
    if !file.replace && file.path.symlink_metadata().is_ok() {
        return Err(WriteError::Exists {
            path: file.path.clone(),
        });
    }
    Ok(())
}

fn publish(file: &OutputFile, identity: Digest, page: &str) -> Result<(), Failure> {
    let target = FileTarget::begin(file, identity, "report").and_then(|target| {
        let mut target: Box<dyn Target> = Box::new(target);
        target.reserve(page.len() as u64)?;
        OrderedFile::new(target, 0)
    });
    let mut target = target.map_err(|error| write_failure(&error))?;
    target.write_all(page.as_bytes()).map_err(|error| {
        let message = format!("cannot write {}: {error}", file.path.display());
        Failure::message(Exit::Failed, message)
    })?;
    target.publish().map_err(|error| write_failure(&error))?;
    Ok(())
}

fn summary(facts: &Facts, path: &Path) -> Vec<String> {
    let signatures: usize = facts.images.iter().map(|image| image.attached.len()).sum();
    let mut lines = vec![
        format!(
            "{}: {}, {}",
            path.display(),
            words::count(facts.images.len() as u64, "image"),
            words::attached(signatures as u64)
        ),
        format!("sha256 {}", facts.sha256),
        format!("identity {}", facts.identity),
    ];
    let notes = facts.notes().count() as u64;
    if notes > 0 {
        let notes = words::count(notes, "thing");
        lines.insert(
            1,
            format!("{notes} in the images could not be read; the page lists them"),
        );
    }
    lines
}

impl From<ReportError> for Failure {
    fn from(error: ReportError) -> Self {
        match &error {
            ReportError::Cancelled(cancelled) => (*cancelled).into(),
            ReportError::Corrupt { blob, .. } => corrupt(&error, blob),
            ReportError::Unreadable(unreadable) => unreadable.clone().into(),
            ReportError::Io { .. } => Self::new(Exit::Failed, &error),
        }
    }
}

fn corrupt(error: &ReportError, blob: &CorruptBlob) -> Failure {
    let affected = blob
        .needed_by
        .names
        .iter()
        .take(5)
        .cloned()
        .collect::<Vec<_>>();
    let failure = Failure::new(Exit::Damaged, error);
    let failure = failure.hint("run sealift verify, which lists everything that is corrupt");
    if affected.is_empty() {
        return failure;
    }
    failure.hint(format!("affected: {}", affected.join(", ")))
}

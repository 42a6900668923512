//! `sealift extract`: writes the carried files of a bundle.

use std::path::PathBuf;

use clap::Args;
use sealift_archive::{ExtractError, ExtractItem, ExtractRequest, FileKind, plan_extract};
use sealift_pipeline::{Budget, Cancel, cores};

use crate::args::{BaseArgs, OutputArgs, ScratchArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::heading;
use crate::interruption::Kept;
use crate::progress::observer;
use crate::{output, words};

/// Extract the files that a bundle carries
///
/// Names are checked, and links are neither followed nor created, so that nothing is written outside of the folder.
/// A file or folder gets its name once it is complete and its digest is checked. What exists with the same content is
/// skipped, so that the same command resumes after an interruption; other files are replaced only with --overwrite.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
    sealift extract calico.tar --to ./calico
    sealift extract calico.tar tigera-operator.yaml --to . --dry-run")]
pub(crate) struct ExtractArgs {
    /// The bundle
    bundle: PathBuf,
    /// Extract only these files
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Write to this folder; created if missing
    #[arg(long, help_heading = heading::OUTPUT, value_name = "DIR")]
    to: PathBuf,
    /// Replace files that exist; folders are never replaced
    #[arg(long, help_heading = heading::OUTPUT)]
    overwrite: bool,
    /// Print what would be written and write nothing
    #[arg(long, help_heading = heading::OUTPUT)]
    dry_run: bool,
    #[command(flatten)]
    bases: BaseArgs,
    #[command(flatten)]
    scratch: ScratchArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl ExtractArgs {
    /// What the command keeps when it is interrupted.
    pub(super) fn keeps(&self) -> Kept {
        if self.dry_run {
            return Kept::Nothing;
        }
        Kept::Progress
    }
}

pub(crate) fn run(args: &ExtractArgs, cancel: &Cancel) -> Result<Exit, Failure> {
    if args.to.exists() && !args.to.is_dir() {
        let message = format!("{} is not a folder", args.to.display());
        return Err(Failure::message(Exit::Usage, message).hint("use --to with another folder"));
    }
    let budget = Budget::new(1, cores());
    let reading = args.scratch.reading(&budget, cancel);
    let bundle = args.bases.open(&args.bundle, &reading)?;
    let plan = plan_extract(
        &bundle,
        &ExtractRequest {
            names: &args.names,
            to: &args.to,
            overwrite: args.overwrite,
        },
    )?;
    if args.dry_run {
        if args.output.json {
            output::json(&plan)?;
        } else {
            for item in &plan.items {
                output::line(&item_words(item))?;
            }
        }
        return Ok(Exit::Done);
    }
    let items = plan.items.iter().filter(|item| !item.present);
    bundle.check_readable(items.map(|item| item.digest))?;
    let observer = observer(args.output.quiet);
    let extracted = plan.execute(&bundle, cancel, &*observer)?;
    drop(observer);
    if args.output.json {
        output::json(&extracted)?;
    } else {
        for path in &extracted.written {
            output::line(&path.display().to_string())?;
        }
        let present = match extracted.present.len() {
            0 => String::new(),
            present => format!(", {present} already there"),
        };
        output::line(&format!(
            "{} extracted, {}{present}; from bundle {}",
            words::count(extracted.written.len() as u64, "file"),
            words::bytes(extracted.bytes),
            bundle.identity()
        ))?;
    }
    Ok(Exit::Done)
}

fn item_words(item: &ExtractItem) -> String {
    let kind = match item.kind {
        FileKind::File if item.executable => "executable file",
        FileKind::File => "file",
        FileKind::Folder => "folder",
        FileKind::Chart => "Helm chart",
    };
    let replaces = match (item.replaces, item.present) {
        (true, _) => ", replaces the existing file",
        (false, true) => ", already there",
        (false, false) => "",
    };
    format!(
        "{} -> {} ({kind}, {}{replaces})",
        item.name,
        item.path.display(),
        words::bytes(item.bytes)
    )
}

impl From<ExtractError> for Failure {
    fn from(error: ExtractError) -> Self {
        let exit = match &error {
            ExtractError::Unknown { .. } => Exit::Usage,
            ExtractError::Exists { .. } | ExtractError::FolderExists { .. } => Exit::Conflict,
            ExtractError::Name { .. }
            | ExtractError::Twice { .. }
            | ExtractError::Fault { .. }
            | ExtractError::Manifest { .. } => Exit::Damaged,
            ExtractError::Io { .. } => Exit::Failed,
            ExtractError::Cancelled(cancelled) => return (*cancelled).into(),
        };
        let failure = Self::new(exit, &error);
        match error {
            ExtractError::Exists { .. } => {
                failure.hint("use --overwrite to replace it, or choose another folder")
            }
            _ => failure,
        }
    }
}

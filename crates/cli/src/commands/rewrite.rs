//! `sealift rewrite`: image references in files are replaced by those at a registry.

mod outputs;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use clap::Args;
use sealift_archive::Bundle;
use sealift_oci::{Destination, Naming};

use crate::args::{NamingArgs, OutputArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::{NewFile, ORDINARY, write_all};
use crate::heading;
use crate::rewriting::{Rewriting, Rewritten, pins, pins_of_receipt, rewrite};
use crate::{output, progress, receipt, words};

/// Point manifests, values files and image lists at a registry
///
/// Only image references change: comments, order, quotes and every other byte stay. A second run changes
/// nothing. Anything that looks like an image and is not understood is skipped with a warning, or is an error
/// with --strict. Either all files are written or none.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
    sealift rewrite tigera-operator.yaml --to registry.corp:5000/mirror --dry-run
    sealift rewrite manifests/*.yaml --to registry.corp:5000/mirror --out-dir rewritten
    sealift rewrite values.yaml --to registry.corp:5000 --pin calico.tar
    sealift rewrite values.yaml --receipt calico.json --pin calico.json
    helm template app | sealift rewrite - --to registry.corp:5000")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(crate) struct RewriteArgs {
    /// The files; - reads standard input and writes to standard output
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The registry, and the path that `load` used
    #[arg(help_heading = heading::NAMES, long,
        value_name = "REGISTRY[/PATH]",
        required_unless_present = "receipt"
    )]
    to: Option<Destination>,
    /// Read destination and names from the receipt that load wrote
    #[arg(help_heading = heading::NAMES, long,
        value_name = "FILE",
        conflicts_with_all = ["to", "naming", "map", "image_prefix"]
    )]
    receipt: Option<PathBuf>,
    #[command(flatten)]
    naming: NamingArgs,
    /// Add the digests of the images in this bundle or receipt; fail if a reference gets none
    #[arg(help_heading = heading::CHANGES, long, value_name = "BUNDLE|RECEIPT")]
    pin: Option<PathBuf>,
    /// With --pin: skip references that get no digest, with a warning
    #[arg(help_heading = heading::CHANGES, long, requires = "pin")]
    allow_unpinned: bool,
    /// Fail if anything looks like an image and is not understood
    #[arg(help_heading = heading::CHANGES, long)]
    strict: bool,
    /// Add this pull secret to every workload
    #[arg(help_heading = heading::CHANGES, long, value_name = "NAME")]
    pull_secret: Option<String>,
    /// Write to this folder and do not change the files; subfolders of the folder that all files share are
    /// kept
    #[arg(help_heading = heading::OUTPUT, long, value_name = "DIR")]
    out_dir: Option<PathBuf>,
    /// Replace files that exist in that folder
    #[arg(help_heading = heading::OUTPUT, long, requires = "out_dir")]
    overwrite: bool,
    /// Show the changes as a diff and write nothing
    #[arg(help_heading = heading::OUTPUT, long)]
    dry_run: bool,
    #[command(flatten)]
    output: OutputArgs,
}

pub(crate) fn run(args: &RewriteArgs) -> Result<Exit, Failure> {
    let usage = |error| Failure::new(Exit::Usage, &error);
    let (to, naming) = destination(args)?;
    to.check_nameable().map_err(usage)?;
    let input = args.files.iter().any(|path| is_input(path));
    if input && !args.dry_run {
        refuse_beside_input(args)?;
    }
    let pins = match &args.pin {
        Some(path) if receipt::is_receipt(path)? => Some(pins_of_receipt(&receipt::read(path)?)),
        Some(bundle) => Some(pins(
            Bundle::open(bundle, &crate::args::metadata_reading())?.record(),
            &to,
            &naming,
        )?),
        None => None,
    };
    let rewriting = Rewriting {
        destination: &to,
        naming: &naming,
        pins,
        pull_secret: args.pull_secret.as_deref(),
    };
    let files = args.files.iter().map(|path| rewrite(path, &rewriting));
    let files: Vec<Rewritten> = files.collect::<Result<_, _>>()?;
    check(args, &files)?;
    for line in files.iter().flat_map(|file| &file.report.left_alone) {
        progress::warn(&format!("skipped: {line}"));
    }
    if args.dry_run {
        return dry_run(args, &files);
    }
    if input {
        files.iter().try_for_each(|file| output::bytes(&file.new))?;
        return Ok(Exit::Done);
    }
    write(args, &files)?;
    tell(args, &files)
}

/// Where the images are, and how they are named there.
fn destination(args: &RewriteArgs) -> Result<(Destination, Naming), Failure> {
    match (&args.receipt, &args.to) {
        (Some(path), _) => {
            let loaded = receipt::read(path)?;
            let names = loaded.names();
            let names = names.map_err(|error| Failure::new(Exit::Usage, &error))?;
            Ok((loaded.destination, names))
        }
        (None, Some(to)) => Ok((to.clone(), args.naming.naming()?)),
        // clap demands one or the other.
        (None, None) => Err(Failure::message(Exit::Usage, "no destination was given")),
    }
}

/// Refuses a result in which something is missing, unless that is allowed.
fn check(args: &RewriteArgs, files: &[Rewritten]) -> Result<(), Failure> {
    let reports = || files.iter().map(|file| &file.report);
    let unpinned: Vec<&str> = reports()
        .flat_map(|report| &report.unpinned)
        .map(String::as_str)
        .collect();
    if !unpinned.is_empty() && !args.allow_unpinned {
        let count = words::count(unpinned.len() as u64, "reference");
        let message = format!("{count} cannot be pinned:");
        return Err(Failure::message(Exit::Failed, message)
            .items(unpinned)
            .hint("bundle these images too, or use --allow-unpinned"));
    }
    let skipped: Vec<&str> = reports()
        .flat_map(|report| &report.left_alone)
        .map(String::as_str)
        .collect();
    if args.strict && !skipped.is_empty() {
        return Err(Failure::message(Exit::Usage, "not everything was understood:").items(skipped));
    }
    Ok(())
}

fn is_input(path: &Path) -> bool {
    path == Path::new("-")
}

/// The result of standard input goes to standard output, which has room for nothing else.
fn refuse_beside_input(args: &RewriteArgs) -> Result<(), Failure> {
    let beside = if args.files.len() > 1 {
        "together with files"
    } else if args.out_dir.is_some() {
        "into a folder"
    } else if args.output.json {
        "with --json"
    } else {
        return Ok(());
    };
    let message = format!("standard input cannot be rewritten {beside}");
    Err(Failure::message(Exit::Usage, message)
        .hint("the result goes to standard output; pass the text as a file, or use --dry-run"))
}

fn dry_run(args: &RewriteArgs, files: &[Rewritten]) -> Result<Exit, Failure> {
    if args.output.json {
        let reports: Vec<_> = files.iter().map(|file| &file.report).collect();
        output::json(&reports)?;
        return Ok(Exit::Done);
    }
    for diff in files.iter().map(Rewritten::diff) {
        if !diff.is_empty() {
            output::content(&diff)?;
        }
    }
    Ok(Exit::Done)
}

fn write(args: &RewriteArgs, files: &[Rewritten]) -> Result<(), Failure> {
    let below = match &args.out_dir {
        Some(_) => outputs::below_common_folder(&args.files)?,
        None => args.files.clone(),
    };
    let mut new = Vec::new();
    for ((path, file), below) in args.files.iter().zip(files).zip(below) {
        let metadata = fs::metadata(path).ok();
        let mode = metadata
            .as_ref()
            .map_or(ORDINARY, |file| file.permissions().mode() & 0o7777);
        match &args.out_dir {
            Some(folder) => new.push(NewFile {
                path: folder.join(below),
                bytes: file.new.clone(),
                mode,
                owner: None,
            }),
            // The target of a link changes, not the link; a file without changes is not touched.
            None if file.changed() => new.push(NewFile {
                path: fs::canonicalize(path).unwrap_or_else(|_| path.clone()),
                bytes: file.new.clone(),
                mode,
                owner: metadata.map(|file| (file.uid(), file.gid())),
            }),
            None => {}
        }
    }
    let twice = new
        .iter()
        .enumerate()
        .find(|(at, file)| new[..*at].iter().any(|other| other.path == file.path));
    if let Some((_, file)) = twice {
        let message = format!("two files would be written as {}", file.path.display());
        return Err(Failure::message(Exit::Usage, message));
    }
    write_all(&new, args.out_dir.is_none() || args.overwrite)
}

fn tell(args: &RewriteArgs, files: &[Rewritten]) -> Result<Exit, Failure> {
    if args.output.json {
        let reports: Vec<_> = files.iter().map(|file| &file.report).collect();
        output::json(&reports)?;
    } else {
        for file in files {
            let report = &file.report;
            let secrets = match report.pull_secrets {
                0 => String::new(),
                added => format!(", {} added", words::count(added as u64, "pull secret")),
            };
            if file.has_nothing() {
                let form = report.description;
                output::line(&format!(
                    "{}: no images (recognized as {form})",
                    report.file
                ))?;
                continue;
            }
            output::line(&format!(
                "{}: {} rewritten, {} already correct, {} skipped{secrets}",
                report.file,
                words::count(report.replaced.len() as u64, "reference"),
                report.settled,
                report.left_alone.len()
            ))?;
        }
    }
    Ok(Exit::Done)
}

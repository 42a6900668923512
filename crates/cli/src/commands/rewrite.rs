use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use clap::Args;
use sealift_archive::Bundle;
use sealift_oci::Destination;

use crate::args::{NamingArgs, OutputArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::{NewFile, ORDINARY, write_all};
use crate::rewriting::{Pins, Rewriting, Rewritten, rewrite};
use crate::{output, progress, words};

/// Point manifests, values files and image lists at a registry
///
/// Image references change, and nothing else: comments, order, quotes and every other byte stay. It can be
/// run twice without a second effect. What looks like an image and is not understood is listed and left
/// alone. Nothing is written unless all files can be.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
    sealift rewrite tigera-operator.yaml --to registry.corp:5000/mirror --dry-run
    sealift rewrite manifests/*.yaml --to registry.corp:5000/mirror --out-dir rewritten
    sealift rewrite values.yaml --to registry.corp:5000 --pin calico.tar
    helm template app | sealift rewrite - --to registry.corp:5000")]
pub(crate) struct RewriteArgs {
    /// The files; - is standard input, and the result goes to standard output
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The registry, and the path below which `load` put everything
    #[arg(long, value_name = "REGISTRY[/PATH]")]
    to: Destination,
    #[command(flatten)]
    naming: NamingArgs,
    /// Put the digests of this bundle's images in
    #[arg(long, value_name = "BUNDLE")]
    pin: Option<PathBuf>,
    /// Let every workload name this pull secret
    #[arg(long, value_name = "NAME")]
    pull_secret: Option<String>,
    /// Write to this folder and leave the files as they are
    #[arg(long, value_name = "DIR")]
    out_dir: Option<PathBuf>,
    /// Replace files that are in that folder
    #[arg(long, requires = "out_dir")]
    overwrite: bool,
    /// Show the changes as a diff, and write nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    output: OutputArgs,
}

pub(crate) fn run(args: &RewriteArgs) -> Result<Exit, Failure> {
    let usage = |error| Failure::new(Exit::Usage, &error);
    args.to.check_nameable().map_err(usage)?;
    let input = args.files.iter().any(|path| is_input(path));
    if input && !args.dry_run {
        refuse_beside_input(args)?;
    }
    let naming = args.naming.naming()?;
    let pins = match &args.pin {
        Some(bundle) => Some(Pins::of(Bundle::open(bundle)?.record(), &args.to, &naming)?),
        None => None,
    };
    let rewriting = Rewriting {
        destination: &args.to,
        naming: &naming,
        pins,
        pull_secret: args.pull_secret.as_deref(),
    };
    let files = args.files.iter().map(|path| rewrite(path, &rewriting));
    let files: Vec<Rewritten> = files.collect::<Result<_, _>>()?;
    for line in files.iter().flat_map(|file| &file.report.left_alone) {
        progress::warn(&format!("left alone: {line}"));
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

fn is_input(path: &Path) -> bool {
    path == Path::new("-")
}

/// What standard input becomes goes to standard output, which it needs alone.
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
        .hint("the result goes to standard output; give the text as a file, or say --dry-run"))
}

fn dry_run(args: &RewriteArgs, files: &[Rewritten]) -> Result<Exit, Failure> {
    if args.output.json {
        let reports: Vec<_> = files.iter().map(|file| &file.report).collect();
        output::json(&reports)?;
        return Ok(Exit::Done);
    }
    for diff in files.iter().map(Rewritten::diff) {
        if !diff.is_empty() {
            output::line(diff.trim_end_matches('\n'))?;
        }
    }
    Ok(Exit::Done)
}

fn write(args: &RewriteArgs, files: &[Rewritten]) -> Result<(), Failure> {
    let mut new = Vec::new();
    for (path, file) in args.files.iter().zip(files) {
        let there = fs::metadata(path).ok();
        let mode = there
            .as_ref()
            .map_or(ORDINARY, |file| file.permissions().mode() & 0o7777);
        match &args.out_dir {
            Some(folder) => new.push(NewFile {
                path: folder.join(path.file_name().unwrap_or(path.as_os_str())),
                bytes: file.new.clone(),
                mode,
                owner: None,
            }),
            // A link's target is what changes, and a file without changes is not touched.
            None if file.changed() => new.push(NewFile {
                path: fs::canonicalize(path).unwrap_or_else(|_| path.clone()),
                bytes: file.new.clone(),
                mode,
                owner: there.map(|file| (file.uid(), file.gid())),
            }),
            None => {}
        }
    }
    let twice = new
        .iter()
        .enumerate()
        .find(|(at, file)| new[..*at].iter().any(|other| other.path == file.path));
    if let Some((_, file)) = twice {
        let message = format!("two of the files would be {}", file.path.display());
        return Err(Failure::message(Exit::Usage, message));
    }
    write_all(&new, args.out_dir.is_none() || args.overwrite)
}

fn tell(args: &RewriteArgs, files: &[Rewritten]) -> Result<Exit, Failure> {
    if args.output.json {
        let reports: Vec<_> = files.iter().map(|file| &file.report).collect();
        output::json(&reports)?;
    } else if !args.output.quiet {
        for file in files {
            let report = &file.report;
            let secrets = match report.pull_secrets {
                0 => String::new(),
                added => format!(", {} added", words::count(added as u64, "pull secret")),
            };
            output::line(&format!(
                "{}: {} rewritten, {} as wanted, {} left alone{secrets}",
                report.file,
                words::count(report.replaced.len() as u64, "reference"),
                report.settled,
                report.left_alone.len()
            ))?;
        }
    }
    Ok(Exit::Done)
}

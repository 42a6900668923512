use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use sealift_archive::{Bundle, FileTarget, OutputFile, Work, stream_plain, write_plain};
use sealift_pipeline::{Budget, Cancel, cores};

use crate::args::{OutputArgs, ScratchArgs, heading};
use crate::commands::compact::write_failure;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress::observer;
use crate::{output, words};

/// Convert a bundle to the plain profile
///
/// The result is, bit for bit, the plain bundle with the same content: an OCI layout with the blobs as the registry
/// served them, which other tools read too. The digest of every blob is checked.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
    sealift export calico-compact.tar -o calico.tar
    sealift export calico-compact.tar -o - | tar -t")]
pub(crate) struct ExportArgs {
    /// The bundle
    bundle: PathBuf,
    /// Write the plain bundle to this file; - is standard output
    #[arg(long, short, help_heading = heading::OUTPUT, value_name = "FILE")]
    output: PathBuf,
    /// Replace the output if it exists, once the new bundle is complete
    #[arg(long, help_heading = heading::OUTPUT)]
    force: bool,
    #[command(flatten)]
    scratch: ScratchArgs,
    #[command(flatten)]
    output_args: OutputArgs,
}

pub(crate) fn run(args: &ExportArgs, cancel: &Cancel) -> Result<Exit, Failure> {
    let to_stdout = args.output == Path::new("-");
    let file = OutputFile {
        path: args.output.clone(),
        state_dir: None,
        replace: args.force,
    };
    if !to_stdout {
        file.check().map_err(|error| write_failure(&error))?;
    }
    let budget = Budget::new(1, cores());
    let bundle = Bundle::open(&args.bundle, &args.scratch.reading(&budget, cancel))?;
    let observer = observer(args.output_args.quiet);
    let work = Work {
        budget: &budget,
        cancel,
        observer: &observer,
    };
    if to_stdout {
        stream_plain(&bundle, &mut io::stdout().lock(), &work)?;
        return Ok(Exit::Done);
    }
    let plan = format!("plain {}", bundle.identity());
    let target = FileTarget::begin(&file, bundle.identity().0, &plan)
        .map_err(|error| write_failure(&error))?;
    let in_order = target
        .file_system()
        .is_ok_and(|file_system| file_system.in_order);
    let published = write_plain(&bundle, Box::new(target), in_order, &work)?;
    drop(observer);
    output::line(&format!(
        "{}: {}",
        published.path.display(),
        words::bytes(published.bytes)
    ))?;
    output::line(&format!("identity {}", bundle.identity()))?;
    Ok(Exit::Done)
}

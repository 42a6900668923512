//! `sealift export`: converts a bundle back to the plain profile.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use sealift_archive::{Bundle, FileTarget, OutputFile, Published, Work, stream_plain, write_plain};
use sealift_pipeline::{Budget, Cancel, cores};

use crate::args::{BaseArgs, OutputArgs, ScratchArgs, open_readable};
use crate::commands::compact::{PackingArgs, ProfileArg, pack, report, write_failure};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::heading;
use crate::interruption::Kept;
use crate::output;
use crate::progress::observer;

/// Convert a bundle to a complete one, plain or compact
///
/// The result has the same bytes as if `bundle` had written it with the same options. A plain bundle is an OCI layout
/// with the blobs as the registry served them; other tools can read it. To export a delta bundle, name its bases with
/// --base. The digest of every blob is checked.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
    sealift export calico-compact.tar -o calico.tar
    sealift export calico-compact.tar -o - | tar -t
    sealift export calico-2-delta.tar --base calico-1.tar -o calico-2.tar")]
pub(crate) struct ExportArgs {
    /// The bundle
    bundle: PathBuf,
    /// Write the bundle to this file; - is standard output
    #[arg(long, short, help_heading = heading::OUTPUT, value_name = "FILE")]
    output: PathBuf,
    /// Replace the output if it exists, once the new bundle is complete
    #[arg(long, help_heading = heading::OUTPUT)]
    force: bool,
    /// How blobs are stored
    #[arg(long, value_name = "PROFILE", default_value = "plain")]
    profile: ProfileArg,
    #[command(flatten)]
    packing: PackingArgs,
    #[command(flatten)]
    bases: BaseArgs,
    #[command(flatten)]
    scratch: ScratchArgs,
    #[command(flatten)]
    output_args: OutputArgs,
}

impl ExportArgs {
    /// What the command keeps when it is interrupted.
    pub(super) fn keeps(&self) -> Kept {
        if self.is_to_stdout() {
            return Kept::Nothing;
        }
        Kept::Progress
    }

    fn is_to_stdout(&self) -> bool {
        self.output == Path::new("-")
    }
}

pub(crate) fn run(args: &ExportArgs, cancel: &Cancel) -> Result<Exit, Failure> {
    let to_stdout = args.is_to_stdout();
    let file = OutputFile {
        path: args.output.clone(),
        state_dir: None,
        replace: args.force,
    };
    if !to_stdout {
        file.check().map_err(|error| write_failure(&error))?;
    } else if args.profile == ProfileArg::Compact {
        let message = "a compact bundle is written to a file (-o FILE), not to standard output";
        return Err(Failure::message(Exit::Usage, message));
    }
    let budget = Budget::new(1, cores());
    let reading = args.scratch.reading(&budget, cancel);
    let bundle = open_readable(&args.bases, &args.bundle, &reading)?;
    let observer = observer(args.output_args.quiet);
    let work = Work {
        budget: &budget,
        cancel,
        observer: &observer,
    };
    if args.profile == ProfileArg::Compact {
        let options = args.packing.options(&args.scratch.folder());
        let (published, packed) = pack(&bundle, &[], &file, &options, &work)?;
        drop(observer);
        return report(&bundle, &published, &packed, args.output_args);
    }
    if to_stdout {
        stream_plain(&bundle, &mut io::stdout().lock(), &work)?;
        return Ok(Exit::Done);
    }
    let published = write(&bundle, &file, &work)?;
    drop(observer);
    output::published(&published)?;
    output::line(&format!("identity {}", bundle.identity()))?;
    Ok(Exit::Done)
}

fn write(bundle: &Bundle, file: &OutputFile, work: &Work<'_>) -> Result<Published, Failure> {
    let plan = format!("plain {}", bundle.identity());
    let target = FileTarget::begin(file, bundle.identity().0, &plan)
        .map_err(|error| write_failure(&error))?;
    let in_order = target
        .file_system()
        .is_ok_and(|file_system| file_system.in_order);
    Ok(write_plain(bundle, Box::new(target), in_order, work)?)
}

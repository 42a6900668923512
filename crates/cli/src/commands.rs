//! The commands, one file each.

mod bundle;
mod check;
mod compact;
mod completions;
mod diff;
mod export;
mod extract;
mod htpasswd;
mod images;
mod inspect;
mod load;
mod man;
mod mirror;
mod product;
mod record;
mod report;
mod rewrite;
mod serve;
mod verify;

use clap::Subcommand;
use sealift_pipeline::Cancel;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::interruption::Kept;

#[derive(Subcommand)]
pub(crate) enum Command {
    Images(images::ImagesArgs),
    Bundle(Box<bundle::BundleArgs>),
    Verify(verify::VerifyArgs),
    Compact(compact::CompactArgs),
    Export(export::ExportArgs),
    Record(record::RecordArgs),
    Inspect(inspect::InspectArgs),
    Diff(diff::DiffArgs),
    Report(report::ReportArgs),
    Load(load::LoadArgs),
    Check(check::CheckArgs),
    Extract(extract::ExtractArgs),
    Serve(serve::ServeArgs),
    Htpasswd(htpasswd::HtpasswdArgs),
    Rewrite(rewrite::RewriteArgs),
    Mirror(mirror::MirrorArgs),
    Product(product::ProductCommandArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

impl Command {
    /// What the command keeps when it is interrupted.
    pub(crate) fn keeps(&self) -> Kept {
        match self {
            Self::Bundle(args) => args.keeps(),
            Self::Compact(args) => args.keeps(),
            Self::Export(args) => args.keeps(),
            Self::Load(args) => args.keeps(),
            Self::Extract(args) => args.keeps(),
            Self::Images(_)
            | Self::Verify(_)
            | Self::Record(_)
            | Self::Inspect(_)
            | Self::Diff(_)
            | Self::Report(_)
            | Self::Check(_)
            | Self::Serve(_)
            | Self::Htpasswd(_)
            | Self::Rewrite(_)
            | Self::Mirror(_)
            | Self::Product(_)
            | Self::Completions(_)
            | Self::Man(_) => Kept::Nothing,
        }
    }

    /// Runs the command; `program` is the description of the command line that it was read with.
    pub(crate) fn run(self, program: clap::Command, cancel: &Cancel) -> Result<Exit, Failure> {
        match self {
            Self::Images(args) => images::run(&args),
            Self::Bundle(args) => bundle::run(&args, cancel),
            Self::Verify(args) => verify::run(&args, cancel),
            Self::Compact(args) => compact::run(&args, cancel),
            Self::Export(args) => export::run(&args, cancel),
            Self::Record(args) => record::run(&args, cancel),
            Self::Inspect(args) => inspect::run(&args, cancel),
            Self::Diff(args) => diff::run(&args, cancel),
            Self::Report(args) => report::run(&args, cancel),
            Self::Load(args) => load::run(&args, cancel),
            Self::Check(args) => check::run(&args, cancel),
            Self::Extract(args) => extract::run(&args, cancel),
            Self::Serve(args) => serve::run(&args, cancel),
            Self::Htpasswd(args) => htpasswd::run(&args),
            Self::Rewrite(args) => rewrite::run(&args),
            Self::Mirror(args) => mirror::run(&args),
            Self::Product(args) => product::run(&args),
            Self::Completions(args) => completions::run(&args, program),
            Self::Man(args) => man::run(&args, program),
        }
    }
}

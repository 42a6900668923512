//! `sealift`: carries container images across an air gap.

mod access_log;
mod args;
mod charts;
mod checksums;
mod client;
mod commands;
mod deltas;
mod environment;
mod estimates;
mod exit;
mod failure;
mod files;
mod heading;
mod hints;
mod interruption;
mod mirrors;
mod output;
mod products;
mod program;
mod progress;
mod receipt;
mod rewriting;
mod serving;
mod signals;
mod sources;
mod standard_input;
mod words;

use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory, Parser};

use commands::Command;
use failure::Failure;
use interruption::Kept;
use progress::LogFormat;

/// Carries container images across an air gap, byte for byte.
///
/// On the connected side `sealift bundle` writes images, with their signatures, to one file. Someone carries the file
/// across. On the other side `sealift load` loads it into a registry with every digest unchanged.
#[derive(Parser)]
#[command(name = "sealift", version, max_term_width = 100, after_help = exit::HELP)]
struct Sealift {
    /// Write messages to standard error as text or as JSON, one object a line
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    sealift_allocator::return_freed_memory();
    let sealift = Sealift::try_parse().unwrap_or_else(|error| without_credentials(error).exit());
    progress::set_format(sealift.log_format);
    let kept = sealift.command.keeps();
    let result = signals::cancel_on_signal(kept)
        .and_then(|cancel| sealift.command.run(Sealift::command(), &cancel));
    match result {
        Ok(exit) => exit.into(),
        Err(failure) => {
            tell(&failure, kept);
            failure.exit().into()
        }
    }
}

/// The error without the argument that it repeats, where that may have a password in it.
fn without_credentials(mut error: clap::Error) -> clap::Error {
    if let Some(ContextValue::String(value)) = error.get(ContextKind::InvalidValue)
        && value
            .split_once('@')
            .is_some_and(|(user, _)| user.contains(':'))
    {
        let hidden = ContextValue::String("…".to_owned());
        error.insert(ContextKind::InvalidValue, hidden);
    }
    error
}

fn tell(failure: &Failure, kept: Kept) {
    if !failure.is_silent() {
        failure.report(kept);
    }
}

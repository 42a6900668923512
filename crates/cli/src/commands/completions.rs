//! `sealift completions`: completion scripts for shells.

use clap::{Args, Command};
use clap_complete::{Shell, generate};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;

/// Print a completion script for a shell
///
/// The Debian package and the release archive contain these scripts already.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
    sealift completions bash > ~/.local/share/bash-completion/completions/sealift
    sealift completions fish > ~/.config/fish/completions/sealift.fish")]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(args: &CompletionsArgs, mut program: Command) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    generate(args.shell, &mut program, "sealift", &mut script);
    output::bytes(&script)?;
    Ok(Exit::Done)
}

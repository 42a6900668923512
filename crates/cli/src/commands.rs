//! The commands, one file each.

mod inspect;
mod verify;

use clap::Subcommand;
use sealift_pipeline::Cancel;

use crate::exit::Exit;
use crate::failure::Failure;

#[derive(Subcommand)]
pub(crate) enum Command {
    Verify(verify::VerifyArgs),
    Inspect(inspect::InspectArgs),
}

impl Command {
    pub(crate) fn run(self, cancel: &Cancel) -> Result<Exit, Failure> {
        match self {
            Self::Verify(args) => verify::run(&args, cancel),
            Self::Inspect(args) => inspect::run(&args),
        }
    }
}

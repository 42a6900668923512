//! `sealift product`: what the known products consist of, and what Calico needs to install from a registry.

mod args;
mod calico;
mod folder;
mod given;
mod list;
mod loaded;

use clap::{Args, Subcommand};

use crate::exit::Exit;
use crate::failure::Failure;

/// List known products, or write what a product needs to install from a registry
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
    sealift product list
    sealift product list calico@v3.32.1
    sealift product calico calico.tar registry.corp:5000/mirror --out-dir apply")]
pub(crate) struct ProductCommandArgs {
    #[command(subcommand)]
    product: ProductCommand,
}

#[derive(Subcommand, Debug)]
enum ProductCommand {
    Calico(Box<args::CalicoArgs>),
    List(list::ListArgs),
}

pub(crate) fn run(args: &ProductCommandArgs) -> Result<Exit, Failure> {
    match &args.product {
        ProductCommand::Calico(args) => calico::run(args),
        ProductCommand::List(args) => list::run(args),
    }
}

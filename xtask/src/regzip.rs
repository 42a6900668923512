//! `cargo xtask regzip`: the crate `regzip` against the encoders themselves, over a corpus that any machine can
//! recreate.

// Figures for people to read.
#![allow(clippy::cast_precision_loss)]

mod corpus;
mod encoders;
mod layers;
mod measure;
mod nested;
mod programs;
mod report;
mod trial;

use std::error::Error;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use corpus::Corpus;
use report::Report;

/// What to do.
#[derive(Args)]
pub(crate) struct RegzipArguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Compress a corpus with every installed encoder, analyse and rebuild all streams, and print the table
    Table(TableArguments),
}

/// What goes into the table.
#[derive(Args)]
struct TableArguments {
    /// Files to compress instead of Go's toolchain and generated content
    #[arg(long, value_name = "DIR")]
    corpus: Option<PathBuf>,
    /// Use less content and fewer runs (two minutes; speeds are rough)
    #[arg(long)]
    quick: bool,
    /// Print JSON
    #[arg(long, conflicts_with = "write")]
    json: bool,
    /// Put the table between the markers in the crate's README
    #[arg(long)]
    write: bool,
    /// Only encoders whose row contains this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
}

pub(crate) fn run(arguments: &RegzipArguments) -> Result<(), Box<dyn Error>> {
    match &arguments.command {
        Command::Table(arguments) => table(arguments),
    }
}

fn table(arguments: &TableArguments) -> Result<(), Box<dyn Error>> {
    if cfg!(debug_assertions) {
        return Err("a debug build measures nothing: use cargo xtask, or --release".into());
    }
    let folder = tempfile::tempdir()?;
    let programs = programs::Programs::new(folder.path())?;
    let corpus = Corpus::new(arguments.corpus.as_deref(), arguments.quick, folder.path())?;
    let wanted = |name: &str| {
        let only = arguments.only.as_deref();
        only.is_none_or(|only| name.contains(only))
    };
    let mut report = Report::new(&corpus);
    if wanted("layers") {
        eprintln!("layers …");
        report.layers = layers::rows(&programs, &corpus)?;
    }
    if wanted("nested") {
        eprintln!("nested …");
        report.nested = nested::rows(&programs, folder.path())?;
    }
    for family in encoders::families(&programs) {
        if wanted(&family.name) {
            let row = trial::row(&family, &corpus)?;
            eprintln!("{row}");
            report.rows.push(row);
        }
    }
    if arguments.json {
        println!("{}", report.json());
    } else if arguments.write {
        report.write_to_readme()?;
    } else {
        println!("{report}");
    }
    if report.is_proved() {
        Ok(())
    } else {
        Err("a stream came out different".into())
    }
}

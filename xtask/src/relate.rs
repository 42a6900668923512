//! `cargo xtask bench relate`: the crate `relate` on programs and libraries in two versions, beside bsdiff, xdelta3 and
//! zstd with a patch base.

// Figures for people to read.
#![allow(clippy::cast_precision_loss)]

mod cases;
mod child;
mod report;
mod tools;

use std::error::Error;

use clap::{Args, Subcommand};

use cases::Case;
use report::Row;

/// What to measure.
#[derive(Args)]
pub(crate) struct RelateArguments {
    /// Leave out other programs on files above 64 MiB, which takes many minutes
    #[arg(long)]
    quick: bool,
    /// Only cases whose name contains this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Put the table between the markers in the crate's README
    #[arg(long)]
    write: bool,
    #[command(subcommand)]
    child: Option<Child>,
}

/// What the benchmark runs in processes of its own, so that their memory can be measured.
#[derive(Subcommand)]
enum Child {
    /// Encode a file given others, and write the compressed streams into a folder
    #[command(hide = true)]
    Encode(child::EncodeArguments),
    /// Decode what was encoded
    #[command(hide = true)]
    Decode(child::DecodeArguments),
}

pub(crate) fn run(arguments: &RelateArguments) -> Result<(), Box<dyn Error>> {
    match &arguments.child {
        Some(Child::Encode(arguments)) => return child::encode(arguments),
        Some(Child::Decode(arguments)) => return child::decode(arguments),
        None => {}
    }
    if cfg!(debug_assertions) {
        return Err("a debug build measures nothing: use cargo xtask, or --release".into());
    }
    let is_wanted = |case: &Case| {
        let only = arguments.only.as_deref();
        only.is_none_or(|only| case.name.contains(only))
    };
    let mut rows = Vec::new();
    for case in cases::all()?.iter().filter(|case| is_wanted(case)) {
        let row = Row::measure(case, arguments.quick)?;
        eprintln!("{row}");
        rows.push(row);
    }
    if arguments
        .only
        .as_deref()
        .is_none_or(|only| "release".contains(only))
    {
        rows.extend(Row::of_release(&cases::release()?)?);
    }
    let table = report::table(&rows);
    if arguments.write {
        return report::write(&table);
    }
    println!("{table}");
    Ok(())
}

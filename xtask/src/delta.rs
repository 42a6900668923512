//! `cargo xtask bench delta`: packs of the next release that lean on the layers of the one before, against leaving
//! out equal layers and against programs that make patches of the opened layers.

mod pairs;
mod report;
mod rivals;

use std::error::Error;
use std::path::PathBuf;

use sealift_pack::Effort;

use crate::compact::measure::measure;
use crate::compact::sets::{Kind, Workshop};
use crate::compact::{effort, effort_name, kind};
use crate::workspace::root;
use pairs::Pair;

/// What to measure.
#[derive(clap::Args)]
pub(crate) struct DeltaArguments {
    /// Only this set: go, debian, python or node (repeatable)
    #[arg(long = "set", value_parser = kind)]
    sets: Vec<Kind>,
    /// Only this effort: fast, default or best (repeatable; default: default and best)
    #[arg(long = "effort", value_parser = effort)]
    efforts: Vec<Effort>,
    /// Threads that compute
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Skip zstd and bsdiff, which take long
    #[arg(long)]
    quick: bool,
    /// Also print what each stream of the packs costs
    #[arg(long)]
    streams: bool,
    /// Write the table to docs/compact.md
    #[arg(long)]
    write: bool,
    /// Where content is downloaded to and kept
    #[arg(long)]
    folder: Option<PathBuf>,
}

/// Measures and prints the table.
pub(crate) fn run(arguments: &DeltaArguments) -> Result<(), Box<dyn Error>> {
    let folder = arguments.folder.clone();
    let folder = folder.unwrap_or_else(|| root().join("target/compact"));
    let workshop = Workshop::new(folder)?;
    let kinds = if arguments.sets.is_empty() {
        Kind::ALL.to_vec()
    } else {
        arguments.sets.clone()
    };
    let efforts = if arguments.efforts.is_empty() {
        vec![Effort::Default, Effort::Best]
    } else {
        arguments.efforts.clone()
    };
    let mut rows = Vec::new();
    for kind in kinds {
        let pair = pairs::pair(&workshop, kind)?;
        rows.extend(measure_pair(&pair, &efforts, arguments)?);
    }
    if arguments.write {
        report::write(&rows)?;
    }
    Ok(())
}

fn measure_pair(
    pair: &Pair,
    efforts: &[Effort],
    arguments: &DeltaArguments,
) -> Result<Vec<report::Row>, Box<dyn Error>> {
    let mut rows = Vec::new();
    let mut add = |row: report::Row| {
        println!("{row}");
        rows.push(row);
    };
    for &effort in efforts {
        let measured = measure(&pair.new, &pair.old.layers, effort, arguments.threads)?;
        if arguments.streams {
            crate::compact::report::print_streams(&measured.report);
        }
        add(report::Row::of(pair, effort_name(effort), &measured)?);
    }
    add(report::Row::of_equal_layers(pair)?);
    if !arguments.quick {
        for rival in &rivals::ALL {
            if let Some((stored, time)) = rivals::run(pair, rival)? {
                add(report::Row::of_rival(pair, rival.name, stored, time)?);
            }
        }
    }
    Ok(rows)
}

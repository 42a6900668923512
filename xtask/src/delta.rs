//! `cargo xtask bench delta`: packs of the next release that lean on the layers of the one before, against leaving
//! out equal layers and against programs that make patches of the opened layers.

mod pairs;
mod report;
mod rivals;

use std::error::Error;

use sealift_pack::Effort;

use crate::compact::measure::{Old, measure};
use crate::compact::{Selection, effort_name};
use pairs::Pair;

/// What to measure.
#[derive(clap::Args)]
pub(crate) struct DeltaArguments {
    #[command(flatten)]
    selection: Selection,
    /// Skip zstd and bsdiff, which take long
    #[arg(long)]
    quick: bool,
}

/// Measures and prints the table.
pub(crate) fn run(arguments: &DeltaArguments) -> Result<(), Box<dyn Error>> {
    let selection = &arguments.selection;
    let workshop = selection.workshop()?;
    let efforts = selection.efforts_or(&[Effort::Default, Effort::Best]);
    let mut rows = Vec::new();
    for kind in selection.kinds() {
        let pair = pairs::pair(&workshop, kind)?;
        rows.extend(measure_pair(&pair, &efforts, arguments)?);
    }
    if selection.write {
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
        for recorded in [false, true] {
            let layers = &pair.old.layers;
            let old = Old { layers, recorded };
            let measured = measure(&pair.new, old, effort, arguments.selection.threads)?;
            if arguments.selection.streams {
                crate::compact::report::print_streams(&measured.report);
            }
            let base = if recorded { "record" } else { "bundle" };
            let what = format!("delta pack on a {base}, effort {}", effort_name(effort));
            add(report::Row::of(pair, what, &measured)?);
        }
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

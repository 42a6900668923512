//! `cargo xtask bench compact`: packs against gzip layers and against compressors that see the opened
//! content.

pub(crate) mod measure;
pub(crate) mod report;
mod rivals;
pub(crate) mod sets;

use std::error::Error;
use std::path::PathBuf;

use sealift_pack::Effort;

use crate::workspace::root;
use measure::measure;
use sets::{Kind, Set, Workshop};

/// What to measure.
#[derive(clap::Args)]
pub(crate) struct CompactArguments {
    /// Only this set: go, debian, python or node (repeatable)
    #[arg(long = "set", value_parser = kind)]
    sets: Vec<Kind>,
    /// Only this effort: fast, default or best (repeatable)
    #[arg(long = "effort", value_parser = effort)]
    efforts: Vec<Effort>,
    /// Only the first layers of each set
    #[arg(long)]
    layers: Option<usize>,
    /// Threads that compute
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Also run xz and 7-Zip, which takes long
    #[arg(long)]
    scale: bool,
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

pub(crate) fn kind(name: &str) -> Result<Kind, String> {
    let found = Kind::ALL.into_iter().find(|kind| kind.name() == name);
    found.ok_or_else(|| "expected go, debian, python or node".to_owned())
}

const EFFORTS: [(Effort, &str); 3] = [
    (Effort::Fast, "fast"),
    (Effort::Default, "default"),
    (Effort::Best, "best"),
];

pub(crate) fn effort(name: &str) -> Result<Effort, String> {
    let found = EFFORTS.into_iter().find(|&(_, known)| known == name);
    found
        .map(|(effort, _)| effort)
        .ok_or_else(|| "expected fast, default or best".to_owned())
}

pub(crate) fn effort_name(effort: Effort) -> &'static str {
    let found = EFFORTS.into_iter().find(|&(known, _)| known == effort);
    found.map_or("", |(_, name)| name)
}

/// Measures and prints the table.
pub(crate) fn run(arguments: &CompactArguments) -> Result<(), Box<dyn Error>> {
    let folder = arguments.folder.clone();
    let folder = folder.unwrap_or_else(|| root().join("target/compact"));
    let workshop = Workshop::new(folder)?;
    let kinds = if arguments.sets.is_empty() {
        Kind::ALL.to_vec()
    } else {
        arguments.sets.clone()
    };
    let efforts = if arguments.efforts.is_empty() {
        vec![Effort::Default]
    } else {
        arguments.efforts.clone()
    };
    let mut rows = Vec::new();
    for kind in kinds {
        let mut set = workshop.set(kind)?;
        set.layers.truncate(arguments.layers.unwrap_or(usize::MAX));
        rows.extend(measure_set(&set, &efforts, arguments)?);
    }
    if arguments.write {
        report::write(&rows)?;
    }
    Ok(())
}

fn measure_set(
    set: &Set,
    efforts: &[Effort],
    arguments: &CompactArguments,
) -> Result<Vec<report::Row>, Box<dyn Error>> {
    let mut rows = Vec::new();
    for &effort in efforts {
        let measured = measure(set, &[], effort, arguments.threads)?;
        if arguments.streams {
            report::print_streams(&measured.report);
        }
        rows.push(report::Row::of(set, effort_name(effort), &measured));
        report::print(&rows[rows.len() - 1..]);
    }
    for rival in rivals::rivals(set, arguments.scale)? {
        report::print(std::slice::from_ref(&rival));
        rows.push(rival);
    }
    Ok(rows)
}

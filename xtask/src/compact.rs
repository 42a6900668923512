//! `cargo xtask bench compact`: packs against gzip layers and against compressors that see the opened
//! content.

mod bundles;
mod gzip;
mod large;
mod load;
pub(crate) mod measure;
pub(crate) mod report;
mod rivals;
pub(crate) mod sets;

use std::error::Error;
use std::path::PathBuf;

use sealift_pack::Effort;

use crate::workspace::root;
use measure::{Old, measure};
use sets::{Kind, Set, Workshop};

/// Which sets and efforts, and how they are measured.
#[derive(clap::Args)]
pub(crate) struct Selection {
    /// Only this set: go, debian, python or node (repeatable)
    #[arg(long = "set", value_parser = kind)]
    sets: Vec<Kind>,
    /// Only this effort: fast, default or best (repeatable)
    #[arg(long = "effort", value_parser = effort)]
    efforts: Vec<Effort>,
    /// Threads that compute
    #[arg(long, default_value_t = 2)]
    pub(crate) threads: usize,
    /// Also print what each stream of the packs costs
    #[arg(long)]
    pub(crate) streams: bool,
    /// Write the table to docs/compact.md
    #[arg(long)]
    pub(crate) write: bool,
    /// Where content is downloaded to and kept
    #[arg(long)]
    folder: Option<PathBuf>,
}

impl Selection {
    /// Where content is kept.
    pub(crate) fn workshop(&self) -> Result<Workshop, Box<dyn Error>> {
        let folder = self.folder.clone();
        Workshop::new(folder.unwrap_or_else(|| root().join("target/compact")))
    }

    /// The selected sets; all if none was.
    pub(crate) fn kinds(&self) -> Vec<Kind> {
        if self.sets.is_empty() {
            return Kind::ALL.to_vec();
        }
        self.sets.clone()
    }

    /// The selected efforts, or these if none was.
    pub(crate) fn efforts_or(&self, default: &[Effort]) -> Vec<Effort> {
        if self.efforts.is_empty() {
            return default.to_vec();
        }
        self.efforts.clone()
    }
}

/// What to measure.
#[derive(clap::Args)]
pub(crate) struct CompactArguments {
    #[command(flatten)]
    selection: Selection,
    /// Only the first layers of each set
    #[arg(long)]
    layers: Option<usize>,
    /// Also run xz and 7-Zip, which takes long
    #[arg(long)]
    scale: bool,
    /// Load a compact bundle of each set into a registry instead of running other compressors, and compare that with
    /// reading the pack
    #[arg(long, conflicts_with = "write")]
    load: bool,
    /// Only measure how much memory the program takes to pack, verify and load so many gigabytes of files of this machine
    #[arg(long, value_name = "GB", conflicts_with_all = ["write", "load"])]
    memory: Option<u64>,
}

fn kind(name: &str) -> Result<Kind, String> {
    let found = Kind::ALL.into_iter().find(|kind| kind.name() == name);
    found.ok_or_else(|| "expected go, debian, python or node".to_owned())
}

const EFFORTS: [(Effort, &str); 3] = [
    (Effort::Fast, "fast"),
    (Effort::Default, "default"),
    (Effort::Best, "best"),
];

fn effort(name: &str) -> Result<Effort, String> {
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
    let selection = &arguments.selection;
    let workshop = selection.workshop()?;
    if let Some(gigabytes) = arguments.memory {
        return load::measure_memory(&workshop, gigabytes);
    }
    let efforts = selection.efforts_or(&[Effort::Default]);
    let mut rows = Vec::new();
    for set in sets(&workshop, arguments)? {
        rows.extend(measure_set(&workshop, &set, &efforts, arguments)?);
    }
    if selection.write {
        report::write(&rows)?;
    }
    Ok(())
}

/// The selected sets; if there are several, also all their layers as one set.
fn sets(workshop: &Workshop, arguments: &CompactArguments) -> Result<Vec<Set>, Box<dyn Error>> {
    let mut sets = Vec::new();
    for kind in arguments.selection.kinds() {
        let mut set = workshop.set(kind)?;
        set.layers.truncate(arguments.layers.unwrap_or(usize::MAX));
        sets.push(set);
    }
    if sets.len() > 1 {
        let layers = sets.iter().flat_map(|set| set.layers.clone()).collect();
        let name = "all";
        sets.push(Set { name, layers });
    }
    Ok(sets)
}

fn measure_set(
    workshop: &Workshop,
    set: &Set,
    efforts: &[Effort],
    arguments: &CompactArguments,
) -> Result<Vec<report::Row>, Box<dyn Error>> {
    let mut rows = Vec::new();
    for &effort in efforts {
        let measured = measure(set, Old::NONE, effort, arguments.selection.threads)?;
        if arguments.selection.streams {
            report::print_streams(&measured.report);
        }
        rows.push(report::Row::of(set, effort_name(effort), &measured));
        report::print(&rows[rows.len() - 1..]);
        if arguments.load {
            load::measure(workshop, set, measured.read)?;
        }
    }
    if arguments.load {
        return Ok(rows);
    }
    for rival in rivals::rivals(set, arguments.scale)? {
        report::print(std::slice::from_ref(&rival));
        rows.push(rival);
    }
    Ok(rows)
}

//! `cargo xtask ingest`: makes data files of what upstream publishes. Calico's are made of clones of its
//! three repositories, another product's release of the few texts that are about it.
//! `crates/products/data/README.md` says how to use it for a new release.

mod calico;
mod git;
mod release;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use sealift_products::import::{Merged, data_file};
use sealift_products::{Catalogue, Version};

use git::Clone;

/// The first release that is covered.
const FIRST: (u32, u32) = (3, 20);

/// What to make.
#[derive(Subcommand)]
pub(crate) enum IngestCommand {
    /// Make Calico's data files of clones of its repositories
    Calico(CalicoArguments),
    /// Print the data file of one release of another product, made of texts that upstream publishes
    Release(release::ReleaseArguments),
}

/// Where upstream's files are, and what to make of them.
#[derive(Args)]
pub(crate) struct CalicoArguments {
    /// A clone of projectcalico/calico, with its tags
    #[arg(long, value_name = "DIR")]
    calico: PathBuf,
    /// A clone of tigera/operator, with its tags
    #[arg(long, value_name = "DIR")]
    operator: PathBuf,
    /// A clone of tigera/docs, with its history: pages of older releases were removed from it
    #[arg(long, value_name = "DIR")]
    docs: PathBuf,
    /// The folder for the data files, one for each series
    #[arg(
        long,
        value_name = "DIR",
        default_value = "crates/products/data/calico"
    )]
    out: PathBuf,
    /// Make the files of one series alone, such as 3.33
    #[arg(long, value_name = "MAJOR.MINOR")]
    series: Option<String>,
}

/// Makes what was asked for.
pub(crate) fn run(command: &IngestCommand) -> Result<(), Box<dyn Error>> {
    match command {
        IngestCommand::Calico(arguments) => run_calico(arguments),
        IngestCommand::Release(arguments) => release::run(arguments),
    }
}

/// Writes a data file for every series, and the list of upstream's tags that the coverage test counts.
fn run_calico(arguments: &CalicoArguments) -> Result<(), Box<dyn Error>> {
    let catalogue = Catalogue::built_in()?;
    let product = catalogue.product("calico").ok_or("no product calico")?;
    let upstream = calico::Upstream {
        calico: Clone::new(&arguments.calico),
        operator: Clone::new(&arguments.operator),
        docs: Clone::new(&arguments.docs),
    };
    let tags = releases(&upstream.calico.tags()?);
    let mut series: BTreeMap<(u32, u32), Vec<Merged>> = BTreeMap::new();
    for version in &tags {
        let (major, minor) = version.series();
        if arguments
            .series
            .as_ref()
            .is_some_and(|only| *only != format!("{major}.{minor}"))
        {
            continue;
        }
        if let Some(gap) = product.gaps.iter().find(|gap| gap.version.same(version)) {
            println!("{version}: left out: {}", gap.reason);
            continue;
        }
        series
            .entry((major, minor))
            .or_default()
            .push(upstream.release(product, version)?);
    }
    for ((major, minor), merged) in &series {
        let path = arguments.out.join(format!("v{major}.{minor}.yaml"));
        fs::write(&path, data_file(product, merged))?;
        println!("{}: {} releases", path.display(), merged.len());
    }
    if arguments.series.is_none() {
        let mut list: Vec<&str> = tags.iter().map(Version::as_str).collect();
        list.push("");
        fs::write(arguments.out.join("tags.txt"), list.join("\n"))?;
    }
    Ok(())
}

/// The tags that are releases from v3.20 on, oldest first; components had tags of their own once.
fn releases(tags: &[String]) -> Vec<Version> {
    let mut versions: Vec<Version> = tags
        .iter()
        .filter(|tag| tag.starts_with('v'))
        .filter_map(|tag| tag.parse::<Version>().ok())
        .filter(|version| version.series() >= FIRST && !version.is_pre())
        .collect();
    versions.sort();
    versions
}

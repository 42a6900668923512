//! What the program takes to load, verify and write a compact bundle, against decoding and rebuilding alone.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use super::bundles::{Program, Run};
use super::measure::Spent;
use super::report::megabytes;
use super::sets::{Set, Workshop};
use crate::binary::sealift;

/// Loads the compact bundle of a set into a registry on loopback, and compares that with `read`, which is decoding the pack
/// and rebuilding all blobs, and with the program that verifies the bundle, which also computes digests of the file.
pub(crate) fn measure(workshop: &Workshop, set: &Set, read: Spent) -> Result<(), Box<dyn Error>> {
    let program = program(workshop, set)?;
    program.bundle(set)?;
    program.compact()?;
    let verify = program.verify()?;
    let (load, registry) = program.load()?;
    println!("{}: read {}", set.name, words(read));
    println!("{}: verify --deep {}", set.name, words(verify.spent));
    println!(
        "{}: load {}; {:.2} of the processor time of reading, {:.2} of its time; the registry took {:.1} s",
        set.name,
        words(load.spent),
        ratio(load.spent.processor, read.processor),
        ratio(load.spent.clock, read.clock),
        registry.as_secs_f64(),
    );
    Ok(())
}

/// Bytes of files for a gigabyte of content: headers take the rest.
const FILES: u64 = 975_000_000;

/// Packs, verifies and loads a set that fills a pack, and prints how much memory each takes.
pub(crate) fn measure_memory(workshop: &Workshop, gigabytes: u64) -> Result<(), Box<dyn Error>> {
    let set = workshop.large(gigabytes * FILES)?;
    let program = program(workshop, &set)?;
    program.bundle(&set)?;
    let file = |name: &str| -> Result<u64, Box<dyn Error>> {
        Ok(program.folder.join(name).metadata()?.len())
    };
    print("compact", program.compact()?);
    println!(
        "{} MB of gzip layers in {} MB",
        megabytes(file("plain.tar")?),
        megabytes(file("compact.tar")?)
    );
    print("verify --deep", program.verify()?);
    let (load, registry) = program.load()?;
    print("load", load);
    println!("the registry took {:.1} s", registry.as_secs_f64());
    Ok(())
}

fn program(workshop: &Workshop, set: &Set) -> Result<Program, Box<dyn Error>> {
    let folder: PathBuf = workshop.folder.join("bundles").join(set.name);
    std::fs::create_dir_all(&folder)?;
    Ok(Program {
        path: sealift()?,
        folder,
    })
}

fn print(what: &str, run: Run) {
    println!("{what}: {} MiB resident, {}", run.memory, words(run.spent));
}

fn words(spent: Spent) -> String {
    let (processor, clock) = (spent.processor.as_secs_f64(), spent.clock.as_secs_f64());
    format!(
        "{processor:.1} s of processor time in {clock:.1} s ({:.2} cores)",
        spent.cores()
    )
}

fn ratio(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64().max(0.001)
}

//! The project's own commands: `cargo xtask check` and its siblings.

mod bench;
mod binary;
mod book;
mod check;
mod clock;
mod compact;
mod delta;
mod demo;
mod dist;
mod docs;
mod fuzz;
mod fuzz_packs;
mod ingest;
mod regzip;
mod relate;
mod trial;
mod wire;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What the workspace can do with itself.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Refuse dependencies against the direction of the architecture, undocumented ones, files that have
    /// grown too long, and links of the documentation that lead nowhere
    Check,
    /// Carry images from one registry to another on this machine, and prove that they arrived
    Demo,
    /// Build a release: program, manual pages, completions, archive, Debian package, list of parts, checksums
    Dist(dist::DistArguments),
    /// Write the pages of the book that are made from the program
    Docs,
    /// Measure bundle, verify and load against their floors and against skopeo, on loopback
    Bench(bench::BenchArguments),
    /// Try `regzip` with input after input, broken ones above all
    Fuzz(fuzz::FuzzArguments),
    /// Try `sealift-pack` with pack after pack, changed in every part
    FuzzPacks(fuzz_packs::FuzzPacksArguments),
    /// Make data files of what upstream publishes
    #[command(subcommand)]
    Ingest(ingest::IngestCommand),
    /// Hold the crate regzip against the encoders themselves
    Regzip(regzip::RegzipArguments),
    /// Try the program hard: killed, cut off, lied to
    Trial(trial::TrialArguments),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Check => check::run(),
        Command::Demo => demo::run(),
        Command::Dist(arguments) => dist::run(&arguments),
        Command::Docs => docs::run(),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Fuzz(arguments) => fuzz::run(&arguments),
        Command::FuzzPacks(arguments) => fuzz_packs::run(&arguments),
        Command::Ingest(command) => ingest::run(&command),
        Command::Regzip(arguments) => regzip::run(&arguments),
        Command::Trial(arguments) => trial::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

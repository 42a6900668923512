//! `cargo xtask trial NAME`: hard trials of the real program, each from a seed.
//!
//! A trial runs rounds. What a round does follows from the seed and the round's number, so that a fault can be
//! repeated: the report names the seed of its round. The short form is for every change, the long form for
//! the figures in `docs/reliability.md`.

mod content;
mod disk;
mod fuzz;
mod kill;
mod malformed;
mod network;
mod offline;
pub(crate) mod program;
pub(crate) mod random;
mod report;
mod secrets;

use std::error::Error;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::ValueEnum;

use report::Report;

/// What is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Trial {
    /// Builds and loads that are killed at any moment, and registries that crash
    Kill,
    /// Bundles with one thing wrong each
    Malformed,
    /// Registries on a line that breaks, lies and stands still
    Network,
    /// Changed content for everything that reads content from outside
    Fuzz,
    /// Passwords in every way that they can be given, and every failure after that
    Secrets,
    /// Every call that writes to the disk or gets memory fails once
    Disk,
    /// The isolated side in a network namespace: nothing but the registry is contacted
    Offline,
}

/// Which trial, from which seed, and for how long.
#[derive(clap::Args)]
pub(crate) struct TrialArguments {
    /// The trial
    trial: Trial,
    /// The seed that rounds are derived from; round N of a run has the seed of this number plus N
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The long form
    #[arg(long)]
    long: bool,
    /// So many rounds, instead of the form's own number
    #[arg(long)]
    rounds: Option<u64>,
    /// Stop after so many seconds, even if rounds are left
    #[arg(long)]
    seconds: Option<u64>,
    /// The program to try (default: built in release mode)
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// Runs a trial and prints its figures.
///
/// # Errors
/// If a fault was found, or the trial cannot run.
pub(crate) fn run(arguments: &TrialArguments) -> Result<(), Box<dyn Error>> {
    let program = match &arguments.program {
        Some(program) => program.canonicalize()?,
        None => crate::binary::sealift()?,
    };
    let setting = Setting {
        program,
        seed: arguments.seed,
        long: arguments.long,
        rounds: arguments.rounds,
        end: arguments
            .seconds
            .map(|seconds| Instant::now() + Duration::from_secs(seconds)),
    };
    let mut report = Report::begin();
    match arguments.trial {
        Trial::Kill => kill::run(&setting, &mut report)?,
        Trial::Malformed => malformed::run(&setting, &mut report)?,
        Trial::Network => network::run(&setting, &mut report)?,
        Trial::Fuzz => fuzz::run(&setting, &mut report)?,
        Trial::Secrets => secrets::run(&setting, &mut report)?,
        Trial::Disk => disk::run(&setting, &mut report)?,
        Trial::Offline => offline::run(&setting, &mut report)?,
    }
    let name = arguments.trial.to_possible_value();
    let name = name.map_or_else(String::new, |value| value.get_name().to_owned());
    report.finish(&name, arguments.seed)
}

/// What every trial is given.
struct Setting {
    /// The program under trial.
    program: PathBuf,
    seed: u64,
    long: bool,
    rounds: Option<u64>,
    end: Option<Instant>,
}

impl Setting {
    /// The seeds of the rounds: so many as the form has, or as were asked for, until the time is over.
    fn rounds(&self, short: u64, long: u64) -> impl Iterator<Item = u64> + '_ {
        let count = self.rounds.unwrap_or(if self.long { long } else { short });
        let in_time = |_: &u64| self.end.is_none_or(|end| Instant::now() < end);
        (0..count)
            .take_while(in_time)
            .map(|number| self.seed.wrapping_add(number))
    }
}

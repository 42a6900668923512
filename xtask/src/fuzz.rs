//! `cargo xtask fuzz`: input after input into `regzip`, until a time is over or one does harm.
//!
//! The cases are the crate's own (`crates/regzip/tests/fuzz`); here they are counted, and watched for
//! time and memory.

#[path = "../../crates/regzip/tests/fuzz/cases.rs"]
mod cases;
mod watch;

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use cases::{Input, KINDS, Kind, Maker};
use watch::{Cost, Watchdog};

/// How many inputs of each kind come in a row, so that each takes about as long as the others.
const ROUND: [(Kind, usize); 5] = [
    (Kind::Recipe, 40),
    (Kind::Map, 40),
    (Kind::Stream, 8),
    (Kind::Nested, 4),
    (Kind::RoundTrip, 2),
];

/// How long, from where, and what of.
#[derive(clap::Args)]
pub(crate) struct FuzzArguments {
    /// Stop after so many seconds
    #[arg(long, default_value_t = 60, conflicts_with_all = ["runs", "input"])]
    seconds: u64,
    /// Stop after so many inputs
    #[arg(long, conflicts_with = "input")]
    runs: Option<u64>,
    /// Where the numbers start that inputs are made from; the clock's if not given
    #[arg(long)]
    seed: Option<u64>,
    /// Only this kind of case: stream, recipe, round-trip, nested or map
    #[arg(long, value_parser = kind)]
    kind: Option<Kind>,
    /// Where an input is put that does harm
    #[arg(long, default_value = "fuzz-failure.bin")]
    output: PathBuf,
    /// Try this file that an earlier run has left, and nothing else
    #[arg(long)]
    input: Option<PathBuf>,
}

fn kind(name: &str) -> Result<Kind, String> {
    let named = KINDS.into_iter().find(|&kind| name_of(kind) == name);
    named.ok_or_else(|| "stream, recipe, round-trip, nested or map".to_owned())
}

fn name_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Stream => "stream",
        Kind::Recipe => "recipe",
        Kind::RoundTrip => "round-trip",
        Kind::Nested => "nested",
        Kind::Map => "map",
    }
}

/// Runs until the end or the first harm.
pub(crate) fn run(arguments: &FuzzArguments) -> Result<(), Box<dyn Error>> {
    cases::watch_for_panics();
    let watchdog = Watchdog::start(arguments.output.clone())?;
    if let Some(path) = &arguments.input {
        let input = Input::from_bytes(&std::fs::read(path)?);
        let input = input.ok_or("not a file that a run has left")?;
        let (outcome, cost) = watchdog.watch(&input);
        println!("{}: {outcome:?}, {cost}", name_of(input.kind));
        return outcome.map(drop).map_err(Into::into);
    }
    let seed = match arguments.seed {
        Some(seed) => seed,
        None => SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() << 20,
    };
    println!("--seed {seed}");
    let kinds: Vec<Kind> = match arguments.kind {
        Some(kind) => vec![kind],
        None => ROUND
            .into_iter()
            .flat_map(|(kind, count)| std::iter::repeat_n(kind, count))
            .collect(),
    };
    let end = Instant::now() + Duration::from_secs(arguments.seconds);
    let mut tally = Tally::default();
    let mut maker = Maker::default();
    for number in 0.. {
        let done = match arguments.runs {
            Some(runs) => number == runs,
            None => Instant::now() >= end,
        };
        if done {
            break;
        }
        let kind = kinds[usize::try_from(number)? % kinds.len()];
        let seed = seed.wrapping_add(number);
        // Making an input takes work of the crate's own too: a panic there is one.
        let input = watchdog.make(&mut maker, kind, seed)?;
        let (outcome, cost) = watchdog.watch(&input);
        match outcome {
            Ok(outcome) => tally.add(kind, seed, outcome, cost),
            Err(wrong) => {
                std::fs::write(&arguments.output, input.to_bytes())?;
                let place = arguments.output.display();
                let kind = name_of(kind);
                return Err(format!(
                    "{wrong}\n  again: --kind {kind} --runs 1 --seed {seed}, or --input {place}"
                )
                .into());
            }
        }
    }
    tally.print();
    Ok(())
}

/// What came out how often, and the worst of each kind.
#[derive(Default)]
struct Tally {
    outcomes: BTreeMap<(Kind, &'static str), u64>,
    /// With the number of the one that took longest.
    worst: BTreeMap<Kind, (Cost, u64)>,
}

impl Tally {
    fn add(&mut self, kind: Kind, seed: u64, outcome: &'static str, cost: Cost) {
        *self.outcomes.entry((kind, outcome)).or_default() += 1;
        let (worst, number) = self.worst.entry(kind).or_default();
        if cost.time > worst.time {
            *number = seed;
        }
        worst.raise_to(cost);
    }

    fn print(&self) {
        for (kind, (worst, seed)) in &self.worst {
            let outcomes: Vec<_> = self
                .outcomes
                .iter()
                .filter(|((of, _), _)| of == kind)
                .map(|((_, outcome), count)| format!("{count} {outcome}"))
                .collect();
            println!(
                "{:<10} {}; the worst took {worst} (--seed {seed})",
                name_of(*kind),
                outcomes.join(", ")
            );
        }
    }
}

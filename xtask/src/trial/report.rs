//! What a trial found: figures, and faults with the command that repeats each.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Instant;

use super::program::Ended;

/// No more faults are printed one by one.
const MAX_SHOWN: usize = 20;

/// The figures and faults of one trial.
pub(crate) struct Report {
    begun: Instant,
    counts: BTreeMap<String, u64>,
    largest: BTreeMap<String, u64>,
    faults: Vec<(u64, String)>,
}

impl Report {
    /// An empty report; its clock starts.
    pub(crate) fn begin() -> Self {
        Self {
            begun: Instant::now(),
            counts: BTreeMap::new(),
            largest: BTreeMap::new(),
            faults: Vec::new(),
        }
    }

    /// Counts one more of `what`.
    pub(crate) fn count(&mut self, what: impl Into<String>) {
        self.add(what, 1);
    }

    /// Counts `number` more of `what`.
    pub(crate) fn add(&mut self, what: impl Into<String>, number: u64) {
        *self.counts.entry(what.into()).or_default() += number;
    }

    /// Keeps the largest number of `what`, which names its unit.
    pub(crate) fn largest(&mut self, what: impl Into<String>, number: u64) {
        let largest = self.largest.entry(what.into()).or_default();
        *largest = number.max(*largest);
    }

    /// Keeps the most time and memory that a run took.
    pub(crate) fn run(&mut self, ended: &Ended) {
        let took = u64::try_from(ended.took.as_millis()).unwrap_or(u64::MAX);
        self.largest("milliseconds of a run", took);
        self.largest("MiB of memory", ended.memory);
    }

    /// Notes a fault, and the seed of the round that found it.
    pub(crate) fn fault(&mut self, seed: u64, text: impl Into<String>) {
        self.faults.push((seed, text.into()));
    }

    /// Prints all of it.
    ///
    /// # Errors
    /// If there are faults.
    pub(crate) fn finish(self, trial: &str, seed: u64) -> Result<(), Box<dyn Error>> {
        let seconds = self.begun.elapsed().as_secs_f64();
        println!("trial {trial}, seed {seed}, {seconds:.0} s");
        for (what, number) in &self.counts {
            println!("{number:>10}  {what}");
        }
        for (what, number) in &self.largest {
            println!("{number:>10}  {what}, at most");
        }
        println!("{:>10}  faults", self.faults.len());
        for (seed, text) in self.faults.iter().take(MAX_SHOWN) {
            println!("fault: {text}\n  again: cargo xtask trial {trial} --rounds 1 --seed {seed}");
        }
        match self.faults.len() {
            0 => Ok(()),
            1 => Err(format!("the trial {trial} found 1 fault").into()),
            faults => Err(format!("the trial {trial} found {faults} faults").into()),
        }
    }
}

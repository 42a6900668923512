//! What one input may cost: time of the processor and memory, of all threads together.

use std::error::Error;
use std::fmt;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::cases::{Input, Kind, Maker};

/// An input that takes more time of the processor than this is a fault: inputs are a few hundred
/// kilobytes at most. An unoptimised build gets no more.
const MAX_TIME: Duration = Duration::from_secs(60);
/// More memory than what was in use before.
const MAX_MEMORY: u64 = 256 << 20;

/// What an input took; zeros where the system does not tell.
#[derive(Clone, Copy, Default)]
pub(super) struct Cost {
    pub(super) time: Duration,
    pub(super) memory: u64,
}

impl Cost {
    /// The larger of both in each.
    pub(super) fn raise_to(&mut self, other: Self) {
        self.time = self.time.max(other.time);
        self.memory = self.memory.max(other.memory);
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.2} s and {} MiB",
            self.time.as_secs_f64(),
            self.memory >> 20
        )
    }
}

/// The input at work: what it is, and the time that was used up when it began.
type Current = Arc<Mutex<Option<(Vec<u8>, Duration)>>>;

/// Ends the process if an input takes too long; an input that hangs could not be told otherwise.
pub(super) struct Watchdog {
    current: Current,
}

impl Watchdog {
    /// Starts the thread that looks at the time; a hanging input is left in `output`.
    pub(super) fn start(output: PathBuf) -> Result<Self, Box<dyn Error>> {
        let current = Current::default();
        let seen = current.clone();
        std::thread::Builder::new()
            .name("watchdog".to_owned())
            .spawn(move || {
                loop {
                    std::thread::sleep(Duration::from_millis(500));
                    let current = seen.lock().unwrap_or_else(PoisonError::into_inner);
                    if let Some((input, start)) = &*current
                        && processor_time().saturating_sub(*start) > 2 * MAX_TIME
                    {
                        let kept = fs::write(&output, input);
                        eprintln!(
                            "error: an input hangs; kept in {}: {kept:?}",
                            output.display()
                        );
                        std::process::exit(1);
                    }
                }
            })?;
        Ok(Self { current })
    }

    /// Makes an input; a panic of the encoders that take part in it is an error.
    pub(super) fn make(
        &self,
        maker: &mut Maker,
        kind: Kind,
        seed: u64,
    ) -> Result<Input, Box<dyn Error>> {
        self.set(Some(format!("{kind:?}, seed {seed}").into_bytes()));
        let made = catch_unwind(AssertUnwindSafe(|| maker.input(kind, seed)));
        self.set(None);
        made.map_err(|_| format!("making the input panics: {kind:?}, seed {seed}").into())
    }

    /// Tries an input; how it came out, and what it took. Too much of anything is an error.
    pub(super) fn watch(&self, input: &Input) -> (Result<&'static str, String>, Cost) {
        self.set(Some(input.to_bytes()));
        let before = (processor_time(), memory("VmRSS:"));
        // Resets the peak; without it the peak of an input before counts, which is no less strict.
        drop(fs::write("/proc/self/clear_refs", "5"));
        let outcome = input.run();
        let cost = Cost {
            time: processor_time().saturating_sub(before.0),
            memory: memory("VmHWM:").saturating_sub(before.1),
        };
        self.set(None);
        let outcome = outcome.and_then(|outcome| {
            if cost.time > MAX_TIME || cost.memory > MAX_MEMORY {
                return Err(format!("it takes too much: {cost}"));
            }
            Ok(outcome)
        });
        (outcome, cost)
    }

    fn set(&self, input: Option<Vec<u8>>) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        *current = input.map(|input| (input, processor_time()));
    }
}

/// Time of the processor that all threads took; 0 where the system does not tell.
fn processor_time() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name in brackets may hold spaces; user and system time are the 12th and 13th after it.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    // A hundred a second, on every Linux.
    Duration::from_millis(ticks * 10)
}

/// A number of bytes from the process's status; 0 where the system does not tell.
fn memory(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kilobytes
        .and_then(|n| n.trim().parse::<u64>().ok())
        .unwrap_or(0)
        << 10
}

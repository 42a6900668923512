//! How fast analysis and rebuild are, as a ratio to the encoder's own processor time.

use std::error::Error;
use std::fs::File;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use regzip::{Options, Recipe, Workers};

use super::corpus::{Content, Corpus};
use super::encoders::Setting;
use crate::clock::{TICK, Times};

/// How many times as fast as the encoder itself, on one core.
#[derive(Clone, Copy)]
pub(crate) struct Speeds {
    pub(crate) analysis: f64,
    pub(crate) rebuild: f64,
    /// Megabytes of content that the encoder itself takes in a second.
    pub(crate) encoder: f64,
}

/// What an encoder has to work for so that hundredths of a second matter little, and the most runs for it.
const ENOUGH: Duration = Duration::from_millis(700);
const MOST_RUNS: usize = 20;

/// Runs the encoder, the analysis and the rebuild in turn, `corpus.runs` times or more, over the measured
/// content.
pub(crate) fn speeds(
    setting: &Setting,
    stream: &[u8],
    recipe: &Recipe,
    corpus: &Corpus,
) -> Result<Speeds, Box<dyn Error>> {
    let content = &corpus.measured;
    let empty = corpus.contents.iter().find(|c| c.bytes.is_empty());
    let [mut real, mut start, mut analysis, mut rebuild] = [Duration::ZERO; 4];
    let mut options = Options::default();
    options.wrapper = setting.wrapper;
    let mut runs = 0;
    while runs < corpus.runs || (!corpus.quick && real < ENOUGH && runs < MOST_RUNS) {
        runs += 1;
        real += children(|| discard(setting, content))?;
        if let Some(empty) = empty {
            start += children(|| discard(setting, empty))?;
        }
        analysis += own(|| {
            regzip::analyse(std::io::Cursor::new(stream), &options)?;
            Ok(())
        })?;
        rebuild += own(|| rebuilt(recipe, &content.bytes, &Workers::none()))?;
    }
    // The program's start is none of the encoder's work.
    let real = real.saturating_sub(start).max(TICK);
    let ratio = |ours: Duration| real.as_secs_f64() / ours.max(TICK).as_secs_f64();
    let megabytes = runs as f64 * content.bytes.len() as f64 / 1e6;
    Ok(Speeds {
        analysis: ratio(analysis),
        rebuild: ratio(rebuild),
        encoder: megabytes / real.as_secs_f64(),
    })
}

/// A fast layer is rebuilt again and again for so long.
const LONG_ENOUGH: Duration = Duration::from_secs(4);

/// How many times as fast as one thread two are, by the clock: the best of some runs each, in turn, since what
/// else the machine does only adds to them.
pub(crate) fn gain(recipe: &Recipe, plain: &[u8], runs: usize) -> Result<f64, Box<dyn Error>> {
    let [mut one, mut two] = [Duration::MAX; 2];
    let start = Instant::now();
    let pools = [pool(1)?, pool(2)?];
    let mut done = 0;
    while done < 2 * runs || start.elapsed() < LONG_ENOUGH {
        done += 1;
        for (workers, best) in pools.iter().zip([&mut one, &mut two]) {
            let begun = Instant::now();
            rebuilt(recipe, plain, workers)?;
            *best = begun.elapsed().min(*best);
        }
    }
    Ok(one.as_secs_f64() / two.as_secs_f64())
}

/// A pool of so many threads.
pub(crate) fn pool(threads: usize) -> Result<Workers, Box<dyn Error>> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()?;
    Ok(Arc::new(pool).into())
}

fn rebuilt(recipe: &Recipe, plain: &[u8], workers: &Workers) -> Result<(), Box<dyn Error>> {
    regzip::rebuild_with(recipe, plain, std::io::sink(), workers)?;
    Ok(())
}

/// What the encoder makes of a content.
pub(crate) fn compress(setting: &Setting, content: &Content) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut command = command(setting, content)?;
    let output = command.output()?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("{command:?} failed: {said}").into())
}

fn discard(setting: &Setting, content: &Content) -> Result<(), Box<dyn Error>> {
    let mut command = command(setting, content)?;
    if command.stdout(Stdio::null()).status()?.success() {
        return Ok(());
    }
    Err(format!("{command:?} failed").into())
}

fn command(setting: &Setting, content: &Content) -> Result<Command, Box<dyn Error>> {
    let mut command = Command::new(&setting.program);
    command.args(&setting.arguments);
    command.stdin(File::open(&content.path)?);
    Ok(command)
}

fn own(work: impl FnOnce() -> Result<(), Box<dyn Error>>) -> Result<Duration, Box<dyn Error>> {
    Ok(during(work)?.own)
}

fn children(work: impl FnOnce() -> Result<(), Box<dyn Error>>) -> Result<Duration, Box<dyn Error>> {
    Ok(during(work)?.children)
}

fn during(work: impl FnOnce() -> Result<(), Box<dyn Error>>) -> Result<Times, Box<dyn Error>> {
    let before = Times::now()?;
    work()?;
    before.since()
}

//! The trial `fuzz`: what reads content from outside, given changed content, thousands of times a minute.
//!
//! Nothing may panic or take long, and nothing that was changed may pass for what it was. `cargo xtask fuzz` and
//! `cargo xtask fuzz-packs` do the same for regzip and for packs.

mod codecs;
mod mutate;
mod targets;

use std::error::Error;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Setting;
use super::content::Content;
use super::program::{command, run as run_program};
use super::random::Random;
use super::report::Report;
use mutate::mutated;
use targets::{TARGETS, Target, Tools};

/// An input that takes longer is a fault; inputs have some tens of kilobytes.
const MOST: Duration = Duration::from_secs(5);
/// An input that takes this long hangs, and ends the trial.
const HANGS: Duration = Duration::from_secs(60);

/// Runs all rounds: one input for each target.
pub(super) fn run(setting: &Setting, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let corpus = corpus(setting)?;
    let tools = Tools::new()?;
    let current = watch_for_hangs()?;
    for seed in setting.rounds(2000, 1_000_000) {
        for target in TARGETS {
            let mut random = Random::new(seed, target.name());
            let inputs = corpus.of(target);
            let chosen = usize::try_from(random.below(inputs.len() as u64))?;
            let input = mutated(&inputs[chosen], inputs, &mut random);
            *lock(&current) = Some((
                Instant::now(),
                format!("{} with seed {seed}", target.name()),
            ));
            let begun = Instant::now();
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                target.attempt(&input, &inputs[chosen], &tools)
            }));
            let took = begun.elapsed();
            *lock(&current) = None;
            let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            report.largest(
                format!("milliseconds for one input, {}", target.name()),
                milliseconds,
            );
            report.count(format!("inputs, {}", target.name()));
            match outcome {
                Err(_) => report.fault(seed, format!("{} panicked", target.name())),
                Ok(Err(wrong)) => report.fault(seed, format!("{}: {wrong}", target.name())),
                Ok(Ok(accepted)) => {
                    if accepted {
                        report.count(format!("accepted, {}", target.name()));
                    }
                    if took > MOST {
                        report.fault(seed, format!("{} took {took:?}", target.name()));
                    }
                }
            }
        }
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The input at work, and when it began.
type Current = Arc<Mutex<Option<(Instant, String)>>>;

/// Starts a thread that ends the process if an input hangs: it could not be reported otherwise.
fn watch_for_hangs() -> Result<Current, Box<dyn Error>> {
    let current = Current::default();
    let seen = Arc::clone(&current);
    std::thread::Builder::new().spawn(move || {
        loop {
            std::thread::sleep(Duration::from_secs(1));
            if let Some((begun, what)) = &*lock(&seen)
                && begun.elapsed() > HANGS
            {
                eprintln!("error: {what} hangs");
                std::process::exit(1);
            }
        }
    })?;
    Ok(current)
}

/// The intact content that inputs are made from.
struct Corpus {
    bundles: Vec<Vec<u8>>,
    records: Vec<Vec<u8>>,
    manifests: Vec<Vec<u8>>,
    archives: Vec<Vec<u8>>,
    references: Vec<Vec<u8>>,
    texts: Vec<Vec<u8>>,
    responses: Vec<Vec<u8>>,
    programs: Vec<Vec<u8>>,
    modules: Vec<Vec<u8>>,
    streams: Vec<Vec<u8>>,
}

impl Corpus {
    fn of(&self, target: Target) -> &[Vec<u8>] {
        match target {
            Target::Bundle => &self.bundles,
            Target::Record => &self.records,
            Target::Manifest => &self.manifests,
            Target::Reference => &self.references,
            Target::Images => &self.texts,
            Target::Response => &self.responses,
            Target::DockerSave => &self.archives,
            Target::Program => &self.programs,
            Target::Module => &self.modules,
            Target::Streams => &self.streams,
        }
    }
}

fn corpus(setting: &Setting) -> Result<Corpus, Box<dyn Error>> {
    let content = Content::new(3000);
    let (_source, folder) = content.source()?;
    let arguments = ["bundle", "-f", "images.txt", "-o", "out.tar", "--quiet"];
    let limit = Duration::from_secs(60);
    let mut build = command(&setting.program, folder.path(), &arguments);
    run_program(&mut build, limit)?.succeeded()?;
    let bundle = fs::read(folder.path().join("out.tar"))?;
    let mut corpus = Corpus {
        records: Vec::new(),
        manifests: Vec::new(),
        archives: vec![targets::docker_archive()?],
        references: targets::REFERENCES
            .iter()
            .map(|text| text.as_bytes().to_vec())
            .collect(),
        texts: targets::TEXTS
            .iter()
            .map(|text| text.as_bytes().to_vec())
            .collect(),
        responses: targets::RESPONSES
            .iter()
            .map(|text| text.as_bytes().to_vec())
            .collect(),
        bundles: vec![bundle.clone()],
        programs: codecs::programs(),
        modules: codecs::modules(),
        streams: codecs::streams(),
    };
    for entry in tar::Archive::new(&bundle[..]).entries()? {
        let mut entry = entry?;
        let name = entry.path()?.display().to_string();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut bytes)?;
        if name == "sealift.json" {
            corpus.records.push(bytes);
        } else if bytes.starts_with(b"{\"schemaVersion") {
            corpus.manifests.push(bytes);
        }
    }
    if corpus.records.is_empty() || corpus.manifests.is_empty() {
        return Err("the bundle has no record or no manifests".into());
    }
    Ok(corpus)
}

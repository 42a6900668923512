//! Streams of an encoder, analysed and rebuilt.

use std::collections::VecDeque;
use std::error::Error;
use std::io::{self, Cursor, Write};
use std::sync::{Mutex, PoisonError};
use std::thread;

use regzip::{Analysis, Options, Recipe, Workers, Wrapper};

use super::corpus::{Content, Corpus};
use super::encoders::{Family, Setting};
use super::measure::{Speeds, compress, pool, speeds};

/// One row of the table.
#[derive(Default)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) tried: usize,
    pub(crate) rebuilt: usize,
    /// Streams that came out different from the original although a recipe was given: none may.
    pub(crate) different: Vec<String>,
    /// Streams that stay, and why.
    pub(crate) kept: Vec<String>,
    /// Recipe and content of each large stream, in bytes.
    pub(crate) large: Vec<(usize, usize)>,
    /// The recipes of small streams.
    pub(crate) small: Vec<usize>,
    pub(crate) speeds: Option<Speeds>,
    /// How many times as fast as one thread two are, for content with many checkpoints.
    pub(crate) two_threads: Option<f64>,
}

impl Row {
    /// Takes in what was found for one stream.
    pub(crate) fn add(&mut self, what: &str, plain: usize, large: bool, outcome: Outcome) {
        self.tried += 1;
        match outcome {
            Outcome::Rebuilt(recipe) => {
                self.rebuilt += 1;
                let bytes = recipe.to_bytes().len();
                if large {
                    self.large.push((bytes, plain));
                } else {
                    self.small.push(bytes);
                }
            }
            Outcome::Kept(why) => self.kept.push(format!("{what}: {why}")),
            Outcome::Different(why) => self.different.push(format!("{what}: {why}")),
        }
    }
}

/// What became of one stream.
pub(crate) enum Outcome {
    Rebuilt(Recipe),
    Kept(String),
    Different(String),
}

/// Tries all settings on all contents, and measures one.
pub(crate) fn row(family: &Family, corpus: &Corpus) -> Result<Row, Box<dyn Error>> {
    let mut jobs: VecDeque<(&Setting, &Content)> = VecDeque::new();
    for (index, setting) in family.settings.iter().enumerate() {
        // For a look, the first and the measured one are enough.
        if corpus.quick && index != 0 && family.measured != Some(index) {
            continue;
        }
        jobs.extend(corpus.contents.iter().map(|content| (setting, content)));
    }
    let row = Row {
        name: family.name.clone(),
        ..Row::default()
    };
    let (jobs, row) = (Mutex::new(jobs), Mutex::new(row));
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| scope.spawn(|| work(&jobs, &row).map_err(|error| error.to_string())))
            .collect();
        workers.into_iter().try_for_each(|worker| {
            let ended = worker.join().map_err(|_| "a worker panicked".to_owned());
            ended.flatten()
        })
    })?;
    let mut row = row.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(measured) = family.measured {
        let setting = &family.settings[measured];
        let stream = compress(setting, &corpus.measured)?;
        let outcome = prove(&stream, Some(&corpus.measured.bytes), setting.wrapper)?;
        if let Outcome::Rebuilt(recipe) = &outcome {
            row.speeds = Some(speeds(setting, &stream, recipe, corpus)?);
        }
        let len = corpus.measured.bytes.len();
        row.add(&corpus.measured.name, len, true, outcome);
    }
    Ok(row)
}

fn work(
    jobs: &Mutex<VecDeque<(&Setting, &Content)>>,
    row: &Mutex<Row>,
) -> Result<(), Box<dyn Error>> {
    loop {
        let mut queue = jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((setting, content)) = queue.pop_front() else {
            return Ok(());
        };
        drop(queue);
        let stream = compress(setting, content)?;
        let outcome = prove(&stream, Some(&content.bytes), setting.wrapper)?;
        let named = setting
            .arguments
            .iter()
            .filter(|argument| argument.len() < 30);
        let named: Vec<&str> = named.map(String::as_str).collect();
        let what = format!("{} of {}", named.join(" "), content.name);
        let mut row = row.lock().unwrap_or_else(PoisonError::into_inner);
        row.add(&what, content.bytes.len(), content.is_large(), outcome);
    }
}

/// Analyses a stream, reads its recipe from bytes, and rebuilds on one thread and on two.
pub(crate) fn prove(
    stream: &[u8],
    plain: Option<&[u8]>,
    wrapper: Option<Wrapper>,
) -> Result<Outcome, Box<dyn Error>> {
    let mut options = Options::default();
    options.wrapper = wrapper;
    // What is looked for is the encoder.
    options.corrections = 0;
    let recipe = match regzip::analyse(Cursor::new(stream), &options)? {
        Analysis::Recipe(recipe) => Recipe::from_bytes(&recipe.to_bytes())?,
        Analysis::Verbatim(reason) => return Ok(Outcome::Kept(reason.to_string())),
        _ => return Ok(Outcome::Kept("for a reason that is new".to_owned())),
    };
    let mut opened = Vec::new();
    let plain = if let Some(plain) = plain {
        plain
    } else {
        regzip::open(&recipe, stream, &mut opened)?;
        &opened
    };
    for workers in [Workers::none(), pool(2)?] {
        let mut compare = Compare(stream);
        let result = regzip::rebuild_with(&recipe, plain, &mut compare, &workers);
        if let Err(error) = result {
            return Ok(Outcome::Different(format!(
                "{} workers: {error}",
                workers.count()
            )));
        }
        if !compare.0.is_empty() {
            return Ok(Outcome::Different("it is too short".to_owned()));
        }
    }
    Ok(Outcome::Rebuilt(recipe))
}

/// What is still to come of the original.
pub(crate) struct Compare<'a>(pub(crate) &'a [u8]);

impl Write for Compare<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self
            .0
            .strip_prefix(bytes)
            .ok_or_else(|| io::Error::other("other bytes than the original's"))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

//! One pack: its size, what it cost to build, and what it costs to read.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sealift_oci::Digest;
use sealift_pack::{
    Base, Blob, Effort, Limits, Options, Pack, Report, Scratch, Source, Step, Storage, Summary,
    Watcher, Workers, build, plan, summarize, survey,
};

use super::sets::{Layer, Set};
use crate::clock::Times;

/// What was measured.
pub(crate) struct Measured {
    /// Bytes of the gzip layers, of the tars, and of the pack.
    pub(crate) gzip: u64,
    pub(crate) stored: u64,
    /// Blobs outside of packs count as stored.
    pub(crate) kept: u64,
    pub(crate) report: Report,
    /// Each step of the build, and all of it.
    pub(crate) steps: Vec<(Step, Spent)>,
    pub(crate) build: Spent,
    /// Decoding the pack and rebuilding all blobs.
    pub(crate) read: Spent,
}

/// What something took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spent {
    pub(crate) processor: Duration,
    pub(crate) clock: Duration,
}

impl Spent {
    /// How many cores were busy.
    pub(crate) fn cores(self) -> f64 {
        self.processor.as_secs_f64() / self.clock.as_secs_f64().max(0.001)
    }
}

/// A moment, on both clocks.
#[derive(Clone, Copy)]
struct Moment {
    times: Times,
    clock: Instant,
}

impl Moment {
    fn now() -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            times: Times::now()?,
            clock: Instant::now(),
        })
    }

    fn since(self) -> Result<Spent, Box<dyn Error>> {
        Ok(Spent {
            processor: self.times.since()?.own,
            clock: self.clock.elapsed(),
        })
    }
}

/// Older layers that a pack may lean on.
#[derive(Clone, Copy)]
pub(crate) struct Old<'a> {
    pub(crate) layers: &'a [Layer],
    /// Whether only their summaries are known, as a record has them.
    pub(crate) recorded: bool,
}

impl Old<'_> {
    /// No older layers.
    pub(crate) const NONE: Self = Self {
        layers: &[],
        recorded: false,
    };
}

/// Builds a pack of a set, which may lean on older layers, and reads it. Layers that are among the older ones are left
/// out.
pub(crate) fn measure(
    set: &Set,
    old: Old<'_>,
    effort: Effort,
    threads: usize,
) -> Result<Measured, Box<dyn Error>> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()?;
    let pool = Arc::new(pool);
    let mut options = Options::default();
    options.effort = effort;
    options.threads = threads;
    options.workers = Workers::from(pool.clone());
    let measured = pool.install(|| {
        // Only text can leave the pool's threads.
        measure_here(set, old, options).map_err(|error| error.to_string())
    });
    Ok(measured?)
}

fn measure_here(
    set: &Set,
    Old { layers, recorded }: Old<'_>,
    mut options: Options,
) -> Result<Measured, Box<dyn Error>> {
    let old = Files::of(layers)?;
    let mut files = Files::of(&set.layers)?;
    let gzip = files.blobs().iter().map(|blob| blob.size).sum();
    files.0.retain(|digest, _| !old.0.contains_key(digest));
    let scratch: Arc<dyn Scratch> = Arc::new(TemporaryFiles);
    let stopwatch = Arc::new(Stopwatch::default());
    options.watcher = stopwatch.clone();
    let begun = Moment::now()?;
    let mut bases = summarize(&old, &old.blobs(), &options)?;
    if recorded {
        let summary = |base: &Base| Summary::from_bytes(&base.summary().to_bytes());
        let bare = bases.iter();
        let bare = bare.map(|base| Ok(Base::recorded(base.blob(), summary(base)?)));
        bases = bare.collect::<Result<_, sealift_pack::Error>>()?;
    }
    let plan = plan(survey(&files, &files.blobs(), &options)?, &bases, &options);
    for (digest, reason) in &plan.kept {
        println!("kept {digest}: {reason}");
    }
    let [pack] = plan.packs.as_slice() else {
        return Err(format!("{} packs instead of one", plan.packs.len()).into());
    };
    let built = build(&files, &old, pack, &scratch, &options)?;
    let (spent, steps) = (begun.since()?, stopwatch.steps()?);
    let begun = Moment::now()?;
    let pack = Pack::open(built.content(), &Limits::default())?;
    let decoded = pack.decode(&scratch, &options.cancel)?;
    decoded.read_bases(&old, None, &options.cancel)?;
    decoded.verify(&options.cancel, &options.workers, &|_| ())?;
    Ok(Measured {
        gzip,
        stored: built.size(),
        kept: files.size_of(plan.kept.iter().map(|(digest, _)| *digest)),
        report: built.report().clone(),
        steps,
        build: spent,
        read: begun.since()?,
    })
}

/// Blobs in files.
struct Files(BTreeMap<Digest, (PathBuf, u64)>);

impl Files {
    fn of(layers: &[Layer]) -> Result<Self, Box<dyn Error>> {
        let mut files = BTreeMap::new();
        for layer in layers {
            let bytes = std::fs::read(&layer.gzip)?;
            let entry = (layer.gzip.clone(), bytes.len() as u64);
            files.insert(Digest::sha256(&bytes), entry);
        }
        Ok(Self(files))
    }

    fn blobs(&self) -> Vec<Blob> {
        let blob = |(&digest, &(_, size)): (&Digest, &(PathBuf, u64))| Blob { digest, size };
        self.0.iter().map(blob).collect()
    }

    fn size_of(&self, digests: impl Iterator<Item = Digest>) -> u64 {
        digests.map(|digest| self.0[&digest].1).sum()
    }
}

impl Source for Files {
    fn open(&self, digest: &Digest, from: u64) -> io::Result<Box<dyn Read + Send + '_>> {
        let mut file = File::open(&self.0[digest].0)?;
        file.seek(SeekFrom::Start(from))?;
        Ok(Box::new(io::BufReader::with_capacity(1 << 16, file)))
    }
}

/// Scratch space in temporary files.
struct TemporaryFiles;

impl Scratch for TemporaryFiles {
    fn create(&self) -> io::Result<Arc<dyn Storage>> {
        Ok(Arc::new(tempfile::tempfile()?))
    }
}

/// The beginning of each step.
#[derive(Default)]
struct Stopwatch(Mutex<Vec<(Step, Moment)>>);

impl Watcher for Stopwatch {
    fn begin(&self, step: Step, _: u64) {
        if let (Ok(now), Ok(mut steps)) = (Moment::now(), self.0.lock()) {
            steps.push((step, now));
        }
    }

    fn advance(&self, _: Step, _: u64) {}
}

impl Stopwatch {
    /// What each step took; the last one up to now.
    fn steps(&self) -> Result<Vec<(Step, Spent)>, Box<dyn Error>> {
        let Ok(steps) = self.0.lock() else {
            return Ok(Vec::new());
        };
        let spent = steps
            .iter()
            .map(|(step, begun)| Ok((*step, begun.since()?)));
        let mut spent = spent.collect::<Result<Vec<_>, Box<dyn Error>>>()?;
        for number in 1..spent.len() {
            // From its beginning to that of the next one.
            let later = spent[number].1;
            let step = &mut spent[number - 1].1;
            step.processor = step.processor.saturating_sub(later.processor);
            step.clock = step.clock.saturating_sub(later.clock);
        }
        Ok(spent)
    }
}

//! Contents as differences from earlier ones.

use rayon::prelude::*;

use crate::compress::window;
use crate::error::{Error, Result};
use crate::gate::Gate;
use crate::open::Content;
use crate::options::{Effort, Options};
use crate::report::Step;
use crate::sketch::Likeness;
use crate::spool::Spool;
use crate::storage::Region;

/// A content that is stored as differences.
pub(crate) struct Difference {
    pub(crate) codec: relate::Codec,
    /// Positions of its bases in the pack's order.
    pub(crate) bases: Vec<usize>,
    /// Raw streams by the codec's number for them.
    pub(crate) streams: Vec<(u16, Region)>,
}

/// Bases and content together are not longer: what the codec needs for them has to fit into the memory of a
/// build.
const MAX_TOGETHER: u64 = 512 << 20;
/// An encoder holds bases and content in memory, and about twice as much again for tables, streams and the
/// trial whether they pay.
const MEMORY_FACTOR: u64 = 3;

/// Stores contents as differences where that pays; in the order of `contents`, `None` for those that
/// stay as they are.
pub(crate) fn relate_all(
    contents: &[&Content],
    spool: &Spool,
    options: &Options,
) -> Result<Vec<Option<Difference>>> {
    let bases = choose_bases(contents, options.effort);
    let total = contents
        .iter()
        .zip(&bases)
        .filter(|(_, bases)| !bases.is_empty());
    let total = total.map(|(content, _)| content.bytes.len()).sum();
    options.watcher.begin(Step::Relate, total);
    let gate = Gate::new(options.memory / 4 * 3);
    (0..contents.len())
        .into_par_iter()
        .with_max_len(1)
        .map(|number| {
            if bases[number].is_empty() {
                return Ok(None);
            }
            options.cancel.check()?;
            let difference = relate_one(contents, number, &bases[number], spool, &gate, options)?;
            options
                .watcher
                .advance(Step::Relate, contents[number].bytes.len());
            Ok(difference)
        })
        .collect()
}

/// How many bases a content has at most.
fn max_bases(effort: Effort) -> usize {
    match effort {
        Effort::Fast => 1,
        Effort::Default => 3,
        Effort::Best => 6,
    }
}

/// The bases of each content: earlier ones that share the most of it.
fn choose_bases(contents: &[&Content], effort: Effort) -> Vec<Vec<usize>> {
    let mut likeness = Likeness::default();
    let mut chosen = Vec::with_capacity(contents.len());
    for (number, content) in contents.iter().enumerate() {
        if !content.class.relates() || content.sketch.samples().is_empty() {
            chosen.push(Vec::new());
            continue;
        }
        let least = (content.sketch.samples().len() / 32).max(3);
        let nearest = likeness.nearest(&content.sketch, max_bases(effort), least);
        let nearest = nearest.into_iter().map(|base| base as usize).collect();
        chosen.push(within_limit(contents, number, nearest));
        likeness.add(u32::try_from(number).unwrap_or(u32::MAX), &content.sketch);
    }
    chosen
}

/// As many of the bases as the codec takes together with the content.
fn within_limit(contents: &[&Content], number: usize, bases: Vec<usize>) -> Vec<usize> {
    let mut together = contents[number].bytes.len();
    let fits = |base: &usize| {
        let sum = together.saturating_add(contents[*base].bytes.len());
        let fits = sum <= MAX_TOGETHER;
        if fits {
            together = sum;
        }
        fits
    };
    bases.into_iter().filter(fits).collect()
}

fn relate_one(
    contents: &[&Content],
    number: usize,
    bases: &[usize],
    spool: &Spool,
    gate: &Gate,
    options: &Options,
) -> Result<Option<Difference>> {
    let content = &contents[number].bytes;
    let regions: Vec<&Region> = bases.iter().map(|&base| &contents[base].bytes).collect();
    let together = regions.iter().map(|region| region.len()).sum::<u64>() + content.len();
    let _pass = gate.pass(together * MEMORY_FACTOR);
    let list: Vec<&dyn relate::Content> = regions.iter().map(|&region| region as _).collect();
    let settings = relate::Options {
        effort: match options.effort {
            Effort::Fast => 2,
            Effort::Default => 5,
            Effort::Best => 9,
        },
    };
    let encoded = match relate::encode(content, &list, &settings) {
        Ok(encoded) => encoded,
        Err(error) => return Err(Error::Scratch(std::io::Error::other(error))),
    };
    if !pays(&encoded, content, regions[0]).map_err(Error::Scratch)? {
        return Ok(None);
    }
    let store = |stream: &relate::Stream| Ok((stream.id.number(), spool.store(&stream.bytes)?));
    let streams = encoded
        .streams
        .iter()
        .map(store)
        .collect::<std::io::Result<_>>();
    Ok(Some(Difference {
        codec: encoded.codec,
        bases: bases.to_vec(),
        streams: streams.map_err(Error::Scratch)?,
    }))
}

/// The level that tells which of two forms is smaller.
const TRIAL_LEVEL: i32 = 3;

/// Whether differences take fewer bytes than zstd alone does with the base in its window.
fn pays(encoded: &relate::Encoded, content: &Region, base: &Region) -> std::io::Result<bool> {
    let mut differences = 0;
    for stream in &encoded.streams {
        differences += zstd::bulk::compress(&stream.bytes, TRIAL_LEVEL)?.len() as u64;
    }
    let base = base.to_vec()?;
    let mut counter = Counter(0);
    let mut encoder = zstd::Encoder::with_ref_prefix(&mut counter, TRIAL_LEVEL, &base)?;
    encoder.long_distance_matching(true)?;
    encoder.window_log(u32::from(window(base.len() as u64 + content.len())))?;
    std::io::copy(&mut content.reader(), &mut encoder)?;
    encoder.finish()?;
    Ok(differences < counter.0)
}

/// Counts what is written.
struct Counter(u64);

impl std::io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl relate::Content for Region {
    fn len(&self) -> u64 {
        Region::len(self)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<()> {
        self.read_exact_at(buffer, offset)
    }
}

//! From a plan to a pack that was proved.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Arc;

use sealift_oci::{Algorithm, Digest, Hasher};

use crate::arrange::arrange;
use crate::candidates;
use crate::compress::{StoredStream, compress_all};
use crate::error::{Error, Result};
use crate::leaning::{Leaning, Numbered};
use crate::mix::mix;
use crate::old::Reading;
use crate::open::{Content, Inside, Opened, open};
use crate::options::{Limits, Options};
use crate::parts::Parts;
use crate::plan::PackPlan;
use crate::read::Pack;
use crate::relating::{Difference, Relating};
use crate::report::{Reason, Report, Step, StreamReport};
use crate::source::Source;
use crate::spool::{Chain, Spool};
use crate::storage::{ReadAt, Region, Scratch};

/// A finished pack on scratch space.
pub struct Built {
    bytes: Arc<Chain>,
    report: Report,
    /// The base of each base blob, by its position in the plan, and where the content of each base object is in a
    /// new blob.
    bases: Vec<usize>,
    stand_ins: Vec<Option<Region>>,
}

impl Built {
    /// What the pack contains and cost.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// The length of the pack in bytes.
    pub fn size(&self) -> u64 {
        self.bytes.len()
    }

    /// The pack as bytes at offsets.
    pub fn content(&self) -> Arc<dyn ReadAt> {
        self.bytes.clone()
    }

    /// Writes the pack and returns its SHA-256 digest.
    ///
    /// # Errors
    ///
    /// Fails if `out` or the scratch space does.
    pub fn write_to(&self, out: &mut dyn Write) -> Result<Digest> {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        for region in self.bytes.regions() {
            let mut at = 0;
            while at < region.len() {
                let piece = region.part(at, PIECE).to_vec().map_err(Error::Scratch)?;
                hasher.update(&piece);
                out.write_all(&piece).map_err(Error::Output)?;
                at += piece.len() as u64;
            }
        }
        Ok(hasher.finish())
    }
}

/// Bytes that are written at a time.
const PIECE: u64 = 1 << 20;

/// Builds a pack, on the threads of the rayon pool that it is called in, and rebuilds every blob from it
/// with the reader that will be used later. Blobs that do not come back are left out and reported. Bytes of the plan's
/// bases come from `bases`, which is not asked for those without; see [`Report::assumed`] for what that means.
///
/// # Errors
///
/// Fails if a source or the scratch space does, or if the build is cancelled.
pub fn build(
    source: &dyn Source,
    bases: &dyn Source,
    plan: &PackPlan,
    scratch: &Arc<dyn Scratch>,
    options: &Options,
) -> Result<Built> {
    let mut plan = plan.clone();
    let mut left_out = Vec::new();
    loop {
        let mut built = match build_once(source, bases, &plan, scratch, options) {
            // The plan only estimates how long the index gets.
            Err(Error::LongIndex { needed, limit }) if !plan.blobs.is_empty() => {
                left_out.extend(plan.shorten(needed, limit));
                continue;
            }
            built => built?,
        };
        let failed = prove(&built, bases, &plan, scratch, options)?;
        if failed.is_empty() {
            built.report.left_out = left_out;
            return Ok(built);
        }
        let gone = |digest: &Digest| failed.contains(digest);
        plan.blobs.retain(|surveyed| !gone(&surveyed.blob().digest));
        left_out.extend(failed.iter().map(|&digest| (digest, Reason::NotProved)));
    }
}

/// Rebuilds every blob; the digests of those that are not what they should be. Base blobs without bytes are replaced
/// by bytes of the new blobs that are equal by the base's summary.
fn prove(
    built: &Built,
    bases: &dyn Source,
    plan: &PackPlan,
    scratch: &Arc<dyn Scratch>,
    options: &Options,
) -> Result<BTreeSet<Digest>> {
    let limits = Limits {
        scratch: u64::MAX,
        ..Limits::default()
    };
    let pack = Pack::open(built.content(), &limits)?;
    let decoded = pack.decode(scratch, &options.cancel)?;
    let with_bytes = |&number: &usize| plan.bases[built.bases[number]].has_bytes();
    let (read, assumed): (Vec<_>, Vec<_>) = (0..built.bases.len()).partition(with_bytes);
    let sizes = read.iter().map(|&number| built.bases[number]);
    let sizes = sizes.map(|base| plan.bases[base].blob().size).sum();
    options.watcher.begin(Step::ReadBases, sizes);
    decoded.read_bases_of(&read, bases, &options.cancel)?;
    options.watcher.advance(Step::ReadBases, sizes);
    for number in assumed {
        decoded.assume_base(number, &|object| built.stand_ins[object].clone())?;
    }
    options.watcher.begin(Step::Prove, built.report.blobs);
    decoded.check_all(&options.cancel, &options.workers, &|bytes| {
        options.watcher.advance(Step::Prove, bytes);
    })
}

fn build_once(
    source: &dyn Source,
    bases: &dyn Source,
    plan: &PackPlan,
    scratch: &Arc<dyn Scratch>,
    options: &Options,
) -> Result<Built> {
    let opened = open(source, plan, scratch, options)?;
    let order = arrange(&opened.contents);
    let contents: Vec<&Content> = order
        .iter()
        .map(|&number| &opened.contents[number])
        .collect();
    let spool = Spool::new(scratch.create().map_err(Error::Scratch)?);
    let mut leaning = Leaning::default();
    for (copy, bytes) in &opened.copies {
        leaning.add(copy.base, vec![copy.range], None, Some(bytes.clone()));
    }
    let nearness = &opened.nearness;
    let candidates = candidates::choose(&contents, &plan.bases, nearness, options.effort);
    let candidates = candidates.map_err(Error::Scratch)?;
    let reading = Reading {
        source: bases,
        plan,
        spool: &spool,
        scratch,
        options,
    };
    let old = reading.read(&opened, &candidates, &mut leaning)?;
    let relating = Relating {
        contents: &contents,
        old: &old.files,
        spool: &spool,
        options,
    };
    let differences = relating.all(&candidates)?;
    let structures = relating.structures(&opened.layers, &old.structures)?;
    let used = leaning.used(opened.copies.len(), differences.iter().chain(&structures));
    let numbered = leaning.number(&plan.bases, &used);
    let parts = Parts {
        opened: &opened,
        order: &order,
        contents: &contents,
        differences: &differences,
        structures: &structures,
        numbered: &numbered,
    };
    let raw = parts.raw_streams();
    let made = contents.iter().map(|content| content.bytes.len()).sum();
    let streams = compress_all(&raw, &spool, options, |short, stored| {
        mix(short, stored, made, &spool, options)
    })?;
    let bytes = parts.assemble(plan, &streams, &spool, options.index_limit)?;
    let mut report = report(plan, &opened, &contents, &differences, &streams);
    report.stored = bytes.len();
    report_bases(&mut report, plan, &numbered);
    Ok(Built {
        bytes: Arc::new(bytes),
        report,
        bases: numbered.bases,
        stand_ins: numbered.stand_ins,
    })
}

fn report(
    plan: &PackPlan,
    opened: &Opened,
    contents: &[&Content],
    differences: &[Option<Difference>],
    streams: &[StoredStream],
) -> Report {
    let bytes = |content: &Content| content.bytes.len();
    let all = opened.layers.iter().flat_map(|layer| &layer.pieces);
    let related = contents
        .iter()
        .zip(differences)
        .filter(|(_, difference)| difference.as_ref().is_some_and(|it| !it.bases.is_empty()));
    Report {
        blobs: plan
            .blobs()
            .iter()
            .map(|surveyed| surveyed.blob().size)
            .sum(),
        opened: all
            .map(|&(structure, inside)| structure + bytes_inside(opened, inside))
            .sum(),
        from_bases: opened
            .layers
            .iter()
            .flat_map(|layer| &layer.pieces)
            .filter(|(_, inside)| matches!(inside, Inside::Copied(_)))
            .map(|&(_, inside)| bytes_inside(opened, inside))
            .sum(),
        distinct: contents.iter().map(|content| bytes(content)).sum(),
        related: related.map(|(content, _)| bytes(content)).sum(),
        kept_streams: opened.kept.clone(),
        streams: streams.iter().map(stream_report).collect(),
        ..Report::default()
    }
}

fn bytes_inside(opened: &Opened, inside: Inside) -> u64 {
    match inside {
        Inside::Own(number) => opened.contents[number].bytes.len(),
        Inside::Copied(number) => opened.copies[number].0.range.len,
        Inside::End => 0,
    }
}

fn report_bases(report: &mut Report, plan: &PackPlan, numbered: &Numbered) {
    let bases = numbered.bases.iter().map(|&base| &plan.bases[base]);
    report.assumed = bases
        .clone()
        .filter(|base| !base.has_bytes())
        .map(|base| base.blob().digest)
        .collect();
    report.base_blobs = bases.map(|base| base.blob().digest).collect();
}

fn stream_report(stream: &StoredStream) -> StreamReport {
    StreamReport {
        name: stream.entry.kind.to_string(),
        raw: stream.entry.raw,
        stored: stream.entry.stored,
    }
}

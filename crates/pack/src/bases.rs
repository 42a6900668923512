//! Blobs from outside that new ones can lean on: what is known of them, and which are near which new blob.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::io::{self, BufReader, Read};
use std::sync::Arc;

use flate2::bufread::MultiGzDecoder;
use rayon::prelude::*;
use sealift_oci::Digest;

use crate::error::Result;
use crate::options::Options;
use crate::report::Step;
use crate::sketch::{Likeness, MIN_SKETCHED};
use crate::source::{Blob, BlobReader, Source, source_error};
use crate::summary::{Summarizer, Summary};
use crate::survey::{GZIP, Surveyed};

/// A blob that the reader of a pack has, or can get, and that new blobs can lean on.
#[derive(Clone, Debug)]
pub struct Base {
    blob: Blob,
    summary: Arc<Summary>,
    has_bytes: bool,
}

impl Base {
    /// A base whose bytes are absent where the pack is built. Equal files are found by its summary; similar ones
    /// are not, and that the summary describes the blob is taken for granted; see [`Base::fits`].
    pub fn recorded(blob: Blob, summary: Summary) -> Self {
        Self {
            blob,
            summary: Arc::new(summary),
            has_bytes: false,
        }
    }

    /// Whether the summary can be that of the blob: a blob that is its own content has its length. A plan leaves bases
    /// out where it is not.
    pub fn fits(&self) -> bool {
        self.summary.gzip || self.summary.opened == self.blob.size
    }

    /// The blob.
    pub fn blob(&self) -> Blob {
        self.blob
    }

    /// What is in it.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Whether its bytes can be read while a pack is built.
    pub fn has_bytes(&self) -> bool {
        self.has_bytes
    }
}

/// A source without blobs: for packs that are complete in themselves.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoBases;

impl Source for NoBases {
    fn open(&self, _: &Digest, _: u64) -> io::Result<Box<dyn Read + Send + '_>> {
        Err(io::ErrorKind::NotFound.into())
    }
}

/// Summarizes blobs that new blobs can build on, in the given order, on the threads of the current rayon pool. Any blob
/// can be a base.
///
/// # Errors
///
/// Fails if the source does, or if the work is cancelled.
pub fn summarize(source: &dyn Source, blobs: &[Blob], options: &Options) -> Result<Vec<Base>> {
    let total = blobs.iter().map(|blob| blob.size).sum();
    options.watcher.begin(Step::Summarize, total);
    blobs
        .par_iter()
        .with_max_len(1)
        .map(|&blob| {
            options.cancel.check()?;
            let summary = summarize_one(source, blob, options)?;
            options.watcher.advance(Step::Summarize, blob.size);
            Ok(Base {
                blob,
                summary: Arc::new(summary),
                has_bytes: true,
            })
        })
        .collect()
}

fn summarize_one(source: &dyn Source, blob: Blob, options: &Options) -> Result<Summary> {
    let mut reader = BlobReader::new(source, blob);
    let start = reader.range(0, GZIP.len() as u64)?;
    reader.restart()?;
    if start == GZIP {
        let content = MultiGzDecoder::new(BufReader::with_capacity(1 << 17, &mut reader));
        if let Some(summary) = describe(content, true, options)? {
            return Ok(summary);
        }
        // Not gzip to its end, or the source failed, which shows again now.
        reader.restart()?;
    }
    if let Some(summary) = describe(&mut reader, false, options)? {
        return Ok(summary);
    }
    reader.restart()?;
    let failed = io::copy(&mut reader, &mut io::sink()).err();
    let failed = failed.unwrap_or_else(|| io::Error::other("reading failed once"));
    Err(source_error(blob, failed))
}

/// The summary of a content; `None` if it cannot be read to its end.
fn describe(mut content: impl Read, gzip: bool, options: &Options) -> Result<Option<Summary>> {
    let mut summarizer = Summarizer::new(Some(MIN_SKETCHED));
    let mut buffer = vec![0; 1 << 17];
    loop {
        options.cancel.check()?;
        match content.read(&mut buffer) {
            Ok(0) => return Ok(Some(summarizer.finish(gzip))),
            Ok(read) => summarizer.update(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Ok(None),
        }
    }
}

/// Bytes that new blobs have in common with bases, at most about: those of equal files, of files with a common path,
/// and of content that shares samples.
pub(crate) struct Nearness {
    /// For each new blob, the bases that are near it, by their positions, the nearest first.
    pub(crate) ranks: Vec<Vec<usize>>,
    /// For each base, bytes over all new blobs.
    pub(crate) total: Vec<u64>,
}

/// A file that more blobs have says little.
const MAX_OWNERS: usize = 64;
/// A base is near a blob if one of so many bytes of the smaller of both is in common.
const NEAR: u64 = 64;
/// Bases with less in common, in bytes, are not worth their entry in the index.
const LEAST: u64 = 4 << 10;

impl Nearness {
    pub(crate) fn of(blobs: &[Surveyed], bases: &[Base]) -> Self {
        let owners = Owners::of(blobs);
        let mut common: Vec<Vec<(u64, usize)>> = vec![Vec::new(); blobs.len()];
        let mut total = vec![0; bases.len()];
        for (number, base) in bases.iter().enumerate() {
            for (blob, bytes) in owners.common(blobs, base) {
                let smaller = blobs[blob].opened().min(base.summary.opened);
                if bytes >= LEAST && bytes.saturating_mul(NEAR) >= smaller {
                    common[blob].push((bytes, number));
                    total[number] += bytes;
                }
            }
        }
        let rank = |mut near: Vec<(u64, usize)>| {
            near.sort_unstable_by_key(|&(bytes, number)| (Reverse(bytes), number));
            near.into_iter().map(|(_, number)| number).collect()
        };
        Self {
            ranks: common.into_iter().map(rank).collect(),
            total,
        }
    }
}

/// Which new blobs have a file.
struct Owners<'a> {
    digests: HashMap<&'a [u8; 32], Vec<usize>>,
    paths: HashMap<u64, Vec<(usize, u64)>>,
    likeness: Likeness,
}

impl<'a> Owners<'a> {
    fn of(blobs: &'a [Surveyed]) -> Self {
        let mut owners = Self {
            digests: HashMap::new(),
            paths: HashMap::new(),
            likeness: Likeness::default(),
        };
        for (number, surveyed) in blobs.iter().enumerate() {
            for file in surveyed.summary.files_in_order() {
                let equal = owners.digests.entry(&file.digest).or_default();
                if equal.len() < MAX_OWNERS && equal.last() != Some(&number) {
                    equal.push(number);
                }
                let same = owners.paths.entry(file.path).or_default();
                if file.path != 0 && same.len() < MAX_OWNERS {
                    same.push((number, file.len));
                }
            }
            let id = u32::try_from(number).unwrap_or(u32::MAX);
            owners.likeness.add(id, surveyed.summary.sketch.samples());
        }
        owners
    }

    /// Bytes in common with each blob that has any, sorted by blob.
    fn common(&self, blobs: &[Surveyed], base: &Base) -> Vec<(usize, u64)> {
        let mut common: HashMap<usize, u64> = HashMap::new();
        for file in base.summary.files_in_order() {
            let equal = self.digests.get(&file.digest);
            for &blob in equal.into_iter().flatten() {
                *common.entry(blob).or_default() += file.len;
            }
            if equal.is_none() && base.has_bytes {
                for &(blob, len) in self.paths.get(&file.path).into_iter().flatten() {
                    // Of a file that changed, much is in common, but not all.
                    *common.entry(blob).or_default() += file.len.min(len) / 2;
                }
            }
        }
        if base.has_bytes {
            let samples = base.summary.sketch.samples().len().max(1) as u64;
            for (shared, blob) in self.likeness.shared(base.summary.sketch.samples()) {
                let blob = blob as usize;
                let share = base.summary.opened.min(blobs[blob].opened()) / samples;
                let by_samples = share.saturating_mul(shared as u64);
                let bytes = common.entry(blob).or_default();
                *bytes = by_samples.max(*bytes);
            }
        }
        let mut common: Vec<_> = common.into_iter().collect();
        common.sort_unstable();
        common
    }
}

/// A base is worth reading if one of so many of its bytes is in common with the blobs of a pack.
const WORTH: u64 = 128;

/// The bases of a pack: those that have most in common with its blobs, up to `limit` opened bytes; sorted by digest.
pub(crate) fn choose(blobs: &[Surveyed], bases: &[Base], limit: u64) -> Vec<Base> {
    let nearness = Nearness::of(blobs, bases);
    let mut order: Vec<usize> = (0..bases.len()).collect();
    order.sort_by_key(|&number| (Reverse(nearness.total[number]), bases[number].blob));
    let mut left = limit;
    let mut chosen: Vec<Base> = Vec::new();
    for number in order {
        let base = &bases[number];
        let opened = base.summary.opened;
        let worth = nearness.total[number].saturating_mul(WORTH) >= opened;
        let twice = blobs
            .iter()
            .any(|new| new.blob().digest == base.blob.digest)
            || chosen
                .iter()
                .any(|other| other.blob.digest == base.blob.digest);
        if base.fits() && nearness.total[number] > 0 && worth && !twice && opened <= left {
            left -= opened;
            chosen.push(base.clone());
        }
    }
    chosen.sort_by_key(|base| base.blob.digest);
    chosen
}

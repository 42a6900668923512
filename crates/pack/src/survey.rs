//! A first look at every blob: how it can be rebuilt, how large it is opened, and what it is like.

use std::io::{self, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use flate2::bufread::MultiGzDecoder;
use rayon::prelude::*;
use regzip::{Analysis, Recipe};
use sealift_oci::Digest;

use crate::class::is_dense;
use crate::error::{Error, Result};
use crate::options::Options;
use crate::report::{Reason, Step};
use crate::source::{Blob, BlobReader, Source, source_error};
use crate::summary::{Summarizer, Summary};

/// A blob that can be stored opened.
#[derive(Clone, Debug)]
pub struct Surveyed {
    pub(crate) blob: Blob,
    /// How to make its gzip stream again; `None` if it is not compressed.
    pub(crate) recipe: Option<Arc<Recipe>>,
    pub(crate) summary: Arc<Summary>,
}

impl Surveyed {
    /// The blob.
    pub fn blob(&self) -> Blob {
        self.blob
    }

    /// How many bytes it has without its gzip, streams inside not opened.
    pub fn opened(&self) -> u64 {
        self.recipe
            .as_ref()
            .map_or(self.blob.size, |recipe| recipe.plain_len())
    }

    /// The files in it; 1 if it is not an archive.
    pub(crate) fn files(&self) -> u64 {
        self.summary.files() as u64
    }

    /// About how many bytes of an index it takes. What streams inside of files take is known once they are opened.
    pub(crate) fn index_bytes(&self) -> u64 {
        let recipe = self.recipe.as_ref();
        let recipe = recipe.map_or(0, |recipe| recipe.to_bytes().len() as u64);
        let entries = self.summary.entries.len() as u64;
        let compiled = self.summary.files_in_order().filter(|file| file.compiled);
        let parts = INDEX_PARTS * compiled.count() as u64;
        recipe + INDEX_ENTRY * entries + parts + INDEX_BLOB
    }
}

/// Bytes of an index that a file takes on average: as an object and as a piece of its blob.
const INDEX_ENTRY: u64 = 16;
/// Bytes that a compiled Python module takes besides: it has a part in each of the streams of its codec.
const INDEX_PARTS: u64 = 44;
/// Bytes of an index that a blob takes besides its recipe and its files.
const INDEX_BLOB: u64 = 64;

/// What is known about a set of blobs after a first look.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// Blobs that can be stored opened.
    pub packable: Vec<Surveyed>,
    /// Blobs that stay as they are, and why.
    pub kept: Vec<(Digest, Reason)>,
}

/// Looks at every blob, on the threads of the rayon pool that it is called in. The results are in the
/// blobs' order.
///
/// # Errors
///
/// Fails if the source does, or if the build is cancelled.
pub fn survey(source: &dyn Source, blobs: &[Blob], options: &Options) -> Result<Survey> {
    let total = blobs.iter().map(|blob| blob.size).sum();
    options.watcher.begin(Step::Analyse, total);
    let looks: Vec<Look> = blobs
        .par_iter()
        .with_max_len(1)
        .map(|&blob| {
            options.cancel.check()?;
            let look = look(source, blob)?;
            options.watcher.advance(Step::Analyse, blob.size);
            Ok(look)
        })
        .collect::<Result<_>>()?;
    let mut survey = Survey::default();
    for (blob, look) in blobs.iter().zip(looks) {
        match look {
            Look::Packable(surveyed) => survey.packable.push(*surveyed),
            Look::Kept(reason) => survey.kept.push((blob.digest, reason)),
        }
    }
    Ok(survey)
}

enum Look {
    Packable(Box<Surveyed>),
    Kept(Reason),
}

/// The start of a zstd frame (RFC 8878).
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
pub(crate) const GZIP: [u8; 3] = [0x1f, 0x8b, 8];

fn look(source: &dyn Source, blob: Blob) -> Result<Look> {
    let mut reader = BlobReader::new(source, blob);
    let start = reader.range(0, SAMPLE)?;
    if start.starts_with(&ZSTD) {
        return Ok(Look::Kept(Reason::Zstd));
    }
    if !start.starts_with(&GZIP) {
        return look_at_plain(&mut reader, &start);
    }
    if gains_nothing(&mut reader, &start)? {
        return Ok(Look::Kept(Reason::Incompressible));
    }
    look_at_gzip(source, &mut reader)
}

fn look_at_plain(reader: &mut BlobReader<'_>, start: &[u8]) -> Result<Look> {
    if is_dense(start) && !has_streams(start) {
        return Ok(Look::Kept(Reason::Incompressible));
    }
    let blob = reader.blob();
    reader.restart()?;
    let mut summarizer = Summarizer::new(None);
    io::copy(reader, &mut summarizer).map_err(|error| source_error(blob, error))?;
    Ok(packable(blob, None, summarizer.finish(false)))
}

/// Finds the encoder, and meanwhile, if a thread of the pool is idle, describes the content.
fn look_at_gzip(source: &dyn Source, reader: &mut BlobReader<'_>) -> Result<Look> {
    let blob = reader.blob();
    reader.restart()?;
    let is_kept = AtomicBool::new(false);
    let analyse = || {
        let analysis = regzip::analyse(&mut *reader, &regzip::Options::default());
        let has_recipe = matches!(analysis, Ok(Analysis::Recipe(_)));
        is_kept.store(!has_recipe, Ordering::Relaxed);
        analysis
    };
    let (analysis, described) = rayon::join(analyse, || describe(source, blob, &is_kept));
    let recipe = match analysis.map_err(|error| from_source(blob, error))? {
        Analysis::Recipe(recipe) => recipe,
        Analysis::Verbatim(reason) => return Ok(Look::Kept(Reason::Gzip(reason))),
        _ => return Ok(Look::Kept(Reason::NotProved)),
    };
    let summary = match described {
        Some(summary) if summary.opened() == recipe.plain_len() => summary,
        _ => describe_by_recipe(reader, &recipe)?,
    };
    Ok(packable(blob, Some(Arc::new(recipe)), summary))
}

/// The summary of what a gzip stream inflates to, without its recipe. `None` if the blob turned out to be kept as it is, or
/// if it is anything but members with correct checksums: that is what a recipe is for.
fn describe(source: &dyn Source, blob: Blob, is_kept: &AtomicBool) -> Option<Summary> {
    let reader = BlobReader::new(source, blob);
    let mut content = MultiGzDecoder::new(BufReader::with_capacity(PIECE, reader));
    let mut summarizer = Summarizer::new(None);
    let mut buffer = vec![0; PIECE];
    while !is_kept.load(Ordering::Relaxed) {
        match content.read(&mut buffer) {
            Ok(0) => return Some(summarizer.finish(true)),
            Ok(read) => summarizer.update(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
    None
}

/// Bytes that are read at a time.
const PIECE: usize = 1 << 17;

fn describe_by_recipe(reader: &mut BlobReader<'_>, recipe: &Recipe) -> Result<Summary> {
    let blob = reader.blob();
    reader.restart()?;
    let mut summarizer = Summarizer::new(None);
    let opened = regzip::open(recipe, reader, &mut summarizer);
    opened.map_err(|error| from_source(blob, error))?;
    Ok(summarizer.finish(true))
}

fn packable(blob: Blob, recipe: Option<Arc<Recipe>>, summary: Summary) -> Look {
    Look::Packable(Box::new(Surveyed {
        blob,
        recipe,
        summary: Arc::new(summary),
    }))
}

/// An error of regzip while it reads from the source.
pub(crate) fn from_source(blob: Blob, error: regzip::Error) -> Error {
    source_error(blob, io::Error::from(error))
}

/// Bytes of the start of a blob that say whether it compresses.
const SAMPLE: u64 = 1 << 20;
/// A gzip stream with less than so many thousandths more content is looked at closely.
const DENSE: u64 = 1020;

/// Whether a gzip stream is about as long as its content and there are no streams at its start: then
/// nothing is gained by opening it, and the search for its encoder is saved.
fn gains_nothing(reader: &mut BlobReader<'_>, start: &[u8]) -> Result<bool> {
    let size = reader.blob().size;
    let end = reader.range(size.saturating_sub(4), 4)?;
    let stated = end
        .first_chunk::<4>()
        .map_or(0, |end| u64::from(u32::from_le_bytes(*end)));
    // Only the low 32 bits are stated.
    let low = size & u64::from(u32::MAX);
    if stated < low / 8 * 7 || stated > low.saturating_mul(DENSE) / 1000 {
        return Ok(false);
    }
    let mut plain = Vec::new();
    // The sample ends somewhere in the stream: what came before is enough.
    let _ = flate2::read::GzDecoder::new(start)
        .take(SAMPLE)
        .read_to_end(&mut plain);
    Ok(plain.len() + (1 << 12) < start.len() * 2 && is_dense(&plain) && !has_streams(&plain))
}

/// Whether something in the sample begins like a stream that could be opened.
fn has_streams(sample: &[u8]) -> bool {
    let starts = |four: &[u8]| {
        four.starts_with(&GZIP) || four == b"PK\x03\x04" || four == b"\x89PNG" || four == b"\x7fELF"
    };
    sample.windows(4).any(starts)
}

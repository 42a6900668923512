//! Base blobs onto scratch space: each is read once, checked and inflated, and only the parts that are needed are
//! kept.

use std::collections::BTreeSet;
use std::io::{self, BufReader, Read, Write};
use std::sync::{Mutex, PoisonError};

use flate2::bufread::MultiGzDecoder;
use regzip::nested::Outline;
use sealift_oci::{Digest, Hasher};
use sealift_pipeline::{Cancel, JobError, run_parallel};

use crate::bases::Base;
use crate::decode::{DecodedPack, State};
use crate::error::{Error, Part, Result, damaged};
use crate::format::{BaseBlob, BaseObject, Body, Range};
use crate::options::Options;
use crate::read::Pack;
use crate::report::Step;
use crate::source::{Blob, Source, source_error};
use crate::spool::Spool;
use crate::storage::{Region, Storage};

/// A blob from outside that a pack needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Needed {
    /// Its digest and size.
    pub blob: Blob,
    /// Bytes of its content: of the blob itself, or of what its gzip stream inflates to.
    pub opened: u64,
}

impl Needed {
    fn of(base: &BaseBlob) -> Self {
        Self {
            blob: Blob {
                digest: base.digest,
                size: base.size,
            },
            opened: base.len,
        }
    }
}

impl Pack {
    /// The base blobs that are needed to rebuild all blobs, sorted by digest; empty if the pack is complete in
    /// itself.
    pub fn base_blobs(&self) -> impl ExactSizeIterator<Item = Needed> + '_ {
        self.index.base_blobs.iter().map(Needed::of)
    }

    /// The base blobs that are needed to rebuild one blob, sorted by digest.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] if the pack does not contain the blob.
    pub fn base_blobs_of(&self, digest: &Digest) -> Result<Vec<Needed>> {
        let bases = self.bases_of(self.number(digest)?);
        let needed = |number| Needed::of(&self.index.base_blobs[number]);
        Ok(bases.map(needed).collect())
    }

    /// The base blobs of a blob, by their positions, in order.
    pub(crate) fn bases_of(&self, blob: usize) -> impl Iterator<Item = usize> + '_ {
        self.needs.of_blob(blob)
    }
}

/// The base objects of a decoded pack.
pub(crate) struct Bases {
    /// Where the content of each object is, or will be when its blob was read.
    contents: Vec<Region>,
    /// Which objects each base blob has.
    blobs: Vec<(std::ops::Range<usize>, Mutex<State>)>,
}

impl Bases {
    /// Takes space for the content of every base object, and of its expansion if that is another; the places of
    /// the expansions follow.
    pub(crate) fn new(pack: &Pack, place: &mut dyn FnMut(u64) -> Region) -> (Self, Vec<Region>) {
        let mut bases = Self {
            contents: Vec::new(),
            blobs: Vec::new(),
        };
        let mut expansions = Vec::new();
        for object in &pack.index.objects {
            let Body::Base(base) = &object.body else {
                break;
            };
            let number = bases.contents.len();
            bases.contents.push(place(base.content_len()));
            expansions.push(match base.outline {
                None => bases.contents[number].clone(),
                Some(_) => place(object.len),
            });
            match bases.blobs.get_mut(base.blob) {
                Some((objects, _)) => objects.end = number + 1,
                None => bases
                    .blobs
                    .push((number..number + 1, Mutex::new(State::Waiting))),
            }
        }
        (bases, expansions)
    }

    /// The content of a base object; `None` for others.
    pub(crate) fn content(&self, object: usize) -> Option<&Region> {
        self.contents.get(object)
    }

    pub(crate) fn is_read(&self, blob: usize) -> bool {
        *self.lock(blob) == State::Done
    }

    fn lock(&self, blob: usize) -> std::sync::MutexGuard<'_, State> {
        self.blobs[blob]
            .1
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl DecodedPack {
    /// Reads the base blobs that are needed to rebuild some blobs, or all, on as many threads of its own as the rayon
    /// pool that it is called in has. Each is read once and compared with its digest; one that was read before is not read again.
    ///
    /// # Errors
    ///
    /// [`Error::BaseMissing`] if the source does not have a base blob (its error has the kind `NotFound`),
    /// [`Error::BaseChanged`] or [`Error::BaseSize`] if it gives another one, [`Error::Source`] if it fails;
    /// [`Error::Damaged`] if a base blob is not as the pack says; [`Error::Scratch`] if scratch space fails.
    pub fn read_bases(
        &self,
        source: &dyn Source,
        blobs: Option<&[Digest]>,
        cancel: &Cancel,
    ) -> Result<()> {
        let mut needed = BTreeSet::new();
        match blobs {
            None => needed.extend(0..self.pack().index.base_blobs.len()),
            Some(blobs) => {
                for digest in blobs {
                    needed.extend(self.pack().bases_of(self.pack().number(digest)?));
                }
            }
        }
        let needed: Vec<usize> = needed.into_iter().collect();
        self.read_bases_of(&needed, source, cancel)
    }

    /// Reads base blobs by their positions in the index.
    pub(crate) fn read_bases_of(
        &self,
        needed: &[usize],
        source: &dyn Source,
        cancel: &Cancel,
    ) -> Result<()> {
        on_own_threads(needed, cancel, |&number| {
            self.read_base(number, source, cancel)
        })
    }

    fn read_base(&self, number: usize, source: &dyn Source, cancel: &Cancel) -> Result<()> {
        let mut state = self.bases.lock(number);
        let blob = &self.pack().index.base_blobs[number];
        match *state {
            State::Done => return Ok(()),
            State::Failed => {
                return Err(damaged(Part::BaseBlob(blob.digest), "it does not fit"));
            }
            State::Waiting => {}
        }
        let read = self.fetch(number, blob, source, cancel);
        *state = match &read {
            Ok(()) => State::Done,
            Err(error) if error.is_pack_fault() => State::Failed,
            Err(_) => State::Waiting,
        };
        read
    }

    fn fetch(
        &self,
        number: usize,
        blob: &BaseBlob,
        source: &dyn Source,
        cancel: &Cancel,
    ) -> Result<()> {
        let mut stream = Stream::open(source, blob)?;
        let objects = self.bases.blobs[number].0.clone();
        let mut sink = Ranges::new(self.storage());
        for object in objects.clone() {
            if let Some((base, _)) = self.base(object) {
                sink.add(&base.ranges, &self.bases.contents[object]);
            }
        }
        let read = read_content(blob, &mut stream, &mut sink, cancel);
        stream.finish(read)?;
        for object in objects {
            cancel.check()?;
            if let Some((base, expansion)) = self.base(object)
                && let Some(outline) = &base.outline
            {
                expand(
                    outline,
                    &self.bases.contents[object],
                    expansion,
                    self.storage(),
                )
                .map_err(|error| misfit(object, error))?;
            }
        }
        Ok(())
    }

    /// Takes the content of all objects of a base blob from somewhere else, for a proof without the base blob.
    pub(crate) fn assume_base(
        &self,
        blob: usize,
        content: &dyn Fn(usize) -> Option<Region>,
    ) -> Result<()> {
        let mut state = self.bases.lock(blob);
        for object in self.bases.blobs[blob].0.clone() {
            let to = &self.bases.contents[object];
            let digest = self.pack().index.base_blobs[blob].digest;
            let from = content(object).ok_or(Error::BaseMissing(digest))?;
            let mut writer = RegionWriter::new(self.storage(), to);
            io::copy(&mut from.reader(), &mut writer).map_err(Error::Scratch)?;
        }
        *state = State::Done;
        Ok(())
    }

    /// A base object and where its expansion is.
    fn base(&self, number: usize) -> Option<(&BaseObject, &Region)> {
        let (object, expansion) = self.object(number);
        match &object.body {
            Body::Base(base) => Some((base, expansion)),
            _ => None,
        }
    }
}

fn misfit(object: usize, error: regzip::Error) -> Error {
    match error {
        regzip::Error::Io(error) => Error::Scratch(error),
        other => damaged(Part::Object(object), other.to_string()),
    }
}

fn expand(
    outline: &Outline,
    content: &Region,
    expansion: &Region,
    storage: &dyn Storage,
) -> regzip::Result<u64> {
    let mut content = BufReader::with_capacity(PIECE, content.reader());
    let writer = RegionWriter::new(storage, expansion);
    let mut writer = io::BufWriter::with_capacity(PIECE, writer);
    let written = outline.expand(&mut content, &mut writer)?;
    writer.flush()?;
    Ok(written)
}

/// Reads ranges of bases, each base once, and checks what it reads as a reader of packs does. The bases are given by their
/// positions; the results are in the order of the requests.
pub(crate) fn fetch_parts(
    source: &dyn Source,
    bases: &[Base],
    requests: &[(usize, Vec<Range>)],
    spool: &Spool,
    options: &Options,
) -> Result<Vec<Region>> {
    let len = |ranges: &[Range]| ranges.iter().map(|range| range.len).sum();
    let regions = requests
        .iter()
        .map(|(_, ranges)| spool.reserve(len(ranges)));
    let regions: Vec<Region> = regions.collect();
    let wanted: BTreeSet<usize> = requests.iter().map(|&(base, _)| base).collect();
    let wanted: Vec<usize> = wanted.into_iter().collect();
    let total = wanted.iter().map(|&base| bases[base].blob().size).sum();
    options.watcher.begin(Step::ReadBases, total);
    let read = |&number: &usize| {
        let blob = base_blob(&bases[number]);
        let mut sink = Ranges::new(spool.storage());
        for ((base, ranges), region) in requests.iter().zip(&regions) {
            if *base == number {
                sink.add(ranges, region);
            }
        }
        let mut stream = Stream::open(source, &blob)?;
        let read = read_content(&blob, &mut stream, &mut sink, &options.cancel);
        options.watcher.advance(Step::ReadBases, blob.size);
        stream.finish(read)
    };
    on_own_threads(&wanted, &options.cancel, read)?;
    Ok(regions)
}

/// Does something for each of some base blobs, on threads that are not of the rayon pool, but as many as it has: who reads
/// a base blob locks it, and a thread of the pool that waits inside of a source could begin to read the same one.
fn on_own_threads(
    blobs: &[usize],
    cancel: &Cancel,
    work: impl Fn(&usize) -> Result<()> + Sync,
) -> Result<()> {
    let results = run_parallel(rayon::current_num_threads(), blobs, cancel, work);
    let results = results.into_iter().map(|result| match result {
        Ok(()) => Ok(()),
        Err(JobError::Failed(error)) => Err(error),
        Err(JobError::Cancelled(cancelled)) => Err(cancelled.into()),
    });
    results.collect()
}

/// The entry of a base in an index.
pub(crate) fn base_blob(base: &Base) -> BaseBlob {
    BaseBlob {
        digest: base.blob().digest,
        size: base.blob().size,
        gzip: base.summary().gzip,
        len: base.summary().opened(),
    }
}

/// Bytes that are read at a time.
const PIECE: usize = 1 << 18;

/// Reads a base blob to its end and puts the content into the sink.
pub(crate) fn read_content(
    blob: &BaseBlob,
    stream: &mut Stream<'_>,
    sink: &mut dyn Sink,
    cancel: &Cancel,
) -> Result<()> {
    let part = Part::BaseBlob(blob.digest);
    let stream = BufReader::with_capacity(PIECE, stream);
    let mut content: Box<dyn Read + '_> = if blob.gzip {
        Box::new(MultiGzDecoder::new(stream))
    } else {
        Box::new(stream)
    };
    let mut buffer = vec![0; PIECE];
    let mut at = 0;
    loop {
        cancel.check()?;
        let read = content.read(&mut buffer);
        match read.map_err(|error| damaged(part, format!("it does not inflate: {error}")))? {
            0 if at == blob.len => return Ok(()),
            0 => return Err(damaged(part, "its content is shorter")),
            read if read as u64 > blob.len - at => {
                return Err(damaged(part, "its content is longer"));
            }
            read => {
                sink.take(&buffer[..read])?;
                at += read as u64;
            }
        }
    }
}

/// Takes content in order.
pub(crate) trait Sink {
    fn take(&mut self, bytes: &[u8]) -> Result<()>;
}

/// A base blob that is read, hashed.
pub(crate) struct Stream<'a> {
    source: Box<dyn Read + Send + 'a>,
    blob: Blob,
    hasher: Hasher,
    read: u64,
    failed: Option<io::Error>,
}

impl<'a> Stream<'a> {
    pub(crate) fn open(source: &'a dyn Source, blob: &BaseBlob) -> Result<Self> {
        let digest = blob.digest;
        let opened = source.open(&digest, 0);
        let source = opened.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::BaseMissing(digest),
            _ => Error::Source { digest, error },
        })?;
        Ok(Self {
            source,
            blob: Blob {
                digest,
                size: blob.size,
            },
            hasher: Hasher::new(digest.algorithm()),
            read: 0,
            failed: None,
        })
    }

    /// Compares the digest after the content was read, well or not: that the blob is another one, or that its
    /// source failed, is the better explanation of a failure.
    pub(crate) fn finish(mut self, content: Result<()>) -> Result<()> {
        if matches!(content, Ok(()) | Err(Error::Damaged { .. })) {
            // Its own failure is kept.
            let _ = io::copy(&mut self, &mut io::sink());
            let Blob { digest, size } = self.blob;
            if let Some(error) = self.failed {
                return Err(source_error(self.blob, error));
            }
            if self.read != size {
                return Err(Error::BaseSize { digest, size });
            }
            let actual = self.hasher.finish();
            if actual != digest {
                return Err(Error::BaseChanged { digest, actual });
            }
        }
        content
    }
}

impl Read for Stream<'_> {
    /// Ends one byte behind the stated size at the latest.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.blob.size.saturating_add(1) - self.read;
        let len = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        if self.failed.is_some() || len == 0 {
            return Ok(0);
        }
        match self.source.read(&mut buffer[..len]) {
            Ok(read) => {
                self.hasher.update(&buffer[..read]);
                self.read += read as u64;
                Ok(read)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                let kind = error.kind();
                self.failed = Some(error);
                Err(kind.into())
            }
        }
    }
}

/// Writes ranges of a content to scratch space.
pub(crate) struct Ranges<'a> {
    storage: &'a dyn Storage,
    /// Ranges and where they go, those that begin last first.
    waiting: Vec<(Range, u64)>,
    sorted: bool,
    /// Those that have begun and not ended.
    open: Vec<(Range, u64)>,
    at: u64,
}

impl<'a> Ranges<'a> {
    pub(crate) fn new(storage: &'a dyn Storage) -> Self {
        Self {
            storage,
            waiting: Vec::new(),
            sorted: false,
            open: Vec::new(),
            at: 0,
        }
    }

    /// These ranges go to that region, one after another.
    pub(crate) fn add(&mut self, ranges: &[Range], to: &Region) {
        let mut place = to.offset();
        for &range in ranges {
            self.waiting.push((range, place));
            place += range.len;
        }
    }
}

impl Sink for Ranges<'_> {
    fn take(&mut self, bytes: &[u8]) -> Result<()> {
        if !self.sorted {
            self.waiting.sort_unstable_by(|a, b| b.cmp(a));
            self.sorted = true;
        }
        let (start, end) = (self.at, self.at + bytes.len() as u64);
        self.at = end;
        while let Some(next) = self.waiting.pop_if(|(range, _)| range.offset < end) {
            self.open.push(next);
        }
        for (range, place) in &self.open {
            let from = range.offset.max(start);
            let part = index(from - start)..index(range.end().min(end) - start);
            let to = place + (from - range.offset);
            let written = self.storage.write_all_at(&bytes[part], to);
            written.map_err(Error::Scratch)?;
        }
        self.open.retain(|(range, _)| range.end() > end);
        Ok(())
    }
}

/// An offset in a piece that is in memory.
fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

/// Writes a region from its start on, and not beyond its end.
struct RegionWriter<'a> {
    storage: &'a dyn Storage,
    region: &'a Region,
    at: u64,
}

impl<'a> RegionWriter<'a> {
    fn new(storage: &'a dyn Storage, region: &'a Region) -> Self {
        Self {
            storage,
            region,
            at: 0,
        }
    }
}

impl Write for RegionWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() as u64 > self.region.len() - self.at {
            return Err(io::ErrorKind::WriteZero.into());
        }
        let to = self.region.offset() + self.at;
        self.storage.write_all_at(bytes, to)?;
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

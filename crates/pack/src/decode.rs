//! A pack whose streams are on scratch space: blobs can be rebuilt from it.

mod blob;
mod fetch;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;
use regzip::Workers;
use relate::{DecodeError, Input, StreamId};
use sealift_oci::{Digest, Hasher};
use sealift_pipeline::Cancel;

pub use blob::BlobContent;
use fetch::Bases;
pub use fetch::Needed;
pub(crate) use fetch::{base_blob, fetch_parts};

use crate::error::{Error, Part, Result, damaged};
use crate::format::{BlobEntry, Body, Coding, Numbers, Object, Related, StreamKind};
use crate::gate::Gate;
use crate::read::{Checked, DECODING, Pack};
use crate::relating::PYTHON_FACTOR;
use crate::storage::{Region, Scratch, Storage};

/// A pack with its streams decompressed. Objects that are stored as differences are decoded when a blob
/// first needs them, once each.
pub struct DecodedPack {
    pack: Pack,
    storage: Arc<dyn Storage>,
    /// The decompressed streams.
    streams: Vec<Region>,
    /// Where the expansion of each object is, or will be when it was decoded or its base blob was read.
    objects: Vec<Region>,
    /// What is read from base blobs.
    pub(crate) bases: Bases,
    /// Objects that are stored as differences, by their numbers.
    related: BTreeMap<usize, Pending>,
    /// Where each blob's structure is.
    structure: Vec<Region>,
    /// Bounds the memory of decoders that run at once.
    gate: Gate,
}

/// An object that may not be decoded yet.
struct Pending {
    /// Where its part of each of its streams starts.
    offsets: Numbers,
    state: Mutex<State>,
}

/// How far something is that is done once, when it is first needed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Waiting,
    Done,
    Failed,
}

impl Pack {
    /// Decompresses all streams to scratch space, on the threads of the rayon pool that it is called in,
    /// and compares their digests.
    ///
    /// # Errors
    ///
    /// [`Error::Damaged`] or [`Error::Unsupported`] if a stream is at fault; [`Error::Pack`] and
    /// [`Error::Scratch`] if reading or writing fails.
    pub fn decode(self, scratch: &Arc<dyn Scratch>, cancel: &Cancel) -> Result<Arc<DecodedPack>> {
        let storage = scratch.create().map_err(Error::Scratch)?;
        let mut end = 0;
        let mut place = |len: u64| {
            let region = Region::new(storage.clone(), end, len);
            end += len;
            region
        };
        let streams: Vec<Region> = self
            .head
            .streams
            .iter()
            .map(|stream| place(stream.raw))
            .collect();
        let gate = Gate::new(DECODING);
        let results: Vec<Result<()>> = (0..streams.len())
            .into_par_iter()
            .with_max_len(1)
            .map(|number| {
                let _pass = gate.pass(self.head.streams[number].memory());
                decompress(&self, number, &streams[number], &*storage, cancel)
            })
            .collect();
        results.into_iter().collect::<Result<()>>()?;
        let mut layout = Layout::new(&streams);
        let (bases, mut objects) = Bases::new(&self, &mut place);
        let mut related = BTreeMap::new();
        for (number, object) in self.index.objects.iter().enumerate() {
            match &object.body {
                Body::Base(_) => {}
                Body::Plain { stream } => objects.push(layout.take(*stream, object.len)),
                Body::Related(body) => {
                    objects.push(place(object.len));
                    related.insert(number, layout.pending(&self, number, body)?);
                }
            }
        }
        let structure = layout.structure(&self, |number| {
            bases.content(number).unwrap_or(&objects[number]).clone()
        });
        Ok(Arc::new(DecodedPack {
            pack: self,
            storage,
            streams,
            objects,
            bases,
            related,
            structure,
            gate: Gate::new(DECODING),
        }))
    }
}

/// A decoder of differences holds this much, one byte for so many bytes of bases, and one for so many of the content.
const DECODER: u64 = 32 << 20;
const DECODER_SHARE: u64 = 2;
const DECODER_OWN_SHARE: u64 = 4;

/// How far each stream has been given out.
struct Layout<'a> {
    streams: &'a [Region],
    used: Vec<u64>,
}

impl<'a> Layout<'a> {
    fn new(streams: &'a [Region]) -> Self {
        Self {
            streams,
            used: vec![0; streams.len()],
        }
    }

    fn take(&mut self, stream: usize, len: u64) -> Region {
        self.streams[stream].part(self.offset(stream, len), len)
    }

    /// Gives out so many bytes of a stream, and returns where they start.
    fn offset(&mut self, stream: usize, len: u64) -> u64 {
        let offset = self.used[stream];
        self.used[stream] += len;
        offset
    }

    fn pending(&mut self, pack: &Pack, number: usize, body: &Related) -> Result<Pending> {
        for (stream, _) in body.parts() {
            codec_stream(pack, number, stream)?;
        }
        let offsets = body.parts().map(|(stream, len)| self.offset(stream, len));
        Ok(Pending {
            offsets: offsets.collect(),
            state: Mutex::new(State::Waiting),
        })
    }

    fn structure(&mut self, pack: &Pack, object: impl Fn(usize) -> Region) -> Vec<Region> {
        let streams = &pack.head.streams;
        let stream = streams
            .iter()
            .position(|stream| stream.kind == StreamKind::Structure);
        let blobs = pack.index.blobs.iter();
        let places = blobs.map(|blob| match (blob.structure, stream) {
            (Some(number), _) => object(number),
            (None, Some(stream)) => self.take(stream, blob.structure_len().unwrap_or(0)),
            (None, None) => Region::empty(),
        });
        places.collect()
    }
}

/// What a stream contains that an object has a part of.
fn codec_stream(pack: &Pack, object: usize, stream: usize) -> Result<StreamId> {
    let StreamKind::Related(kind) = pack.head.streams[stream].kind else {
        return Err(damaged(Part::Object(object), "a stream of another kind"));
    };
    StreamId::from_number(kind).ok_or(Error::Unsupported {
        part: Part::Stream(stream),
        what: "kind of codec stream",
        number: u64::from(kind),
    })
}

/// Writes the bytes of a stream to its place.
fn decompress(
    pack: &Pack,
    number: usize,
    to: &Region,
    storage: &dyn Storage,
    cancel: &Cancel,
) -> Result<()> {
    let mut checked = Checked::new(pack, number);
    let entry = &pack.head.streams[number];
    let written = match entry.coding {
        Coding::Raw => copy(&mut checked, to, storage, number, cancel),
        Coding::Zstd => decompress_zstd(&mut checked, entry.window, to, storage, number, cancel),
        Coding::Mixed(model) => {
            let mut decoder = sealift_mixing::Decoder::new(model, &mut checked, entry.raw);
            copy(&mut decoder, to, storage, number, cancel)
        }
    };
    if matches!(written, Err(Error::Damaged { .. })) {
        // That the bytes changed is the better explanation.
        io::copy(&mut checked, &mut io::sink()).map_err(Error::Pack)?;
        checked.finish()?;
        return written;
    }
    written?;
    checked.finish()
}

fn decompress_zstd(
    checked: &mut Checked,
    window: u8,
    to: &Region,
    storage: &dyn Storage,
    number: usize,
    cancel: &Cancel,
) -> Result<()> {
    let mut decoder = zstd::Decoder::new(&mut *checked)
        .map_err(Error::Scratch)?
        .single_frame();
    let set = decoder.window_log_max(u32::from(window));
    set.map_err(Error::Scratch)?;
    copy(&mut decoder, to, storage, number, cancel)?;
    let mut rest = decoder.finish();
    match rest.read(&mut [0]).map_err(Error::Pack)? {
        0 => Ok(()),
        _ => Err(damaged(Part::Stream(number), "bytes follow its frame")),
    }
}

fn copy(
    from: &mut dyn Read,
    to: &Region,
    storage: &dyn Storage,
    number: usize,
    cancel: &Cancel,
) -> Result<()> {
    let part = Part::Stream(number);
    let mut buffer = vec![0; 1 << 18];
    let mut at = 0;
    loop {
        cancel.check()?;
        let read = from.read(&mut buffer);
        match read.map_err(|error| damaged(part, format!("it cannot be decompressed: {error}")))? {
            0 if at == to.len() => return Ok(()),
            0 => return Err(damaged(part, "it is shorter than the head says")),
            read if read as u64 > to.len() - at => {
                return Err(damaged(part, "it is longer than the head says"));
            }
            read => {
                let written = storage.write_all_at(&buffer[..read], to.offset() + at);
                written.map_err(Error::Scratch)?;
                at += read as u64;
            }
        }
    }
}

impl DecodedPack {
    /// What the pack contains.
    pub fn pack(&self) -> &Pack {
        &self.pack
    }

    /// A blob's bytes from an offset on. Objects that it needs are decoded first, then the rebuild starts at
    /// the last checkpoint before the offset. The caller compares the digest; a gzip stream that comes out
    /// different from the original fails at its end. Both are done on the threads of the workers, if there are any.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] if the pack does not contain the blob, [`Error::BaseMissing`] if it needs a base blob
    /// that [`DecodedPack::read_bases`] has not read, [`Error::Damaged`] and its like if it cannot be rebuilt.
    pub fn open(
        self: &Arc<Self>,
        digest: &Digest,
        from: u64,
        workers: &Workers,
    ) -> Result<BlobContent> {
        let number = self.pack.number(digest)?;
        self.prepare(number, workers)?;
        self.content_from(number, from, workers)
    }

    /// Decodes the objects that a blob needs, on the threads of the workers if there are any.
    fn prepare(&self, number: usize, workers: &Workers) -> Result<()> {
        // Not on the workers' threads: who reads a base blob has it locked, and may wait for them.
        let mut needed = self.pack.bases_of(number);
        if let Some(base) = needed.find(|&base| !self.bases.is_read(base)) {
            return Err(Error::BaseMissing(self.pack.index.base_blobs[base].digest));
        }
        let parallel = workers.count() > 0;
        workers.install(|| self.decode_objects(self.entry(number), parallel))
    }

    fn content_from(
        self: &Arc<Self>,
        number: usize,
        from: u64,
        workers: &Workers,
    ) -> Result<BlobContent> {
        let content = BlobContent::new(self.clone(), number, from, workers);
        content.map_err(|error| failed(self.entry(number).digest, error))
    }

    /// Rebuilds every blob and compares its digest, on the threads of the rayon pool that it is called in.
    /// `workers` are these threads; they rebuild parts of a blob in parallel if there are fewer blobs than threads.
    /// `advance` is called with the number of rebuilt bytes. Base blobs must have been read.
    ///
    /// # Errors
    ///
    /// The first blob's error in the order of their digests.
    pub fn verify(
        self: &Arc<Self>,
        cancel: &Cancel,
        workers: &Workers,
        advance: &(dyn Fn(u64) + Sync),
    ) -> Result<()> {
        let results = self.check_each(cancel, workers, advance);
        results.into_iter().collect()
    }

    /// As [`DecodedPack::verify`], but returns all blobs that cannot be rebuilt.
    pub(crate) fn check_all(
        self: &Arc<Self>,
        cancel: &Cancel,
        workers: &Workers,
        advance: &(dyn Fn(u64) + Sync),
    ) -> Result<BTreeSet<Digest>> {
        let mut failed = BTreeSet::new();
        let results = self.check_each(cancel, workers, advance);
        for (result, blob) in results.into_iter().zip(&self.pack.index.blobs) {
            match result {
                Err(error) if error.is_pack_fault() => drop(failed.insert(blob.digest)),
                result => result?,
            }
        }
        Ok(failed)
    }

    /// The results of checking each blob, in the order of their digests.
    fn check_each(
        self: &Arc<Self>,
        cancel: &Cancel,
        workers: &Workers,
        advance: &(dyn Fn(u64) + Sync),
    ) -> Vec<Result<()>> {
        (0..self.pack.index.blobs.len())
            .into_par_iter()
            .with_max_len(1)
            .map(|number| self.check(number, cancel, workers, advance))
            .collect()
    }

    fn check(
        self: &Arc<Self>,
        number: usize,
        cancel: &Cancel,
        workers: &Workers,
        advance: &dyn Fn(u64),
    ) -> Result<()> {
        let digest = self.pack.index.blobs[number].digest;
        let few = self.pack.index.blobs.len() < rayon::current_num_threads();
        let none = Workers::none();
        let workers = if few { workers } else { &none };
        self.prepare(number, workers)?;
        let mut content = self.content_from(number, 0, workers)?;
        let mut hasher = Hasher::new(digest.algorithm());
        let mut buffer = vec![0; 1 << 17];
        loop {
            cancel.check()?;
            let read = content
                .read(&mut buffer)
                .map_err(|error| failed(digest, error))?;
            if read == 0 {
                break;
            }
            hasher.update(&buffer[..read]);
            advance(read as u64);
        }
        match hasher.finish() {
            actual if actual == digest => Ok(()),
            actual => Err(Error::Rebuilt { digest, actual }),
        }
    }

    pub(crate) fn entry(&self, number: usize) -> &BlobEntry {
        &self.pack.index.blobs[number]
    }

    pub(crate) fn structure(&self, number: usize) -> &Region {
        &self.structure[number]
    }

    /// Where the content of an object is that has no map.
    pub(crate) fn content(&self, number: usize) -> &Region {
        self.bases.content(number).unwrap_or(&self.objects[number])
    }

    pub(crate) fn storage(&self) -> &dyn Storage {
        &*self.storage
    }

    pub(crate) fn object(&self, number: usize) -> (&Object, &Region) {
        (&self.pack.index.objects[number], &self.objects[number])
    }

    /// Decodes what a blob needs and is not decoded yet, bases first.
    fn decode_objects(&self, entry: &BlobEntry, parallel: bool) -> Result<()> {
        let mut needed = BTreeSet::new();
        let mut open: Vec<usize> = entry.objects().collect();
        while let Some(number) = open.pop() {
            if self.is_waiting(number) && needed.insert(number) {
                open.extend(self.pack.bases(number));
            }
        }
        if !parallel || needed.len() < 2 {
            return needed
                .into_iter()
                .try_for_each(|number| self.decode_object(number));
        }
        // An object is locked only while it is decoded, and decoding starts no tasks on the pool.
        self.by_level(&needed).iter().try_for_each(|level| {
            let level = level.par_iter().with_max_len(1);
            level.try_for_each(|&number| self.decode_object(number))
        })
    }

    /// Objects whose bases are all in levels before theirs.
    fn by_level(&self, needed: &BTreeSet<usize>) -> Vec<Vec<usize>> {
        let mut level_of: BTreeMap<usize, usize> = BTreeMap::new();
        let mut levels: Vec<Vec<usize>> = Vec::new();
        // Bases have lower numbers.
        for &number in needed {
            let bases = self.pack.bases(number);
            let below = bases.iter().filter_map(|base| level_of.get(base)).max();
            let level = below.map_or(0, |level| level + 1);
            level_of.insert(number, level);
            if level == levels.len() {
                levels.push(Vec::new());
            }
            levels[level].push(number);
        }
        levels
    }

    fn is_waiting(&self, number: usize) -> bool {
        let state =
            |pending: &Pending| *pending.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.related
            .get(&number)
            .is_some_and(|pending| state(pending) != State::Done)
    }

    /// Decodes an object whose bases are decoded; other threads that need it wait.
    fn decode_object(&self, number: usize) -> Result<()> {
        let Some(pending) = self.related.get(&number) else {
            return Ok(());
        };
        let mut state = pending.state.lock().unwrap_or_else(PoisonError::into_inner);
        match *state {
            State::Done => return Ok(()),
            State::Failed => {
                return Err(damaged(Part::Object(number), "its streams do not decode"));
            }
            State::Waiting => {}
        }
        let decoded = self.decode_waiting(number, pending);
        *state = match &decoded {
            Ok(()) => State::Done,
            Err(error) if error.is_pack_fault() => State::Failed,
            Err(_) => State::Waiting,
        };
        decoded
    }

    fn decode_waiting(&self, number: usize, pending: &Pending) -> Result<()> {
        let Body::Related(related) = &self.pack.index.objects[number].body else {
            return Ok(());
        };
        let (id, version) = related.codec;
        let codec = relate::Codec { id, version };
        let mut parts = Vec::new();
        for ((stream, len), offset) in related.parts().zip(pending.offsets.iter()) {
            let id = codec_stream(&self.pack, number, stream)?;
            parts.push((id, self.streams[stream].part(offset, len)));
        }
        let inputs = parts.iter().map(|(id, region)| Input {
            id: *id,
            reader: Box::new(region.reader()),
        });
        let bases: Vec<&dyn relate::Content> = related
            .bases
            .iter()
            .map(|&base| &self.objects[base] as _)
            .collect();
        let bytes = related
            .bases
            .iter()
            .map(|&base| self.objects[base].len())
            .sum::<u64>();
        let own = self.objects[number].len();
        let memory = if codec == relate::Codec::PYTHON {
            bytes.saturating_add(own).saturating_mul(PYTHON_FACTOR)
        } else {
            bytes / DECODER_SHARE + own / DECODER_OWN_SHARE
        };
        let _pass = self.gate.pass(DECODER.saturating_add(memory));
        let mut target = Target {
            region: &self.objects[number],
            storage: &*self.storage,
        };
        let decoded = relate::decode(codec, inputs.collect(), &bases, &mut target);
        decoded.map_err(|error| decode_error(number, codec, error))
    }
}

fn decode_error(number: usize, codec: relate::Codec, error: DecodeError) -> Error {
    match error {
        DecodeError::UnknownCodec(_) => Error::Unsupported {
            part: Part::Object(number),
            what: "codec",
            number: u64::from(codec.id) << 8 | u64::from(codec.version),
        },
        DecodeError::Base { source, .. }
        | DecodeError::Target(source)
        | DecodeError::Stream { source, .. } => Error::Scratch(source),
        other => damaged(Part::Object(number), other.to_string()),
    }
}

/// An error while a blob is read back: of the pack, unless scratch space failed.
fn failed(digest: Digest, error: io::Error) -> Error {
    let error = match error.downcast::<Error>() {
        Ok(error) => return error,
        Err(error) => error,
    };
    match error.downcast::<regzip::Error>() {
        Ok(error) => damaged(Part::Blob(digest), error.to_string()),
        Err(error) => Error::Scratch(error),
    }
}

/// Where an object is decoded to.
struct Target<'a> {
    region: &'a Region,
    storage: &'a dyn Storage,
}

impl relate::Content for Target<'_> {
    fn len(&self) -> u64 {
        self.region.len()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.region.read_exact_at(buffer, offset)
    }
}

impl relate::Target for Target<'_> {
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        match offset.checked_add(bytes.len() as u64) {
            Some(end) if end <= self.region.len() => self
                .storage
                .write_all_at(bytes, self.region.offset() + offset),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

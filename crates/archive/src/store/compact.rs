//! The store of a compact bundle: blobs are rebuilt from packs, which are decoded into scratch space when
//! one of their blobs is first read.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use sealift_oci::Digest;
use sealift_pack::{DecodedPack, Limits, Pack, Scratch, Workers};
use sealift_pipeline::order::largest_first;

use crate::contents::Part;
use crate::fault::Fault;
use crate::reading::{Reading, ScratchFolder};
use crate::store::content::{Location, Store, Stored, absent};
use crate::store::extents::ExtentStore;
use crate::store::read_at::{Extent, ReadAt};

/// How many decoded packs are kept for the next reader: the one that is read, and the one before it.
const KEPT_DECODED: usize = 2;

/// Blobs in packs, and blobs that are kept as they are.
pub(crate) struct CompactStore {
    file: Arc<dyn ReadAt>,
    /// Manifests and kept blobs.
    verbatim: ExtentStore,
    packs: Vec<StoredPack>,
    /// Which pack a blob is in, and its size.
    packed: BTreeMap<Digest, (usize, u64)>,
    /// The parts of the file.
    parts: ExtentStore,
    reading: Reading,
    recent: Mutex<VecDeque<Arc<DecodedPack>>>,
}

/// A pack in the file.
struct StoredPack {
    digest: Digest,
    extent: Extent,
    decoded: Mutex<Decoded>,
}

/// What is known of a pack's decoded content.
#[derive(Default)]
enum Decoded {
    #[default]
    Not,
    /// In scratch space for as long as somebody reads it.
    There(Weak<DecodedPack>),
    /// The pack is damaged: trying again would give the same answer.
    Damaged(String),
}

impl CompactStore {
    /// The blobs in `packs`, whose extents are in `parts`, besides those in `verbatim`. Reads the head and
    /// the index of each pack.
    pub(crate) fn open(
        file: Arc<dyn ReadAt>,
        verbatim: ExtentStore,
        packs: &[Part],
        parts: &BTreeMap<Digest, Extent>,
        reading: &Reading,
    ) -> Result<Self, Fault> {
        let mut store = Self {
            verbatim,
            packs: Vec::with_capacity(packs.len()),
            packed: BTreeMap::new(),
            parts: ExtentStore::new(Arc::clone(&file), parts.clone()),
            reading: reading.clone(),
            recent: Mutex::default(),
            file,
        };
        for part in packs {
            let Some(extent) = parts.get(&part.digest) else {
                let what = "the artifact lists it, but it is missing";
                return Err(Fault::new(part.digest.blob_path(), 0, what));
            };
            store.add(part.digest, *extent)?;
        }
        Ok(store)
    }

    fn add(&mut self, digest: Digest, extent: Extent) -> Result<(), Fault> {
        let fault = |what: String| Fault::new(digest.blob_path(), extent.offset, what);
        let pack = self
            .open_pack(extent)
            .map_err(|error| fault(error.to_string()))?;
        let number = self.packs.len();
        for blob in pack.blobs() {
            let twice = self.verbatim.size(&blob.digest).is_some()
                || self
                    .packed
                    .insert(blob.digest, (number, blob.size))
                    .is_some();
            if twice {
                return Err(fault(format!("{} is stored twice", blob.digest)));
            }
        }
        self.packs.push(StoredPack {
            digest,
            extent,
            decoded: Mutex::default(),
        });
        Ok(())
    }

    fn open_pack(&self, extent: Extent) -> Result<Pack, sealift_pack::Error> {
        let region = region(Arc::clone(&self.file), extent);
        Pack::open(region, &Limits::default())
    }

    /// Every blob of the store with its size, by digest.
    pub(crate) fn sizes(&self) -> BTreeMap<Digest, u64> {
        let packed = self.packed.iter();
        let packed = packed.map(|(digest, (_, size))| (*digest, *size));
        let verbatim = self.verbatim.sizes();
        verbatim
            .map(|(digest, size)| (*digest, size))
            .chain(packed)
            .collect()
    }

    /// The decoded pack with this number: one that is still in use, or decoded now. Others that want it
    /// wait.
    fn decoded(&self, number: usize) -> io::Result<Arc<DecodedPack>> {
        let stored = &self.packs[number];
        let mut decoded = stored
            .decoded
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match &*decoded {
            Decoded::There(there) => {
                if let Some(there) = there.upgrade() {
                    return Ok(there);
                }
            }
            Decoded::Damaged(what) => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, what.clone()));
            }
            Decoded::Not => {}
        }
        self.make_space();
        let new = self.decode(stored.extent).inspect_err(|error| {
            if error.kind() == io::ErrorKind::InvalidData {
                *decoded = Decoded::Damaged(error.to_string());
            }
        })?;
        *decoded = Decoded::There(Arc::downgrade(&new));
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.push_back(Arc::clone(&new));
        Ok(new)
    }

    fn decode(&self, extent: Extent) -> io::Result<Arc<DecodedPack>> {
        let pack = self.open_pack(extent)?;
        let scratch: Arc<dyn Scratch> = Arc::new(ScratchFolder(self.reading.scratch.clone()));
        let decoded = self
            .reading
            .budget
            .install_apart(|| pack.decode(&scratch, &self.reading.cancel))?;
        Ok(decoded?)
    }

    /// Threads that help to rebuild a blob.
    fn workers(&self) -> Workers {
        let pool = self.reading.budget.pool();
        pool.map_or_else(Workers::none, |pool| Workers::from(Arc::clone(pool)))
    }

    /// Drops the packs that were decoded longest ago, so that their scratch space is free for the next.
    fn make_space(&self) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        while recent.len() >= KEPT_DECODED {
            recent.pop_front();
        }
    }
}

impl Store for CompactStore {
    fn size(&self, digest: &Digest) -> Option<u64> {
        let packed = self.packed.get(digest).map(|(_, size)| *size);
        packed.or_else(|| self.verbatim.size(digest))
    }

    fn open(&self, digest: &Digest, from: u64) -> io::Result<Box<dyn Read + Send>> {
        let Some((number, _)) = self.packed.get(digest) else {
            return match self.verbatim.size(digest) {
                Some(_) => self.verbatim.open(digest, from),
                None => Err(absent(digest)),
            };
        };
        let decoded = self.decoded(*number)?;
        Ok(Box::new(decoded.open(digest, from, &self.workers())?))
    }

    fn locate(&self, digest: &Digest) -> Location {
        match self.packed.get(digest) {
            Some((number, _)) => Location {
                entry: format!("{digest} in {}", self.packs[*number].digest.blob_path()),
                offset: self.packs[*number].extent.offset,
            },
            None => self.verbatim.locate(digest),
        }
    }

    /// A group for each pack, in the file's order, then what is kept as it is.
    fn groups(&self, wanted: Vec<Digest>) -> Vec<Vec<Digest>> {
        let mut groups: Vec<Vec<Digest>> = vec![Vec::new(); self.packs.len() + 1];
        for digest in wanted {
            let packed = self.packed.get(&digest).map(|(number, _)| *number);
            groups[packed.unwrap_or(self.packs.len())].push(digest);
        }
        for group in &mut groups {
            largest_first(group, |digest| (self.size(digest).unwrap_or(0), *digest));
        }
        groups.retain(|group| !group.is_empty());
        groups
    }

    fn stored(&self) -> Option<Stored<'_>> {
        Some(Stored {
            store: &self.parts,
            sizes: self
                .parts
                .sizes()
                .map(|(digest, size)| (*digest, size))
                .collect(),
        })
    }
}

/// A range of a file, as packs are read from it.
pub(crate) fn region(file: Arc<dyn ReadAt>, extent: Extent) -> Arc<dyn sealift_pack::ReadAt> {
    Arc::new(Region { file, extent })
}

struct Region {
    file: Arc<dyn ReadAt>,
    extent: Extent,
}

impl sealift_pack::ReadAt for Region {
    fn size(&self) -> io::Result<u64> {
        Ok(self.extent.size)
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        match offset.checked_add(buffer.len() as u64) {
            Some(end) if end <= self.extent.size => {
                self.file.read_exact_at(buffer, self.extent.offset + offset)
            }
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

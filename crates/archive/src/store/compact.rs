//! The store of a compact bundle or a delta: blobs are rebuilt from packs, which are decoded into scratch space
//! when one of their blobs is first read. The packs of a delta need blobs of its bases.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{self, Read};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use sealift_oci::Digest;
use sealift_pack::{Blob, DecodedPack, Error as PackError, Limits, Pack, Scratch, Workers};
use sealift_pipeline::order::largest_first;

use crate::contents::Part;
use crate::fault::Fault;
use crate::resources::{Resources, ScratchFolder};
use crate::store::base::BaseStores;
use crate::store::content::{KEPT_DECODED, Location, ScratchNeeds, Store, Stored, absent};
use crate::store::extents::ExtentStore;
use crate::store::read_at::{Extent, ReadAt};

/// The most blobs of bases that the packed blobs of a file need, each counted for each of them.
const MAX_NEEDED: usize = 2_000_000;

/// Blobs in packs, and blobs that are kept as they are.
pub(crate) struct CompactStore {
    file: Arc<dyn ReadAt>,
    /// Manifests and kept blobs.
    verbatim: Arc<ExtentStore>,
    packs: Vec<StoredPack>,
    /// Which pack a blob is in, and its size.
    packed: Arc<BTreeMap<Digest, (usize, u64)>>,
    /// The blobs of bases that a blob needs, if it needs any.
    needs: Arc<BTreeMap<Digest, Vec<Blob>>>,
    /// The parts of the file.
    parts: Arc<ExtentStore>,
    /// What packs need from bases.
    bases: BaseStores,
    resources: Resources,
    recent: Mutex<VecDeque<Arc<DecodedPack>>>,
    workers: OnceLock<Workers>,
}

/// What a file consists of besides its metadata.
pub(crate) struct CompactParts<'a> {
    pub(crate) packs: &'a [Part],
    /// Where every part is.
    pub(crate) extents: &'a BTreeMap<Digest, Extent>,
}

/// A pack in the file.
struct StoredPack {
    digest: Digest,
    extent: Extent,
    /// The scratch space that decoding it needs, in bytes.
    scratch: u64,
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
    /// The blobs in packs, besides those in `verbatim`. Reads the head and
    /// the index of each pack.
    pub(crate) fn open(
        file: Arc<dyn ReadAt>,
        verbatim: ExtentStore,
        parts: &CompactParts<'_>,
        resources: &Resources,
    ) -> Result<Self, Fault> {
        let mut packed = BTreeMap::new();
        let mut needs = BTreeMap::new();
        let mut needed = 0;
        let mut packs = Vec::with_capacity(parts.packs.len());
        for part in parts.packs {
            let Some(extent) = parts.extents.get(&part.digest) else {
                let what = "the artifact lists it, but it is missing";
                return Err(Fault::new(part.digest.blob_path(), 0, what));
            };
            let fault = |what: String| Fault::new(part.digest.blob_path(), extent.offset, what);
            let pack = open_pack(&file, *extent).map_err(|error| fault(error.to_string()))?;
            for blob in pack.blobs() {
                let new = (packs.len(), blob.size);
                let twice = verbatim.size(&blob.digest).is_some()
                    || packed.insert(blob.digest, new).is_some();
                if twice {
                    return Err(fault(format!("{} is stored twice", blob.digest)));
                }
                let bases = pack.base_blobs_of(&blob.digest);
                let bases = bases.map_err(|error| fault(error.to_string()))?;
                needed += bases.len();
                if needed > MAX_NEEDED {
                    let what = format!(
                        "its blobs need more than {MAX_NEEDED} blobs of bases, each counted for each blob"
                    );
                    return Err(fault(what));
                }
                if !bases.is_empty() {
                    let bases = bases.into_iter().map(|base| base.blob);
                    needs.insert(blob.digest, bases.collect());
                }
            }
            packs.push(StoredPack::new(
                part.digest,
                *extent,
                pack.account().scratch,
            ));
        }
        Ok(Self {
            verbatim: Arc::new(verbatim),
            packs,
            packed: Arc::new(packed),
            needs: Arc::new(needs),
            parts: Arc::new(ExtentStore::new(Arc::clone(&file), parts.extents.clone())),
            bases: BaseStores::default(),
            resources: resources.clone(),
            recent: Mutex::default(),
            workers: OnceLock::new(),
            file,
        })
    }

    /// The same file with these stores of bases. Nothing is decoded yet.
    pub(crate) fn with_bases(&self, bases: BaseStores) -> Self {
        let packs = self.packs.iter();
        Self {
            file: Arc::clone(&self.file),
            verbatim: Arc::clone(&self.verbatim),
            packs: packs
                .map(|pack| StoredPack::new(pack.digest, pack.extent, pack.scratch))
                .collect(),
            packed: Arc::clone(&self.packed),
            needs: Arc::clone(&self.needs),
            parts: Arc::clone(&self.parts),
            bases,
            resources: self.resources.clone(),
            recent: Mutex::default(),
            workers: OnceLock::new(),
        }
    }

    /// The blobs of bases that reading `digest` needs.
    pub(crate) fn needs(&self, digest: &Digest) -> impl Iterator<Item = Blob> {
        self.needs.get(digest).into_iter().flatten().copied()
    }

    /// Every blob of a base that a pack needs, with the position of the pack.
    pub(crate) fn base_blobs(&self) -> impl Iterator<Item = (Blob, usize)> {
        self.needs.iter().flat_map(|(digest, blobs)| {
            let (pack, _) = self.packed[digest];
            blobs.iter().map(move |blob| (*blob, pack))
        })
    }

    /// A fault of the pack at this position.
    pub(crate) fn pack_fault(&self, pack: usize, what: impl Into<String>) -> Fault {
        let pack = &self.packs[pack];
        Fault::new(pack.digest.blob_path(), pack.extent.offset, what)
    }

    /// Every blob of the file with its size, by digest.
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
        let pack = open_pack(&self.file, extent)?;
        let scratch: Arc<dyn Scratch> = Arc::new(ScratchFolder(self.resources.scratch.clone()));
        let decoded = self
            .resources
            .budget
            .install_apart(|| pack.decode(&scratch, &self.resources.cancel))?;
        Ok(decoded?)
    }

    /// Reads the blobs of bases that a blob needs, unless that was done for another one.
    fn read_bases(&self, decoded: &DecodedPack, digest: &Digest) -> io::Result<()> {
        let budget = &self.resources.budget;
        let cancel = &self.resources.cancel;
        let read =
            budget.install_apart(|| decoded.read_bases(&self.bases, Some(&[*digest]), cancel))?;
        read.map_err(|error| match error {
            // Its error says what is absent, or what is wrong with the store that has it.
            PackError::Source { error, .. } => error,
            PackError::BaseChanged { digest, .. } | PackError::BaseSize { digest, .. } => {
                let location = self.bases.locate(&digest);
                io::Error::new(io::ErrorKind::InvalidData, format!("{location}: {error}"))
            }
            PackError::BaseMissing(digest) => self.bases.absent(&digest),
            error => error.into(),
        })
    }

    fn rebuild(
        &self,
        digest: &Digest,
        from: u64,
        workers: &Workers,
    ) -> io::Result<Box<dyn Read + Send>> {
        let Some((number, _)) = self.packed.get(digest) else {
            return Err(absent(digest));
        };
        let decoded = self.decoded(*number)?;
        if self.needs.contains_key(digest) {
            self.read_bases(&decoded, digest)?;
        }
        Ok(Box::new(decoded.open(digest, from, workers)?))
    }

    /// Threads that help to rebuild blobs: one value for all readers, which share its limit of memory.
    fn workers(&self) -> &Workers {
        self.workers.get_or_init(|| {
            let pool = self.resources.budget.pool();
            pool.map_or_else(Workers::none, |pool| Workers::from(Arc::clone(pool)))
        })
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
        if !self.packed.contains_key(digest) {
            return match self.verbatim.size(digest) {
                Some(_) => self.verbatim.open(digest, from),
                None => Err(absent(digest)),
            };
        }
        self.rebuild(digest, from, self.workers())
    }

    fn open_alone(&self, digest: &Digest, from: u64) -> io::Result<Box<dyn Read + Send>> {
        if self.packed.contains_key(digest) {
            return self.rebuild(digest, from, &Workers::none());
        }
        self.open(digest, from)
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

    fn is_readable(&self, digest: &Digest) -> bool {
        let mut needs = self.needs(digest);
        self.size(digest).is_some() && needs.all(|blob| self.bases.has(&blob.digest))
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

    /// The packs, and what the stores of bases need for them. Stores of bases may lead to the same packs on many paths.
    fn add_scratch(&self, digests: &[Digest], needs: &mut ScratchNeeds) {
        let mut wanted = BTreeSet::new();
        for digest in digests {
            let Some((pack, _)) = self.packed.get(digest) else {
                continue;
            };
            if needs.add(self, *pack, digest, self.packs[*pack].scratch) {
                wanted.extend(self.needs(digest).map(|blob| blob.digest));
            }
        }
        self.bases.add_scratch(wanted, needs);
    }

    fn stored(&self) -> Option<Stored<'_>> {
        Some(Stored {
            store: &*self.parts,
            sizes: self
                .parts
                .sizes()
                .map(|(digest, size)| (*digest, size))
                .collect(),
        })
    }
}

impl StoredPack {
    fn new(digest: Digest, extent: Extent, scratch: u64) -> Self {
        Self {
            digest,
            extent,
            scratch,
            decoded: Mutex::default(),
        }
    }
}

fn open_pack(file: &Arc<dyn ReadAt>, extent: Extent) -> Result<Pack, PackError> {
    let region = region(Arc::clone(file), extent);
    Pack::open(region, &Limits::default())
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

//! The trait that every way of keeping blobs implements.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, Read};

use sealift_oci::Digest;
use sealift_pipeline::order::largest_first;

/// Where content is, for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The entry or file that it is in.
    pub entry: String,
    /// Where in the store's file, in bytes from its start.
    pub offset: u64,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.entry, self.offset)
    }
}

/// Blobs by digest, manifests among them. Shared by many threads.
///
/// What a store returns is not checked: whoever reads all of it hashes it on the way.
pub trait Store: Send + Sync {
    /// The size of a blob in bytes; `None` if the store does not contain it.
    fn size(&self, digest: &Digest) -> Option<u64>;

    /// Opens a blob at its byte `from`. Reading ends after as many bytes as [`Store::size`] says.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if the store does not contain it, or whatever reading it needs fails
    /// with.
    fn open(&self, digest: &Digest, from: u64) -> io::Result<Box<dyn Read + Send>>;

    /// The same for a thread that threads of the pool wait for: no work is handed to them.
    ///
    /// # Errors
    /// As [`Store::open`].
    fn open_alone(&self, digest: &Digest, from: u64) -> io::Result<Box<dyn Read + Send>> {
        self.open(digest, from)
    }

    /// Where a blob is, for messages; where it should be, if it is not there.
    fn locate(&self, digest: &Digest) -> Location;

    /// Sorts blobs into groups that are best read one after the other, the blobs of a group in any order
    /// or at once. One group of the largest first, where reading one blob costs another nothing.
    fn groups(&self, wanted: Vec<Digest>) -> Vec<Vec<Digest>> {
        let mut wanted = wanted;
        largest_first(&mut wanted, |digest| {
            (self.size(digest).unwrap_or(0), *digest)
        });
        vec![wanted]
    }

    /// Whether everything that reading a blob needs is there. It may need blobs of other stores.
    fn is_readable(&self, digest: &Digest) -> bool {
        self.size(digest).is_some()
    }

    /// The bytes of scratch space that reading blobs one after the other needs at most; 0 where they are read as they
    /// are stored.
    fn scratch(&self, digests: &[Digest]) -> u64 {
        let mut needs = ScratchNeeds::default();
        self.add_scratch(digests, &mut needs);
        needs.bytes()
    }

    /// Adds the packs that are decoded to read blobs, those of other stores included.
    fn add_scratch(&self, _digests: &[Digest], _needs: &mut ScratchNeeds) {}

    /// The parts that blobs are rebuilt from; `None` if the blobs are stored as they are.
    fn stored(&self) -> Option<Stored<'_>> {
        None
    }
}

/// How many decoded packs a store keeps for the next reader: the one that is read, and the one before it.
pub(crate) const KEPT_DECODED: usize = 2;

/// The packs that are decoded to read some blobs, in all stores that take part. Blobs of bases are reached on many paths,
/// and counted once.
#[derive(Debug, Default)]
pub struct ScratchNeeds {
    /// The blobs of each store, by its address.
    blobs: BTreeSet<(usize, Digest)>,
    /// The scratch space of the packs of each store, in bytes.
    packs: BTreeMap<usize, BTreeMap<usize, u64>>,
}

impl ScratchNeeds {
    /// Adds a blob in a pack of `store` that needs `bytes` of scratch space; false if the blob was added before.
    pub(crate) fn add<S>(&mut self, store: &S, pack: usize, digest: &Digest, bytes: u64) -> bool {
        let store = std::ptr::from_ref(store).addr();
        self.packs.entry(store).or_default().insert(pack, bytes);
        self.blobs.insert((store, *digest))
    }

    /// The bytes that are needed at most: those of the largest packs of each store, as many as it keeps decoded.
    pub(crate) fn bytes(&self) -> u64 {
        let of_store = |packs: &BTreeMap<usize, u64>| {
            let mut bytes: Vec<u64> = packs.values().copied().collect();
            bytes.sort_unstable_by(|a, b| b.cmp(a));
            let kept = bytes.into_iter().take(KEPT_DECODED);
            kept.fold(0, u64::saturating_add)
        };
        let stores = self.packs.values().map(of_store);
        stores.fold(0, u64::saturating_add)
    }
}

/// What a store consists of, if that is not the blobs themselves: parts of its file by their digest.
pub struct Stored<'a> {
    /// Opens the parts.
    pub store: &'a dyn Store,
    /// Every part with its size in bytes.
    pub sizes: Vec<(Digest, u64)>,
}

/// The error of a store that does not contain `digest`.
pub(crate) fn absent(digest: &Digest) -> io::Error {
    io::Error::new(
        io::ErrorKind::NotFound,
        format!("{digest} is not in the store"),
    )
}

//! The trait that every way of keeping blobs implements.

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
    fn scratch(&self, _digests: &[Digest]) -> u64 {
        0
    }

    /// The parts that blobs are rebuilt from; `None` if the blobs are stored as they are.
    fn stored(&self) -> Option<Stored<'_>> {
        None
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

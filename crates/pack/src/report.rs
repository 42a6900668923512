//! What a build did, and how far it is.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use sealift_oci::Digest;

/// What a part of the build is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Step {
    /// Finding the encoder of each blob; counted in bytes of blobs.
    Analyse,
    /// Looking into base blobs; counted in bytes of blobs.
    Summarize,
    /// Opening blobs and the streams inside; counted in opened bytes.
    Open,
    /// Storing objects as differences; counted in opened bytes.
    Relate,
    /// Compressing streams; counted in raw bytes.
    Compress,
    /// Reading base blobs; counted in their bytes.
    ReadBases,
    /// Rebuilding every blob from the pack; counted in bytes of blobs.
    Prove,
}

/// Is told how far a build is, from many threads; must return quickly.
pub trait Watcher: Send + Sync {
    /// A step begins that has to do so many bytes in all.
    fn begin(&self, step: Step, bytes: u64);

    /// So many more bytes of it are done.
    fn advance(&self, step: Step, bytes: u64);
}

/// Ignores everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoWatcher;

impl Watcher for NoWatcher {
    fn begin(&self, _: Step, _: u64) {}

    fn advance(&self, _: Step, _: u64) {}
}

/// Why a blob stays as it is, outside of packs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// Its content does not compress, and no streams were found in it.
    Incompressible,
    /// It is compressed with zstd, which is not rebuilt.
    Zstd,
    /// It is a gzip stream that cannot be rebuilt.
    Gzip(regzip::Reason),
    /// It has more opened bytes than a pack may have.
    TooLarge {
        /// Its opened bytes.
        opened: u64,
    },
    /// It has so many files that the list of them does not fit in a pack.
    TooManyFiles {
        /// Its files.
        files: u64,
    },
    /// What the pack gave back was not the blob.
    NotProved,
    /// An earlier run of the build left it out of its pack.
    LeftOut,
    /// The caller keeps it out of packs, for programs that cannot read packs.
    Excluded,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Incompressible => f.write_str("its content does not compress"),
            Self::Zstd => f.write_str("it is compressed with zstd, which cannot be rebuilt"),
            Self::Gzip(reason) => write!(f, "its gzip stream cannot be rebuilt: {reason}"),
            Self::TooLarge { opened } => {
                write!(f, "its {opened} opened bytes do not fit in a pack")
            }
            Self::TooManyFiles { files } => {
                write!(f, "the list of its {files} files does not fit in a pack")
            }
            Self::NotProved => f.write_str("it was not rebuilt from the pack"),
            Self::LeftOut => f.write_str("an earlier run left it out of its pack"),
            Self::Excluded => f.write_str("`tar` has to be able to extract it"),
        }
    }
}

/// A stream inside a blob that stays compressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptStream {
    /// The file that it is in; empty if the blob is not a tar.
    pub file: String,
    /// Where it starts there, and its length in bytes.
    pub offset: u64,
    /// Compressed bytes.
    pub len: u64,
}

/// So many streams that stay compressed are listed.
pub(crate) const MAX_LISTED: usize = 1000;

/// The longest streams that stay compressed: of a pack with many short ones, all would not fit in memory.
#[derive(Default)]
pub(crate) struct LongestKept(Mutex<BTreeSet<(Reverse<u64>, String, u64)>>);

impl LongestKept {
    pub(crate) fn add(&self, streams: Vec<KeptStream>) {
        let mut longest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for stream in streams {
            longest.insert((Reverse(stream.len), stream.file, stream.offset));
            if longest.len() > MAX_LISTED {
                longest.pop_last();
            }
        }
    }

    /// The longest first.
    pub(crate) fn into_list(self) -> Vec<KeptStream> {
        let longest = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        let streams = longest.into_iter();
        let streams = streams.map(|(Reverse(len), file, offset)| KeptStream { file, offset, len });
        streams.collect()
    }
}

/// What a pack contains and cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Bytes of the blobs, as they are in the registry.
    pub blobs: u64,
    /// Bytes with everything opened, equal files counted each time.
    pub opened: u64,
    /// Bytes of the different objects.
    pub distinct: u64,
    /// Bytes of the objects that are stored as differences, of those.
    pub related: u64,
    /// Bytes of the blobs, opened, that are taken from base blobs as they are; not counted in `distinct`.
    pub from_bases: u64,
    /// Bytes of the pack.
    pub stored: u64,
    /// The base blobs that the pack needs, sorted by digest.
    pub base_blobs: Vec<Digest>,
    /// Those of them whose bytes were absent. For blobs that need them, the proof shows that they are rebuilt if the
    /// base blobs contain what their summaries say, which nothing was compared with.
    pub assumed: Vec<Digest>,
    /// Streams in blobs that stay compressed, the longest first; at most 1,000 are listed.
    pub kept_streams: Vec<KeptStream>,
    /// Blobs that were left out of the pack: they did not come back from it, or its list of files became too long.
    pub left_out: Vec<(Digest, Reason)>,
    /// Each stream of the pack: what it contains, raw and stored bytes.
    pub streams: Vec<StreamReport>,
}

/// What one stream cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamReport {
    /// What it contains.
    pub name: String,
    /// Bytes before compression.
    pub raw: u64,
    /// Bytes in the pack.
    pub stored: u64,
}

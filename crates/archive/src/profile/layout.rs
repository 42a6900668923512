//! Where every entry of a plain bundle is in its file.

use std::collections::BTreeMap;

use sealift_oci::Digest;

use crate::contents::{Contents, OCI_LAYOUT, Record, index_json};
use crate::header::{ARCHIVE_END, EntryKind, encode, padded};
use crate::store::Extent;

/// What an entry holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryContent {
    /// Bytes that follow from the contents.
    Inline(Vec<u8>),
    /// A manifest or blob, which arrives later.
    Blob(Digest),
    /// Nothing: a directory.
    Directory,
}

/// One entry of the tar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub path: String,
    /// Where its header begins.
    pub header_offset: u64,
    /// Where its content is.
    pub extent: Extent,
    /// What it holds.
    pub content: EntryContent,
}

impl Entry {
    /// The header blocks before the content.
    pub(crate) fn header(&self) -> Vec<u8> {
        encode(&self.path, self.kind(), self.extent.size)
    }

    /// How many zero bytes follow the content, up to the next block.
    pub(crate) fn padding(&self) -> usize {
        usize::try_from(padded(self.extent.size) - self.extent.size).unwrap_or(0)
    }

    fn kind(&self) -> EntryKind {
        match self.content {
            EntryContent::Directory => EntryKind::Directory,
            _ => EntryKind::File,
        }
    }
}

/// Why contents cannot be laid out: they have more bytes than a file can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bundle would be larger than any file can be")]
pub struct TooLarge;

/// The complete file before its first blob is there: every entry with its offset. It follows from the
/// contents alone.
#[derive(Clone, Debug)]
pub struct Layout {
    entries: Vec<Entry>,
    blobs: BTreeMap<Digest, Extent>,
    total: u64,
}

impl Layout {
    /// Lays out `contents`.
    ///
    /// # Errors
    /// If they have more bytes than a file can have.
    pub fn new(contents: &Contents) -> Result<Self, TooLarge> {
        let record = contents.record();
        let sizes = sizes(record);
        let mut entries = Entries::default();
        entries.push("oci-layout", EntryContent::Inline(OCI_LAYOUT.to_vec()))?;
        entries.push("index.json", EntryContent::Inline(index_json(contents)))?;
        entries.push("sealift.json", EntryContent::Inline(record.to_bytes()))?;
        entries.push("blobs/", EntryContent::Directory)?;
        for folder in folders(&sizes) {
            entries.push(&folder, EntryContent::Directory)?;
        }
        for digest in order(record) {
            let size = sizes[&digest];
            entries.push_sized(&digest.blob_path(), EntryContent::Blob(digest), size)?;
        }
        let total = entries.end.checked_add(ARCHIVE_END).ok_or(TooLarge)?;
        let blobs = entries.list.iter().filter_map(|entry| match entry.content {
            EntryContent::Blob(digest) => Some((digest, entry.extent)),
            _ => None,
        });
        Ok(Self {
            blobs: blobs.collect(),
            entries: entries.list,
            total,
        })
    }

    /// Every entry in the file's order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The digests of all blobs, in the file's order.
    pub fn blobs(&self) -> impl Iterator<Item = Digest> {
        self.entries.iter().filter_map(|entry| match entry.content {
            EntryContent::Blob(digest) => Some(digest),
            _ => None,
        })
    }

    /// Where a manifest or blob is.
    pub fn extent(&self, digest: &Digest) -> Option<Extent> {
        self.blobs.get(digest).copied()
    }

    /// The file's size in bytes.
    pub fn total_bytes(&self) -> u64 {
        self.total
    }
}

#[derive(Default)]
struct Entries {
    list: Vec<Entry>,
    end: u64,
}

impl Entries {
    fn push(&mut self, path: &str, content: EntryContent) -> Result<(), TooLarge> {
        let size = match &content {
            EntryContent::Inline(bytes) => bytes.len() as u64,
            _ => 0,
        };
        self.push_sized(path, content, size)
    }

    fn push_sized(&mut self, path: &str, content: EntryContent, size: u64) -> Result<(), TooLarge> {
        let mut entry = Entry {
            path: path.to_owned(),
            header_offset: self.end,
            extent: Extent { offset: 0, size },
            content,
        };
        entry.extent.offset = self.end + entry.header().len() as u64;
        self.end = (entry.extent.offset)
            .checked_add(padded(size))
            .filter(|end| *end < i64::MAX as u64)
            .ok_or(TooLarge)?;
        self.list.push(entry);
        Ok(())
    }
}

/// Manifests and configs first, so that a reader has all metadata after one short read; then the rest.
fn order(record: &Record) -> Vec<Digest> {
    let manifests = record.manifests.iter().map(|manifest| manifest.digest);
    let configs = record
        .blobs
        .iter()
        .filter(|blob| blob.config)
        .map(|blob| blob.digest);
    let mut first: Vec<Digest> = manifests.chain(configs).collect();
    first.sort_unstable();
    first.dedup();
    let rest = record
        .blobs
        .iter()
        .filter(|blob| !blob.config)
        .map(|blob| blob.digest);
    let rest: Vec<Digest> = rest
        .filter(|digest| first.binary_search(digest).is_err())
        .collect();
    first.into_iter().chain(rest).collect()
}

fn sizes(record: &Record) -> BTreeMap<Digest, u64> {
    let manifests = record.manifests.iter().map(|one| (one.digest, one.size));
    let blobs = record.blobs.iter().map(|blob| (blob.digest, blob.size));
    manifests.chain(blobs).collect()
}

fn folders(sizes: &BTreeMap<Digest, u64>) -> Vec<String> {
    let mut folders: Vec<String> = sizes
        .keys()
        .map(|digest| format!("blobs/{}/", digest.algorithm()))
        .collect();
    // SHA-256 is there even when it is empty: some readers look for the folder.
    folders.push("blobs/sha256/".to_owned());
    folders.sort_unstable();
    folders.dedup();
    folders
}

use std::collections::BTreeMap;

use sealift_oci::Digest;

use crate::header::{BLOCK, EntryKind, encode, padded};
use crate::index::{OCI_LAYOUT, index_json, stored_name};
use crate::record::{Identity, Record};

/// Where content lies in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The content's first byte, counted from the file's start.
    pub offset: u64,
    /// How many bytes it has.
    pub size: u64,
}

/// What an entry holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryContent {
    /// Bytes that follow from the record.
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
    /// Where its content lies.
    pub extent: Extent,
    /// What it holds.
    pub content: EntryContent,
}

impl Entry {
    /// The header blocks before the content.
    pub(crate) fn header(&self) -> Vec<u8> {
        encode(&self.path, self.kind(), self.extent.size)
    }

    fn kind(&self) -> EntryKind {
        match self.content {
            EntryContent::Directory => EntryKind::Directory,
            _ => EntryKind::File,
        }
    }
}

/// Why a record cannot be laid out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// Readers would disagree about which image the name means.
    #[error("{name} stands for two images, {first} and {second} (expected one digest a name)")]
    TwoDigests {
        /// The name.
        name: String,
        /// One digest.
        first: Digest,
        /// The other.
        second: Digest,
    },
    /// A digest that two descriptors give different sizes.
    #[error("{digest} is listed with {first} and with {second} bytes")]
    TwoSizes {
        /// The digest.
        digest: Digest,
        /// One size.
        first: u64,
        /// The other.
        second: u64,
    },
    /// More bytes than a file can have.
    #[error("the bundle would be larger than any file can be")]
    TooLarge,
}

/// The whole file before its first blob is there: every entry with its offset. It follows from the
/// record alone.
#[derive(Clone, Debug)]
pub struct Layout {
    record: Record,
    identity: Identity,
    entries: Vec<Entry>,
    blobs: BTreeMap<Digest, Extent>,
    total: u64,
}

impl Layout {
    /// Lays out `record`, which is brought into canonical order.
    pub fn new(record: Record) -> Result<Self, LayoutError> {
        let record = record.canonical();
        check_names(&record)?;
        let sizes = sizes(&record)?;
        let identity = record.identity();
        let mut entries = Entries::default();
        entries.push("oci-layout", EntryContent::Inline(OCI_LAYOUT.to_vec()))?;
        entries.push(
            "index.json",
            EntryContent::Inline(index_json(&record, identity)),
        )?;
        entries.push("sealift.json", EntryContent::Inline(record.to_bytes()))?;
        entries.push("blobs/", EntryContent::Directory)?;
        for folder in folders(&sizes) {
            entries.push(&folder, EntryContent::Directory)?;
        }
        for digest in order(&record) {
            let size = sizes[&digest];
            entries.push_sized(&digest.blob_path(), EntryContent::Blob(digest), size)?;
        }
        let total = entries
            .end
            .checked_add(2 * BLOCK)
            .ok_or(LayoutError::TooLarge)?;
        let blobs = entries.list.iter().filter_map(|entry| match entry.content {
            EntryContent::Blob(digest) => Some((digest, entry.extent)),
            _ => None,
        });
        Ok(Self {
            blobs: blobs.collect(),
            entries: entries.list,
            record,
            identity,
            total,
        })
    }

    /// What the file carries.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// The identity of the bundle.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// Every entry in the file's order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Where a manifest or blob lies.
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
    fn push(&mut self, path: &str, content: EntryContent) -> Result<(), LayoutError> {
        let size = match &content {
            EntryContent::Inline(bytes) => bytes.len() as u64,
            _ => 0,
        };
        self.push_sized(path, content, size)
    }

    fn push_sized(
        &mut self,
        path: &str,
        content: EntryContent,
        size: u64,
    ) -> Result<(), LayoutError> {
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
            .ok_or(LayoutError::TooLarge)?;
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

fn sizes(record: &Record) -> Result<BTreeMap<Digest, u64>, LayoutError> {
    let manifests = record
        .manifests
        .iter()
        .map(|manifest| (manifest.digest, manifest.size));
    let blobs = record.blobs.iter().map(|blob| (blob.digest, blob.size));
    let mut sizes = BTreeMap::new();
    for (digest, size) in manifests.chain(blobs) {
        if let Some(first) = sizes.insert(digest, size)
            && first != size
        {
            return Err(LayoutError::TwoSizes {
                digest,
                first,
                second: size,
            });
        }
    }
    Ok(sizes)
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

fn check_names(record: &Record) -> Result<(), LayoutError> {
    let images = record
        .images
        .iter()
        .map(|image| (&image.reference, image.descriptor.digest));
    let files = record
        .files
        .iter()
        .map(|file| (&file.reference, file.descriptor.digest));
    let mut names: BTreeMap<String, Digest> = BTreeMap::new();
    for (reference, second) in images.chain(files) {
        let name = stored_name(reference);
        if let Some(first) = names.insert(name.clone(), second)
            && first != second
        {
            return Err(LayoutError::TwoDigests {
                name,
                first,
                second,
            });
        }
    }
    Ok(())
}

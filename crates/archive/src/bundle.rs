use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use sealift_oci::{Descriptor, Digest, Kind, Manifest, media_type};
use sealift_pipeline::VerifyingReader;

use crate::error::Fault;
use crate::index::{OCI_LAYOUT, index_json};
use crate::layout::Extent;
use crate::read_at::ReadAt;
use crate::record::{Identity, MAX_RECORD_BYTES, PlainDescriptor, Record};
use crate::scan::{Scan, scan};

/// Why a file cannot be opened as a bundle.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It cannot be opened at all.
    #[error("cannot open {name}: {source}")]
    Io {
        /// The file.
        name: String,
        /// Why not.
        source: io::Error,
    },
    /// It is no bundle, or a damaged one.
    #[error("{name} is damaged or no bundle: {fault}")]
    Fault {
        /// The file.
        name: String,
        /// What is wrong.
        fault: Fault,
    },
}

/// An open bundle: its structure, its record and all its manifests were checked; its blobs are checked as
/// they are read.
pub struct Bundle {
    file: Arc<dyn ReadAt>,
    name: String,
    record: Record,
    identity: Identity,
    extents: BTreeMap<Digest, Extent>,
    manifests: BTreeMap<Digest, String>,
    total: u64,
}

/// Content of a bundle, read from its place in the file.
pub struct BlobReader {
    file: Arc<dyn ReadAt>,
    offset: u64,
    end: u64,
}

impl BlobReader {
    /// Reads what lies at `extent` of `file`, from its byte `from` on.
    pub(crate) fn new(file: Arc<dyn ReadAt>, extent: Extent, from: u64) -> Self {
        let end = extent.offset + extent.size;
        Self {
            file,
            offset: extent.offset.saturating_add(from).min(end),
            end,
        }
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.offset).unwrap_or(usize::MAX);
        let length = buffer.len().min(left);
        let read = self.file.read_at(&mut buffer[..length], self.offset)?;
        self.offset += read as u64;
        Ok(read)
    }
}

impl Bundle {
    /// Opens the bundle at `path`, for reading alone.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let name = path.display().to_string();
        match File::open(path).and_then(no_folder) {
            Ok(file) => Self::from_reader(Arc::new(file), name),
            Err(source) => Err(OpenError::Io { name, source }),
        }
    }

    /// Opens a bundle from anything that can be read at offsets; errors call it `name`.
    pub fn from_reader(file: Arc<dyn ReadAt>, name: impl Into<String>) -> Result<Self, OpenError> {
        let name = name.into();
        match Self::check(file, name.clone()) {
            Ok(bundle) => Ok(bundle),
            Err(fault) => Err(OpenError::Fault { name, fault }),
        }
    }

    fn check(file: Arc<dyn ReadAt>, name: String) -> Result<Self, Fault> {
        let found = scan(&*file)?;
        let (record, identity) = check_metadata(&*file, &found)?;
        check_listed(&record, &found)?;
        let total = file.size().unwrap_or_default();
        let manifests = record.manifests.iter();
        let bundle = Self {
            manifests: manifests
                .map(|manifest| (manifest.digest, manifest.media_type.clone()))
                .collect(),
            file,
            name,
            identity,
            extents: found.blobs,
            record,
            total,
        };
        bundle.check_manifests()?;
        Ok(bundle)
    }

    /// The file's name, as it was opened.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The digest of the record.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// What the bundle carries.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// The file's size in bytes.
    pub fn total_bytes(&self) -> u64 {
        self.total
    }

    /// Where a manifest or blob lies.
    pub fn extent(&self, digest: &Digest) -> Option<Extent> {
        self.extents.get(digest).copied()
    }

    /// Every manifest and blob with its place, by digest.
    pub fn extents(&self) -> impl Iterator<Item = (&Digest, Extent)> {
        self.extents
            .iter()
            .map(|(digest, extent)| (digest, *extent))
    }

    /// Whether `digest` is a manifest of the bundle.
    pub fn is_manifest(&self, digest: &Digest) -> bool {
        self.manifests.contains_key(digest)
    }

    /// Reads a manifest and checks it again; none where the bundle has no such manifest.
    pub fn manifest(&self, digest: &Digest) -> Result<Option<Manifest>, Fault> {
        let (Some(media_type), Some(extent)) = (self.manifests.get(digest), self.extent(digest))
        else {
            return Ok(None);
        };
        let path = digest.blob_path();
        let bytes = read_small(
            &*self.file,
            &path,
            extent,
            sealift_oci::MAX_MANIFEST_BYTES as u64,
        )?;
        Manifest::parse_for(bytes, &Descriptor::new(media_type, *digest, extent.size))
            .map(Some)
            .map_err(|error| Fault::new(path, extent.offset, error.to_string()))
    }

    /// Reads content from its first byte; the end comes only if size and digest agree.
    pub fn blob(&self, digest: &Digest) -> Option<VerifyingReader<BlobReader>> {
        let extent = self.extent(digest)?;
        let reader = self.blob_at(digest, 0)?;
        Some(VerifyingReader::new(reader, *digest, extent.size))
    }

    /// Reads content from `from` on, without a check: what a digest covers begins at the first byte.
    pub fn blob_at(&self, digest: &Digest, from: u64) -> Option<BlobReader> {
        let extent = self.extent(digest)?;
        Some(BlobReader::new(Arc::clone(&self.file), extent, from))
    }

    /// The names that reach `digest`: images, files and the repositories of referrers.
    pub fn touched_by(&self, digest: &Digest) -> Vec<String> {
        let record = &self.record;
        let images = record
            .images
            .iter()
            .map(|image| (image.reference.to_string(), image.descriptor.digest));
        let files = record
            .files
            .iter()
            .map(|file| (file.name.clone(), file.descriptor.digest));
        let referrers = record.referrers.iter().map(|referrer| {
            let kind = referrer.artifact_type.as_deref().unwrap_or("referrer");
            (
                format!("{kind} of {}@{}", referrer.repository, referrer.subject),
                referrer.descriptor.digest,
            )
        });
        images
            .chain(files)
            .chain(referrers)
            .filter(|(_, root)| self.reaches(root, digest, 0))
            .map(|(name, _)| name)
            .collect()
    }

    fn reaches(&self, from: &Digest, to: &Digest, depth: usize) -> bool {
        if from == to {
            return true;
        }
        let Ok(Some(manifest)) = self.manifest(from) else {
            return false;
        };
        manifest.blobs().any(|blob| blob.digest == *to)
            || (depth < MAX_DEPTH
                && manifest
                    .children()
                    .iter()
                    .any(|child| self.reaches(&child.digest, to, depth + 1)))
    }

    /// Reads every manifest once: what it points at is in the bundle, with the size that it says.
    fn check_manifests(&self) -> Result<(), Fault> {
        let mut indexes: BTreeMap<Digest, Vec<Digest>> = BTreeMap::new();
        for digest in self.manifests.keys() {
            let Some(manifest) = self.manifest(digest)? else {
                continue;
            };
            for child in manifest.children() {
                self.check_pointer(&manifest, child, true)?;
            }
            for blob in manifest.blobs() {
                self.check_pointer(&manifest, blob, false)?;
            }
            if manifest.kind() == Kind::Index {
                indexes.insert(
                    *digest,
                    manifest
                        .children()
                        .iter()
                        .map(|child| child.digest)
                        .collect(),
                );
            }
        }
        for digest in indexes.keys() {
            self.check_depth(&indexes, digest, 0)?;
        }
        Ok(())
    }

    fn check_depth(
        &self,
        indexes: &BTreeMap<Digest, Vec<Digest>>,
        digest: &Digest,
        depth: usize,
    ) -> Result<(), Fault> {
        if depth > MAX_DEPTH {
            let offset = self.extent(digest).map_or(0, |extent| extent.offset);
            return Err(Fault::new(
                digest.blob_path(),
                offset,
                "indexes are nested more than 8 deep",
            ));
        }
        let children = indexes.get(digest).map(Vec::as_slice).unwrap_or_default();
        children
            .iter()
            .filter(|child| indexes.contains_key(child))
            .try_for_each(|child| self.check_depth(indexes, child, depth + 1))
    }

    fn check_pointer(&self, from: &Manifest, to: &Descriptor, manifest: bool) -> Result<(), Fault> {
        let fault = |what: String| {
            let offset = self.extent(from.digest()).map_or(0, |extent| extent.offset);
            Err(Fault::new(from.digest().blob_path(), offset, what))
        };
        match self.extent(&to.digest) {
            None if media_type::is_nondistributable(&to.media_type) => Ok(()),
            None => fault(format!("it needs {}, which is not in the file", to.digest)),
            Some(extent) if extent.size != to.size => fault(format!(
                "it says that {} has {} bytes, the file has {}",
                to.digest, to.size, extent.size
            )),
            Some(_) if manifest && self.manifests.get(&to.digest) != Some(&to.media_type) => {
                fault(format!(
                    "it says that {} is {:?}, the record does not",
                    to.digest, to.media_type
                ))
            }
            Some(_) => Ok(()),
        }
    }
}

/// A folder can be opened like a file, and fails only when it is read.
fn no_folder(file: File) -> io::Result<File> {
    if file.metadata()?.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    Ok(file)
}

/// How deep indexes may be nested.
const MAX_DEPTH: usize = 8;

fn check_metadata(file: &dyn ReadAt, found: &Scan) -> Result<(Record, Identity), Fault> {
    let needed = |extent: Option<Extent>, name: &str| {
        extent.ok_or_else(|| {
            Fault::new(
                name,
                0,
                "it is missing (is this a bundle that sealift wrote?)",
            )
        })
    };
    let layout = needed(found.oci_layout, "oci-layout")?;
    if read_small(file, "oci-layout", layout, 4096)? != OCI_LAYOUT {
        return Err(Fault::new(
            "oci-layout",
            layout.offset,
            "it is not layout version 1.0.0",
        ));
    }
    let extent = needed(found.record, "sealift.json")?;
    let bytes = read_small(file, "sealift.json", extent, MAX_RECORD_BYTES)?;
    let record = Record::parse(&bytes)
        .map_err(|error| Fault::new("sealift.json", extent.offset, error.to_string()))?;
    let identity = Identity(Digest::sha256(&bytes));
    let index = needed(found.index, "index.json")?;
    if read_small(file, "index.json", index, MAX_RECORD_BYTES)? != index_json(&record, identity) {
        return Err(Fault::new(
            "index.json",
            index.offset,
            "it does not say what the record says",
        ));
    }
    Ok((record, identity))
}

/// The record lists exactly what the file has, and names nothing else.
fn check_listed(record: &Record, found: &Scan) -> Result<(), Fault> {
    let manifests = record
        .manifests
        .iter()
        .map(|manifest| (manifest.digest, manifest.size));
    let blobs = record.blobs.iter().map(|blob| (blob.digest, blob.size));
    let mut listed = BTreeMap::new();
    for (digest, size) in manifests.chain(blobs) {
        listed.insert(digest, size);
        match found.blobs.get(&digest) {
            None => {
                return Err(Fault::new(
                    digest.blob_path(),
                    0,
                    "the record lists it, but it is missing",
                ));
            }
            Some(extent) if extent.size != size => {
                return Err(Fault::new(
                    digest.blob_path(),
                    extent.offset,
                    format!("it has {} bytes, the record says {size}", extent.size),
                ));
            }
            Some(_) => {}
        }
    }
    if let Some((digest, extent)) = found
        .blobs
        .iter()
        .find(|(digest, _)| !listed.contains_key(*digest))
    {
        return Err(Fault::new(
            digest.blob_path(),
            extent.offset,
            "the record does not list it",
        ));
    }
    let by_digest: BTreeMap<Digest, &PlainDescriptor> = record
        .manifests
        .iter()
        .map(|manifest| (manifest.digest, manifest))
        .collect();
    match record
        .roots()
        .find(|root| by_digest.get(&root.digest) != Some(root))
    {
        Some(root) => Err(Fault::new(
            "sealift.json",
            0,
            format!("{} is named but not among its manifests", root.digest),
        )),
        None => Ok(()),
    }
}

fn read_small(
    file: &dyn ReadAt,
    entry: &str,
    extent: Extent,
    limit: u64,
) -> Result<Vec<u8>, Fault> {
    if extent.size > limit {
        return Err(Fault::new(
            entry,
            extent.offset,
            format!(
                "it has {} bytes, more than the {limit} allowed",
                extent.size
            ),
        ));
    }
    let mut bytes = vec![0; usize::try_from(extent.size).unwrap_or(0)];
    file.read_exact_at(&mut bytes, extent.offset)
        .map_err(|error| Fault::new(entry, extent.offset, format!("it cannot be read: {error}")))?;
    Ok(bytes)
}

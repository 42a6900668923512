//! A bundle's file as it is read, whatever its profile: the record, and a store of the blobs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use sealift_oci::{Descriptor, Digest, MAX_MANIFEST_BYTES, Manifest, media_type};
use serde::Deserialize;

use crate::contents::{
    Artifact, ArtifactKind, Base, Contents, EMPTY_CONFIG, Identity, MAX_RECORD_BYTES, Metadata,
    OCI_LAYOUT, Part, Record, artifact_index, index_json,
};
use crate::fault::Fault;
use crate::header::{EntryKind, encode};
use crate::resources::Resources;
use crate::store::base::{BaseBlob, BaseStores, NamedStore};
use crate::store::compact::{CompactParts, CompactStore};
use crate::store::content::Store;
use crate::store::extents::ExtentStore;
use crate::store::leaning::LeaningStore;
use crate::store::manifests::read_graph;
use crate::store::read_at::{Extent, ReadAt};
use crate::store::scan::{BundleEntries, scan};
use crate::store::tar;

/// How the blobs of a bundle are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// As the registry served them.
    Plain,
    /// Opened, related to each other and compressed, and rebuilt when they are read.
    Compact,
    /// As compact, without what other bundles have.
    Delta,
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "plain",
            Self::Compact => "compact",
            Self::Delta => "delta",
        })
    }
}

/// The most bases that a delta has.
pub(crate) const MAX_BASES: usize = 16;

/// What a bundle's file contains.
pub(crate) struct BundleFile {
    pub(crate) contents: Contents,
    pub(crate) store: FileStore,
    /// What is known of the bases of a delta; empty for all others.
    pub(crate) bases: Vec<Base>,
    /// The file's size in bytes.
    pub(crate) total: u64,
}

/// The store of a bundle's file.
pub(crate) enum FileStore {
    Plain(Arc<ExtentStore>),
    Compact(Arc<CompactStore>),
    Delta(DeltaStore),
}

impl FileStore {
    /// How the blobs are stored.
    pub(crate) fn profile(&self) -> Profile {
        match self {
            Self::Plain(_) => Profile::Plain,
            Self::Compact(_) => Profile::Compact,
            Self::Delta(_) => Profile::Delta,
        }
    }

    /// The blobs.
    pub(crate) fn blobs(&self) -> Arc<dyn Store> {
        match self {
            Self::Plain(store) => Arc::<ExtentStore>::clone(store),
            Self::Compact(store) => Arc::<CompactStore>::clone(store),
            Self::Delta(store) => store.blobs(),
        }
    }
}

/// The stores of a delta: what is in its file, and what its bases have.
#[derive(Clone)]
pub(crate) struct DeltaStore {
    file: Arc<CompactStore>,
    left_out: Arc<BTreeMap<Digest, u64>>,
    bases: BaseStores,
}

impl DeltaStore {
    /// The same with more stores of bases.
    pub(crate) fn with(&self, stores: Vec<NamedStore>) -> Self {
        let bases = self.bases.with(stores);
        Self {
            file: Arc::new(self.file.with_bases(bases.clone())),
            left_out: Arc::clone(&self.left_out),
            bases,
        }
    }

    /// All blobs.
    pub(crate) fn blobs(&self) -> Arc<dyn Store> {
        let file: Arc<dyn Store> = Arc::<CompactStore>::clone(&self.file);
        let left_out = Arc::clone(&self.left_out);
        Arc::new(LeaningStore::new(file, left_out, self.bases.clone()))
    }

    /// Blobs that are not in the file, with their sizes.
    pub(crate) fn left_out(&self) -> &BTreeMap<Digest, u64> {
        &self.left_out
    }

    /// What bases have.
    pub(crate) fn bases(&self) -> &BaseStores {
        &self.bases
    }

    /// The blobs of bases that reading `digest` needs.
    pub(crate) fn needs(&self, digest: &Digest) -> BTreeSet<Digest> {
        if self.left_out.contains_key(digest) {
            return BTreeSet::from([*digest]);
        }
        self.file.needs(digest).map(|blob| blob.digest).collect()
    }
}

impl BundleFile {
    /// Reads and checks everything but the blobs. A compact bundle is also read from a tar that another
    /// program wrote when it copied the artifact.
    pub(crate) fn read(file: Arc<dyn ReadAt>, resources: &Resources) -> Result<Self, Fault> {
        match Opened::read(file)? {
            Opened::Plain {
                file,
                found,
                record,
                index,
            } => read_plain(file, found.blobs, record, index),
            Opened::Artifact {
                file,
                found,
                artifact,
            } => read_compact(file, &found, &artifact, resources),
        }
    }
}

/// A file whose entries were found.
enum Opened {
    Plain {
        file: Arc<dyn ReadAt>,
        found: BundleEntries,
        record: Extent,
        index: Extent,
    },
    Artifact {
        file: Arc<dyn ReadAt>,
        found: BundleEntries,
        artifact: Box<Artifact>,
    },
}

impl Opened {
    fn read(file: Arc<dyn ReadAt>) -> Result<Self, Fault> {
        let found = match scan(&*file) {
            Ok(found) => found,
            Err(fault) => {
                let (found, artifact) = copied(&*file).ok_or(fault)?;
                needed(found.oci_layout, "oci-layout")?;
                return Ok(Self::Artifact {
                    file,
                    found,
                    artifact: Box::new(artifact),
                });
            }
        };
        let layout = needed(found.oci_layout, "oci-layout")?;
        if read_small(&*file, "oci-layout", layout, 4096)? != OCI_LAYOUT {
            let what = "it is not layout version 1.0.0";
            return Err(Fault::new("oci-layout", layout.offset, what));
        }
        let index = needed(found.index, "index.json")?;
        if let Some(record) = found.record {
            return Ok(Self::Plain {
                file,
                found,
                record,
                index,
            });
        }
        let (part, artifact) = read_artifact(&*file, &found, index)?;
        check_index(&*file, index, &artifact_index(&part, &artifact))?;
        Ok(Self::Artifact {
            file,
            found,
            artifact: Box::new(artifact),
        })
    }
}

/// The record of a bundle in a file of its own, with what is known of the blobs.
pub(crate) struct RecordParts {
    pub(crate) base: Base,
    /// The manifests.
    pub(crate) manifests: Arc<dyn Store>,
    /// The summary of the blobs.
    pub(crate) summary: Vec<u8>,
}

impl RecordParts {
    /// Reads the record if `file` is one; `None` if it is a bundle.
    pub(crate) fn read(file: Arc<dyn ReadAt>) -> Result<Option<Self>, Fault> {
        let opened = Opened::read(file)?;
        let Opened::Artifact {
            file,
            found,
            artifact,
        } = opened
        else {
            return Ok(None);
        };
        let ArtifactKind::Record { summary } = &artifact.kind else {
            return Ok(None);
        };
        let (base, manifests) = read_base(&file, &found, &artifact.metadata)?;
        let path = summary.digest.blob_path();
        let extent = found.blobs[&summary.digest];
        let bytes = read_small(&*file, &path, extent, MAX_SUMMARY_BYTES)?;
        if Digest::sha256(&bytes) != summary.digest {
            let what = "its content does not have the digest that its name says";
            return Err(Fault::new(path, extent.offset, what));
        }
        Ok(Some(Self {
            base,
            manifests: Arc::new(manifests),
            summary: bytes,
        }))
    }
}

/// No summary of blobs has more bytes: some millions of files.
const MAX_SUMMARY_BYTES: u64 = 256 << 20;

/// The entries of a layout in a tar that another program wrote, and the artifact of a bundle that it leads to.
/// Digests cover all that is read of it. What begins as this program's own file has to be one to its end.
fn copied(file: &dyn ReadAt) -> Option<(BundleEntries, Artifact)> {
    let first = encode("oci-layout", EntryKind::File, OCI_LAYOUT.len() as u64);
    let mut start = vec![0; first.len()];
    let read = file.read_exact_at(&mut start, 0);
    if read.is_err() || start == first {
        return None;
    }
    let mut contents = tar::contents(file).ok()?;
    let found = BundleEntries {
        oci_layout: contents.files.remove("oci-layout"),
        index: contents.files.remove("index.json"),
        record: None,
        blobs: contents.blobs,
    };
    if !contents.files.is_empty() || !contents.links.is_empty() {
        return None;
    }
    let (_, artifact) = read_artifact(file, &found, found.index?).ok()?;
    Some((found, artifact))
}

fn read_plain(
    file: Arc<dyn ReadAt>,
    blobs: BTreeMap<Digest, Extent>,
    record: Extent,
    index: Extent,
) -> Result<BundleFile, Fault> {
    let total = file.size().unwrap_or_default();
    let contents = read_record(&*file, "sealift.json", record)?;
    check_index(&*file, index, &index_json(&contents))?;
    let store = ExtentStore::new(file, blobs);
    let sizes = store
        .sizes()
        .map(|(digest, size)| (*digest, size))
        .collect();
    check_listed(contents.record(), &store, &sizes)?;
    Ok(BundleFile {
        contents,
        store: FileStore::Plain(Arc::new(store)),
        bases: Vec::new(),
        total,
    })
}

/// The parts of `index.json` that lead to the artifact.
#[derive(Deserialize)]
struct ArtifactIndex {
    manifests: [Descriptor; 1],
}

fn read_compact(
    file: Arc<dyn ReadAt>,
    found: &BundleEntries,
    artifact: &Artifact,
    resources: &Resources,
) -> Result<BundleFile, Fault> {
    let total = file.size().unwrap_or_default();
    let (packs, kept, listed_bases) = match &artifact.kind {
        ArtifactKind::Compact { packs, kept } => (packs, kept, None),
        ArtifactKind::Delta { bases, packs, kept } => (packs, kept, Some(bases)),
        ArtifactKind::Record { .. } => {
            let what = "it is the record of a bundle, without the blobs (expected a bundle)";
            return Err(Fault::new("index.json", 0, what));
        }
    };
    let (contents, mut verbatim) = read_metadata(&file, found, &artifact.metadata)?;
    let kept = kept.iter();
    verbatim.extend(kept.map(|part| (part.digest, found.blobs[&part.digest])));
    let verbatim = ExtentStore::new(Arc::clone(&file), verbatim);
    let parts = CompactParts {
        packs,
        extents: &found.blobs,
    };
    let store = CompactStore::open(Arc::clone(&file), verbatim, &parts, resources)?;
    let Some(listed_bases) = listed_bases else {
        check_listed(contents.record(), &store, &store.sizes())?;
        if let Some((blob, pack)) = store.base_blobs().next() {
            let what = format!("it needs {}, but the bundle has no bases", blob.digest);
            return Err(store.pack_fault(pack, what));
        }
        return Ok(BundleFile {
            contents,
            store: FileStore::Compact(Arc::new(store)),
            bases: Vec::new(),
            total,
        });
    };
    if listed_bases.len() > MAX_BASES {
        let what = format!("it has more than {MAX_BASES} bases");
        return Err(Fault::new("index.json", 0, what));
    }
    let bases = listed_bases.iter();
    let bases: Vec<Base> = bases
        .map(|base| Ok(read_base(&file, found, base)?.0))
        .collect::<Result<_, Fault>>()?;
    let store = lean(contents.record(), store, &bases)?;
    Ok(BundleFile {
        contents,
        store: FileStore::Delta(store),
        bases,
        total,
    })
}

/// What the record lists and the file does not contain is left out: a base has it, with the same size.
fn lean(record: &Record, store: CompactStore, bases: &[Base]) -> Result<DeltaStore, Fault> {
    let mut sizes = store.sizes();
    let based = |digest: &Digest, size: u64| {
        let base = bases.iter().find(|base| base.size(digest) == Some(size))?;
        let base = base.identity();
        Some(BaseBlob { size, base })
    };
    let mut needed = BTreeMap::new();
    let mut left_out = BTreeMap::new();
    for blob in &record.blobs {
        if sizes.contains_key(&blob.digest) {
            continue;
        }
        if let Some(found) = based(&blob.digest, blob.size) {
            needed.insert(blob.digest, found);
            left_out.insert(blob.digest, blob.size);
            sizes.insert(blob.digest, blob.size);
        }
    }
    for (blob, pack) in store.base_blobs() {
        let found = based(&blob.digest, blob.size).ok_or_else(|| {
            let what = format!("it needs {}, which is in none of the bases", blob.digest);
            store.pack_fault(pack, what)
        })?;
        needed.insert(blob.digest, found);
    }
    let bases = BaseStores::new(needed);
    let store = DeltaStore {
        file: Arc::new(store.with_bases(bases.clone())),
        left_out: Arc::new(left_out),
        bases,
    };
    check_listed(record, &*store.blobs(), &sizes)?;
    Ok(store)
}

/// A record, and where each of its manifests is.
fn read_metadata(
    file: &Arc<dyn ReadAt>,
    found: &BundleEntries,
    metadata: &Metadata,
) -> Result<(Contents, BTreeMap<Digest, Extent>), Fault> {
    let record = found.blobs[&metadata.record.digest];
    let path = metadata.record.digest.blob_path();
    let contents = read_record(&**file, &path, record)?;
    if contents.identity() != metadata.identity() {
        let what = format!("it has the digest {}", contents.identity());
        return Err(Fault::new(path, record.offset, what));
    }
    let manifests = found.blobs[&metadata.manifests.digest];
    let extents = manifest_extents(contents.record(), manifests)?;
    Ok((contents, extents))
}

/// What is known of a base, and its manifests.
fn read_base(
    file: &Arc<dyn ReadAt>,
    found: &BundleEntries,
    metadata: &Metadata,
) -> Result<(Base, ExtentStore), Fault> {
    let (contents, extents) = read_metadata(file, found, metadata)?;
    let store = ExtentStore::new(Arc::clone(file), extents);
    let sizes: BTreeMap<Digest, u64> = contents.record().sizes().collect();
    let graph = read_graph(&contents, &store, &|digest| sizes.get(digest).copied())?;
    Ok((Base::new(contents, graph), store))
}

/// The artifact that `index.json` names; its parts are exactly the blobs of the file.
fn read_artifact(
    file: &dyn ReadAt,
    found: &BundleEntries,
    index: Extent,
) -> Result<(Part, Artifact), Fault> {
    let not_ours = || {
        let what = "neither sealift.json nor a sealift artifact is in the file (is this a bundle that sealift wrote?)";
        Fault::new("index.json", index.offset, what)
    };
    let bytes = read_small(file, "index.json", index, MAX_RECORD_BYTES)?;
    let parsed: ArtifactIndex = serde_json::from_slice(&bytes).map_err(|_| not_ours())?;
    let [descriptor] = parsed.manifests;
    let extent = found.blobs.get(&descriptor.digest).ok_or_else(not_ours)?;
    let path = descriptor.digest.blob_path();
    let manifest = read_small(file, &path, *extent, MAX_MANIFEST_BYTES as u64)?;
    let plain = Descriptor::new(media_type::OCI_MANIFEST, descriptor.digest, extent.size);
    let manifest = Manifest::parse_for(manifest, &plain)
        .map_err(|error| Fault::new(&path, extent.offset, error.to_string()))?;
    let artifact = Artifact::parse(&manifest)
        .map_err(|error| Fault::new(&path, extent.offset, error.to_string()))?;
    let own = Part {
        digest: descriptor.digest,
        size: extent.size,
    };
    check_parts(&artifact, &own, found)?;
    Ok((own, artifact))
}

fn check_parts(artifact: &Artifact, own: &Part, found: &BundleEntries) -> Result<(), Fault> {
    let config = Part {
        digest: Digest::sha256(EMPTY_CONFIG),
        size: EMPTY_CONFIG.len() as u64,
    };
    let mut listed = BTreeMap::new();
    for part in artifact.parts().chain([own, &config]) {
        match found.blobs.get(&part.digest) {
            Some(extent) if extent.size == part.size => {}
            Some(extent) => {
                let what = format!(
                    "it has {} bytes, but the artifact says {}",
                    extent.size, part.size
                );
                return Err(Fault::new(part.digest.blob_path(), extent.offset, what));
            }
            None => {
                let what = "the artifact lists it, but it is missing";
                return Err(Fault::new(part.digest.blob_path(), 0, what));
            }
        }
        listed.insert(part.digest, part.size);
    }
    match found
        .blobs
        .iter()
        .find(|(digest, _)| !listed.contains_key(digest))
    {
        Some((digest, extent)) => {
            let what = "the artifact does not list it";
            Err(Fault::new(digest.blob_path(), extent.offset, what))
        }
        None => Ok(()),
    }
}

/// Where each manifest is: one after the other, in the record's order.
fn manifest_extents(record: &Record, all: Extent) -> Result<BTreeMap<Digest, Extent>, Fault> {
    let mut offset = all.offset;
    let mut extents = BTreeMap::new();
    for manifest in &record.manifests {
        let size = manifest.size;
        extents.insert(manifest.digest, Extent { offset, size });
        offset = offset.saturating_add(size);
    }
    if offset == all.end() {
        Ok(extents)
    } else {
        let what = "the manifests do not have the sizes that the record says";
        Err(Fault::new("the manifests", all.offset, what))
    }
}

fn needed(extent: Option<Extent>, name: &str) -> Result<Extent, Fault> {
    extent.ok_or_else(|| {
        let what = "it is missing (is this a bundle that sealift wrote?)";
        Fault::new(name, 0, what)
    })
}

fn read_record(file: &dyn ReadAt, name: &str, extent: Extent) -> Result<Contents, Fault> {
    let bytes = read_small(file, name, extent, MAX_RECORD_BYTES)?;
    let invalid = |error: String| Fault::new(name, extent.offset, error);
    let record = Record::parse(&bytes).map_err(|error| invalid(error.to_string()))?;
    let identity = Identity(Digest::sha256(&bytes));
    drop(bytes);
    Contents::parsed(record, identity).map_err(|error| invalid(error.to_string()))
}

fn check_index(file: &dyn ReadAt, index: Extent, expected: &[u8]) -> Result<(), Fault> {
    if read_small(file, "index.json", index, MAX_RECORD_BYTES)? == expected {
        return Ok(());
    }
    let what = "it does not say what the record says";
    Err(Fault::new("index.json", index.offset, what))
}

/// The record lists exactly what the store contains.
fn check_listed(
    record: &Record,
    store: &dyn Store,
    sizes: &BTreeMap<Digest, u64>,
) -> Result<(), Fault> {
    let listed: BTreeMap<Digest, u64> = record.sizes().collect();
    let fault = |digest: &Digest, what: String| {
        let location = store.locate(digest);
        Err(Fault::new(location.entry, location.offset, what))
    };
    for (digest, size) in &listed {
        match store.size(digest) {
            None => {
                let what = "the record lists it, but it is missing";
                return Err(Fault::new(digest.blob_path(), 0, what));
            }
            Some(actual) if actual != *size => {
                let what = format!("it has {actual} bytes, but the record says {size}");
                return fault(digest, what);
            }
            Some(_) => {}
        }
    }
    match sizes.keys().find(|digest| !listed.contains_key(digest)) {
        Some(digest) => fault(digest, "the record does not list it".to_owned()),
        None => Ok(()),
    }
}

/// Reads all of an entry that is small.
fn read_small(file: &dyn ReadAt, name: &str, extent: Extent, limit: u64) -> Result<Vec<u8>, Fault> {
    if extent.size > limit {
        let what = format!(
            "it has {} bytes, more than the {limit} allowed",
            extent.size
        );
        return Err(Fault::new(name, extent.offset, what));
    }
    let mut bytes = vec![0; usize::try_from(extent.size).unwrap_or(0)];
    match file.read_exact_at(&mut bytes, extent.offset) {
        Ok(()) => Ok(bytes),
        Err(error) => {
            let what = format!("cannot be read: {error}");
            Err(Fault::new(name, extent.offset, what))
        }
    }
}

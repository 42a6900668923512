//! A bundle's file as it is read, whatever its profile: the record, and a store of the blobs.

use std::collections::BTreeMap;
use std::sync::Arc;

use sealift_oci::{Descriptor, Digest, MAX_MANIFEST_BYTES, Manifest, media_type};
use serde::Deserialize;

use crate::contents::{
    Artifact, Contents, EMPTY_CONFIG, Identity, MAX_RECORD_BYTES, OCI_LAYOUT, Part, Record,
    artifact_index, index_json,
};
use crate::fault::Fault;
use crate::header::{EntryKind, encode};
use crate::reading::Reading;
use crate::store::compact::CompactStore;
use crate::store::content::Store;
use crate::store::extents::ExtentStore;
use crate::store::local::tar;
use crate::store::read_at::{Extent, ReadAt};
use crate::store::scan::{BundleEntries, scan};

/// How the blobs of a bundle are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// As the registry served them.
    Plain,
    /// Opened, related to each other and compressed, and rebuilt when they are read.
    Compact,
}

/// What a bundle's file contains.
pub(crate) struct BundleFile {
    pub(crate) contents: Contents,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) profile: Profile,
    /// The file's size in bytes.
    pub(crate) total: u64,
}

impl BundleFile {
    /// Reads and checks everything but the blobs. A compact bundle is also read from a tar that another
    /// program wrote when it copied the artifact.
    pub(crate) fn read(file: Arc<dyn ReadAt>, reading: &Reading) -> Result<Self, Fault> {
        let total = file.size().unwrap_or_default();
        let found = match scan(&*file) {
            Ok(found) => found,
            Err(fault) => {
                let (found, artifact) = copied(&*file).ok_or(fault)?;
                needed(found.oci_layout, "oci-layout")?;
                let (contents, store) = read_compact(file, &found, &artifact, reading)?;
                return Ok(Self {
                    contents,
                    store,
                    profile: Profile::Compact,
                    total,
                });
            }
        };
        let layout = needed(found.oci_layout, "oci-layout")?;
        if read_small(&*file, "oci-layout", layout, 4096)? != OCI_LAYOUT {
            let what = "it is not layout version 1.0.0";
            return Err(Fault::new("oci-layout", layout.offset, what));
        }
        let index = needed(found.index, "index.json")?;
        let ((contents, store), profile) = if let Some(record) = found.record {
            let plain = read_plain(file, found.blobs, record, index)?;
            (plain, Profile::Plain)
        } else {
            let (part, artifact) = read_artifact(&*file, &found, index)?;
            check_index(&*file, index, &artifact_index(&part, artifact.identity()))?;
            let compact = read_compact(file, &found, &artifact, reading)?;
            (compact, Profile::Compact)
        };
        Ok(Self {
            contents,
            store,
            profile,
            total,
        })
    }
}

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
) -> Result<(Contents, Arc<dyn Store>), Fault> {
    let contents = read_record(&*file, "sealift.json", record)?;
    check_index(&*file, index, &index_json(&contents))?;
    let store = ExtentStore::new(file, blobs);
    let sizes = store
        .sizes()
        .map(|(digest, size)| (*digest, size))
        .collect();
    check_listed(contents.record(), &store, &sizes)?;
    Ok((contents, Arc::new(store)))
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
    reading: &Reading,
) -> Result<(Contents, Arc<dyn Store>), Fault> {
    let record = found.blobs[&artifact.record.digest];
    let path = artifact.record.digest.blob_path();
    let contents = read_record(&*file, &path, record)?;
    if contents.identity() != artifact.identity() {
        let what = format!("it has the digest {}", contents.identity());
        return Err(Fault::new(path, record.offset, what));
    }
    let manifests = found.blobs[&artifact.manifests.digest];
    let mut verbatim = manifest_extents(contents.record(), manifests)?;
    verbatim.extend(
        artifact
            .kept
            .iter()
            .map(|part| (part.digest, found.blobs[&part.digest])),
    );
    let verbatim = ExtentStore::new(Arc::clone(&file), verbatim);
    let store = CompactStore::open(file, verbatim, &artifact.packs, &found.blobs, reading)?;
    check_listed(contents.record(), &store, &store.sizes())?;
    Ok((contents, Arc::new(store)))
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
        .ok_or_else(|| Fault::new(&path, extent.offset, "it is not the artifact of a bundle"))?;
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
    let manifests = record.manifests.iter().map(|one| (one.digest, one.size));
    let blobs = record.blobs.iter().map(|blob| (blob.digest, blob.size));
    let listed: BTreeMap<Digest, u64> = manifests.chain(blobs).collect();
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

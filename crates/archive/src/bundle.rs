//! An open bundle: what it carries, and the store that its content is read from.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use sealift_oci::{Descriptor, Digest, Kind, MAX_MANIFEST_BYTES, Manifest, media_type};
use sealift_pipeline::VerifyingReader;

use crate::contents::{Contents, Graph, Identity, Node, PlainDescriptor, Record};
use crate::fault::Fault;
use crate::reading::Reading;
use crate::store::{BundleFile, Location, Profile, ReadAt, Store};

/// Why a location cannot be opened as a bundle.
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
    /// It is not a bundle, or a corrupt one.
    #[error("{name} is corrupt or not a sealift bundle: {fault}")]
    Fault {
        /// The file.
        name: String,
        /// What is wrong.
        fault: Fault,
    },
}

/// An open bundle: its record and all its manifests were checked; its blobs are checked as they are read.
pub struct Bundle {
    name: String,
    contents: Contents,
    graph: Graph,
    store: Arc<dyn Store>,
    profile: Profile,
    total: u64,
}

/// Content of a bundle that ends without an error only if its size and digest are right.
pub type BlobReader = VerifyingReader<Box<dyn Read + Send>>;

impl Bundle {
    /// Opens the bundle at `location`, a path, for reading only.
    ///
    /// # Errors
    /// If there is no regular file, or it is not a bundle, or its metadata is corrupt.
    pub fn open(location: &Path, reading: &Reading) -> Result<Self, OpenError> {
        let name = location.display().to_string();
        match open_regular(location) {
            Ok(file) => Self::from_reader(Arc::new(file), name, reading),
            Err(source) => Err(OpenError::Io { name, source }),
        }
    }

    /// Opens a bundle from anything that can be read at offsets; errors call it `name`.
    ///
    /// # Errors
    /// If it is not a bundle, or its metadata is corrupt.
    pub fn from_reader(
        file: Arc<dyn ReadAt>,
        name: impl Into<String>,
        reading: &Reading,
    ) -> Result<Self, OpenError> {
        let name = name.into();
        let opened = BundleFile::read(file, reading).and_then(|file| {
            let bundle = Self::check(name.clone(), file.contents, file.store)?;
            Ok(Self {
                profile: file.profile,
                total: file.total,
                ..bundle
            })
        });
        opened.map_err(|fault| OpenError::Fault { name, fault })
    }

    /// A bundle whose contents are known; errors call it `name`.
    ///
    /// # Errors
    /// If the manifests in `store` are not what the record lists.
    pub fn from_store(
        contents: Contents,
        store: Arc<dyn Store>,
        name: impl Into<String>,
    ) -> Result<Self, OpenError> {
        let name = name.into();
        Self::check(name.clone(), contents, store).map_err(|fault| OpenError::Fault { name, fault })
    }

    /// Reads every manifest once: what it points at is in the store, with the size that it says.
    fn check(name: String, contents: Contents, store: Arc<dyn Store>) -> Result<Self, Fault> {
        let mut graph = Graph::default();
        for listed in &contents.record().manifests {
            let manifest = read_manifest(&*store, &Descriptor::from(listed))?;
            let located = |what: String| fault_at(&*store, &listed.digest, what);
            // A record that calls a manifest something else would make others of its readers skip it.
            if manifest.media_type() != listed.media_type {
                return Err(located(format!(
                    "the record lists it as {:?}, but it is {:?}",
                    listed.media_type.chars().take(120).collect::<String>(),
                    manifest.media_type()
                )));
            }
            graph
                .insert(Node::of(&manifest))
                .map_err(|error| located(error.to_string()))?;
        }
        let bundle = Self {
            name,
            contents,
            graph,
            store,
            profile: Profile::Plain,
            total: 0,
        };
        bundle.check_pointers()?;
        bundle
            .graph
            .check_depth()
            .map_err(|error| fault_at(&*bundle.store, &error.digest(), error.to_string()))?;
        Ok(bundle)
    }

    /// Its name, as it was opened.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The digest of the record.
    pub fn identity(&self) -> Identity {
        self.contents.identity()
    }

    /// What the bundle carries.
    pub fn record(&self) -> &Record {
        self.contents.record()
    }

    /// The record with its identity.
    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    /// Its manifests, and what they need.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Where its content is read from.
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// How its blobs are stored.
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// The size in bytes of the file that it was opened from; 0 if there is none.
    pub fn total_bytes(&self) -> u64 {
        self.total
    }

    /// How many manifests and blobs it carries.
    pub fn blob_count(&self) -> u64 {
        (self.record().blobs.len() + self.record().manifests.len()) as u64
    }

    /// Every manifest and blob with its size in bytes.
    pub fn sizes(&self) -> impl Iterator<Item = (Digest, u64)> {
        let manifests = self
            .record()
            .manifests
            .iter()
            .map(|one| (one.digest, one.size));
        let blobs = self.record().blobs.iter().map(|one| (one.digest, one.size));
        manifests.chain(blobs)
    }

    /// The size of a manifest or blob in bytes; `None` if the bundle does not carry it.
    pub fn size(&self, digest: &Digest) -> Option<u64> {
        self.store.size(digest)
    }

    /// Whether `digest` is a manifest of the bundle.
    pub fn is_manifest(&self, digest: &Digest) -> bool {
        self.graph.contains(digest)
    }

    /// Reads a manifest and checks it again; `None` if the bundle has no such manifest.
    ///
    /// # Errors
    /// If its content is not what it was when the bundle was opened.
    pub fn manifest(&self, digest: &Digest) -> Result<Option<Manifest>, Fault> {
        match self.graph.get(digest) {
            Some(node) => {
                read_manifest(&*self.store, &Descriptor::from(&node.descriptor)).map(Some)
            }
            None => Ok(None),
        }
    }

    /// Reads the manifest that `descriptor` points at and checks it, whether the record lists it as a
    /// manifest or, as publishers' indexes that stand beside a choice of their platforms, as a blob.
    ///
    /// # Errors
    /// If the bundle does not carry it, or its content is not what the descriptor says.
    pub fn read_manifest(&self, descriptor: &PlainDescriptor) -> Result<Manifest, Fault> {
        read_manifest(&*self.store, &Descriptor::from(descriptor))
    }

    /// Opens content at its first byte; it ends without an error only if its size and digest are right.
    ///
    /// # Errors
    /// If the bundle does not carry it, or whatever reading it needs fails.
    pub fn blob(&self, digest: &Digest) -> io::Result<BlobReader> {
        let size = self.store.size(digest).unwrap_or(0);
        let reader = self.store.open(digest, 0)?;
        Ok(VerifyingReader::new(reader, *digest, size))
    }

    /// A fault of the content of `digest`, with its location.
    pub fn fault(&self, digest: &Digest, what: impl Into<String>) -> Fault {
        fault_at(&*self.store, digest, what)
    }

    /// The names of everything that needs `digest`: images, files, and what referrers are of.
    pub fn needed_by(&self, digest: &Digest) -> Vec<String> {
        let dependents = self.graph.dependents(digest);
        let record = self.record();
        let images = record.images.iter().map(|image| {
            let original = image.original.as_ref().map(|original| original.digest);
            let own = original.filter(|original| original == digest);
            let root = own.unwrap_or(image.descriptor.digest);
            (image.reference.to_string(), root)
        });
        let files = record
            .files
            .iter()
            .map(|file| (file.name.clone(), file.descriptor.digest));
        let referrers = record.referrers.iter().map(|referrer| {
            let subject = record.subject_name(&referrer.repository, &referrer.subject);
            let name = format!("{} of {subject}", referrer.kind());
            (name, referrer.descriptor.digest)
        });
        images
            .chain(files)
            .chain(referrers)
            .filter(|(_, root)| dependents.contains(root))
            .map(|(name, _)| name)
            .collect()
    }

    fn check_pointers(&self) -> Result<(), Fault> {
        for node in self.graph.nodes() {
            let from = &node.descriptor.digest;
            for child in &node.children {
                let to = &child.descriptor;
                self.check_pointer(from, &to.digest, to.size)?;
                if node.kind == Kind::Index && !self.is_listed(&to.digest, &to.media_type) {
                    let what = format!(
                        "it lists {} as {:?}, but the record does not",
                        to.digest, to.media_type
                    );
                    return Err(self.fault(from, what));
                }
            }
            for blob in &node.blobs {
                let foreign = blob.foreign_type.as_deref();
                if !foreign.is_some_and(media_type::is_nondistributable)
                    || self.store.size(&blob.digest).is_some()
                {
                    self.check_pointer(from, &blob.digest, blob.size)?;
                }
            }
        }
        Ok(())
    }

    fn is_listed(&self, digest: &Digest, media_type: &str) -> bool {
        let node = self.graph.get(digest);
        node.is_some_and(|node| node.descriptor.media_type == media_type)
    }

    fn check_pointer(&self, from: &Digest, to: &Digest, size: u64) -> Result<(), Fault> {
        match self.store.size(to) {
            Some(actual) if actual == size => Ok(()),
            Some(actual) => Err(self.fault(
                from,
                format!("it lists {to} with {size} bytes, but the file has {actual}"),
            )),
            None => Err(self.fault(from, format!("it needs {to}, which is not in the file"))),
        }
    }
}

fn fault_at(store: &dyn Store, digest: &Digest, what: impl Into<String>) -> Fault {
    let Location { entry, offset } = store.locate(digest);
    Fault::new(entry, offset, what)
}

fn read_manifest(store: &dyn Store, descriptor: &Descriptor) -> Result<Manifest, Fault> {
    let fault = |what: String| fault_at(store, &descriptor.digest, what);
    let mut bytes = Vec::new();
    store
        .open(&descriptor.digest, 0)
        .and_then(|reader| {
            reader
                .take(MAX_MANIFEST_BYTES as u64 + 1)
                .read_to_end(&mut bytes)
        })
        .map_err(|error| fault(format!("cannot be read: {error}")))?;
    Manifest::parse_for(bytes, descriptor).map_err(|error| fault(error.to_string()))
}

/// Opens a file that is neither a folder, which only fails when it is read, nor a pipe, which would wait
/// for its other end.
fn open_regular(path: &Path) -> io::Result<File> {
    let metadata = std::fs::metadata(path)?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !metadata.is_file() {
        return Err(io::Error::other(
            "not a regular file (a bundle is read at several places at once)",
        ));
    }
    File::open(path)
}

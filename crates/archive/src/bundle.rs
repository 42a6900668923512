//! An open bundle: what it carries, and the store that its content is read from.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sealift_oci::{Descriptor, Digest, ImageConfig, ImageConfigError, Manifest};
use sealift_pipeline::VerifyingReader;

use crate::chain::ChainError;
use crate::contents::{
    Contents, Graph, Identity, ImageEntry, MAX_CONFIG_BYTES, NeededBy, PlainDescriptor, Record,
};
use crate::delta::{Delta, Unreadable};
use crate::fault::Fault;
use crate::resources::Resources;
use crate::scratch::check_scratch;
use crate::store::{
    BundleFile, FileStore, NamedStore, Profile, ReadAt, RecordParts, Store, fault_at, read_graph,
    read_manifest,
};
use crate::target::is_partial;

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
    /// It is the record of a bundle, without the blobs.
    #[error("{name} is the record of a bundle, without its blobs (expected the bundle)")]
    Record {
        /// The file.
        name: String,
    },
    /// It is the partial file of a bundle that is not complete.
    #[error("{name} is an unfinished bundle")]
    Unfinished {
        /// The file.
        name: String,
    },
    /// It is a delta that cannot be read with its bases.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

/// An open bundle: its record and all its manifests were checked; its blobs are checked as they are read.
pub struct Bundle {
    name: String,
    contents: Contents,
    graph: Graph,
    store: Arc<dyn Store>,
    profile: Profile,
    delta: Option<Delta>,
    total: u64,
    /// The folder for scratch space; `None` if there is no file whose blobs are rebuilt.
    scratch: Option<PathBuf>,
}

/// Content of a bundle that ends without an error only if its size and digest are right.
pub type BlobReader = VerifyingReader<Box<dyn Read + Send>>;

impl Bundle {
    /// Opens the bundle at `location`, a path, for reading only. Of a delta, what its bases have cannot be read.
    ///
    /// # Errors
    /// If there is no regular file, or it is not a bundle, or its metadata is corrupt.
    pub(crate) fn open_without_bases(
        location: &Path,
        resources: &Resources,
    ) -> Result<Self, OpenError> {
        let name = location.display().to_string();
        let file = match open_regular(location) {
            Ok(file) => Arc::new(file),
            Err(source) => return Err(OpenError::Io { name, source }),
        };
        let opened = Self::read_without_bases(Arc::<File>::clone(&file), name, resources);
        opened.map_err(|error| match error {
            OpenError::Fault { name, .. } if is_partial(location, &file) => {
                OpenError::Unfinished { name }
            }
            OpenError::Fault { name, fault } => match RecordParts::read(file) {
                Ok(Some(_)) => OpenError::Record { name },
                Ok(None) | Err(_) => OpenError::Fault { name, fault },
            },
            error => error,
        })
    }

    /// The same from anything that can be read at offsets; errors call it `name`.
    pub(crate) fn read_without_bases(
        file: Arc<dyn ReadAt>,
        name: String,
        resources: &Resources,
    ) -> Result<Self, OpenError> {
        let opened = BundleFile::read(file, resources).and_then(|file| {
            let bundle = Self::check(name.clone(), file.contents, file.store.blobs())?;
            Ok(Self {
                profile: file.store.profile(),
                total: file.total,
                scratch: Some(resources.scratch.clone()),
                delta: match file.store {
                    FileStore::Delta(store) => Some(Delta::new(file.bases, store)),
                    FileStore::Plain(_) | FileStore::Compact(_) => None,
                },
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
        let graph = read_graph(&contents, &*store, &|digest| store.size(digest))?;
        Ok(Self {
            name,
            contents,
            graph,
            store,
            profile: Profile::Plain,
            delta: None,
            total: 0,
            scratch: None,
        })
    }

    /// The same bundle, whose blobs are rebuilt with scratch space in `folder`.
    pub(crate) fn with_scratch(self, folder: PathBuf) -> Self {
        Self {
            scratch: Some(folder),
            ..self
        }
    }

    /// What the bundle leaves to its bases; `None` if it is complete in itself.
    pub fn delta(&self) -> Option<&Delta> {
        self.delta.as_ref()
    }

    /// The same delta with one more store of blobs of its bases, which is tried after the others. A bundle that
    /// is not a delta needs none.
    pub fn with_base(&self, store: NamedStore) -> Self {
        self.share().with_bases(vec![store], 0)
    }

    pub(crate) fn with_bases(self, stores: Vec<NamedStore>, chain: u32) -> Self {
        let Some(delta) = self.delta else {
            return self;
        };
        let delta = delta.with_bases(stores, chain);
        Self {
            store: delta.store(),
            delta: Some(delta),
            ..self
        }
    }

    /// Checks that everything that reading `digests` needs is there: blobs of bases, which only a delta needs, and
    /// scratch space, if blobs are rebuilt.
    ///
    /// # Errors
    /// What is absent, for each base, or how much scratch space is missing.
    pub fn check_readable(
        &self,
        digests: impl IntoIterator<Item = Digest>,
    ) -> Result<(), Unreadable> {
        Self::check_all_readable(&[(self, digests.into_iter().collect())])
    }

    /// The same for blobs of several bundles, which are read at the same time with one folder for scratch space.
    ///
    /// # Errors
    /// As [`Bundle::check_readable`].
    pub fn check_all_readable(reads: &[(&Self, Vec<Digest>)]) -> Result<(), Unreadable> {
        let mut needed = 0_u64;
        for (bundle, digests) in reads {
            if let Some(delta) = &bundle.delta {
                delta.check_readable(&bundle.name, digests.iter().copied())?;
            }
            needed = needed.saturating_add(bundle.store.scratch(digests));
        }
        let mut folders = reads
            .iter()
            .filter_map(|(bundle, _)| bundle.scratch.as_deref());
        match folders.next() {
            Some(folder) => Ok(check_scratch(folder, needed)?),
            None => Ok(()),
        }
    }

    /// The bytes of scratch space that reading `digests` one after the other needs at most.
    pub fn scratch(&self, digests: impl IntoIterator<Item = Digest>) -> u64 {
        let digests: Vec<Digest> = digests.into_iter().collect();
        self.store.scratch(&digests)
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

    /// Where its content is read from, for readers that are independent of the bundle.
    pub fn shared_store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    /// The same bundle; both read from the same store.
    pub(crate) fn share(&self) -> Self {
        Self {
            name: self.name.clone(),
            contents: self.contents.clone(),
            graph: self.graph.clone(),
            store: Arc::clone(&self.store),
            profile: self.profile,
            delta: self.delta.clone(),
            total: self.total,
            scratch: self.scratch.clone(),
        }
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
        self.record().sizes()
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

    /// The publisher's index of an image of which platforms were chosen, if the bundle carries it and it lists by
    /// itself all that was chosen: what an index in it lists is not found without that.
    pub fn publisher_index<'a>(&self, image: &'a ImageEntry) -> Option<&'a PlainDescriptor> {
        let original = image.original.as_ref()?;
        if self.graph.contains(&original.digest) {
            return Some(original);
        }
        self.size(&original.digest)?;
        // One that is damaged is not used: the new index is intact.
        let index = self.read_manifest(original).ok()?;
        let listed: BTreeSet<Digest> = index.children().iter().map(|child| child.digest).collect();
        let mut chosen = image.platforms.iter();
        chosen
            .all(|platform| listed.contains(&platform.digest))
            .then_some(original)
    }

    /// Reads the configuration of an image, which the graph lists as one and which is small.
    ///
    /// # Errors
    /// If it cannot be read or has another digest; the inner error if it is not understood.
    pub fn image_config(
        &self,
        digest: &Digest,
    ) -> io::Result<Result<ImageConfig, ImageConfigError>> {
        let mut bytes = Vec::new();
        self.blob(digest)?
            .take(MAX_CONFIG_BYTES + 1)
            .read_to_end(&mut bytes)?;
        Ok(ImageConfig::parse(&bytes))
    }

    /// A fault of the content of `digest`, with its location.
    pub fn fault(&self, digest: &Digest, what: impl Into<String>) -> Fault {
        fault_at(&*self.store, digest, what)
    }

    /// The names of everything that needs `digest`: images, files, and what referrers are of.
    pub fn needed_by(&self, digest: &Digest) -> NeededBy {
        let mut found = self.needed_by_each(&BTreeSet::from([*digest]));
        found.remove(digest).unwrap_or_default()
    }

    /// The same for each of `digests`, as far as something needs it.
    pub fn needed_by_each(&self, digests: &BTreeSet<Digest>) -> BTreeMap<Digest, NeededBy> {
        self.record().needed_by(&self.graph, digests)
    }
}

/// Opens a file that is neither a folder, which only fails when it is read, nor a pipe, which would wait
/// for its other end.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
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

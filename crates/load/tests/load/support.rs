//! Bundles of testkit's images in memory, and a client that does not wait.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sealift_archive::{
    BlobEntry, Bundle, Contents, Discovery, FileEntry, FileKind, ImageEntry, ImageSource,
    MemoryStore, PlainDescriptor, Record, ReferrerEntry,
};
use sealift_load::{Context, LoadError, Plan, Receipt, Request, execute, plan};
use sealift_oci::Digest;
use sealift_pipeline::{Budget, Cancel, NoObserver};
use sealift_registry::{Client, ClientOptions, RetryPolicy};
use sealift_testkit::{Image, ImageMaker, Layer, Registry};

/// A bundle in the making.
#[derive(Clone)]
pub(crate) struct Maker {
    pub(crate) record: Record,
    content: BTreeMap<Digest, Arc<[u8]>>,
}

impl Maker {
    pub(crate) fn new() -> Self {
        Self {
            record: Record::empty(),
            content: BTreeMap::new(),
        }
    }

    fn add(&mut self, image: &Image) -> PlainDescriptor {
        for made in &image.manifests {
            self.record
                .manifests
                .push(PlainDescriptor::from(&made.descriptor));
            self.content
                .insert(made.descriptor.digest, Arc::clone(&made.bytes));
        }
        for (digest, bytes) in &image.blobs {
            self.blob(*digest, Arc::clone(bytes));
        }
        PlainDescriptor::from(&image.root)
    }

    pub(crate) fn blob(&mut self, digest: Digest, bytes: Arc<[u8]>) {
        self.record.blobs.push(BlobEntry {
            digest,
            size: bytes.len() as u64,
            config: false,
        });
        self.content.insert(digest, bytes);
    }

    pub(crate) fn image(mut self, reference: &str, image: &Image) -> Self {
        let descriptor = self.add(image);
        self.record.images.push(ImageEntry {
            reference: reference.parse().unwrap(),
            descriptor,
            source: ImageSource::Registry,
            original: None,
            platforms: Vec::new(),
            left_out: Vec::new(),
            new_digest: false,
        });
        self
    }

    pub(crate) fn file(mut self, name: &str, reference: &str, artifact: &Image) -> Self {
        let descriptor = self.add(artifact);
        self.record.files.push(FileEntry {
            name: name.to_owned(),
            kind: FileKind::File,
            reference: reference.parse().unwrap(),
            descriptor,
        });
        self
    }

    /// A referrer of `subject`, found by its field or, where it has a tag, by that.
    pub(crate) fn referrer(mut self, repository: &str, subject: Digest, image: &Image) -> Self {
        let descriptor = self.add(image);
        self.record.referrers.push(ReferrerEntry {
            repository: repository.to_owned(),
            subject,
            descriptor,
            artifact_type: None,
            discovery: match image.tags.first() {
                Some((tag, _)) => Discovery::Tag(tag.clone()),
                None => Discovery::Subject,
            },
        });
        self
    }

    pub(crate) fn bundle(&self) -> Bundle {
        self.bundle_with(self.store())
    }

    /// The bundle with one byte of a blob changed.
    pub(crate) fn damaged(&self, digest: &Digest) -> Bundle {
        let mut bytes = self.content[digest].to_vec();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        let mut store = self.store();
        store.insert(*digest, bytes);
        self.bundle_with(store)
    }

    fn store(&self) -> MemoryStore {
        let blobs = self.content.iter();
        blobs
            .map(|(digest, bytes)| (*digest, bytes.to_vec()))
            .collect()
    }

    fn bundle_with(&self, store: MemoryStore) -> Bundle {
        let contents = Contents::new(self.record.clone()).unwrap();
        Bundle::from_store(contents, Arc::new(store), "test.tar")
            .unwrap_or_else(|error| panic!("{error}"))
    }
}

/// An image of two platforms with a layer that all images share and one of its own.
pub(crate) fn image(seed: &str) -> Image {
    ImageMaker::new(seed)
        .layer(Layer::gzip("base", 60_000))
        .layer(Layer::gzip(seed, 30_000))
        .make()
}

/// The same for one platform.
pub(crate) fn small(seed: &str) -> Image {
    ImageMaker::new(seed)
        .single()
        .layer(Layer::gzip("base", 60_000))
        .layer(Layer::gzip(seed, 5_000))
        .make()
}

pub(crate) fn client() -> Client {
    Client::new(ClientOptions {
        retry: RetryPolicy {
            retries: 3,
            base: Duration::from_millis(1),
            cap: Duration::from_millis(4),
            ..RetryPolicy::default()
        },
        ..ClientOptions::default()
    })
}

pub(crate) fn request(host: &str) -> Request {
    Request::new(format!("{host}/mirror").parse().unwrap())
}

pub(crate) fn planned(bundle: &Bundle, request: &Request) -> Result<Plan, LoadError> {
    with(8, |context| plan(bundle, request, context))
}

pub(crate) fn run(bundle: &Bundle, request: &Request) -> Result<Receipt, LoadError> {
    run_with(8, bundle, request)
}

/// The same with so many connections.
pub(crate) fn run_with(
    connections: usize,
    bundle: &Bundle,
    request: &Request,
) -> Result<Receipt, LoadError> {
    with(connections, |context| {
        let plan = plan(bundle, request, context)?;
        execute(bundle, &plan, context)
    })
}

pub(crate) fn with<T>(connections: usize, work: impl FnOnce(&Context<'_>) -> T) -> T {
    work(&Context {
        client: &client(),
        budget: &Budget::new(connections, 2),
        scratch: &std::env::temp_dir(),
        observer: &NoObserver,
        cancel: &Cancel::new(),
    })
}

/// Loads into `registry`, below `mirror`.
pub(crate) fn load(bundle: &Bundle, registry: &Registry) -> Result<Receipt, LoadError> {
    run(bundle, &request(&registry.host()))
}

/// Nothing but questions was sent.
pub(crate) fn assert_no_writes(registry: &Registry) {
    let traffic = registry.traffic();
    assert!(traffic.writes().is_empty(), "{:?}", traffic.writes());
}

/// Nothing that a client can see was written, and no upload was left open.
pub(crate) fn assert_nothing_visible(registry: &Registry) {
    for (name, kept) in registry.snapshot().0 {
        assert!(kept.manifests.is_empty(), "{name} has manifests");
        assert!(kept.tags.is_empty(), "{name} has tags");
        for digest in kept.blobs {
            let bytes = registry.blob(&name, &digest).unwrap();
            assert_eq!(Digest::of(digest.algorithm(), &bytes), digest, "{name}");
        }
    }
}

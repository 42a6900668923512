//! Bundles of testkit's images, and a client that does not wait.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sealift_archive::{
    BlobEntry, Bundle, FileEntry, FileKind, Found, ImageEntry, ImageSource, Layout,
    PlainDescriptor, Record, ReferrerEntry, StreamWriter,
};
use sealift_load::{LoadError, Plan, Receipt, Request, execute, plan};
use sealift_oci::Digest;
use sealift_pipeline::{Cancel, NoObserver};
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
            found: match image.tags.first() {
                Some((tag, _)) => Found::Tag(tag.clone()),
                None => Found::Subject,
            },
        });
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let layout = Layout::new(self.record.clone()).unwrap();
        let mut writer = StreamWriter::new(Vec::new(), layout);
        while let Some(digest) = writer.next_blob().unwrap() {
            writer
                .write_blob(&mut &self.content[&digest][..], |_| {})
                .unwrap();
        }
        writer.finish().unwrap().0
    }

    pub(crate) fn bundle(&self) -> Bundle {
        open(self.bytes())
    }

    /// The bundle with one byte of a blob changed.
    pub(crate) fn damaged(&self, digest: &Digest) -> Bundle {
        let mut bytes = self.bytes();
        let extent = self.bundle().extent(digest).unwrap();
        let middle = usize::try_from(extent.offset + extent.size / 2).unwrap();
        bytes[middle] ^= 1;
        open(bytes)
    }
}

pub(crate) fn open(bytes: Vec<u8>) -> Bundle {
    Bundle::from_reader(Arc::new(bytes), "test.tar").unwrap_or_else(|error| panic!("{error}"))
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
    plan(bundle, request, &client(), &NoObserver, &Cancel::new())
}

pub(crate) fn run(bundle: &Bundle, request: &Request) -> Result<Receipt, LoadError> {
    let (client, cancel) = (client(), Cancel::new());
    let plan = plan(bundle, request, &client, &NoObserver, &cancel)?;
    execute(bundle, &plan, &client, &NoObserver, &cancel)
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

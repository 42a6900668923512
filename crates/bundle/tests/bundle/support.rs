use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sealift_archive::{Bundle, OutputFile, verify};
use sealift_bundle::{
    BundleError, Context, Output, Plan, Report, Request, execute, resolve, resume,
};
use sealift_oci::Digest;
use sealift_pipeline::{Budget, Cancel, Event, NoObserver, Observer};
use sealift_registry::{Client, ClientOptions, RetryPolicy};
use sealift_testkit::{Image, ImageMaker, Layer, Registry};
use tempfile::TempDir;

/// The connected side: a folder to write to, and how many connections to make.
pub(crate) struct Connected {
    pub(crate) folder: TempDir,
    pub(crate) connections: usize,
    pub(crate) cancel: Cancel,
    pub(crate) observer: Arc<dyn Observer>,
    /// How long a connection may stand still, if not as long as usual.
    pub(crate) idle_timeout: Option<Duration>,
}

impl Connected {
    pub(crate) fn new() -> Self {
        Self::with_connections(4)
    }

    pub(crate) fn with_connections(connections: usize) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            connections,
            cancel: Cancel::new(),
            observer: Arc::new(NoObserver),
            idle_timeout: None,
        }
    }

    /// One that is stopped after so many steps.
    pub(crate) fn stopped_after(&mut self, steps: u64) {
        self.cancel = Cancel::new();
        self.observer = Arc::new(Stopper {
            left: AtomicU64::new(steps),
            cancel: self.cancel.clone(),
        });
    }

    /// One that goes on.
    pub(crate) fn not_stopped(&mut self) {
        self.cancel = Cancel::new();
        self.observer = Arc::new(NoObserver);
    }

    pub(crate) fn output(&self) -> OutputFile {
        OutputFile {
            path: self.folder.path().join("out.tar"),
            state_dir: None,
            replace: false,
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.output().path
    }

    pub(crate) fn with<T>(&self, work: impl FnOnce(&Context<'_>) -> T) -> T {
        let usual = ClientOptions::default();
        let client = Client::new(ClientOptions {
            idle_timeout: self.idle_timeout.unwrap_or(usual.idle_timeout),
            retry: RetryPolicy {
                retries: 3,
                base: Duration::from_millis(1),
                cap: Duration::from_millis(2),
                retry_after_cap: Duration::from_millis(2),
            },
            cancel: self.cancel.clone(),
            connections: self.connections,
            ..usual
        });
        work(&Context {
            client: &client,
            budget: &Budget::new(self.connections, 2),
            scratch: self.folder.path(),
            bases: &sealift_archive::Bases::default(),
            observer: &self.observer,
            cancel: &self.cancel,
        })
    }

    pub(crate) fn plan(&self, request: &Request) -> Result<Plan, BundleError> {
        self.with(|context| resolve(request, context))
    }

    pub(crate) fn write(&self, plan: &Plan) -> Result<Report, BundleError> {
        self.with(|context| execute(plan, Output::File(&self.output()), context))
    }

    /// As the command line does it: what an interrupted run left is taken up.
    pub(crate) fn build(&self, request: &Request) -> Result<Report, BundleError> {
        let plan = match resume(request, &self.output()) {
            Some(plan) => plan,
            None => self.plan(request)?,
        };
        self.write(&plan)
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        fs::read(self.path()).unwrap()
    }

    /// The same as a stream.
    pub(crate) fn stream(&self, request: &Request) -> Result<Vec<u8>, BundleError> {
        let plan = self.plan(request)?;
        let mut bytes = Vec::new();
        self.with(|context| execute(&plan, Output::Stream(&mut bytes), context))?;
        Ok(bytes)
    }

    /// The names in the folder, sorted.
    pub(crate) fn left(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort_unstable();
        names
    }

    /// The bundle, after all of it was read and found right.
    pub(crate) fn open(&self) -> Bundle {
        let bundle = Bundle::open(&self.path(), &reading()).unwrap();
        let report = verify(
            &bundle,
            true,
            &Budget::new(1, 2),
            &Cancel::new(),
            &NoObserver,
        )
        .unwrap();
        assert_eq!(report.problems, []);
        bundle
    }
}

struct Stopper {
    left: AtomicU64,
    cancel: Cancel,
}

impl Observer for Stopper {
    fn event(&self, event: &Event<'_>) {
        if matches!(event, Event::Advanced { .. } | Event::Finished { .. }) {
            let before = self
                .left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                    left.checked_sub(1)
                });
            if before.is_err() {
                self.cancel.cancel();
            }
        }
    }
}

/// A request for images by name, with all that belongs to them.
pub(crate) fn request(names: &[String]) -> Request {
    Request {
        images: names.iter().map(|name| name.parse().unwrap()).collect(),
        referrers: true,
        ..Request::default()
    }
}

/// The same without referrers.
pub(crate) fn plain(names: &[String]) -> Request {
    Request {
        referrers: false,
        ..request(names)
    }
}

/// A small image for two platforms, with a base that others share.
pub(crate) fn image(seed: &str) -> Image {
    ImageMaker::new(seed)
        .layer(Layer::gzip("base", 40_000))
        .layer(Layer::gzip(seed, 3000))
        .layer(Layer::empty())
        .make()
}

/// Three images in one registry, and their names.
pub(crate) fn three(registry: &Registry) -> (Vec<Image>, Vec<String>) {
    let images: Vec<Image> = ["a", "b", "c"].map(image).into();
    let names = ["one/a", "one/b", "two/c"];
    for (image, name) in images.iter().zip(names) {
        image.put_into(registry, name, Some("v1"));
    }
    let names = names.map(|name| registry.reference(name, "v1"));
    (images, names.into())
}

/// The names of [`three`] images of which the second is incomplete, and of two more that cannot be had: one that is not
/// there, and one whose registry does not answer.
pub(crate) fn three_of_which_one_is_incomplete(registry: &Registry) -> (Vec<String>, [String; 2]) {
    let (images, names) = three(registry);
    registry.forget_manifest("one/b", &images[1].children()[0].digest);
    let missing = registry.reference("no/such", "v9");
    (names, [missing, "127.0.0.1:1/dead:v1".to_owned()])
}

/// Asserts that the bundle has all of an image, byte for byte.
pub(crate) fn assert_has(bundle: &Bundle, image: &Image) {
    for made in &image.manifests {
        let manifest = bundle.manifest(&made.descriptor.digest).unwrap().unwrap();
        assert_eq!(manifest.bytes(), &made.bytes);
    }
    for (digest, bytes) in &image.blobs {
        assert_eq!(&read(bundle, digest), &bytes[..]);
    }
}

pub(crate) fn read(bundle: &Bundle, digest: &Digest) -> Vec<u8> {
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut bundle.blob(digest).unwrap(), &mut bytes).unwrap();
    bytes
}

/// The message of a failure.
pub(crate) fn words<T: std::fmt::Debug>(result: Result<T, BundleError>) -> String {
    result.unwrap_err().to_string()
}

/// What bundles are opened with.
fn reading() -> sealift_archive::Reading {
    sealift_archive::Resources {
        budget: sealift_pipeline::Budget::new(1, 2),
        scratch: std::env::temp_dir(),
        cancel: sealift_pipeline::Cancel::new(),
    }
    .into()
}

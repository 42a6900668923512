use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sealift_oci::{Descriptor, Digest};
use sealift_pipeline::{Event, Observer, VerifyingReader};
use sealift_registry::{BlobSource, Client, ClientOptions, Pushed, Repository, RetryPolicy};
use sealift_testkit::{Registry, Route, When, filler};

/// What no output may contain.
pub(crate) const CANARY: &str = "canary-in-the-coal-mine";

/// A blob that is hashed while it is read, as the loader's are.
pub(crate) struct Blob {
    bytes: Vec<u8>,
    descriptor: Descriptor,
    pub(crate) told: AtomicU64,
}

impl Blob {
    pub(crate) fn new(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self {
            descriptor: Descriptor::of("application/octet-stream", &bytes),
            bytes,
            told: AtomicU64::new(0),
        }
    }

    pub(crate) fn filled(seed: &str, size: usize) -> Self {
        Self::new(filler(seed, size))
    }

    /// One byte is another than was promised.
    pub(crate) fn damaged(mut self, at: usize) -> Self {
        self.bytes[at] ^= 1;
        self
    }

    pub(crate) fn digest(&self) -> Digest {
        self.descriptor.digest
    }

    pub(crate) fn size(&self) -> u64 {
        self.descriptor.size
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl BlobSource for Blob {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn open(&self, offset: u64) -> io::Result<Box<dyn Read + Send + '_>> {
        let Descriptor { digest, size, .. } = self.descriptor;
        let mut reader = VerifyingReader::new(&self.bytes[..], digest, size);
        io::copy(&mut (&mut reader).take(offset), &mut io::sink())?;
        Ok(Box::new(reader))
    }

    fn sent(&self, bytes: u64) {
        self.told.fetch_max(bytes, Ordering::Relaxed);
    }
}

/// Remembers in words what happened.
#[derive(Default)]
pub(crate) struct Heard(Mutex<Vec<String>>);

impl Heard {
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Observer for Heard {
    fn event(&self, event: &Event<'_>) {
        self.0.lock().unwrap().push(format!("{event:?}"));
    }
}

/// Options whose waits cost a test nothing.
pub(crate) fn options() -> ClientOptions {
    ClientOptions {
        retry: RetryPolicy {
            retries: 4,
            base: Duration::from_millis(1),
            cap: Duration::from_millis(4),
            retry_after_cap: Duration::from_millis(10),
        },
        ..ClientOptions::default()
    }
}

pub(crate) fn repository(registry: &Registry, name: &str) -> Repository {
    repository_with(registry, name, options())
}

pub(crate) fn repository_with(
    registry: &Registry,
    name: &str,
    options: ClientOptions,
) -> Repository {
    Client::new(options)
        .repository(&registry.host(), name)
        .unwrap()
}

/// Options with somebody who listens.
pub(crate) fn heard() -> (Arc<Heard>, ClientOptions) {
    let heard = Arc::new(Heard::default());
    let observer = Arc::clone(&heard);
    (
        heard,
        ClientOptions {
            observer,
            ..options()
        },
    )
}

/// More than one part of an upload.
pub(crate) const LARGE: usize = 6 << 20;

pub(crate) fn patch() -> When {
    When::new("PATCH", Route::Session)
}

pub(crate) fn put() -> When {
    When::new("PUT", Route::Session)
}

/// Sends a large blob, which arrives once whatever happens on the way.
pub(crate) fn gets_through(registry: &Registry) -> Blob {
    let blob = Blob::filled("large", LARGE);
    let pushed = repository(registry, "a/b").push_blob(&blob, &[]).unwrap();
    assert_eq!(pushed, Pushed::Sent);
    assert_eq!(registry.blob("a/b", &blob.digest()).unwrap(), blob.bytes());
    assert_eq!(registry.outstanding_faults(), 0);
    assert_eq!(registry.open_sessions(), 0);
    blob
}

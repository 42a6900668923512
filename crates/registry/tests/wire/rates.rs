//! A limit on bytes a second holds for downloads and uploads, for all connections together.

use std::io::Read as _;
use std::time::{Duration, Instant};

use sealift_oci::Descriptor;
use sealift_pipeline::RateLimit;
use sealift_registry::{ClientOptions, Pushed};
use sealift_testkit::{Registry, filler};

use crate::support::{Blob, options, repository_with};

const BYTES: usize = 200_000;

/// Options with which two blobs take at least 0.8 s.
fn limited() -> ClientOptions {
    ClientOptions {
        rate: Some(RateLimit::new(400_000)),
        ..options()
    }
}

fn takes_its_time(work: impl FnOnce()) {
    let begin = Instant::now();
    work();
    let elapsed = begin.elapsed();
    assert!(elapsed >= Duration::from_millis(800), "{elapsed:?}");
    assert!(elapsed < Duration::from_secs(20), "{elapsed:?}");
}

#[test]
fn downloads_share_the_rate() {
    let registry = Registry::start();
    let blobs = ["a", "b"].map(|seed| filler(seed, BYTES));
    let descriptors = blobs.each_ref().map(|bytes| {
        registry.put_blob("a/b", bytes);
        Descriptor::of("x", bytes)
    });
    let repository = repository_with(&registry, "a/b", limited());
    takes_its_time(|| {
        std::thread::scope(|scope| {
            for (descriptor, bytes) in descriptors.iter().zip(&blobs) {
                let repository = &repository;
                scope.spawn(move || {
                    let mut read = Vec::new();
                    let mut body = repository.blob(descriptor, 0).unwrap();
                    body.reader.read_to_end(&mut read).unwrap();
                    assert_eq!(&read, bytes);
                });
            }
        });
    });
}

#[test]
fn uploads_keep_to_the_rate() {
    let registry = Registry::start();
    let repository = repository_with(&registry, "a/b", limited());
    takes_its_time(|| {
        for seed in ["a", "b"] {
            let blob = Blob::filled(seed, BYTES);
            assert_eq!(repository.push_blob(&blob, &[]).unwrap(), Pushed::Sent);
            assert_eq!(registry.blob("a/b", &blob.digest()).unwrap(), blob.bytes());
        }
    });
}

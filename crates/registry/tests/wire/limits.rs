//! Responses that never end and registries that never read: each is given up in time, both ways.

use std::time::{Duration, Instant};

use sealift_oci::Descriptor;
use sealift_registry::{ClientOptions, ErrorKind, RegistryError, Repository};
use sealift_testkit::{Endless, Fault, Registry, Route, When, filler};

use crate::support::{Blob, options, repository_with};

/// How long a connection may stand still in these tests.
const IDLE: Duration = Duration::from_millis(300);
/// More than any of these requests may take: two attempts, with twice the time for a body.
const SOON: Duration = Duration::from_secs(10);

/// Requests something from a registry where everything goes wrong in one way, and expects that to be given up.
fn is_given_up(
    fault: Fault,
    when: When,
    request: impl FnOnce(&Registry, &Repository) -> Result<(), RegistryError>,
) {
    let registry = Registry::start();
    let blob = registry.put_blob("a/b", b"content");
    registry.put_manifest(
        "a/b",
        "application/vnd.oci.image.manifest.v1+json",
        format!(r#"{{"schemaVersion":2,"config":{{"mediaType":"x","digest":"{blob}","size":7}},"layers":[]}}"#),
    );
    registry.script(when.always(), fault.clone());
    let options = ClientOptions {
        idle_timeout: IDLE,
        ..options()
    };
    let begun = Instant::now();
    let error = request(&registry, &repository_with(&registry, "a/b", options)).unwrap_err();
    assert!(begun.elapsed() < SOON, "{fault:?}: {:?}", begun.elapsed());
    assert!(
        matches!(error.kind, ErrorKind::Stalled(_)),
        "{fault:?}: {error}"
    );
}

#[test]
fn a_head_that_never_ends_is_given_up() {
    for endless in [
        Endless::Head(Duration::from_millis(20)),
        Endless::Interim(100),
        Endless::Interim(102),
        Endless::Interim(103),
    ] {
        is_given_up(Fault::Endless(endless), When::any(), |_, repository| {
            repository.tags().map(drop)
        });
    }
}

#[test]
fn a_body_that_drips_is_given_up() {
    let drip = Fault::Trickle(1, Duration::from_millis(20));
    is_given_up(
        drip,
        When::new("GET", Route::Manifest),
        |registry, repository| {
            let digest = &registry.snapshot().0["a/b"].manifests[0];
            repository.manifest(&digest.to_string()).map(drop)
        },
    );
}

#[test]
fn trailers_that_never_end_are_given_up() {
    is_given_up(
        Fault::Endless(Endless::Trailers),
        When::any(),
        |_, repository| repository.tags().map(drop),
    );
}

#[test]
fn a_blob_is_complete_before_trailers_that_never_end() {
    let registry = Registry::start();
    let bytes = filler("blob", 1 << 20);
    registry.put_blob("a/b", &bytes);
    registry.script(When::any().always(), Fault::Endless(Endless::Trailers));
    let repository = repository_with(&registry, "a/b", options());
    let descriptor = Descriptor::of("x", &bytes);
    let mut read = Vec::new();
    let mut body = repository.blob(&descriptor, 0).unwrap();
    body.reader.read_to_end(&mut read).unwrap();
    assert_eq!(read, bytes);
}

#[test]
fn an_upload_that_is_never_read_is_given_up() {
    for size in [10, 16 << 20] {
        for method in ["PATCH", "PUT"] {
            is_given_up(
                Fault::NeverRead,
                When::new(method, Route::Session),
                |_, repository| {
                    repository
                        .push_blob(&Blob::filled("x", size.max(300 << 10)), &[])
                        .map(drop)
                },
            );
        }
    }
}

#[test]
fn a_response_that_drips_after_an_upload_is_given_up_and_the_blob_is_found() {
    let registry = Registry::start();
    registry.script(
        When::new("PUT", Route::Session).always(),
        Fault::Endless(Endless::Head(Duration::from_millis(20))),
    );
    let options = ClientOptions {
        idle_timeout: IDLE,
        ..options()
    };
    let begun = Instant::now();
    repository_with(&registry, "a/b", options)
        .push_blob(&Blob::new(*b"x"), &[])
        .unwrap();
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    assert_eq!(registry.traffic().count("PUT", Route::Session), 1);
}

#[test]
fn a_registry_that_hashes_a_large_blob_has_more_time_than_one_that_does_not() {
    let registry = Registry::start();
    registry.script(When::new("PUT", Route::Session), Fault::Delay(3 * IDLE));
    let options = ClientOptions {
        idle_timeout: IDLE,
        ..options()
    };
    // A second for each 8 MiB.
    let blob = Blob::filled("large", 16 << 20);
    repository_with(&registry, "a/b", options)
        .push_blob(&blob, &[])
        .unwrap();
    assert_eq!(registry.traffic().count("PUT", Route::Session), 1);
}

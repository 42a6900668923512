//! The ladder of uploads, with registries as they should be and as they are known to be.

use std::sync::atomic::Ordering;

use sealift_registry::{Client, ClientOptions, Keychain, Pushed, SpecCode};
use sealift_testkit::{Bearer, Behaviour, Mounts, Profile, Registry, Route};

use crate::credentials::password;
use crate::support::{Blob, options, repository, repository_with};

const LARGE: usize = 10 << 20;

fn sent(registry: &Registry, blob: &Blob) {
    let pushed = repository(registry, "a/b").push_blob(blob, &[]).unwrap();
    assert_eq!(pushed, Pushed::Sent);
    arrived(registry, blob);
}

fn arrived(registry: &Registry, blob: &Blob) {
    assert_eq!(registry.blob("a/b", &blob.digest()).unwrap(), blob.bytes());
    assert_eq!(registry.traffic().uploads()[&blob.digest()], 1);
    assert_eq!(registry.open_sessions(), 0);
    assert_eq!(blob.told.load(Ordering::Relaxed), blob.size());
}

#[test]
fn a_small_blob_is_one_put() {
    let registry = Registry::start();
    for blob in [Blob::new(*b"small"), Blob::new(*b"")] {
        sent(&registry, &blob);
    }
    assert_eq!(registry.traffic().count("PATCH", Route::Session), 0);
}

#[test]
fn a_large_blob_is_one_patch_of_known_length_and_a_put() {
    let registry = Registry::start();
    let blob = Blob::filled("large", LARGE);
    sent(&registry, &blob);
    let traffic = registry.traffic();
    let patches = traffic.of("PATCH", Route::Session);
    assert_eq!(patches.len(), 1);
    assert_eq!(
        patches[0].header("content-length").unwrap(),
        LARGE.to_string()
    );
    assert_eq!(patches[0].header("content-range"), None);
    assert_eq!(traffic.bytes_uploaded(), blob.size());
}

#[test]
fn a_blob_that_is_there_is_not_sent() {
    let registry = Registry::start();
    let blob = Blob::new(*b"there");
    registry.put_blob("a/b", blob.bytes());
    let pushed = repository(&registry, "a/b").push_blob(&blob, &[]).unwrap();
    assert_eq!(pushed, Pushed::Present);
    assert!(registry.traffic().writes().is_empty());
}

/// Two large blobs: the second goes the way that the first has taught.
fn learned(registry: &Registry) {
    registry.create_repository("a/b");
    let repository = repository(registry, "a/b");
    let first = Blob::filled("first", LARGE);
    repository.push_blob(&first, &[]).unwrap();
    arrived(registry, &first);
    registry.clear_traffic();
    let second = Blob::filled("second", LARGE);
    repository.push_blob(&second, &[]).unwrap();
    arrived(registry, &second);
    let traffic = registry.traffic();
    let refused: Vec<_> = traffic
        .0
        .iter()
        .filter(|request| request.is_write() && !request.succeeded())
        .map(|request| (&request.method, request.status))
        .collect();
    assert_eq!(refused, []);
    assert_eq!(traffic.bytes_uploaded(), second.size());
}

#[test]
fn every_known_kind_of_registry_gets_its_blobs_and_teaches_how() {
    for profile in [
        Profile::Spec,
        Profile::Distribution2,
        Profile::Distribution3,
        Profile::Ecr,
        Profile::Acr,
        Profile::Ghcr,
        Profile::Gar,
        Profile::SmallProxy,
    ] {
        learned(&Registry::with_profile(profile));
    }
}

#[test]
fn chunks_fit_between_what_is_too_large_and_what_is_too_small() {
    let behaviour = |behaviour: &mut Behaviour| {
        behaviour.min_chunk = Some(5_000_000);
        behaviour.max_patch = Some((8 << 20, 413));
    };
    let registry = Registry::builder().behaviour(behaviour).start();
    learned(&registry);
    let traffic = registry.traffic();
    let patches = traffic.of("PATCH", Route::Session);
    let (last, others) = patches.split_last().unwrap();
    assert!(!others.is_empty() && last.bytes_in <= 8 << 20);
    for patch in others {
        assert!((5_000_000..=8 << 20).contains(&patch.bytes_in));
        assert!(patch.header("content-range").is_some());
    }
}

#[test]
fn a_refusal_before_the_body_costs_no_bytes() {
    let registry = Registry::with_profile(Profile::Ghcr);
    let blob = Blob::filled("large", LARGE);
    sent(&registry, &blob);
    assert_eq!(registry.traffic().bytes_uploaded(), blob.size());
}

#[test]
fn a_blob_is_mounted_with_a_token_for_both_repositories() {
    let bearer = Bearer::new("user", "pass");
    let registry = Registry::builder().bearer(bearer).start();
    let blob = Blob::new(*b"mounted");
    registry.put_blob("from/here", blob.bytes());
    let options = ClientOptions {
        keychain: Keychain::anonymous().with(None, password("pass")),
        ..options()
    };
    let pushed = repository_with(&registry, "a/b", options)
        .push_blob(&blob, &["from/here".to_owned()])
        .unwrap();
    let from = "from/here".to_owned();
    assert_eq!(pushed, Pushed::Mounted { from });
    assert!(registry.has_blob("a/b", &blob.digest()));
    assert!(registry.traffic().uploads().is_empty());
}

#[test]
fn the_session_that_a_mount_opens_instead_is_used() {
    let behaviour = |behaviour: &mut Behaviour| behaviour.mounts = Mounts::Ignored;
    let bearer = Bearer::new("user", "pass");
    let registry = Registry::builder()
        .behaviour(behaviour)
        .bearer(bearer)
        .start();
    let blob = Blob::filled("large", LARGE);
    registry.put_blob("from/here", blob.bytes());
    let options = ClientOptions {
        keychain: Keychain::anonymous().with(None, password("pass")),
        ..options()
    };
    let pushed = repository_with(&registry, "a/b", options)
        .upload_blob(&blob, &["from/here".to_owned()])
        .unwrap();
    assert_eq!(pushed, Pushed::Sent);
    arrived(&registry, &blob);
    let traffic = registry.traffic();
    let opened = traffic.of("POST", Route::Uploads);
    assert_eq!(opened.iter().filter(|post| post.succeeded()).count(), 1);
    assert_eq!(traffic.bytes_uploaded(), blob.size());
}

#[test]
fn a_repository_that_has_to_be_made_first_is_told_so() {
    let behaviour = |behaviour: &mut Behaviour| behaviour.creates_repositories = false;
    let registry = Registry::builder().behaviour(behaviour).start();
    let error = repository(&registry, "a/b")
        .push_blob(&Blob::filled("x", 1 << 20), &[])
        .unwrap_err();
    assert!(error.is_not_found(), "{error}");
    let refusal = error.refusal().unwrap();
    assert!(refusal.is(&SpecCode::NameUnknown), "{error}");
    assert_eq!(registry.traffic().count("POST", Route::Uploads), 1);
}

#[test]
fn blobs_of_many_threads_share_connections_and_tokens() {
    let registry = Registry::builder()
        .bearer(Bearer::new("user", "pass"))
        .start();
    let client = Client::new(ClientOptions {
        keychain: Keychain::anonymous().with(None, password("pass")),
        ..options()
    });
    let blobs: Vec<Blob> = (0..40)
        .map(|number| Blob::filled(&format!("{number}"), 1000))
        .collect();
    std::thread::scope(|scope| {
        for blobs in blobs.chunks(10) {
            let repository = client.repository(&registry.host(), "a/b").unwrap();
            scope.spawn(move || {
                for blob in blobs {
                    repository.push_blob(blob, &[]).unwrap();
                }
            });
        }
    });
    for blob in &blobs {
        arrived(&registry, blob);
    }
    // One token to pull and one to push, whoever asked first.
    assert_eq!(registry.traffic().count("GET", Route::Token), 2);
    assert!(registry.connections() <= 8, "{}", registry.connections());
}

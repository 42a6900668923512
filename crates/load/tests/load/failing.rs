//! What a failure in the middle leaves, and what the next run makes of it.

use sealift_load::{Context, LoadError};
use sealift_oci::Digest;
use sealift_pipeline::{Budget, Cancel, Event, NoObserver, Observer};
use sealift_testkit::{Artifact, Fault, ImageMaker, Layer, Registry, Route, When};

use crate::support::{
    Maker, assert_nothing_visible, client, image, load, planned, request, run, run_with, small,
};

fn maker() -> Maker {
    Maker::new()
        .image("docker.io/calico/node:v1", &image("node"))
        .image("docker.io/calico/cni:v1", &image("cni"))
        .image("docker.io/calico/typha:v1", &small("typha"))
}

/// A blob that only the image of this seed has.
fn own(seed: &str) -> Digest {
    let layer = ImageMaker::new("x").layer(Layer::gzip(seed, 30_000)).make();
    let mut own = image(seed).blobs.into_keys();
    own.find(|digest| layer.blobs.contains_key(digest)).unwrap()
}

#[test]
fn a_damaged_blob_leaves_nothing_that_a_client_can_see() {
    for digest in image("cni").blobs.keys() {
        let registry = Registry::start();
        let error = load(&maker().damaged(digest), &registry).unwrap_err();
        let LoadError::Damaged { damaged, .. } = &error else {
            panic!("{error}");
        };
        assert_eq!(damaged[0].entry, digest.blob_path());
        let touches = damaged[0].needed_by.to_string();
        assert!(touches.contains("docker.io/calico/cni:v1"), "{touches}");
        let words = error.to_string();
        assert!(
            words.contains("test.tar") && words.contains(" at byte "),
            "{words}"
        );
        assert_nothing_visible(&registry);
    }
}

#[test]
fn a_large_damaged_blob_leaves_nothing_that_a_client_can_see() {
    let registry = Registry::start();
    let big = ImageMaker::new("big")
        .single()
        .layer(Layer::plain("big", 2_000_000))
        .make();
    let digest = big
        .blobs
        .iter()
        .max_by_key(|(_, bytes)| bytes.len())
        .unwrap()
        .0;
    let maker = maker().image("r.example/big:1", &big);
    let error = load(&maker.damaged(digest), &registry).unwrap_err();
    assert!(matches!(error, LoadError::Damaged { .. }), "{error}");
    assert_nothing_visible(&registry);
    assert!(!registry.has_blob("mirror/big", digest));
}

#[test]
fn keep_going_finishes_what_is_complete_and_lists_the_rest() {
    let registry = Registry::start();
    let mut going = request(&registry.host());
    going.keep_going = true;
    let receipt = run(&maker().damaged(&own("cni")), &going).unwrap();
    assert!(!receipt.is_complete());
    assert_eq!(receipt.failed.len(), 1);
    assert_eq!(receipt.failed[0].name, "docker.io/calico/cni:v1");
    assert!(receipt.failed[0].reason.contains(&own("cni").hex()));
    image("node").assert_in(&registry, "mirror/calico/node", Some("v1"));
    small("typha").assert_in(&registry, "mirror/calico/typha", Some("v1"));
    assert!(registry.tags("mirror/calico/cni").is_empty());
    let cni = image("cni").digest().to_string();
    assert!(registry.manifest("mirror/calico/cni", &cni).is_none());
    // With a good copy the next run brings the rest.
    registry.clear_traffic();
    let receipt = load(&maker().bundle(), &registry).unwrap();
    assert!(receipt.is_complete());
    assert_eq!(receipt.totals.blobs_sent, 1);
    image("cni").assert_in(&registry, "mirror/calico/cni", Some("v1"));
}

#[test]
fn keep_going_takes_another_repository_where_one_refuses_a_blob() {
    let registry = Registry::start();
    let first = When::new("POST", Route::Uploads).repository("mirror/calico/cni");
    registry.script(first.always(), Fault::error(403, "DENIED", "read only"));
    let mut going = request(&registry.host());
    going.keep_going = true;
    let receipt = run(&maker().bundle(), &going).unwrap();
    let failed: Vec<&str> = receipt.failed.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(failed, ["docker.io/calico/cni:v1"]);
    assert!(receipt.failed[0].reason.contains("access denied"));
    image("node").assert_in(&registry, "mirror/calico/node", Some("v1"));
    small("typha").assert_in(&registry, "mirror/calico/typha", Some("v1"));
}

#[test]
fn without_it_the_first_refusal_ends_the_load() {
    let registry = Registry::start();
    let cni = When::new("POST", Route::Uploads).repository("mirror/calico/cni");
    registry.script(cni.always(), Fault::error(403, "DENIED", "read only"));
    let error = load(&maker().bundle(), &registry).unwrap_err();
    assert!(error.to_string().contains("access denied"), "{error}");
    assert_nothing_visible(&registry);
}

#[test]
fn a_cut_among_the_tags_says_which_moved() {
    let registry = Registry::start();
    let typha = When::new("PUT", Route::Manifest)
        .repository("mirror/calico/typha")
        .reference("v1");
    registry.script(typha.always(), Fault::error(403, "DENIED", "immutable"));
    let request = request(&registry.host());
    let error = run_with(1, &maker().bundle(), &request).unwrap_err();
    let LoadError::TagsPartlyMoved(partly) = &error else {
        panic!("{error}");
    };
    let moved: Vec<String> = partly
        .moved
        .iter()
        .map(|m| m.repository.to_string())
        .collect();
    assert_eq!(moved, ["mirror/calico/cni", "mirror/calico/node"]);
    assert_eq!(partly.not_moved, ["mirror/calico/typha:v1"]);
    assert_eq!(
        registry.tagged("mirror/calico/cni", "v1"),
        Some(image("cni").digest())
    );
    assert!(registry.tags("mirror/calico/typha").is_empty());
    assert!(error.to_string().contains("2 of 3 tags moved"), "{error}");
    registry.clear_script();
    registry.clear_traffic();
    load(&maker().bundle(), &registry).unwrap();
    assert_eq!(
        registry.traffic().writes().len(),
        1,
        "only the last tag is left to set"
    );
}

#[test]
fn a_refusal_of_the_first_tag_moves_none() {
    let registry = Registry::start();
    let tag = When::new("PUT", Route::Manifest).reference("v1");
    registry.script(tag.always(), Fault::error(403, "DENIED", "no"));
    let request = request(&registry.host());
    let error = run_with(1, &maker().bundle(), &request).unwrap_err();
    assert!(matches!(error, LoadError::Manifest { .. }), "{error}");
    assert!(
        registry
            .snapshot()
            .0
            .values()
            .all(|kept| kept.tags.is_empty())
    );
}

#[test]
fn a_registry_that_stores_other_bytes_is_found_out_before_a_tag_moves() {
    let registry = Registry::start();
    let digest = small("typha").digest();
    registry.script(
        When::new("GET", Route::Manifest).reference(digest),
        Fault::FlipByte(30),
    );
    let error = load(&maker().bundle(), &registry).unwrap_err();
    assert!(matches!(error, LoadError::ReadBack { .. }), "{error}");
    assert!(
        registry
            .snapshot()
            .0
            .values()
            .all(|kept| kept.tags.is_empty())
    );
}

#[test]
fn a_manifest_that_is_answered_as_stored_and_is_not_is_found_out() {
    let registry = Registry::start();
    let digest = small("typha").digest();
    registry.script(
        When::new("PUT", Route::Manifest).reference(digest).always(),
        Fault::Lie,
    );
    let error = load(&maker().bundle(), &registry).unwrap_err();
    assert!(matches!(error, LoadError::ReadBack { .. }), "{error}");
}

#[test]
fn a_manifest_that_is_too_large_is_refused_in_clear_words() {
    for (status, code) in [(413, "SIZE_INVALID"), (400, "MANIFEST_INVALID")] {
        let registry = Registry::builder()
            .behaviour(|behaviour| {
                behaviour.max_manifest = 100_000;
                behaviour.max_manifest_error = (status, code);
            })
            .start();
        let large = Artifact::new("application/vnd.example.large")
            .annotation("filler", &"x".repeat(200_000))
            .make();
        let bundle = Maker::new().image("r.example/large:1", &large).bundle();
        let error = load(&bundle, &registry).unwrap_err();
        assert!(matches!(error, LoadError::Manifest { .. }), "{error}");
        let words = error.to_string();
        assert!(words.contains("r.example/large:1"), "{words}");
        assert!(words.contains(&large.root.size.to_string()), "{words}");
        assert!(words.contains(&format!("status {status}")), "{words}");
        assert!(
            registry
                .snapshot()
                .0
                .values()
                .all(|kept| kept.tags.is_empty())
        );
    }
}

/// Stops the load after some bytes.
struct StopAfter(std::sync::atomic::AtomicU64, u64, Cancel);

impl Observer for StopAfter {
    fn event(&self, event: &Event<'_>) {
        if let Event::Advanced { bytes, .. } = event {
            let before = self
                .0
                .fetch_add(*bytes, std::sync::atomic::Ordering::Relaxed);
            if before + bytes > self.1 {
                self.2.cancel();
            }
        }
    }
}

#[test]
fn an_interrupted_load_goes_on_without_sending_a_whole_blob_again() {
    let bundle = maker().bundle();
    for bytes in [0, 20_000, 80_000, 120_000] {
        let registry = Registry::start();
        let plan = planned(&bundle, &request(&registry.host())).unwrap();
        let cancel = Cancel::new();
        let observer = StopAfter(0.into(), bytes, cancel.clone());
        let context = Context {
            client: &client(),
            budget: &Budget::new(8, 2),
            scratch: &std::env::temp_dir(),
            observer: &observer,
            cancel: &cancel,
        };
        let error = sealift_load::execute(&bundle, &plan, &context).unwrap_err();
        assert!(matches!(error, LoadError::Cancelled(_)), "{error}");
        assert_nothing_visible(&registry);
        load(&bundle, &registry).unwrap();
        image("node").assert_in(&registry, "mirror/calico/node", Some("v1"));
        let uploads = registry.traffic().uploads();
        assert!(
            uploads.values().all(|times| *times == 1),
            "{bytes}: {uploads:?}"
        );
    }
}

#[test]
fn a_load_that_was_stopped_before_it_began_does_nothing() {
    let registry = Registry::start();
    let bundle = maker().bundle();
    let plan = planned(&bundle, &request(&registry.host())).unwrap();
    let cancel = Cancel::new();
    cancel.cancel();
    let context = Context {
        client: &client(),
        budget: &Budget::new(8, 2),
        scratch: &std::env::temp_dir(),
        observer: &NoObserver,
        cancel: &cancel,
    };
    let result = sealift_load::execute(&bundle, &plan, &context);
    assert!(matches!(result, Err(LoadError::Cancelled(_))));
    assert!(registry.traffic().writes().is_empty());
}

#[test]
fn requests_that_fail_in_passing_are_made_again_everywhere() {
    let registry = Registry::start();
    for (method, route) in [
        ("HEAD", Route::Manifest),
        ("HEAD", Route::Blob),
        ("POST", Route::Uploads),
        ("PUT", Route::Session),
        ("PUT", Route::Manifest),
        ("GET", Route::Manifest),
    ] {
        registry.script(When::new(method, route), Fault::answer(503));
        registry.script(When::new(method, route).skip(1), Fault::LoseResponse);
        registry.script(When::new(method, route).skip(2), Fault::too_many("0"));
    }
    load(&maker().bundle(), &registry).unwrap();
    assert_eq!(registry.outstanding_faults(), 0);
    image("node").assert_in(&registry, "mirror/calico/node", Some("v1"));
}

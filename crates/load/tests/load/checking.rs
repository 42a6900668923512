//! A check at a later date: what was loaded is there and equal, or the difference is named.

use sealift_load::{CheckReport, CheckedObject, Difference, Expected, check};
use sealift_oci::{Descriptor, Digest};
use sealift_testkit::{Artifact, Fault, Image, Profile, Registry, Route, When, cosign};

use crate::support::{Maker, assert_no_writes, image, load, request, small, with};

fn sbom(subject: &Descriptor) -> Image {
    Artifact::new("application/spdx+json")
        .subject(subject)
        .file("application/spdx+json", "sbom.json", "{}")
        .make()
}

/// Two images, one with a signature by tag and an SBOM by subject.
fn maker() -> Maker {
    let app = image("app");
    Maker::new()
        .image("r.example/app:1", &app)
        .image("r.example/tool:2", &small("tool"))
        .referrer("r.example/app", app.digest(), &sbom(&app.root))
        .referrer("r.example/app", app.digest(), &cosign(&app.root, "sig"))
}

fn loaded(registry: &Registry) -> Expected {
    load(&maker().bundle(), registry).unwrap();
    registry.clear_traffic();
    Expected::of_bundle(&maker().bundle(), &request(&registry.host())).unwrap()
}

fn checked(expected: &Expected, deep: bool) -> CheckReport {
    with(4, |context| check(expected, deep, context)).unwrap()
}

fn only(report: &CheckReport) -> (&CheckedObject, &Difference, &[String]) {
    let [problem] = &report.problems[..] else {
        panic!("{:#?}", report.problems);
    };
    (&problem.object, &problem.difference, &problem.needed_by)
}

/// A layer that only the image `app` has.
fn own_layer() -> Digest {
    let (app, tool) = (image("app"), small("tool"));
    let layer = app.manifests.iter().find_map(|made| {
        let manifest =
            sealift_oci::Manifest::parse(std::sync::Arc::clone(&made.bytes), None).unwrap();
        let layers = manifest.layers().to_vec();
        layers
            .into_iter()
            .map(|layer| layer.digest)
            .find(|digest| !tool.blobs.contains_key(digest))
    });
    layer.unwrap()
}

#[test]
fn what_was_loaded_is_there_and_nothing_is_written() {
    for profile in [Profile::Distribution2, Profile::Distribution3] {
        let registry = Registry::with_profile(profile);
        let report = checked(&loaded(&registry), true);
        assert!(report.is_equal(), "{:#?}", report.problems);
        assert_eq!(report.totals.names, 4);
        assert_eq!(report.totals.referrers, 1);
        assert!(report.totals.blobs_read > 0);
        assert_no_writes(&registry);
    }
}

#[test]
fn without_deep_no_blob_is_read() {
    let registry = Registry::start();
    let expected = loaded(&registry);
    let report = checked(&expected, false);
    assert!(report.is_equal(), "{:#?}", report.problems);
    assert_eq!(registry.traffic().count("GET", Route::Blob), 0);
    registry.clear_traffic();
    checked(&expected, true);
    let read = registry.traffic().whole_downloads();
    assert!(read.values().all(|times| *times == 1), "{read:?}");
}

#[test]
fn a_receipt_knows_what_its_bundle_knows() {
    for profile in [Profile::Distribution2, Profile::Distribution3] {
        let registry = Registry::with_profile(profile);
        let receipt = load(&maker().bundle(), &registry).unwrap();
        let bytes = serde_json::to_vec(&receipt).unwrap();
        let expected = Expected::of_receipt("r.json", &bytes).unwrap();
        let of_receipt = checked(&expected, true);
        assert!(of_receipt.is_equal(), "{:#?}", of_receipt.problems);
        let of_bundle = Expected::of_bundle(&maker().bundle(), &request(&registry.host()));
        assert_eq!(of_receipt, checked(&of_bundle.unwrap(), true));
        registry.forget_blob(&own_layer());
        assert!(!checked(&expected, false).is_equal());
    }
}

#[test]
fn a_copy_is_checked_by_the_same_receipt() {
    let (registry, copy) = (Registry::start(), Registry::start());
    let receipt = load(&maker().bundle(), &registry).unwrap();
    let bytes = serde_json::to_vec(&receipt).unwrap();
    let destination = format!("{}/copies/of", copy.host()).parse().unwrap();
    let expected = Expected::of_receipt("r.json", &bytes).unwrap();
    let expected = expected.at(&destination).unwrap();
    assert!(!checked(&expected, false).is_equal());
    let mut to_copy = request(&copy.host());
    to_copy.destination = destination;
    crate::support::run(&maker().bundle(), &to_copy).unwrap();
    assert!(checked(&expected, false).is_equal());
}

#[test]
fn a_tag_that_moved_is_named_with_what_it_points_to() {
    let registry = Registry::start();
    let expected = loaded(&registry);
    let other = small("tool").digest();
    small("tool").put_into(&registry, "mirror/app", Some("1"));
    let report = checked(&expected, false);
    let (object, difference, needed_by) = only(&report);
    assert_eq!(*object, CheckedObject::Tag("1".to_owned()));
    assert_eq!(*difference, Difference::Moved { to: other });
    assert_eq!(needed_by, ["r.example/app:1"]);
}

#[test]
fn a_blob_that_is_gone_is_named_with_its_image() {
    let registry = Registry::start();
    let expected = loaded(&registry);
    let layer = own_layer();
    registry.forget_blob(&layer);
    let report = checked(&expected, false);
    let (object, difference, needed_by) = only(&report);
    assert_eq!(*object, CheckedObject::Blob(layer));
    assert_eq!(*difference, Difference::Missing);
    assert_eq!(needed_by, ["r.example/app:1"]);
}

#[test]
fn a_manifest_that_is_gone_does_not_hide_its_blobs() {
    let registry = Registry::start();
    let expected = loaded(&registry);
    let tool = small("tool").digest();
    let before = checked(&expected, false).totals;
    registry.forget_manifest("mirror/tool", &tool);
    let report = checked(&expected, false);
    assert_eq!(report.totals.blobs, before.blobs);
    let gone = |object: &CheckedObject| {
        let mut problems = report.problems.iter();
        problems.any(|problem| problem.object == *object && !problem.needed_by.is_empty())
    };
    assert!(gone(&CheckedObject::Manifest(tool)));
    assert!(gone(&CheckedObject::Tag("2".to_owned())));
    assert_eq!(report.problems.len(), 2, "{:#?}", report.problems);
}

#[test]
fn content_that_changed_is_found_by_reading_it() {
    let registry = Registry::start();
    let expected = loaded(&registry);
    let layer = own_layer();
    registry.script(
        When::new("GET", Route::Blob).reference(layer),
        Fault::FlipByte(100),
    );
    assert!(checked(&expected, false).is_equal());
    let report = checked(&expected, true);
    let (object, difference, _) = only(&report);
    assert_eq!(*object, CheckedObject::Blob(layer));
    assert!(matches!(difference, Difference::Content { .. }));
}

#[test]
fn a_connection_that_breaks_while_reading_is_no_difference() {
    let registry = Registry::start();
    let expected = loaded(&registry);
    let layer = own_layer();
    registry.script(
        When::new("GET", Route::Blob).reference(layer),
        Fault::CutResponse(1000),
    );
    let report = checked(&expected, true);
    assert!(report.is_equal(), "{:#?}", report.problems);
    assert_eq!(registry.outstanding_faults(), 0);
}

#[test]
fn a_registry_that_refuses_head_is_asked_with_get() {
    let registry = Registry::start();
    let expected = loaded(&registry);
    registry.script(When::new("HEAD", Route::Blob).always(), Fault::answer(405));
    let report = checked(&expected, false);
    assert!(report.is_equal(), "{:#?}", report.problems);
}

#[test]
fn a_registry_that_fails_is_an_error_and_not_a_difference() {
    let registry = Registry::start();
    let expected = loaded(&registry);
    registry.script(When::any().always(), Fault::answer(403));
    assert!(with(4, |context| check(&expected, false, context)).is_err());
}

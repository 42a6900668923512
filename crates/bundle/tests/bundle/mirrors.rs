//! Images that are pulled from mirrors: from which one, and what the bundle and the plan say of it.

use sealift_bundle::{BundleError, MirrorRule, Mirrors, Request};
use sealift_testkit::{Fault, Image, ImageMaker, Layer, Registry, Route, When};

use crate::support::{Connected, assert_has, request};

fn image() -> Image {
    ImageMaker::new("app")
        .layer(Layer::gzip("app", 9_000))
        .make()
}

/// A request for an image of `publisher` with these rules.
fn mirrored(publisher: &str, rules: &[String], fallback: bool) -> Request {
    let mut request = request(&[format!("{publisher}/vendor/app:v1")]);
    let rules = rules.iter().map(|rule| rule.parse::<MirrorRule>().unwrap());
    let mirrors = Mirrors::new(rules.collect(), fallback);
    mirrors.apply(&mut request).unwrap();
    request
}

/// A registry that nobody runs.
const NOBODY: &str = "127.0.0.1:1";

#[test]
fn the_first_mirror_that_has_an_image_gives_it_and_the_plan_says_so() {
    let (empty, mirror, publisher) = (Registry::start(), Registry::start(), Registry::start());
    let image = image();
    image.put_into(&mirror, "hub/vendor/app", Some("v1"));
    image.put_into(&publisher, "vendor/app", Some("v1"));
    let host = publisher.host();
    let rules = [
        format!("{host}={NOBODY}/hub"),
        format!("{host}={}/hub", empty.host()),
        format!("{host}={}/hub", mirror.host()),
    ];
    let side = Connected::new();
    let request = mirrored(&host, &rules, true);
    let plan = side.plan(&request).unwrap();
    let [planned] = &plan.summary().images[..] else {
        panic!("{:?}", plan.summary().images);
    };
    assert_eq!(
        planned.reference.to_string(),
        format!("{host}/vendor/app:v1")
    );
    let there = format!("{}/hub/vendor/app", mirror.host());
    assert_eq!(planned.pulled_from.as_deref(), Some(there.as_str()));
    let warnings = plan.summary().warnings.join("\n");
    let pulled = format!("is pulled from {there}");
    for words in [pulled, NOBODY.to_owned(), empty.host()] {
        assert!(warnings.contains(&words), "{words} in {warnings}");
    }
    side.write(&plan).unwrap();
    assert_has(&side.open(), &image);
    assert!(publisher.traffic().0.is_empty());
}

#[test]
fn the_publisher_is_asked_only_where_that_was_requested() {
    let (mirror, publisher) = (Registry::start(), Registry::start());
    image().put_into(&publisher, "vendor/app", Some("v1"));
    let host = publisher.host();
    let rules = [format!("{host}={}/hub", mirror.host())];
    let side = Connected::new();
    let failed = side.plan(&mirrored(&host, &rules, false)).unwrap_err();
    assert!(matches!(failed, BundleError::Unresolved(_)), "{failed}");
    assert!(failed.to_string().contains(&mirror.host()), "{failed}");
    assert!(publisher.traffic().0.is_empty());

    let plan = side.plan(&mirrored(&host, &rules, true)).unwrap();
    let summary = plan.summary();
    assert_eq!(summary.images[0].pulled_from, None);
    assert!(
        summary.warnings[0].contains("is pulled from"),
        "{:?}",
        summary.warnings
    );
}

#[test]
fn an_image_that_nobody_has_is_reported_with_every_registry_that_was_asked() {
    let (mirror, publisher) = (Registry::start(), Registry::start());
    let host = publisher.host();
    let rules = [format!("{host}={}", mirror.host())];
    mirror.script(
        When::new("GET", Route::Manifest).always(),
        Fault::answer(403),
    );
    let failed = Connected::new()
        .plan(&mirrored(&host, &rules, true))
        .unwrap_err()
        .to_string();
    for words in [host, mirror.host()] {
        assert!(failed.contains(&words), "{words} in {failed}");
    }
}

#[test]
fn an_interrupted_run_continues_from_the_same_mirror_without_asking_again() {
    let mirror = Registry::start();
    image().put_into(&mirror, "vendor/app", Some("v1"));
    let rules = [format!("{NOBODY}={}", mirror.host())];
    let request = mirrored(NOBODY, &rules, false);
    let mut side = Connected::new();
    side.stopped_after(3);
    assert!(side.build(&request).is_err());
    side.not_stopped();
    side.build(&request).unwrap();
    assert_has(&side.open(), &image());
}

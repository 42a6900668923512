//! Requests that omit images which cannot be resolved.

use sealift_bundle::{BundleError, LocalRequest, Request, resume};
use sealift_testkit::{Artifact, Fault, Image, Registry, Route, When, cosign};

use crate::support::{Connected, request, three, three_of_which_one_is_incomplete, words};

fn keep_going(names: &[String]) -> Request {
    Request {
        keep_going: true,
        ..request(names)
    }
}

/// The names of the images that a plan omits.
fn omitted(side: &Connected, request: &Request) -> Vec<String> {
    let plan = side.plan(request).unwrap();
    let omitted = plan.summary().omitted.iter();
    omitted.map(|image| image.reference.to_string()).collect()
}

/// Asserts that a request gives the bundle of these names alone, byte for byte, without the images `absent`.
fn assert_bundles(request: &Request, names: &[String], absent: &[&str]) {
    let side = Connected::new();
    assert_eq!(omitted(&side, request), absent);
    side.build(request).unwrap();
    side.open();
    let other = Connected::new();
    let only = Request {
        images: names.iter().map(|name| name.parse().unwrap()).collect(),
        keep_going: false,
        ..request.clone()
    };
    other.build(&only).unwrap();
    assert!(side.bytes() == other.bytes());
}

#[test]
fn what_is_not_there_is_omitted_and_the_rest_is_the_bundle_of_the_rest() {
    let registry = Registry::start();
    let (names, [missing, dead]) = three_of_which_one_is_incomplete(&registry);
    let all = [names.clone(), vec![missing.clone(), dead.clone()]].concat();
    let rest = [names[0].clone(), names[2].clone()];
    assert_bundles(&keep_going(&all), &rest, &[&dead, &missing, &names[1]]);
}

#[test]
fn a_reason_names_what_failed() {
    let registry = Registry::start();
    let (_, names) = three(&registry);
    let missing = registry.reference("no/such", "v9");
    let all = [names, vec![missing]].concat();
    let plan = Connected::new().plan(&keep_going(&all)).unwrap();
    let [image] = &plan.summary().omitted[..] else {
        panic!("{:?}", plan.summary().omitted)
    };
    assert!(image.reason.contains("not found"), "{}", image.reason);
}

#[test]
fn an_image_whose_signatures_cannot_be_listed_is_omitted_with_all_that_belongs_to_it() {
    let registry = Registry::start();
    let (images, names) = three(&registry);
    let sign = |image: &Image, repository: &str| {
        let sbom = Artifact::new("application/spdx+json")
            .subject(&image.root)
            .make();
        let signed = image.clone().with(cosign(&image.root, "sig")).with(sbom);
        signed.put_into(&registry, repository, Some("v1"));
    };
    sign(&images[0], "one/a");
    sign(&images[1], "one/b");
    let when = When::new("GET", Route::Referrers)
        .reference(images[1].digest())
        .always();
    registry.script(when, Fault::error(403, "DENIED", "no"));
    let rest = [names[0].clone(), names[2].clone()];
    assert_bundles(&keep_going(&names), &rest, &[&names[1]]);
}

#[test]
fn a_signature_that_cannot_be_read_omits_its_image() {
    let registry = Registry::start();
    let (images, names) = three(&registry);
    let sbom = Artifact::new("application/spdx+json")
        .subject(&images[2].root)
        .make();
    let digest = sbom.digest();
    images[2]
        .clone()
        .with(sbom)
        .put_into(&registry, "two/c", Some("v1"));
    let when = When::new("GET", Route::Manifest).reference(digest).always();
    registry.script(when, Fault::answer(403));
    assert_bundles(&keep_going(&names), &names[..2], &[&names[2]]);
}

#[test]
fn a_platform_that_an_image_does_not_have_omits_it() {
    let registry = Registry::start();
    let (_, names) = three(&registry);
    let only = sealift_testkit::ImageMaker::new("only")
        .platforms(&["linux/s390x"])
        .make();
    only.put_into(&registry, "only", Some("v1"));
    let other = registry.reference("only", "v1");
    let request = Request {
        platforms: vec!["linux/amd64".parse().unwrap()],
        ..keep_going(&[names.clone(), vec![other.clone()]].concat())
    };
    assert_bundles(&request, &names, &[&other]);
}

#[test]
fn nothing_is_asked_for_twice_because_something_was_omitted() {
    let registry = Registry::start();
    let (images, names) = three(&registry);
    registry.forget_manifest("one/b", &images[1].children()[0].digest);
    let side = Connected::new();
    side.plan(&keep_going(&names)).unwrap();
    let asked = registry.traffic().count("GET", Route::Manifest);
    let manifests: usize = images.iter().map(|image| image.manifests.len()).sum();
    assert_eq!(asked, manifests);
}

#[test]
fn if_no_image_is_left_or_something_else_is_wrong_the_request_fails() {
    let registry = Registry::start();
    let (_, names) = three(&registry);
    let missing = registry.reference("no/such", "v9");
    let side = Connected::new();
    let error = side.plan(&keep_going(std::slice::from_ref(&missing)));
    assert!(matches!(error, Err(BundleError::Unresolved(_))));
    // A file on disk that is not what it should be.
    let path = side.folder.path().join("broken.tar");
    std::fs::write(&path, "no archive").unwrap();
    let request = Request {
        local: vec![LocalRequest::from(path)],
        ..keep_going(&[names, vec![missing.clone()]].concat())
    };
    let words = words(side.build(&request));
    assert!(
        words.contains("broken.tar") && words.contains(&missing),
        "{words}"
    );
}

#[test]
fn an_interrupted_run_resumes_with_what_was_omitted() {
    let registry = Registry::start();
    let (_, names) = three(&registry);
    let missing = registry.reference("no/such", "v9");
    let all = [names, vec![missing.clone()]].concat();
    let mut side = Connected::new();
    side.stopped_after(3);
    side.build(&keep_going(&all)).unwrap_err();
    side.not_stopped();
    let plan = resume(&keep_going(&all), &side.output()).unwrap();
    let omitted = &plan.summary().omitted;
    assert_eq!(omitted[0].reference.to_string(), missing);
    assert!(resume(&request(&all), &side.output()).is_none());
    side.write(&plan).unwrap();
    side.open();
}

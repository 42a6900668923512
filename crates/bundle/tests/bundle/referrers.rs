use sealift_archive::{Discovery, ReferrerEntry};
use sealift_bundle::ResolveError;
use sealift_oci::{Descriptor, Digest};
use sealift_testkit::{
    Artifact, Fault, Image, Profile, Registry, Route, When, cosign, cosign_tag, fallback_index,
};

use crate::support::{Connected, assert_has, image, plain, request, words};

const SIGNATURE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

fn signature(of: &Descriptor) -> Image {
    Artifact::new(SIGNATURE)
        .file(
            "application/json",
            "bundle.json",
            of.digest.to_string().into_bytes(),
        )
        .subject(of)
        .make()
}

/// An image, a signature of its index, of a child, and of the first signature.
fn signed() -> (Image, [Image; 3]) {
    let image = image("signed");
    let of_index = signature(&image.root);
    let of_child = signature(&image.children()[1]);
    let of_signature = signature(&of_index.root);
    (image, [of_index, of_child, of_signature])
}

fn found(side: &Connected) -> Vec<(Digest, Digest)> {
    let bundle = side.open();
    let entries = bundle.record().referrers.iter();
    entries
        .map(|entry| (entry.subject, entry.descriptor.digest))
        .collect()
}

fn expected(image: &Image, signatures: &[Image; 3]) -> Vec<(Digest, Digest)> {
    let mut expected = vec![
        (image.digest(), signatures[0].digest()),
        (image.children()[1].digest, signatures[1].digest()),
        (signatures[0].digest(), signatures[2].digest()),
    ];
    expected.sort_unstable();
    expected
}

#[test]
fn signatures_of_index_child_and_signature_come_along_by_the_api() {
    let registry = Registry::start();
    registry.change(|behaviour| behaviour.referrers_page = Some(1));
    let (image, signatures) = signed();
    let more = Artifact::new("application/spdx+json")
        .subject(&image.root)
        .make();
    for one in signatures.iter().chain([&image, &more]) {
        one.put_into(&registry, "a", None);
    }
    registry.tag("a", "v1", image.digest());
    let side = Connected::new();
    side.build(&request(&[registry.reference("a", "v1")]))
        .unwrap();
    let mut with_more = expected(&image, &signatures);
    with_more.push((image.digest(), more.digest()));
    with_more.sort_unstable();
    assert_eq!(found(&side), with_more);
    let bundle = side.open();
    for one in &signatures {
        assert_has(&bundle, one);
    }
    let first: &ReferrerEntry = &bundle.record().referrers[0];
    assert_eq!(first.repository, format!("{}/a", registry.host()));
    assert!(bundle.record().referrers.iter().any(|entry| {
        entry.artifact_type.as_deref() == Some(SIGNATURE) && entry.discovery == Discovery::Subject
    }));
}

#[test]
fn signatures_come_along_by_the_fallback_tag_where_there_is_no_api() {
    let registry = Registry::with_profile(Profile::Distribution2);
    let (image, signatures) = signed();
    image.put_into(&registry, "a", Some("v1"));
    for (subject, digest) in [
        (image.digest(), 0),
        (image.children()[1].digest, 1),
        (signatures[0].digest(), 2),
    ] {
        let one = std::slice::from_ref(&signatures[digest]);
        fallback_index(&subject, one).put_into(&registry, "a", None);
    }
    let side = Connected::new();
    side.build(&request(&[registry.reference("a", "v1")]))
        .unwrap();
    assert_eq!(found(&side), expected(&image, &signatures));
}

#[test]
fn what_cosign_keeps_under_tags_comes_along_with_its_tag() {
    let registry = Registry::start();
    let image = image("a");
    image.put_into(&registry, "a", Some("v1"));
    let child = image.children()[0].clone();
    let kept = [
        cosign(&image.root, "sig"),
        cosign(&image.root, "sbom"),
        cosign(&child, "att"),
    ];
    for one in &kept {
        one.put_into(&registry, "a", None);
    }
    let of_sbom = cosign(&kept[1].root, "sig");
    of_sbom.put_into(&registry, "a", None);
    let side = Connected::new();
    side.build(&request(&[registry.reference("a", "v1")]))
        .unwrap();
    let bundle = side.open();
    let mut tags: Vec<String> = bundle
        .record()
        .referrers
        .iter()
        .map(|entry| match &entry.discovery {
            Discovery::Tag(tag) => tag.clone(),
            Discovery::Subject => panic!("{entry:?}"),
        })
        .collect();
    let mut expected = [
        cosign_tag(&image.digest(), "sig"),
        cosign_tag(&image.digest(), "sbom"),
        cosign_tag(&child.digest, "att"),
        cosign_tag(&kept[1].digest(), "sig"),
    ];
    tags.sort_unstable();
    expected.sort_unstable();
    assert_eq!(tags, expected);
    for one in kept.iter().chain([&of_sbom]) {
        assert_has(&bundle, one);
    }
}

#[test]
fn nothing_is_asked_about_referrers_that_are_not_wanted() {
    let registry = Registry::start();
    let (image, signatures) = signed();
    image.put_into(&registry, "a", Some("v1"));
    signatures[0].put_into(&registry, "a", None);
    let side = Connected::new();
    side.build(&plain(&[registry.reference("a", "v1")]))
        .unwrap();
    assert_eq!(found(&side), []);
    let traffic = registry.traffic();
    assert_eq!(traffic.count("GET", Route::Referrers), 0);
    assert_eq!(traffic.count("HEAD", Route::Manifest), 0);
}

#[test]
fn the_publishers_index_and_its_signatures_are_carried_beside_a_choice() {
    let registry = Registry::start();
    let (image, signatures) = signed();
    for one in signatures.iter().chain([&image]) {
        one.put_into(&registry, "a", None);
    }
    registry.tag("a", "v1", image.digest());
    let mut request = request(&[registry.reference("a", "v1")]);
    request.platforms = vec!["linux/arm64".parse().unwrap()];
    let side = Connected::new();
    let plan = side.plan(&request).unwrap();
    let planned = &plan.summary().images[0];
    let [named] = &planned.no_longer_covered_by[..] else {
        panic!("{planned:?}");
    };
    assert!(
        named.contains(&signatures[0].digest().to_string()),
        "{named}"
    );
    let said = plan.summary().warnings.iter();
    assert_eq!(said.filter(|text| text.contains(named)).count(), 1);
    side.write(&plan).unwrap();
    assert_eq!(found(&side), expected(&image, &signatures));
    let bundle = side.open();
    let original = &image.manifest(&image.digest()).unwrap().bytes;
    let mut carried = Vec::new();
    let store = bundle.store();
    let mut reader = store.open(&image.digest(), 0).unwrap();
    std::io::Read::read_to_end(&mut reader, &mut carried).unwrap();
    assert_eq!(carried, original.to_vec());
    // A bundle of the bundle has it too, and needs no registry for it.
    let mut again = plain(&[]);
    again.local = vec![side.path().into()];
    again.referrers = true;
    let other = Connected::new();
    other.build(&again).unwrap();
    assert_eq!(found(&other), found(&side));
    assert!(other.open().size(&image.digest()).is_some());
}

#[test]
fn a_listed_referrer_that_is_not_there_is_a_warning() {
    let registry = Registry::with_profile(Profile::Distribution2);
    let (image, signatures) = signed();
    image.put_into(&registry, "a", Some("v1"));
    fallback_index(&image.digest(), &signatures[..1]).put_into(&registry, "a", None);
    registry.forget_manifest("a", &signatures[0].digest());
    let side = Connected::new();
    let plan = side
        .plan(&request(&[registry.reference("a", "v1")]))
        .unwrap();
    let warnings = &plan.summary().warnings;
    assert!(
        warnings[0].contains(&signatures[0].digest().to_string()),
        "{warnings:?}"
    );
    side.write(&plan).unwrap();
    assert_eq!(found(&side), []);
}

#[test]
fn a_manifest_that_does_not_name_the_subject_is_no_referrer_of_it() {
    let registry = Registry::with_profile(Profile::Distribution2);
    let image = image("a");
    image.put_into(&registry, "a", Some("v1"));
    let other = signature(&image.children()[0]);
    fallback_index(&image.digest(), &[other]).put_into(&registry, "a", None);
    let plan = Connected::new()
        .plan(&request(&[registry.reference("a", "v1")]))
        .unwrap();
    assert_eq!(plan.summary().referrers, []);
    assert!(plan.summary().warnings[0].contains("does not say so itself"));
}

#[test]
fn a_registry_that_does_not_answer_about_referrers_fails_the_image_by_name() {
    let registry = Registry::start();
    let image = image("a");
    image.put_into(&registry, "a", Some("v1"));
    registry.script(
        When::new("GET", Route::Referrers).always(),
        Fault::error(403, "DENIED", "no"),
    );
    let name = registry.reference("a", "v1");
    let result = Connected::new().plan(&request(std::slice::from_ref(&name)));
    let error = result.as_ref().unwrap_err();
    assert!(matches!(
        error.resolve_errors().next(),
        Some(ResolveError::Referrers(_))
    ));
    let words = words(result);
    assert!(
        words.contains(&name) && words.contains("signatures"),
        "{words}"
    );
}

#[test]
fn the_same_signature_of_images_in_two_repositories_is_recorded_for_both() {
    let registry = Registry::start();
    let image = image("a");
    let signature = signature(&image.root);
    for repository in ["a", "b"] {
        image.put_into(&registry, repository, Some("v1"));
        signature.put_into(&registry, repository, None);
    }
    let names = ["a", "b"].map(|name| registry.reference(name, "v1"));
    let side = Connected::new();
    side.build(&request(&names)).unwrap();
    let bundle = side.open();
    let repositories = bundle
        .record()
        .referrers
        .iter()
        .map(|entry| &entry.repository);
    let expected = ["a", "b"].map(|name| format!("{}/{name}", registry.host()));
    assert!(repositories.eq(expected.iter()));
}

#[test]
fn an_image_that_a_mirror_gives_keeps_its_publishers_name_and_its_signatures() {
    let mirror = Registry::start();
    let (image, signatures) = signed();
    for one in signatures.iter().chain([&image]) {
        one.put_into(&mirror, "deep/proxy/vendor/app", None);
    }
    mirror.tag("deep/proxy/vendor/app", "v1", image.digest());
    // Nobody listens at the publisher's.
    let publisher = "127.0.0.1:1/vendor/app:v1".to_owned();
    let mut asked = request(std::slice::from_ref(&publisher));
    let own = asked.digest();
    let there = mirror.reference("deep/proxy/vendor/app", "v1");
    let pair = (publisher.parse().unwrap(), vec![there.parse().unwrap()]);
    asked.mirrors = [pair].into();
    assert_ne!(asked.digest(), own);
    let side = Connected::new();
    side.build(&asked).unwrap();
    let bundle = side.open();
    assert_has(&bundle, &image);
    assert_eq!(bundle.record().images[0].reference.to_string(), publisher);
    assert_eq!(found(&side), expected(&image, &signatures));
    for entry in &bundle.record().referrers {
        assert_eq!(entry.repository, "127.0.0.1:1/vendor/app");
    }
}

//! Signatures, attestations and SBOMs, with and without a referrers API.

use sealift_oci::{Descriptor, Digest, Manifest};
use sealift_testkit::{
    Artifact, Fault, Image, Profile, Registry, Route, When, cosign, cosign_tag, fallback_index,
};

use crate::support::{Maker, image, load, request, run, small};

fn sbom(subject: &Descriptor, text: &str) -> Image {
    Artifact::new("application/spdx+json")
        .subject(subject)
        .annotation("org.example.note", text)
        .file("application/spdx+json", "sbom.json", text)
        .make()
}

fn maker() -> Maker {
    let app = image("app");
    Maker::new()
        .image("r.example/app:1", &app)
        .referrer("r.example/app", app.digest(), &sbom(&app.root, "one"))
        .referrer("r.example/app", app.digest(), &sbom(&app.root, "two"))
        .referrer("r.example/app", app.digest(), &cosign(&app.root, "sig"))
}

fn fallback(registry: &Registry, subject: &Digest) -> Vec<Descriptor> {
    let (media_type, bytes) = registry
        .manifest("mirror/app", &subject.referrers_tag())
        .unwrap();
    let index = Manifest::parse(bytes, Some(&media_type)).unwrap();
    index.children().to_vec()
}

#[test]
fn where_there_is_an_api_no_tag_stands_in_for_it() {
    let registry = Registry::start();
    let app = image("app");
    load(&maker().bundle(), &registry).unwrap();
    let signature = cosign_tag(&app.digest(), "sig");
    assert_eq!(registry.tags("mirror/app"), ["1".to_owned(), signature]);
    sbom(&app.root, "one").assert_in(&registry, "mirror/app", None);
    sbom(&app.root, "two").assert_in(&registry, "mirror/app", None);
    registry.clear_traffic();
    load(&maker().bundle(), &registry).unwrap();
    assert!(registry.traffic().writes().is_empty());
}

#[test]
fn where_there_is_none_the_tag_is_merged_with_what_is_there() {
    for profile in [Profile::Distribution2, Profile::Distribution3] {
        let registry = Registry::with_profile(profile);
        let app = image("app");
        let older = sbom(&app.root, "of another hand");
        fallback_index(&app.digest(), std::slice::from_ref(&older)).put_into(
            &registry,
            "mirror/app",
            None,
        );
        let receipt = load(&maker().bundle(), &registry).unwrap();
        let listed = fallback(&registry, &app.digest());
        let digests: Vec<Digest> = listed.iter().map(|entry| entry.digest).collect();
        for wanted in [&older, &sbom(&app.root, "one"), &sbom(&app.root, "two")] {
            assert!(digests.contains(&wanted.digest()), "{profile:?}");
        }
        assert_eq!(
            digests.len(),
            3,
            "cosign's signature has no subject and is not listed"
        );
        let one = sbom(&app.root, "one").digest();
        let entry = listed.iter().find(|entry| entry.digest == one).unwrap();
        assert_eq!(
            entry.artifact_type.as_deref(),
            Some("application/spdx+json")
        );
        assert_eq!(entry.annotations["org.example.note"], "one");
        let merged = app.digest().referrers_tag();
        assert!(receipt.tags.iter().any(|tag| tag.tag == merged && tag.set));

        registry.clear_traffic();
        let receipt = load(&maker().bundle(), &registry).unwrap();
        assert!(registry.traffic().writes().is_empty(), "{profile:?}");
        assert_eq!(receipt.totals.tags_set, 0);
    }
}

#[test]
fn a_copied_fallback_index_is_not_a_conflict_and_needs_no_overwrite() {
    let registry = Registry::with_profile(Profile::Distribution3);
    let app = image("app");
    fallback_index(&app.digest(), &[]).put_into(&registry, "mirror/app", None);
    load(&maker().bundle(), &registry).unwrap();
    assert_eq!(fallback(&registry, &app.digest()).len(), 2);
}

#[test]
fn subjects_are_stored_before_what_refers_to_them_and_signatures_before_images_are_tagged() {
    let registry = Registry::with_profile(Profile::Distribution3);
    let app = image("app");
    load(&maker().bundle(), &registry).unwrap();
    let traffic = registry.traffic();
    let puts: Vec<&str> = traffic
        .of("PUT", Route::Manifest)
        .iter()
        .map(|request| request.reference.as_str())
        .collect();
    let at = |name: &str| puts.iter().position(|put| *put == name).unwrap();
    let subject = at(&app.digest().to_string());
    assert!(subject < at(&sbom(&app.root, "one").digest().to_string()));
    assert_eq!(at("1"), puts.len() - 1, "{puts:?}");
}

#[test]
fn a_referrer_whose_subject_is_nowhere_arrives_all_the_same() {
    let registry = Registry::start();
    let absent = small("absent");
    let lonely = sbom(&absent.root, "lonely");
    let bundle = Maker::new()
        .image("r.example/app:1", &small("app"))
        .referrer("r.example/app", absent.digest(), &lonely)
        .bundle();
    load(&bundle, &registry).unwrap();
    lonely.assert_in(&registry, "mirror/app", None);
}

#[test]
fn what_refers_to_a_failed_image_fails_with_it() {
    let registry = Registry::start();
    let app = image("app");
    let digest = app.digest();
    registry.script(
        When::new("PUT", Route::Manifest).reference(digest).always(),
        Fault::error(400, "MANIFEST_INVALID", "no"),
    );
    let mut going = request(&registry.host());
    going.keep_going = true;
    let maker = maker().image("r.example/other:1", &small("other"));
    let receipt = run(&maker.bundle(), &going).unwrap();
    let failed: Vec<&str> = receipt.failed.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(failed.len(), 3, "{failed:?}");
    assert!(failed.contains(&"r.example/app:1"));
    small("other").assert_in(&registry, "mirror/other", Some("1"));
}

//! Manifests, tags and referrers.

use sealift_oci::{Descriptor, Digest, Manifest, media_type};
use sealift_registry::{Client, ErrorKind, RegistryError};
use sealift_testkit::{
    Artifact, Behaviour, Fault, Image, Profile, Registry, Response, Route, When, fallback_index,
};

use crate::support::{heard, options, repository, repository_with};

fn subject(registry: &Registry) -> (Image, Descriptor) {
    let image = Artifact::new("application/x.image").make();
    image.put_into(registry, "a/b", Some("v1"));
    let made = image.manifest(&image.digest()).unwrap();
    let descriptor = Descriptor::of(media_type::OCI_MANIFEST, &made.bytes);
    (image, descriptor)
}

fn signatures(subject: &Descriptor, count: usize) -> Vec<Image> {
    (0..count)
        .map(|number| {
            Artifact::new("application/x.signature")
                .annotation("number", &number.to_string())
                .subject(subject)
                .make()
        })
        .collect()
}

fn digests(descriptors: &[Descriptor]) -> Vec<Digest> {
    let mut digests: Vec<Digest> = descriptors.iter().map(|found| found.digest).collect();
    digests.sort();
    digests
}

fn sorted(images: &[Image]) -> Vec<Digest> {
    let mut digests: Vec<Digest> = images.iter().map(Image::digest).collect();
    digests.sort();
    digests
}

fn parsed(image: &Image) -> Manifest {
    let made = image.manifest(&image.digest()).unwrap();
    Manifest::parse(made.bytes.to_vec(), Some(media_type::OCI_MANIFEST)).unwrap()
}

#[test]
fn referrers_come_from_all_pages() {
    let registry = Registry::builder()
        .behaviour(|behaviour: &mut Behaviour| behaviour.referrers_page = Some(2))
        .start();
    let (_, subject) = subject(&registry);
    let signatures = signatures(&subject, 7);
    for signature in &signatures {
        signature.put_into(&registry, "a/b", None);
    }
    let found = repository(&registry, "a/b")
        .referrers(&subject.digest)
        .unwrap();
    assert_eq!(digests(&found), sorted(&signatures));
    assert!(registry.traffic().count("GET", Route::Referrers) >= 4);
}

#[test]
fn without_the_api_the_tag_stands_in_and_the_api_is_not_asked_again() {
    let registry = Registry::with_profile(Profile::Distribution3);
    let (_, subject) = subject(&registry);
    let signatures = signatures(&subject, 2);
    fallback_index(&subject.digest, &signatures).put_into(
        &registry,
        "a/b",
        Some(&subject.digest.referrers_tag()),
    );
    let repository = repository(&registry, "a/b");
    for _ in 0..2 {
        let found = repository.referrers(&subject.digest).unwrap();
        assert_eq!(digests(&found), sorted(&signatures));
    }
    assert_eq!(registry.traffic().count("GET", Route::Referrers), 1);
    assert!(!repository.has_referrers_api(&subject.digest).unwrap());
}

#[test]
fn a_repository_that_is_not_there_yet_says_nothing_of_the_api() {
    let registry = Registry::start();
    let client = Client::new(options());
    let (_, subject) = subject(&registry);
    registry.script(
        When::new("GET", Route::Referrers),
        Fault::error(404, "NAME_UNKNOWN", "no such repository"),
    );
    let repository = client.repository(&registry.host(), "new").unwrap();
    assert_eq!(repository.referrers(&subject.digest).unwrap(), []);
    assert!(repository.has_referrers_api(&subject.digest).unwrap());
}

#[test]
fn a_pushed_subject_tells_who_keeps_track() {
    for (profile, keeps) in [(Profile::Spec, true), (Profile::Distribution3, false)] {
        let registry = Registry::with_profile(profile);
        let (_, subject) = subject(&registry);
        let signature = &signatures(&subject, 1)[0];
        signature.put_into(&registry, "a/b", None);
        let repository = repository(&registry, "a/b");
        let manifest = parsed(signature);
        repository
            .put_manifest(&manifest.digest().to_string(), &manifest)
            .unwrap();
        assert_eq!(
            repository.has_referrers_api(&subject.digest).unwrap(),
            keeps
        );
        assert_eq!(registry.traffic().count("GET", Route::Referrers), 0);
    }
}

#[test]
fn the_fallback_tag_grows_and_is_written_only_when_it_does() {
    let registry = Registry::with_profile(Profile::Distribution2);
    let (_, subject) = subject(&registry);
    let signatures = signatures(&subject, 3);
    for signature in &signatures {
        signature.put_into(&registry, "a/b", None);
    }
    let descriptors: Vec<Descriptor> = signatures
        .iter()
        .map(|signature| {
            let manifest = parsed(signature);
            let mut descriptor = manifest.descriptor();
            descriptor.artifact_type = manifest.artifact_type().map(str::to_owned);
            descriptor.annotations = manifest.annotations().clone();
            descriptor
        })
        .collect();
    let repository = repository(&registry, "a/b");
    let merge = |some: &[Descriptor]| {
        repository
            .merge_fallback_referrers(&subject.digest, some)
            .unwrap()
    };
    assert!(!merge(&[]));
    assert!(merge(&descriptors[..2]));
    assert!(!merge(&descriptors[..1]));
    assert!(merge(&descriptors));
    let found = repository.referrers(&subject.digest).unwrap();
    assert_eq!(digests(&found), sorted(&signatures));
    for descriptor in descriptors {
        assert!(found.contains(&descriptor));
    }
}

#[test]
fn tags_come_from_all_pages() {
    let registry = Registry::builder()
        .behaviour(|behaviour: &mut Behaviour| behaviour.list_page = Some(3))
        .start();
    let (image, _) = subject(&registry);
    let tags: Vec<String> = (10..20).map(|number| format!("t{number}")).collect();
    for tag in &tags {
        registry.tag("a/b", tag, image.digest());
    }
    let mut found = repository(&registry, "a/b").tags().unwrap();
    found.retain(|tag| tag != "v1");
    assert_eq!(found, tags);
}

fn linked(link: &str) -> (Registry, RegistryError) {
    let registry = Registry::start();
    let page = Response::new(200)
        .header("Link", link)
        .body("application/json", r#"{"name":"a/b","tags":["x"]}"#);
    registry.script(When::new("GET", Route::Tags).always(), Fault::Answer(page));
    let error = repository(&registry, "a/b").tags().unwrap_err();
    (registry, error)
}

#[test]
fn pages_lead_to_no_other_origin_and_have_an_end() {
    let (registry, error) = linked("<http://127.0.0.1:1/v2/a/b/tags/list?last=x>; rel=\"next\"");
    assert!(matches!(error.kind, ErrorKind::Refused(_)), "{error}");
    assert_eq!(registry.traffic().0.len(), 1);
    let (_, error) = linked("</v2/a/b/tags/list?last=x>; rel=\"next\"");
    assert!(error.to_string().contains("pages"), "{error}");
}

#[test]
fn a_body_larger_than_any_right_one_is_not_read() {
    let registry = Registry::start();
    registry.script(
        When::new("GET", Route::Manifest).always(),
        Fault::Body(vec![b' '; (8 << 20) + 1]),
    );
    subject(&registry);
    let error = repository(&registry, "a/b").manifest("v1").unwrap_err();
    assert!(matches!(error.kind, ErrorKind::TooLarge { .. }), "{error}");
}

#[test]
fn a_manifest_is_what_was_asked_for() {
    let registry = Registry::start();
    let (image, descriptor) = subject(&registry);
    let repository = repository(&registry, "a/b");
    for selector in ["v1".to_owned(), image.digest().to_string()] {
        registry.script(When::new("GET", Route::Manifest), Fault::FlipByte(20));
        let error = repository.manifest(&selector).unwrap_err();
        assert!(matches!(error.kind, ErrorKind::Manifest(_)), "{error}");
        let manifest = repository.manifest(&selector).unwrap();
        assert_eq!(*manifest.digest(), image.digest());
        let head = repository.head_manifest(&selector).unwrap().unwrap();
        assert_eq!(
            (head.digest, head.size),
            (descriptor.digest, descriptor.size)
        );
    }
    assert_eq!(repository.head_manifest("none").unwrap(), None);
}

#[test]
fn a_registry_that_stores_something_else_is_found_out() {
    let registry = Registry::start();
    let (image, _) = subject(&registry);
    let manifest = parsed(&image);
    let other = Some(Digest::sha256(b"other").to_string());
    registry.script(
        When::new("PUT", Route::Manifest),
        Fault::Header("Docker-Content-Digest".to_owned(), other),
    );
    let error = repository(&registry, "a/b")
        .put_manifest("v2", &manifest)
        .unwrap_err();
    assert!(
        matches!(error.kind, ErrorKind::OtherContent { .. }),
        "{error}"
    );
}

#[test]
fn a_blob_that_is_gone_is_told_apart_from_other_refusals() {
    let registry = Registry::start();
    let image = Artifact::new("application/x")
        .file("text/plain", "f", *b"f")
        .make();
    let error = repository(&registry, "a/b")
        .put_manifest("v1", &parsed(&image))
        .unwrap_err();
    assert!(error.is_blob_unknown(), "{error}");
    assert_eq!(registry.traffic().count("PUT", Route::Manifest), 1);
    let answer = Fault::error(400, "MANIFEST_INVALID", "no");
    registry.script(When::new("PUT", Route::Manifest), answer);
    let error = repository(&registry, "a/b")
        .put_manifest("v1", &parsed(&image))
        .unwrap_err();
    assert!(!error.is_blob_unknown(), "{error}");
}

#[test]
fn a_warning_is_told_once_and_cannot_harm_a_terminal() {
    let registry = Registry::start();
    subject(&registry);
    let warning = Some("299 - \"this registry ends in May\"".to_owned());
    registry.script(
        When::any().always(),
        Fault::Header("Warning".to_owned(), warning),
    );
    let (heard, options) = heard();
    let repository = repository_with(&registry, "a/b", options);
    for _ in 0..3 {
        repository.manifest("v1").unwrap();
    }
    let all = heard.all();
    assert_eq!(all.len(), 1, "{all:?}");
    assert!(all[0].contains("this registry ends in May"));
}

#[test]
fn a_header_beyond_all_measure_is_an_error_at_once() {
    let registry = Registry::start();
    let huge = Some("x".repeat(1 << 20));
    registry.script(
        When::any().always(),
        Fault::Header("X-Huge".to_owned(), huge),
    );
    let error = repository(&registry, "a/b").manifest("v1").unwrap_err();
    assert!(matches!(error.kind, ErrorKind::Protocol(_)), "{error}");
    assert_eq!(registry.traffic().0.len(), 1);
}

#[test]
fn an_errors_body_is_not_read_to_its_end() {
    let registry = Registry::start();
    let endless = Response::new(400).body("application/json", vec![b'['; 64 << 20]);
    registry.script(When::any().always(), Fault::Answer(endless));
    let error = repository(&registry, "a/b").manifest("v1").unwrap_err();
    assert!(error.to_string().len() < 200, "{error}");
    assert!(registry.traffic().0[0].bytes_out < 32 << 20);
}

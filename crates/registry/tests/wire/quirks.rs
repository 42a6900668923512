//! One test for each row of the table in `src/quirks.rs`.

use sealift_oci::{Descriptor, Digest, Manifest, media_type};
use sealift_registry::{ClientOptions, ErrorKind, Keychain, Pushed, SparseIndex};
use sealift_testkit::{Behaviour, Fault, Location, Mounts, Profile, Registry, Route, When};

use crate::credentials::password;
use crate::support::{
    Blob, LARGE, gets_through, heard, options, patch, put, repository, repository_with,
};

/// Sends two large blobs; how many requests with content were refused for each.
fn refusals(registry: &Registry) -> [usize; 2] {
    registry.create_repository("a/b");
    let repository = repository(registry, "a/b");
    ["first", "second"].map(|seed| {
        registry.clear_traffic();
        let blob = Blob::filled(seed, LARGE);
        repository.push_blob(&blob, &[]).unwrap();
        assert_eq!(registry.blob("a/b", &blob.digest()).unwrap(), blob.bytes());
        let traffic = registry.traffic();
        let writes = traffic.0.iter().filter(|request| request.is_write());
        writes.filter(|request| !request.succeeded()).count()
    })
}

/// A manifest that needs nothing but a config, which is there.
fn manifest(registry: &Registry, repository: &str) -> Manifest {
    let config = registry.put_blob(repository, b"{}");
    let bytes = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","config":{{"mediaType":"application/vnd.oci.empty.v1+json","digest":"{config}","size":2}},"layers":[]}}"#,
        media_type::OCI_MANIFEST
    );
    Manifest::parse(bytes.into_bytes(), None).unwrap()
}

fn index(children: &[Descriptor]) -> Manifest {
    let index = serde_json::json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": children,
    });
    Manifest::parse(index.to_string().into_bytes(), None).unwrap()
}

fn subject_of(registry: &Registry) -> Manifest {
    let config = registry.put_blob("a/b", b"{}");
    let referrer = serde_json::json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "artifactType": "x/y",
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": config, "size": 2},
        "layers": [], "subject": Descriptor::of(media_type::OCI_MANIFEST, b"absent"),
    });
    Manifest::parse(referrer.to_string().into_bytes(), None).unwrap()
}

#[test]
fn head_refused() {
    for status in [405, 501] {
        let registry = Registry::start();
        let manifest = manifest(&registry, "a/b");
        for route in [Route::Blob, Route::Manifest] {
            registry.script(When::new("HEAD", route).always(), Fault::answer(status));
        }
        let repository = repository(&registry, "a/b");
        repository.put_manifest("v1", &manifest).unwrap();
        for selector in ["v1", &manifest.digest().to_string()] {
            let found = repository.head_manifest(selector).unwrap().unwrap();
            assert_eq!(found.digest, *manifest.digest());
        }
        assert_eq!(repository.head_manifest("v2").unwrap(), None);
        let blob = Blob::filled("x", LARGE);
        assert_eq!(repository.push_blob(&blob, &[]).unwrap(), Pushed::Sent);
        let heads = registry.traffic();
        let heads = heads.0.iter().filter(|it| it.method == "HEAD");
        assert_eq!(heads.count(), 1, "it is not tried again");
    }
}

#[test]
fn patch_refused() {
    assert_eq!(refusals(&Registry::with_profile(Profile::Gar)), [1, 0]);
}

#[test]
fn large_patch_refused() {
    for profile in [Profile::Ghcr, Profile::SmallProxy] {
        let [first, second] = refusals(&Registry::with_profile(profile));
        assert!(first > 0 && second == 0, "{profile:?}");
    }
}

#[test]
fn large_put_refused() {
    let registry = Registry::builder()
        .behaviour(|it: &mut Behaviour| it.max_put = Some((1000, 413)))
        .start();
    let repository = repository(&registry, "a/b");
    for (seed, refused) in [("first", 1), ("second", 0)] {
        registry.clear_traffic();
        let blob = Blob::filled(seed, 100_000);
        assert_eq!(repository.push_blob(&blob, &[]).unwrap(), Pushed::Sent);
        let traffic = registry.traffic();
        let puts = traffic.of("PUT", Route::Session);
        assert_eq!(puts.iter().filter(|put| !put.succeeded()).count(), refused);
    }
}

#[test]
fn small_chunk_refused() {
    let registry = Registry::builder()
        .behaviour(|it: &mut Behaviour| {
            it.min_chunk = Some(3 << 20);
            it.max_patch = Some((5 << 20, 413));
        })
        .start();
    let [_, second] = refusals(&registry);
    assert_eq!(second, 0);
    let traffic = registry.traffic();
    let patches = traffic.of("PATCH", Route::Session);
    let (_, others) = patches.split_last().unwrap();
    assert!(!others.is_empty());
    assert!(others.iter().all(|patch| patch.bytes_in >= 3 << 20));
}

#[test]
fn digest_invalid_in_passing() {
    let registry = Registry::start();
    let manifest = manifest(&registry, "a/b");
    let invalid = Fault::error(400, "DIGEST_INVALID", "provided digest did not match");
    let when = When::new("PUT", Route::Manifest);
    registry.script(when.clone().times(2), invalid.clone());
    let (heard, options) = heard();
    let repository = repository_with(&registry, "a/b", options);
    repository.put_manifest("v1", &manifest).unwrap();
    assert_eq!(heard.all().len(), 2);
    // One that goes on saying so is believed in the end.
    registry.clear_traffic();
    registry.script(when.always(), invalid);
    let error = repository.put_manifest("v2", &manifest).unwrap_err();
    assert!(error.to_string().contains("DIGEST_INVALID"), "{error}");
    assert_eq!(registry.traffic().count("PUT", Route::Manifest), 4);
}

#[test]
fn sparse_index_refused() {
    let absent = Descriptor::of(media_type::OCI_MANIFEST, b"absent");
    for complete in [true, false] {
        let registry = Registry::builder()
            .behaviour(|it: &mut Behaviour| it.complete_manifests = complete)
            .start();
        let repository = repository(&registry, "a/b");
        assert_eq!(repository.accepts_sparse_indexes(), None);
        for tag in ["one", "two"] {
            let index = index(std::slice::from_ref(&absent));
            let stored = repository.put_sparse_index(tag, &index).unwrap();
            assert_eq!(matches!(stored, SparseIndex::Stored), !complete);
        }
        assert_eq!(repository.accepts_sparse_indexes(), Some(!complete));
        let puts = registry.traffic().count("PUT", Route::Manifest);
        assert_eq!(puts, if complete { 1 } else { 2 });
    }
}

#[test]
fn no_referrers_api() {
    let registry = Registry::with_profile(Profile::Distribution3);
    let subject = Digest::sha256(b"subject");
    let child = Descriptor::of(media_type::OCI_MANIFEST, b"child");
    let index = index(std::slice::from_ref(&child));
    let digest = registry.put_manifest("a/b", media_type::OCI_INDEX, index.bytes());
    registry.tag("a/b", &subject.referrers_tag(), digest);
    let repository = repository(&registry, "a/b");
    for _ in 0..2 {
        let found = repository.referrers(&subject).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].digest, child.digest);
    }
    assert_eq!(registry.traffic().count("GET", Route::Referrers), 1);
}

#[test]
fn subject_not_tracked() {
    for (profile, tracks) in [(Profile::Spec, true), (Profile::Distribution3, false)] {
        let registry = Registry::with_profile(profile);
        let referrer = subject_of(&registry);
        let repository = repository(&registry, "a/b");
        let selector = referrer.digest().to_string();
        repository.put_manifest(&selector, &referrer).unwrap();
        let subject = Digest::sha256(b"absent");
        assert_eq!(repository.has_referrers_api(&subject).unwrap(), tracks);
        assert_eq!(registry.traffic().count("GET", Route::Referrers), 0);
    }
}

#[test]
fn media_type_refused() {
    let registry = Registry::start();
    let manifest = manifest(&registry, "a/b");
    registry.script(
        When::new("PUT", Route::Manifest).always(),
        Fault::error(415, "MANIFEST_INVALID", "unsupported"),
    );
    let error = repository(&registry, "a/b")
        .put_manifest("v1", &manifest)
        .unwrap_err();
    assert!(
        matches!(&error.kind, ErrorKind::UnsupportedType { media_type, .. } if media_type == sealift_oci::media_type::OCI_MANIFEST),
        "{error}"
    );
    assert!(
        error.to_string().contains(media_type::OCI_MANIFEST),
        "{error}"
    );
    assert_eq!(registry.traffic().count("PUT", Route::Manifest), 1);
}

#[test]
fn mount_refused() {
    for status in [400, 401, 403, 404, 405, 500] {
        let behaviour = |behaviour: &mut Behaviour| behaviour.mounts = Mounts::Refused(status);
        let registry = Registry::builder().behaviour(behaviour).start();
        let repository = repository(&registry, "a/b");
        for seed in ["one", "two"] {
            let blob = Blob::filled(seed, 1000);
            let pushed = repository.upload_blob(&blob, &["from/here".to_owned()]);
            assert_eq!(pushed.unwrap(), Pushed::Sent, "{status}");
            assert!(registry.has_blob("a/b", &blob.digest()));
        }
        let traffic = registry.traffic();
        let mounts = traffic.of("POST", Route::Uploads);
        let mounts = mounts.iter().filter(|post| post.query.contains("mount="));
        assert_eq!(mounts.count(), 1, "{status}");
    }
}

#[test]
fn expect_refused() {
    let registry = Registry::start();
    registry.script(When::new("PATCH", Route::Session), Fault::answer(417));
    gets_through(&registry);
    let traffic = registry.traffic();
    let expects: Vec<bool> = traffic
        .of("PATCH", Route::Session)
        .iter()
        .map(|patch| patch.header("expect").is_some())
        .collect();
    assert_eq!(expects, [true, false]);
}

#[test]
fn unusual_success() {
    for (method, route, statuses) in [
        ("POST", Route::Uploads, &[200, 201, 204][..]),
        ("PATCH", Route::Session, &[200, 201, 204]),
        ("PUT", Route::Session, &[200, 202, 204]),
    ] {
        for status in statuses {
            let registry = Registry::start();
            registry.script(When::new(method, route), Fault::Status(*status));
            let blob = Blob::filled("large", 1 << 20);
            let pushed = repository(&registry, "a/b").push_blob(&blob, &[]);
            assert_eq!(pushed.unwrap(), Pushed::Sent, "{method} {status}");
            assert!(registry.has_blob("a/b", &blob.digest()));
        }
    }
}

#[test]
fn location_misled() {
    let misled = |origin: &str| Location::At(origin.to_owned());
    for location in [
        Location::Relative,
        Location::Long(6000),
        misled("https://127.0.0.1"),
        misled("http://127.0.0.1:1"),
        misled("//127.0.0.1:2"),
    ] {
        let registry = Registry::builder().basic("user", "pass").start();
        registry.script(
            When::new("POST", Route::Uploads).always(),
            Fault::Location(location),
        );
        let options = ClientOptions {
            keychain: Keychain::anonymous().with(None, password("pass")),
            ..options()
        };
        let blob = Blob::filled("large", LARGE);
        repository_with(&registry, "a/b", options)
            .push_blob(&blob, &[])
            .unwrap();
        assert!(registry.has_blob("a/b", &blob.digest()));
    }
}

#[test]
fn session_forgotten() {
    let registry = Registry::with_profile(Profile::Distribution2);
    registry.script(patch(), Fault::CutRequest(1 << 20));
    let blob = gets_through(&registry);
    assert_eq!(registry.traffic().bytes_uploaded(), blob.size() + (1 << 20));
}

#[test]
fn range_ambiguous() {
    for cut in [0, 1] {
        let registry = Registry::with_profile(Profile::Distribution3);
        registry.script(patch(), Fault::CutRequest(cut));
        gets_through(&registry);
    }
}

#[test]
fn count_lost() {
    let registry = Registry::start();
    registry.script(put(), Fault::answer(416));
    let blob = gets_through(&registry);
    assert_eq!(registry.traffic().bytes_uploaded(), blob.size());
}

#[test]
fn urls_refused() {
    let registry = Registry::with_profile(Profile::Distribution2);
    let layer = r#"{"mediaType":"application/vnd.oci.image.layer.nondistributable.v1.tar","digest":"DIGEST","size":1,"urls":["https://elsewhere.test/x"]}"#;
    let layer = layer.replace("DIGEST", &Digest::sha256(b"x").to_string());
    let bytes = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","config":{{"mediaType":"application/vnd.oci.empty.v1+json","digest":"{}","size":2}},"layers":[{layer}]}}"#,
        media_type::OCI_MANIFEST,
        registry.put_blob("a/b", b"{}"),
    );
    let manifest = Manifest::parse(bytes.into_bytes(), None).unwrap();
    let error = repository(&registry, "a/b")
        .put_manifest("v1", &manifest)
        .unwrap_err();
    assert!(matches!(error.kind, ErrorKind::ForeignLayers(_)), "{error}");
    assert_eq!(registry.traffic().count("PUT", Route::Manifest), 1);
    let other = self::manifest(&registry, "a/b");
    registry.script(
        When::new("PUT", Route::Manifest).times(2),
        Fault::answer(500),
    );
    repository(&registry, "a/b")
        .put_manifest("v2", &other)
        .unwrap();
}

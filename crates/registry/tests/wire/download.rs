//! Blobs on their way here.

use std::io::Read;
use std::time::Duration;

use sealift_oci::Descriptor;
use sealift_pipeline::Cancel;
use sealift_registry::{BlobBody, ClientOptions, ErrorKind, Keychain};
use sealift_testkit::{Behaviour, Fault, Registry, Response, Route, When, filler};

use crate::credentials::password;
use crate::support::{options, repository, repository_with};

const SIZE: usize = 1 << 20;

fn stored(registry: &Registry) -> (Descriptor, Vec<u8>) {
    let bytes = filler("blob", SIZE);
    registry.put_blob("a/b", &bytes);
    (Descriptor::of("application/octet-stream", &bytes), bytes)
}

fn all(mut body: BlobBody) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    body.reader.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn get() -> When {
    When::new("GET", Route::Blob)
}

#[test]
fn a_blob_comes_whole_or_from_where_it_is_asked_for() {
    let registry = Registry::start();
    let (descriptor, bytes) = stored(&registry);
    let repository = repository(&registry, "a/b");
    for from in [0, 1, SIZE / 2, SIZE - 1, SIZE] {
        let body = repository.blob(&descriptor, from as u64).unwrap();
        assert_eq!(body.offset, from as u64);
        assert_eq!(all(body).unwrap(), bytes[from..]);
    }
    let empty = Descriptor::of("application/octet-stream", b"");
    registry.put_blob("a/b", b"");
    assert_eq!(all(repository.blob(&empty, 0).unwrap()).unwrap(), b"");
    assert_eq!(registry.connections(), 1);
}

#[test]
fn a_server_without_ranges_or_with_wrong_ones_gives_the_whole() {
    let other =
        |value: Option<&str>| Fault::Header("Content-Range".to_owned(), value.map(str::to_owned));
    for fault in [
        Fault::IgnoreRange,
        other(None),
        other(Some("bytes 0-9/1048576")),
        other(Some("bytes 100-200/1048576")),
        other(Some("pages 1-2/3")),
        other(Some("bytes 100-1048575/1048577")),
        other(Some("bytes 101-1048575/1048576")),
        Fault::answer(416),
    ] {
        let registry = Registry::start();
        let (descriptor, bytes) = stored(&registry);
        registry.script(get().with_range(true).always(), fault);
        let body = repository(&registry, "a/b").blob(&descriptor, 100).unwrap();
        assert_eq!(body.offset, 0);
        assert_eq!(all(body).unwrap(), bytes);
    }
}

#[test]
fn a_part_that_was_not_asked_for_is_refused() {
    let registry = Registry::start();
    let (descriptor, _) = stored(&registry);
    registry.script(get(), Fault::Status(206));
    let error = repository(&registry, "a/b")
        .blob(&descriptor, 0)
        .err()
        .unwrap();
    assert!(matches!(error.kind, ErrorKind::Protocol(_)), "{error}");
}

#[test]
fn a_body_that_is_cut_ends_in_an_error() {
    let registry = Registry::start();
    let (descriptor, bytes) = stored(&registry);
    registry.script(get(), Fault::CutResponse(1000));
    let mut body = repository(&registry, "a/b").blob(&descriptor, 0).unwrap();
    let mut read = Vec::new();
    assert!(body.reader.read_to_end(&mut read).is_err());
    assert_eq!(read, bytes[..1000]);
}

#[test]
fn an_encoded_body_is_no_blob_unless_it_has_the_blobs_length() {
    let registry = Registry::start();
    let (descriptor, bytes) = stored(&registry);
    let repository = repository(&registry, "a/b");
    let encoded = |body: &[u8]| {
        let response = Response::new(200).header("Content-Encoding", "gzip");
        Fault::Answer(response.body("application/octet-stream", body))
    };
    registry.script(get(), encoded(b"\x1f\x8b"));
    let error = repository.blob(&descriptor, 0).err().unwrap();
    assert!(error.to_string().contains("encoded"), "{error}");
    // Storage that calls a layer an encoding, and serves it as it is.
    registry.script(get(), encoded(&bytes));
    assert_eq!(
        all(repository.blob(&descriptor, 0).unwrap()).unwrap(),
        bytes
    );
    let traffic = registry.traffic();
    let asked = traffic.of("GET", Route::Blob);
    assert_eq!(asked[0].header("accept-encoding"), Some("identity"));
}

#[test]
fn an_encoded_manifest_is_refused_for_what_it_is() {
    let registry = Registry::start();
    let response = Response::new(200).header("Content-Encoding", "gzip");
    registry.script(
        When::any().always(),
        Fault::Answer(response.body("application/json", b"\x1f\x8b".to_vec())),
    );
    let error = repository(&registry, "a/b").manifest("v1").unwrap_err();
    assert!(error.to_string().contains("encoded as \"gzip\""), "{error}");
}

#[test]
fn storage_that_a_registry_leads_to_gets_no_credentials() {
    let storage = Registry::builder()
        .behaviour(|behaviour: &mut Behaviour| behaviour.refuses_authorization = true)
        .start();
    let (descriptor, bytes) = stored(&storage);
    let origin = storage.origin();
    let registry = Registry::builder()
        .basic("user", "pass")
        .behaviour(|behaviour: &mut Behaviour| behaviour.redirect_blobs = Some(origin))
        .start();
    registry.put_blob("a/b", &bytes);
    let options = ClientOptions {
        keychain: Keychain::anonymous().with(None, password("pass")),
        ..options()
    };
    let repository = repository_with(&registry, "a/b", options);
    for from in [0, 10] {
        let body = repository.blob(&descriptor, from).unwrap();
        assert_eq!(body.offset, from);
        assert_eq!(all(body).unwrap().len() as u64, SIZE as u64 - from);
    }
    assert!(storage.traffic().authorized().is_empty());
    assert!(!registry.traffic().authorized().is_empty());
}

#[test]
fn redirects_have_an_end_and_lead_to_urls() {
    for (location, words) in [
        ("/v2/a/b/blobs/x", "redirects"),
        ("gopher://x/", "not a URL"),
        ("http://u:p@127.0.0.1/", "not a URL"),
    ] {
        let registry = Registry::start();
        let (descriptor, _) = stored(&registry);
        let response = Response::new(307).header("Location", location);
        registry.script(When::any().always(), Fault::Answer(response));
        let error = repository(&registry, "a/b")
            .blob(&descriptor, 0)
            .err()
            .unwrap();
        assert!(error.to_string().contains(words), "{error}");
        assert!(registry.traffic().0.len() <= 6);
    }
}

#[test]
fn a_registry_that_stands_still_is_asked_again() {
    let registry = Registry::start();
    let (descriptor, bytes) = stored(&registry);
    registry.script(get(), Fault::Stall);
    let options = ClientOptions {
        idle_timeout: Duration::from_millis(200),
        ..options()
    };
    let body = repository_with(&registry, "a/b", options)
        .blob(&descriptor, 0)
        .unwrap();
    assert_eq!(all(body).unwrap(), bytes);
    assert_eq!(registry.traffic().count("GET", Route::Blob), 2);
}

#[test]
fn stopping_ends_a_body() {
    let registry = Registry::start();
    let (descriptor, _) = stored(&registry);
    let cancel = Cancel::new();
    let options = ClientOptions {
        cancel: cancel.clone(),
        ..options()
    };
    let mut body = repository_with(&registry, "a/b", options)
        .blob(&descriptor, 0)
        .unwrap();
    cancel.cancel();
    let error = body.reader.read(&mut [0; 10]).unwrap_err();
    assert!(error.to_string().contains("interrupted"), "{error}");
}

#[test]
fn a_missing_blob_is_not_found_and_a_present_one_has_a_size() {
    let registry = Registry::start();
    let (descriptor, _) = stored(&registry);
    let repository = repository(&registry, "a/b");
    assert_eq!(
        repository.head_blob(&descriptor.digest).unwrap(),
        Some(SIZE as u64)
    );
    let missing = Descriptor::of("application/octet-stream", b"missing");
    assert_eq!(repository.head_blob(&missing.digest).unwrap(), None);
    let error = repository.blob(&missing, 0).err().unwrap();
    assert!(error.is_not_found(), "{error}");
}

#[test]
fn a_host_that_never_answers_is_given_up_soon() {
    let (host, registry) = {
        let registry = Registry::start();
        (registry.host(), registry)
    };
    drop(registry);
    let (heard, options) = crate::support::heard();
    let client = sealift_registry::Client::new(options);
    let error = client.ping(&host).unwrap_err();
    assert!(matches!(error.kind, ErrorKind::Connect(_)), "{error}");
    assert!(error.to_string().contains("connection refused"), "{error}");
    assert_eq!(heard.all().len(), 2);
}

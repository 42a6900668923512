//! Uploads that break, are refused, led astray or stopped.

use std::time::Duration;

use sealift_pipeline::Cancel;
use sealift_registry::{ClientOptions, ErrorKind, Keychain};
use sealift_testkit::{Bearer, Fault, Gate, Location, Profile, Registry, Response, Route, When};

use crate::credentials::password;
use crate::support::{
    Blob, LARGE, gets_through, heard, options, patch, put, repository, repository_with,
};

#[test]
fn a_broken_upload_goes_on_where_the_registry_says() {
    for profile in [Profile::Spec, Profile::Distribution3] {
        let registry = Registry::with_profile(profile);
        for cut in [1 << 20, 2 << 20] {
            registry.script(patch(), Fault::CutRequest(cut));
        }
        let blob = gets_through(&registry);
        let traffic = registry.traffic();
        assert_eq!(traffic.bytes_uploaded(), blob.size());
        let ranges: Vec<_> = traffic
            .of("PATCH", Route::Session)
            .iter()
            .map(|patch| patch.header("content-range").map(str::to_owned))
            .collect();
        let last = LARGE - 1;
        let expected = [
            None,
            Some(format!("{}-{last}", 1 << 20)),
            Some(format!("{}-{last}", 3 << 20)),
        ];
        assert_eq!(ranges, expected);
        assert_eq!(traffic.count("POST", Route::Uploads), 1);
    }
}

#[test]
fn the_answer_to_a_patch_may_be_lost() {
    for profile in [
        Profile::Spec,
        Profile::Distribution2,
        Profile::Distribution3,
    ] {
        let registry = Registry::with_profile(profile);
        registry.script(patch(), Fault::LoseResponse);
        gets_through(&registry);
    }
}

#[test]
fn the_answer_to_a_commit_may_be_lost_and_nothing_is_sent_twice() {
    for profile in [Profile::Spec, Profile::Distribution2, Profile::Gar] {
        let registry = Registry::with_profile(profile);
        registry.script(put(), Fault::LoseResponse);
        let blob = gets_through(&registry);
        assert_eq!(registry.traffic().bytes_uploaded(), blob.size());
    }
}

#[test]
fn a_session_that_the_registry_lost_is_opened_again() {
    let registry = Registry::start();
    let lost = Fault::error(
        404,
        "BLOB_UPLOAD_UNKNOWN",
        "blob upload unknown to registry",
    );
    registry.script(patch(), lost.clone());
    registry.script(put(), lost);
    gets_through(&registry);
    // It is still sent the usual way.
    assert!(registry.traffic().count("PATCH", Route::Session) >= 2);
}

#[test]
fn what_passes_is_tried_again_whatever_retry_after_says() {
    let odd = ["0", "Wed, 21 Oct 2015 07:28:00 GMT", "soon", ""];
    let mut faults: Vec<Fault> = odd.iter().map(|text| Fault::too_many(text)).collect();
    for status in [408, 425, 500, 502, 503, 504] {
        let page = Response::new(status).body("text/html", "<h1>no</h1>");
        faults.push(Fault::Answer(page));
    }
    for fault in faults {
        let registry = Registry::start();
        for when in [
            When::new("HEAD", Route::Blob),
            When::new("POST", Route::Uploads),
            patch(),
            put(),
        ] {
            registry.script(when, fault.clone());
        }
        gets_through(&registry);
    }
}

#[test]
fn a_registry_that_asks_to_wait_for_days_is_given_up_with_a_message() {
    let registry = Registry::start();
    registry.script(
        When::new("HEAD", Route::Blob).always(),
        Fault::too_many("300000"),
    );
    let (heard, options) = heard();
    let error = repository_with(&registry, "a/b", options)
        .push_blob(&Blob::new(*b"x"), &[])
        .unwrap_err();
    assert!(
        matches!(error.kind, ErrorKind::WaitTooLong { wait, .. } if wait.as_secs() == 300_000),
        "{error}"
    );
    assert!(error.to_string().contains("3 days"), "{error}");
    assert_eq!(heard.all(), [""; 0]);
    assert_eq!(registry.traffic().0.len(), 1);
}

#[test]
fn what_does_not_pass_is_not_tried_again() {
    for (status, code) in [
        (400, "NAME_INVALID"),
        (403, "DENIED"),
        (409, "X"),
        (507, ""),
    ] {
        let registry = Registry::start();
        registry.script(
            When::new("POST", Route::Uploads).always(),
            Fault::error(status, code, "no"),
        );
        let error = repository(&registry, "a/b")
            .push_blob(&Blob::new(*b"x"), &[])
            .unwrap_err();
        assert!(error.to_string().contains(&status.to_string()), "{error}");
        assert_eq!(registry.traffic().count("POST", Route::Uploads), 1);
    }
}

#[test]
fn a_quota_that_shows_at_the_commit_ends_the_session() {
    let registry = Registry::start();
    registry.script(
        put().always(),
        Fault::error(403, "DENIED", "quota exceeded"),
    );
    let error = repository(&registry, "a/b")
        .push_blob(&Blob::filled("x", LARGE), &[])
        .unwrap_err();
    assert!(error.to_string().contains("quota exceeded"), "{error}");
    assert_eq!(registry.open_sessions(), 0);
    assert_eq!(registry.traffic().count("PUT", Route::Session), 1);
}

#[test]
fn retries_have_an_end() {
    let registry = Registry::start();
    registry.script(patch().always(), Fault::CutRequest(0));
    let (heard, options) = heard();
    let error = repository_with(&registry, "a/b", options)
        .push_blob(&Blob::filled("x", LARGE), &[])
        .unwrap_err();
    assert!(matches!(error.kind, ErrorKind::Transport(_)), "{error}");
    assert_eq!(heard.all().len(), 4);
    assert_eq!(registry.open_sessions(), 0);
}

#[test]
fn an_early_refusal_is_heard_while_sending() {
    let registry = Registry::start();
    registry.script(patch(), Fault::AnswerEarly(Response::new(413)));
    gets_through(&registry);
    let patches = registry.traffic().count("PATCH", Route::Session);
    assert!(patches > 2, "{patches}");
}

#[test]
fn a_location_that_is_none_is_an_error() {
    let text = |text: &str| Location::Is(text.to_owned());
    for location in [
        Location::Missing,
        Location::Long(9000),
        text("ftp://127.0.0.1/x"),
        text("http://u:p@127.0.0.1/x"),
        text("http:///x"),
    ] {
        let registry = Registry::start();
        registry.script(
            When::new("POST", Route::Uploads).always(),
            Fault::Location(location),
        );
        let error = repository(&registry, "a/b")
            .push_blob(&Blob::new(*b"x"), &[])
            .unwrap_err();
        assert!(matches!(error.kind, ErrorKind::Protocol(_)), "{error}");
        assert_eq!(registry.traffic().count("PUT", Route::Session), 0);
    }
}

#[test]
fn another_host_gets_the_content_and_no_credentials() {
    let elsewhere = Registry::start();
    let registry = Registry::builder().basic("user", "pass").start();
    // The same content is expected at a session of the other host.
    let location = format!("http://localhost:{}/upload/x", elsewhere.address().port());
    registry.script(
        When::new("POST", Route::Uploads).always(),
        Fault::Location(Location::Is(location)),
    );
    elsewhere.script(When::any().always(), Fault::answer(201));
    let options = ClientOptions {
        keychain: Keychain::anonymous().with(None, password("pass")),
        plain_http: vec!["localhost".to_owned()],
        ..options()
    };
    repository_with(&registry, "a/b", options)
        .push_blob(&Blob::new(*b"x"), &[])
        .unwrap();
    let seen = elsewhere.traffic();
    assert_eq!(seen.0.len(), 1);
    assert!(seen.authorized().is_empty());
}

#[test]
fn a_token_that_expires_during_an_upload_is_renewed_and_nothing_is_sent_twice() {
    // Each token is good for one request.
    let bearer = Bearer::new("user", "pass").uses(1);
    let registry = Registry::builder().bearer(bearer).start();
    let options = ClientOptions {
        keychain: Keychain::anonymous().with(None, password("pass")),
        ..options()
    };
    let blob = Blob::filled("large", LARGE);
    repository_with(&registry, "a/b", options)
        .push_blob(&blob, &[])
        .unwrap();
    assert!(registry.has_blob("a/b", &blob.digest()));
    assert_eq!(registry.traffic().bytes_uploaded(), blob.size());
}

#[test]
fn damaged_content_is_never_committed_by_any_way() {
    for profile in [
        Profile::Spec,
        Profile::Gar,
        Profile::Ghcr,
        Profile::Distribution2,
    ] {
        for size in [100, LARGE] {
            for at in [0, size / 2, size - 1] {
                let registry = Registry::with_profile(profile);
                // One that believes everything.
                registry.script(put().always(), Fault::Lie);
                let error = repository(&registry, "a/b")
                    .push_blob(&Blob::filled("x", size).damaged(at), &[])
                    .unwrap_err();
                assert!(matches!(error.kind, ErrorKind::Source(_)), "{error}");
                assert!(registry.traffic().uploads().is_empty());
                assert_eq!(registry.open_sessions(), 0);
            }
        }
    }
}

#[test]
fn damage_before_the_place_where_an_upload_goes_on_is_found() {
    let registry = Registry::with_profile(Profile::Distribution3);
    registry.script(patch(), Fault::CutRequest(1 << 20));
    registry.script(put().always(), Fault::Lie);
    let error = repository(&registry, "a/b")
        .push_blob(&Blob::filled("x", LARGE).damaged(5), &[])
        .unwrap_err();
    assert!(matches!(error.kind, ErrorKind::Source(_)), "{error}");
    assert!(registry.traffic().uploads().is_empty());
}

#[test]
fn stopping_ends_what_waits_for_a_registry_and_its_session() {
    let registry = Registry::start();
    let gate = Gate::new();
    registry.script(put(), Fault::Gate(gate.clone()));
    let cancel = Cancel::new();
    let options = ClientOptions {
        cancel: cancel.clone(),
        ..options()
    };
    let repository = repository_with(&registry, "a/b", options);
    let error = std::thread::scope(|scope| {
        let upload = scope.spawn(|| repository.push_blob(&Blob::filled("x", LARGE), &[]));
        gate.wait_for(1);
        cancel.cancel();
        upload.join().unwrap().unwrap_err()
    });
    assert!(error.is_cancelled(), "{error}");
    assert_eq!(registry.open_sessions(), 0);
    gate.open();
}

#[test]
fn stopping_ends_a_wait() {
    let registry = Registry::start();
    registry.script(
        When::new("HEAD", Route::Blob).always(),
        Fault::too_many("600"),
    );
    let cancel = Cancel::new();
    let mut options = ClientOptions {
        cancel: cancel.clone(),
        ..options()
    };
    options.retry.retry_after_cap = Duration::from_secs(600);
    let repository = repository_with(&registry, "a/b", options);
    let error = std::thread::scope(|scope| {
        let upload = scope.spawn(|| repository.push_blob(&Blob::new(*b"x"), &[]));
        while registry.traffic().0.is_empty() {
            std::thread::yield_now();
        }
        cancel.cancel();
        upload.join().unwrap().unwrap_err()
    });
    assert!(error.is_cancelled(), "{error}");
}

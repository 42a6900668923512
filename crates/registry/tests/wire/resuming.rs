//! Uploads that resume in a later run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use sealift_oci::Digest;
use sealift_pipeline::Cancel;
use sealift_registry::{
    Client, ClientOptions, Pushed, Repository, RetryPolicy, SessionStore, UploadSession,
};
use sealift_testkit::{Fault, Gate, Profile, Registry, Route, When};

use crate::support::{Blob, options};

const SIZE: usize = 6 << 20;

/// Keeps sessions in memory, as a loader keeps them in a file.
#[derive(Default)]
pub(crate) struct Store(Mutex<HashMap<Digest, UploadSession>>);

impl Store {
    pub(crate) fn all(&self) -> Vec<UploadSession> {
        self.0.lock().unwrap().values().cloned().collect()
    }
}

impl SessionStore for Store {
    fn load(&self, _: &str, _: &str, digest: &Digest) -> Option<UploadSession> {
        self.0.lock().unwrap().get(digest).cloned()
    }

    fn save(&self, session: &UploadSession) {
        let mut sessions = self.0.lock().unwrap();
        sessions.insert(session.digest, session.clone());
    }

    fn remove(&self, _: &str, _: &str, digest: &Digest) {
        self.0.lock().unwrap().remove(digest);
    }
}

/// A run of its own: nothing is known but what the store has.
fn run(registry: &Registry, store: &Arc<Store>, cancel: Cancel) -> Repository {
    let client = Client::new(ClientOptions {
        retry: RetryPolicy {
            retries: 0,
            ..RetryPolicy::default()
        },
        cancel,
        ..options()
    });
    let store: Arc<dyn SessionStore> = Arc::<Store>::clone(store);
    client
        .with_sessions(store)
        .repository(&registry.host(), "a/b")
        .unwrap()
}

/// Begins an upload that breaks after a part; what is left of it.
fn broken(registry: &Registry, store: &Arc<Store>, blob: &Blob) -> UploadSession {
    registry.script(
        When::new("PATCH", Route::Session),
        Fault::CutRequest(2 << 20),
    );
    let repository = run(registry, store, Cancel::new());
    assert!(repository.push_blob(blob, &[]).is_err());
    let sessions = store.all();
    assert_eq!(sessions.len(), 1);
    sessions[0].clone()
}

fn arrives(registry: &Registry, store: &Arc<Store>, blob: &Blob) {
    let pushed = run(registry, store, Cancel::new()).push_blob(blob, &[]);
    assert_eq!(pushed.unwrap(), Pushed::Sent);
    assert_eq!(registry.blob("a/b", &blob.digest()).unwrap(), blob.bytes());
    assert_eq!(registry.open_sessions(), 0);
    assert_eq!(store.all(), []);
}

#[test]
fn an_upload_resumes_in_a_later_run_and_nothing_is_sent_twice() {
    for profile in [Profile::Spec, Profile::Distribution3] {
        let (registry, store) = (Registry::with_profile(profile), Arc::default());
        let blob = Blob::filled("large", SIZE);
        let session = broken(&registry, &store, &blob);
        assert_eq!(session.digest, blob.digest());
        assert_eq!(session.size, blob.size());
        assert_eq!(registry.open_sessions(), 1);
        let text = serde_json::to_string(&session).unwrap();
        assert_eq!(
            serde_json::from_str::<UploadSession>(&text).unwrap(),
            session
        );
        arrives(&registry, &store, &blob);
        assert_eq!(registry.traffic().bytes_uploaded(), blob.size());
        assert_eq!(registry.traffic().count("POST", Route::Uploads), 1);
    }
}

#[test]
fn an_upload_that_was_stopped_resumes_too() {
    let (registry, store) = (
        Registry::with_profile(Profile::Distribution3),
        Arc::default(),
    );
    let blob = Blob::filled("large", SIZE);
    let gate = Gate::new();
    registry.script(When::new("PUT", Route::Session), Fault::Gate(gate.clone()));
    let cancel = Cancel::new();
    let repository = run(&registry, &store, cancel.clone());
    let error = std::thread::scope(|scope| {
        let upload = scope.spawn(|| repository.push_blob(&blob, &[]));
        gate.wait_for(1);
        cancel.cancel();
        upload.join().unwrap().unwrap_err()
    });
    assert!(error.is_cancelled(), "{error}");
    let sessions = store.all();
    assert_eq!(sessions.len(), 1);
    assert_eq!(sessions[0].offset, blob.size());
    gate.open();
}

#[test]
fn an_upload_begins_again_if_the_registry_forgot_it() {
    for profile in [Profile::Distribution2, Profile::Spec] {
        let (registry, store) = (Registry::with_profile(profile), Arc::default());
        let blob = Blob::filled("large", SIZE);
        broken(&registry, &store, &blob);
        registry.forget_sessions();
        arrives(&registry, &store, &blob);
    }
}

#[test]
fn a_session_that_was_tampered_with_leads_nowhere() {
    let (registry, store) = (
        Registry::with_profile(Profile::Distribution3),
        Arc::<Store>::default(),
    );
    let elsewhere = Registry::start();
    let blob = Blob::filled("large", SIZE);
    let session = broken(&registry, &store, &blob);
    for location in [
        format!("{}/v2/a/b/blobs/uploads/x", elsewhere.origin()),
        format!("//{}/v2/", elsewhere.host()),
        "/v2/ x\r\nHost: y".to_owned(),
        String::new(),
    ] {
        store.save(&UploadSession {
            location,
            ..session.clone()
        });
        assert!(
            run(&registry, &store, Cancel::new())
                .push_blob(&blob, &[])
                .is_ok()
        );
        registry.forget_blob(&blob.digest());
    }
    assert!(elsewhere.traffic().0.is_empty());
}

#[test]
fn small_blobs_and_refused_ones_leave_no_session() {
    let (registry, store) = (Registry::start(), Arc::default());
    registry.script(
        When::new("PUT", Route::Session).always(),
        Fault::error(403, "DENIED", "quota exceeded"),
    );
    for size in [100, SIZE] {
        let blob = Blob::filled("x", size);
        let repository = run(&registry, &store, Cancel::new());
        assert!(repository.push_blob(&blob, &[]).is_err());
        assert_eq!(store.all(), []);
        assert_eq!(registry.open_sessions(), 0);
    }
}

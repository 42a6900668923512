//! distribution 2.8 and 3, with a line in between that breaks.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use sealift_oci::{Descriptor, Manifest, media_type};
use sealift_registry::{
    Client, ClientOptions, Pushed, Repository, RetryPolicy, SessionStore, SparseIndex,
};
use sealift_testkit::real::RealRegistry;
use sealift_testkit::{Artifact, Image};

use crate::resuming::Store;
use crate::support::{Blob, options};

const LARGE: usize = 24 << 20;

/// Passes bytes on, and ends a connection after so many of the client's: one entry for each break.
struct Line {
    address: SocketAddr,
    sent: Arc<AtomicU64>,
}

impl Line {
    fn to(target: SocketAddr, breaks: &[u64]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let line = Self {
            address: listener.local_addr().unwrap(),
            sent: Arc::default(),
        };
        let (sent, breaks) = (
            Arc::clone(&line.sent),
            Arc::new(Mutex::new(breaks.to_vec())),
        );
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(target) else {
                    continue;
                };
                let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Both);
                });
                let (sent, breaks) = (Arc::clone(&sent), Arc::clone(&breaks));
                thread::spawn(move || pass(client, server, &sent, &breaks));
            }
        });
        line
    }
}

fn pass(mut client: TcpStream, mut server: TcpStream, sent: &AtomicU64, breaks: &Mutex<Vec<u64>>) {
    let mut buffer = vec![0; 64 << 10];
    let mut passed = 0;
    while let Ok(read) = client.read(&mut buffer) {
        if read == 0 || server.write_all(&buffer[..read]).is_err() {
            break;
        }
        passed += read as u64;
        sent.fetch_add(read as u64, Ordering::Relaxed);
        let mut breaks = breaks.lock().unwrap();
        if breaks.first().is_some_and(|after| passed > *after) {
            breaks.remove(0);
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
}

fn at(address: SocketAddr, name: &str) -> Repository {
    Client::new(options())
        .repository(&address.to_string(), name)
        .unwrap()
}

fn content(repository: &Repository, blob: &Blob) -> Vec<u8> {
    let descriptor = sealift_oci::Descriptor::new("x", blob.digest(), blob.size());
    let mut bytes = Vec::new();
    let mut body = repository.blob(&descriptor, 0).unwrap();
    body.reader.read_to_end(&mut bytes).unwrap();
    bytes
}

fn parsed(image: &Image) -> Manifest {
    let made = image.manifest(&image.digest()).unwrap();
    Manifest::parse(made.bytes.to_vec(), None).unwrap()
}

/// Blobs of all sizes arrive, are mounted and carry a manifest.
fn takes_what_it_is_given(registry: &RealRegistry) {
    let repository = at(registry.address(), "calico/node");
    for size in [0, 1, 1000, 300 << 10, LARGE] {
        let blob = Blob::filled("blob", size);
        assert_eq!(repository.push_blob(&blob, &[]).unwrap(), Pushed::Sent);
        assert_eq!(repository.push_blob(&blob, &[]).unwrap(), Pushed::Present);
        assert_eq!(content(&repository, &blob), blob.bytes());
        let from = "calico/node".to_owned();
        let other = at(registry.address(), "mirror/calico/node");
        let mounted = other.push_blob(&blob, std::slice::from_ref(&from)).unwrap();
        assert_eq!(mounted, Pushed::Mounted { from });
        let nothing = at(registry.address(), "mirror/other");
        let sent = nothing.push_blob(&blob, &["not/there".to_owned()]).unwrap();
        assert_eq!(sent, Pushed::Sent);
    }
    let image = Artifact::new("application/x")
        .file("text/plain", "f", *b"text")
        .make();
    let manifest = parsed(&image);
    let early = repository.put_manifest("v1", &manifest).unwrap_err();
    assert!(early.is_blob_unknown(), "{early}");
    for bytes in [&b"text"[..], b"{}"] {
        repository.push_blob(&Blob::new(bytes), &[]).unwrap();
    }
    repository.put_manifest("v1", &manifest).unwrap();
    assert_eq!(repository.manifest("v1").unwrap().bytes(), manifest.bytes());
    assert_eq!(repository.tags().unwrap(), ["v1"]);
    assert!(!repository.has_referrers_api(manifest.digest()).unwrap());
}

#[test]
fn distribution_2_takes_what_it_is_given() {
    if let Some(registry) = RealRegistry::distribution2() {
        takes_what_it_is_given(&registry);
    }
}

#[test]
fn distribution_3_takes_what_it_is_given() {
    if let Some(registry) = RealRegistry::distribution3() {
        takes_what_it_is_given(&registry);
    }
}

#[test]
fn distribution_3_goes_on_after_a_break_and_nothing_much_is_sent_twice() {
    let Some(registry) = RealRegistry::distribution3() else {
        return;
    };
    let line = Line::to(registry.address(), &[8 << 20, 8 << 20]);
    let blob = Blob::filled("broken", LARGE);
    at(line.address, "a/b").push_blob(&blob, &[]).unwrap();
    assert_eq!(content(&at(registry.address(), "a/b"), &blob), blob.bytes());
    // What was in buffers when the line broke is lost, and no more.
    let sent = line.sent.load(Ordering::Relaxed);
    assert!(sent < blob.size() + (8 << 20), "{sent}");
}

#[test]
fn distribution_2_begins_again_after_a_break() {
    let Some(registry) = RealRegistry::distribution2() else {
        return;
    };
    let line = Line::to(registry.address(), &[8 << 20, 4 << 20]);
    let blob = Blob::filled("broken", LARGE);
    at(line.address, "a/b").push_blob(&blob, &[]).unwrap();
    assert_eq!(content(&at(registry.address(), "a/b"), &blob), blob.bytes());
    assert!(line.sent.load(Ordering::Relaxed) > blob.size());
}

#[test]
fn damaged_content_reaches_no_real_registry() {
    for registry in [RealRegistry::distribution2(), RealRegistry::distribution3()]
        .into_iter()
        .flatten()
    {
        let repository = at(registry.address(), "a/b");
        for size in [1000, LARGE] {
            let blob = Blob::filled("damaged", size).damaged(size - 1);
            assert!(repository.push_blob(&blob, &[]).is_err());
            assert_eq!(repository.head_blob(&blob.digest()).unwrap(), None);
        }
    }
}

/// A run of its own that keeps its upload sessions in `store`.
fn run(address: SocketAddr, store: &Arc<Store>, retries: u32) -> Repository {
    let client = Client::new(ClientOptions {
        retry: RetryPolicy {
            retries,
            ..RetryPolicy::default()
        },
        ..options()
    });
    let store: Arc<dyn SessionStore> = Arc::<Store>::clone(store);
    client
        .with_sessions(store)
        .repository(&address.to_string(), "a/b")
        .unwrap()
}

/// How many bytes are sent for a blob whose upload breaks after `broken_after` in a first run.
fn sent_in_two_runs(registry: &RealRegistry, blob: &Blob, broken_after: u64) -> u64 {
    let store = Arc::<Store>::default();
    let line = Line::to(registry.address(), &[broken_after]);
    let first = run(line.address, &store, 0);
    assert!(first.push_blob(blob, &[]).is_err());
    assert_eq!(store.all().len(), 1);
    // The registry may still be storing what the broken request sent; until then it refuses what follows.
    thread::sleep(Duration::from_secs(1));
    let pushed = run(line.address, &store, 3).push_blob(blob, &[]).unwrap();
    assert_eq!(pushed, Pushed::Sent);
    assert_eq!(store.all(), []);
    assert_eq!(content(&at(registry.address(), "a/b"), blob), blob.bytes());
    line.sent.load(Ordering::Relaxed)
}

#[test]
fn distribution_3_resumes_an_upload_in_a_later_run() {
    let Some(registry) = RealRegistry::distribution3() else {
        return;
    };
    let blob = Blob::filled("two runs", LARGE);
    let sent = sent_in_two_runs(&registry, &blob, 16 << 20);
    assert!(sent < blob.size() + (8 << 20), "{sent}");
}

#[test]
fn distribution_2_gets_an_upload_again_in_a_later_run() {
    let Some(registry) = RealRegistry::distribution2() else {
        return;
    };
    let blob = Blob::filled("two runs", LARGE);
    let sent = sent_in_two_runs(&registry, &blob, 16 << 20);
    assert!(sent > blob.size(), "{sent}");
}

#[test]
fn real_registries_take_one_manifest_from_many_clients_at_once() {
    for registry in [RealRegistry::distribution2(), RealRegistry::distribution3()]
        .into_iter()
        .flatten()
    {
        for round in 0..20 {
            let image = Artifact::new(&format!("application/x{round}"))
                .file("text/plain", "f", *b"text")
                .make();
            let manifest = parsed(&image);
            let repository = at(registry.address(), "a/b");
            for bytes in [&b"text"[..], b"{}"] {
                repository.push_blob(&Blob::new(bytes), &[]).unwrap();
            }
            thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        at(registry.address(), "a/b")
                            .put_manifest(&manifest.digest().to_string(), &manifest)
                            .unwrap();
                    });
                }
            });
        }
    }
}

#[test]
fn real_registries_refuse_an_index_whose_children_are_absent() {
    for registry in [RealRegistry::distribution2(), RealRegistry::distribution3()]
        .into_iter()
        .flatten()
    {
        let repository = at(registry.address(), "a/b");
        let index = serde_json::json!({
            "schemaVersion": 2, "mediaType": media_type::OCI_INDEX,
            "manifests": [Descriptor::of(media_type::OCI_MANIFEST, b"absent")],
        });
        let index = Manifest::parse(index.to_string().into_bytes(), None).unwrap();
        let stored = repository.put_sparse_index("v1", &index).unwrap();
        assert!(matches!(stored, SparseIndex::Refused));
        assert_eq!(repository.accepts_sparse_indexes(), Some(false));
    }
}

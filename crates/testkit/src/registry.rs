//! An OCI registry inside the test's process, on loopback: it keeps what it is given, remembers what it
//! was asked, and misbehaves as it is told.

mod auth;
mod behaviour;
mod endless;
mod fault;
mod handle;
mod http;
mod record;
mod server;
mod shared;
mod store;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sealift_oci::Digest;

pub use auth::{Auth, Bearer};
pub use behaviour::{Behaviour, Mounts, Profile, SessionState};
pub use endless::Endless;
pub use fault::{Fault, Gate, Location, Response, When};
pub use record::{Authorization, Recorded, Route, Traffic};

use server::accept;
use shared::Shared;
use store::{Content, Storage, Stored, lock};

/// A registry on loopback; it ends with the value.
///
/// ```
/// use sealift_testkit::{Fault, Registry, Route, When};
///
/// let registry = Registry::start();
/// let digest = registry.put_blob("library/a", b"content");
/// registry.script(When::new("GET", Route::Blob).times(2), Fault::CutResponse(3));
/// assert!(registry.traffic().writes().is_empty());
/// # let _ = digest;
/// ```
pub struct Registry {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Registry {
    /// A registry that does all that the specification offers, without credentials.
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// One of a known kind.
    pub fn with_profile(profile: Profile) -> Self {
        Self::builder().profile(profile).start()
    }

    /// A registry to be described.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// Host and port, as they stand in a reference.
    pub fn host(&self) -> String {
        self.shared.address.to_string()
    }

    /// `http://host:port`.
    pub fn origin(&self) -> String {
        self.shared.origin()
    }

    /// `host:port/repository:tag`.
    pub fn reference(&self, repository: &str, tag: &str) -> String {
        format!("{}/{repository}:{tag}", self.host())
    }

    /// Keeps a blob in a repository; its SHA-256 digest.
    pub fn put_blob(&self, repository: &str, bytes: impl AsRef<[u8]>) -> Digest {
        let digest = Digest::sha256(bytes.as_ref());
        self.put_blob_as(repository, digest, bytes);
        digest
    }

    /// Keeps bytes as the blob of a digest, whether they have it or not.
    pub fn put_blob_as(&self, repository: &str, digest: Digest, bytes: impl AsRef<[u8]>) {
        self.put_shared_blob(repository, digest, bytes.as_ref().into());
    }

    /// The same without a copy.
    pub(crate) fn put_shared_blob(&self, repository: &str, digest: Digest, bytes: Arc<[u8]>) {
        let content = Content::Memory(bytes);
        let mut state = lock(&self.shared.state);
        state.contents.remove(&digest);
        state.put_blob(repository, digest, content);
    }

    /// Keeps a file's content as a blob; it must stay as it is while the registry lives.
    pub fn put_blob_file(
        &self,
        repository: &str,
        digest: Digest,
        path: &std::path::Path,
    ) -> io::Result<()> {
        let size = std::fs::metadata(path)?.len();
        let content = Content::File(Arc::new(path.to_path_buf()), size);
        lock(&self.shared.state).put_blob(repository, digest, content);
        Ok(())
    }

    /// Keeps a manifest, complete or not; its SHA-256 digest.
    pub fn put_manifest(
        &self,
        repository: &str,
        media_type: &str,
        bytes: impl AsRef<[u8]>,
    ) -> Digest {
        let digest = Digest::sha256(bytes.as_ref());
        self.put_manifest_as(repository, digest, media_type, bytes);
        digest
    }

    /// Keeps bytes as the manifest of a digest, whether they have it or not.
    pub fn put_manifest_as(
        &self,
        repository: &str,
        digest: Digest,
        media_type: &str,
        bytes: impl AsRef<[u8]>,
    ) {
        let stored = Stored {
            media_type: media_type.to_owned(),
            bytes: bytes.as_ref().into(),
        };
        let mut state = lock(&self.shared.state);
        let repository = state.repositories.entry(repository.to_owned()).or_default();
        repository.manifests.insert(digest, stored);
    }

    /// Points a tag at a manifest.
    pub fn tag(&self, repository: &str, tag: &str, digest: Digest) {
        let mut state = lock(&self.shared.state);
        let repository = state.repositories.entry(repository.to_owned()).or_default();
        repository.tags.insert(tag.to_owned(), digest);
    }

    /// Makes an empty repository, for registries that do not make them by themselves.
    pub fn create_repository(&self, repository: &str) {
        let mut state = lock(&self.shared.state);
        state.repositories.entry(repository.to_owned()).or_default();
    }

    /// The bytes of a blob, if the repository has it.
    pub fn blob(&self, repository: &str, digest: &Digest) -> Option<Vec<u8>> {
        let content = lock(&self.shared.state).blob(repository, digest)?;
        content.read().ok()
    }

    /// Whether the repository has a blob.
    pub fn has_blob(&self, repository: &str, digest: &Digest) -> bool {
        lock(&self.shared.state).blob(repository, digest).is_some()
    }

    /// Media type and bytes of the manifest that a tag or a digest means.
    pub fn manifest(&self, repository: &str, reference: &str) -> Option<(String, Vec<u8>)> {
        let (_, stored) = lock(&self.shared.state).manifest(repository, reference)?;
        Some((stored.media_type, stored.bytes.to_vec()))
    }

    /// What a tag points at.
    pub fn tagged(&self, repository: &str, tag: &str) -> Option<Digest> {
        let state = lock(&self.shared.state);
        state.repositories.get(repository)?.tags.get(tag).copied()
    }

    /// The tags of a repository, sorted.
    pub fn tags(&self, repository: &str) -> Vec<String> {
        let state = lock(&self.shared.state);
        let repository = state.repositories.get(repository);
        repository.map_or_else(Vec::new, |found| found.tags.keys().cloned().collect())
    }

    /// The names of all repositories, sorted.
    pub fn repositories(&self) -> Vec<String> {
        let state = lock(&self.shared.state);
        state.repositories.keys().cloned().collect()
    }

    /// Forgets a blob everywhere, as a collector of garbage does.
    pub fn forget_blob(&self, digest: &Digest) {
        let mut state = lock(&self.shared.state);
        state.contents.remove(digest);
        for repository in state.repositories.values_mut() {
            repository.blobs.remove(digest);
        }
    }

    /// Forgets a manifest and the tags that point at it.
    pub fn forget_manifest(&self, repository: &str, digest: &Digest) {
        let mut state = lock(&self.shared.state);
        if let Some(repository) = state.repositories.get_mut(repository) {
            repository.manifests.remove(digest);
            repository.tags.retain(|_, to| to != digest);
        }
    }

    /// How many upload sessions are open.
    pub fn open_sessions(&self) -> usize {
        lock(&self.shared.state).sessions.len()
    }

    /// Ends all upload sessions, as a restart does.
    pub fn forget_sessions(&self) {
        lock(&self.shared.state).sessions.clear();
    }

    /// No token that was given out is good any more.
    pub fn expire_tokens(&self) {
        self.shared.tokens.expire();
    }

    /// All that a client could see, to compare before and after.
    pub fn snapshot(&self) -> Snapshot {
        let state = lock(&self.shared.state);
        let mut snapshot = Snapshot::default();
        for (name, repository) in &state.repositories {
            let manifests = repository.manifests.keys().copied().collect();
            let tags = repository.tags.clone();
            let blobs = repository.blobs.iter().copied().collect();
            let kept = Kept {
                manifests,
                tags,
                blobs,
            };
            snapshot.0.insert(name.clone(), kept);
        }
        snapshot
    }

    /// From now on, what `when` fits goes wrong like this. Each request takes the first rule that fits
    /// and has not been used up.
    pub fn script(&self, when: When, fault: Fault) {
        self.shared.script.add(when, fault);
    }

    /// From now on nothing goes wrong.
    pub fn clear_script(&self) {
        self.shared.script.clear();
    }

    /// How many scripted faults have not happened yet, apart from those that always happen.
    pub fn outstanding_faults(&self) -> u64 {
        self.shared.script.outstanding()
    }

    /// Changes how it behaves, from the next request on.
    pub fn change(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut lock(&self.shared.behaviour));
    }

    /// What was asked of it so far.
    pub fn traffic(&self) -> Traffic {
        Traffic(lock(&self.shared.traffic).clone())
    }

    /// Forgets what was asked of it. Not while requests are under way: theirs would be lost.
    pub fn clear_traffic(&self) {
        lock(&self.shared.traffic).clear();
    }

    /// How many connections it has accepted.
    pub fn connections(&self) -> u64 {
        self.shared.connections()
    }

    /// Waits until all connections are closed: what clients sent before they ended is then dealt with.
    ///
    /// # Panics
    /// If that takes longer than ten seconds.
    pub fn wait_until_idle(&self) {
        let begun = Instant::now();
        // A connection that was just accepted is not among them yet.
        let mut idle = 0;
        while idle < 5 {
            assert!(
                begun.elapsed() < Duration::from_secs(10),
                "a connection stays open"
            );
            std::thread::sleep(Duration::from_millis(1));
            idle = if lock(&self.shared.open).is_empty() {
                idle + 1
            } else {
                0
            };
        }
    }

    /// The most requests that were handled at one time.
    pub fn peak_concurrency(&self) -> u64 {
        self.shared.peak()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Registry").field(&self.address()).finish()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.shared.end();
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed there.
            let _ = thread.join();
        }
    }
}

/// What a registry keeps, by repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot(pub BTreeMap<String, Kept>);

/// What one repository keeps, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// The digests of its manifests.
    pub manifests: Vec<Digest>,
    /// Its tags.
    pub tags: BTreeMap<String, Digest>,
    /// The digests of its blobs.
    pub blobs: Vec<Digest>,
}

/// Describes a registry before it starts.
#[derive(Debug)]
pub struct Builder {
    behaviour: Behaviour,
    auth: Auth,
    latency: Duration,
    on_disk: bool,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            behaviour: Behaviour::of(Profile::Spec),
            auth: Auth::None,
            latency: Duration::ZERO,
            on_disk: false,
        }
    }
}

impl Builder {
    /// A known kind of registry.
    pub fn profile(mut self, profile: Profile) -> Self {
        self.behaviour = Behaviour::of(profile);
        self
    }

    /// Changes one thing about it.
    pub fn behaviour(mut self, change: impl FnOnce(&mut Behaviour)) -> Self {
        change(&mut self.behaviour);
        self
    }

    /// Wants user and password with every request.
    pub fn basic(mut self, user: &str, password: &str) -> Self {
        self.auth = Auth::Basic {
            user: user.to_owned(),
            password: password.to_owned(),
        };
        self
    }

    /// Wants tokens.
    pub fn bearer(mut self, bearer: Bearer) -> Self {
        self.auth = Auth::Bearer(bearer);
        self
    }

    /// Waits so long before it handles a request.
    pub fn latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// Keeps uploads in temporary files instead of memory.
    pub fn on_disk(mut self) -> Self {
        self.on_disk = true;
        self
    }

    /// Starts it on a free port.
    ///
    /// # Panics
    /// Where loopback or the temporary folder cannot be used: no test can go on then.
    pub fn start(self) -> Registry {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port on loopback");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let storage = if self.on_disk {
            Storage::on_disk().expect("a temporary folder")
        } else {
            Storage::default()
        };
        let shared = Arc::new(Shared::new(
            address,
            self.behaviour,
            self.auth,
            self.latency,
            storage,
        ));
        let theirs = Arc::clone(&shared);
        let thread = std::thread::spawn(move || accept(&listener, &theirs));
        Registry {
            shared,
            thread: Some(thread),
        }
    }
}

//! Upload sessions as values that outlive a run.

use sealift_oci::Digest;
use serde::{Deserialize, Serialize};

/// An upload that was begun: enough to ask the registry, in a later run, what it has of the blob and to send
/// the rest. Registries keep sessions for a while (distribution: a week); some forget them at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UploadSession {
    /// The registry, as references name it.
    pub registry: String,
    /// The repository.
    pub repository: String,
    /// The blob.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Path and query on the registry's own origin, where the next request goes.
    pub location: String,
    /// How many bytes the registry has confirmed.
    pub offset: u64,
}

/// Keeps upload sessions from one run to the next. Called from many threads; what fails is its own to report,
/// since an upload does not need it.
pub trait SessionStore: Send + Sync {
    /// The session that was saved for this blob in this repository.
    fn load(&self, registry: &str, repository: &str, digest: &Digest) -> Option<UploadSession>;

    /// Keeps a session, in place of an earlier one for the same blob and repository.
    fn save(&self, session: &UploadSession);

    /// Forgets the session of a blob: it was committed, given up or lost.
    fn remove(&self, registry: &str, repository: &str, digest: &Digest);
}

//! What each kind of request does.

mod blobs;
mod lists;
mod manifests;
mod uploads;

use std::io;

use sealift_oci::{Digest, valid_repository};

use super::auth::Granted;
use super::behaviour::Behaviour;
use super::http::{Answer, Body, Head};
use super::record::{Route, route};
use super::shared::Shared;
use super::store::lock;

/// A request that may be done.
pub(crate) struct Asked<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) behaviour: &'a Behaviour,
    pub(crate) head: &'a Head,
    pub(crate) granted: &'a Granted,
    /// Answer as a success, and keep nothing.
    pub(crate) lie: bool,
    /// Answer the whole where a range is asked for.
    pub(crate) ignore_range: bool,
}

impl Asked<'_> {
    pub(crate) fn handle(&self, body: &mut Body<'_>) -> io::Result<Answer> {
        let (kind, repository, reference) = route(&self.head.path);
        let named = !matches!(
            kind,
            Route::Ping | Route::Catalog | Route::Token | Route::Other
        );
        if named && !valid_repository(repository) {
            return Ok(Answer::error(
                400,
                "NAME_INVALID",
                "invalid repository name",
            ));
        }
        let writes = !matches!(self.head.method.as_str(), "GET" | "HEAD");
        if named && writes && !self.behaviour.creates_repositories && !self.is_there(repository) {
            return Ok(name_unknown(repository));
        }
        match (kind, self.head.method.as_str()) {
            (Route::Ping, "GET" | "HEAD") => Ok(Answer::new(200)
                .json(&serde_json::json!({}))
                .header("Docker-Distribution-API-Version", "registry/2.0")),
            (Route::Catalog, "GET") => Ok(self.catalog()),
            (Route::Tags, "GET") => Ok(self.tags(repository)),
            (Route::Referrers, "GET") => Ok(self.referrers(repository, reference)),
            (Route::Manifest, "GET" | "HEAD") => Ok(self.get_manifest(repository, reference)),
            (Route::Manifest, "PUT") => self.put_manifest(repository, reference, body),
            (Route::Manifest, "DELETE") => Ok(self.delete_manifest(repository, reference)),
            (Route::Blob, "GET" | "HEAD") => Ok(self.get_blob(repository, reference)),
            (Route::Blob, "DELETE") => Ok(self.delete_blob(repository, reference)),
            (Route::Uploads, "POST") => self.open_upload(repository, body),
            (Route::Session, _) => self.session(repository, reference, body),
            (Route::Other, _) => Ok(Answer::error(404, "UNSUPPORTED", "no such page")),
            _ => Ok(unsupported()),
        }
    }

    fn is_there(&self, repository: &str) -> bool {
        lock(&self.shared.state)
            .repositories
            .contains_key(repository)
    }
}

fn unsupported() -> Answer {
    Answer::error(405, "UNSUPPORTED", "the operation is unsupported")
}

fn name_unknown(repository: &str) -> Answer {
    let message = format!("repository {repository} not known to registry");
    Answer::error(404, "NAME_UNKNOWN", &message)
}

/// A digest, or the answer to what is none.
fn digest(text: &str) -> Result<Digest, Answer> {
    text.parse()
        .map_err(|_| Answer::error(400, "DIGEST_INVALID", "provided digest is no digest"))
}

//! What was asked of the registry, for assertions.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sealift_oci::Digest;

use super::http::{find, parameters};

/// The kind of a request, by its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Route {
    /// `/v2/`
    Ping,
    /// `/token`
    Token,
    /// `/v2/_catalog`
    Catalog,
    /// `/v2/<name>/tags/list`
    Tags,
    /// `/v2/<name>/manifests/<reference>`
    Manifest,
    /// `/v2/<name>/blobs/<digest>`
    Blob,
    /// `/v2/<name>/blobs/uploads/`
    Uploads,
    /// `/v2/<name>/blobs/uploads/<session>`
    Session,
    /// `/v2/<name>/referrers/<digest>`
    Referrers,
    /// Anything else.
    Other,
}

/// A path's kind, repository, and tag, digest or session.
pub(crate) fn route(path: &str) -> (Route, &str, &str) {
    if path == "/token" {
        return (Route::Token, "", "");
    }
    let Some(rest) = path.strip_prefix("/v2/") else {
        return (Route::Other, "", "");
    };
    if rest.is_empty() {
        return (Route::Ping, "", "");
    }
    if rest == "_catalog" {
        return (Route::Catalog, "", "");
    }
    if let Some(name) = rest.strip_suffix("/tags/list") {
        return (Route::Tags, name, "");
    }
    if let Some((name, session)) = rest.rsplit_once("/blobs/uploads/") {
        let kind = if session.is_empty() {
            Route::Uploads
        } else {
            Route::Session
        };
        return (kind, name, session);
    }
    for (part, kind) in [
        ("/manifests/", Route::Manifest),
        ("/blobs/", Route::Blob),
        ("/referrers/", Route::Referrers),
    ] {
        if let Some((name, reference)) = rest.rsplit_once(part) {
            return (kind, name, reference);
        }
    }
    (Route::Other, "", "")
}

/// What a request proved itself with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authorization {
    /// User and password.
    Basic(String, String),
    /// A token.
    Bearer(String),
    /// Something else, as it was sent.
    Other(String),
}

/// One request.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Which connection it came on, counted from 0.
    pub connection: u64,
    /// Its method.
    pub method: String,
    /// Its path, decoded.
    pub path: String,
    /// Its query, as it was sent.
    pub query: String,
    /// What kind it is.
    pub route: Route,
    /// The repository it is about; empty where there is none.
    pub repository: String,
    /// The tag, digest or session it is about; empty where there is none.
    pub reference: String,
    /// Its headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The status of the answer; nothing where none was sent.
    pub status: Option<u16>,
    /// Bytes of its body that were read.
    pub bytes_in: u64,
    /// Bytes of the answer's body that were sent.
    pub bytes_out: u64,
    /// Bytes that the answer's body has.
    pub announced: u64,
    /// Whether the script had something for it.
    pub scripted: bool,
}

impl Recorded {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// The first decoded value of a query parameter.
    pub fn parameter(&self, name: &str) -> Option<String> {
        parameters(&self.query, name).into_iter().next()
    }

    /// What it proved itself with.
    pub fn authorization(&self) -> Option<Authorization> {
        let value = self.header("authorization")?;
        let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some(Authorization::Bearer(rest.to_owned()));
        }
        let basic = scheme
            .eq_ignore_ascii_case("basic")
            .then(|| STANDARD.decode(rest).ok())
            .flatten()
            .and_then(|bytes| String::from_utf8(bytes).ok());
        Some(
            match basic.as_deref().and_then(|text| text.split_once(':')) {
                Some((user, password)) => {
                    Authorization::Basic(user.to_owned(), password.to_owned())
                }
                None => Authorization::Other(value.to_owned()),
            },
        )
    }

    /// Whether it is one that may change something.
    pub fn is_write(&self) -> bool {
        self.route != Route::Token
            && matches!(self.method.as_str(), "POST" | "PUT" | "PATCH" | "DELETE")
    }

    /// Whether it was answered with a status of success.
    pub fn succeeded(&self) -> bool {
        self.status.is_some_and(|status| status < 300)
    }

    fn digest(&self) -> Option<Digest> {
        match self.parameter("digest") {
            Some(text) => text.parse().ok(),
            None => self.reference.parse().ok(),
        }
    }
}

/// Requests in the order in which they arrived.
#[derive(Clone, Debug, Default)]
pub struct Traffic(pub Vec<Recorded>);

impl Traffic {
    /// All of this method and kind.
    pub fn of(&self, method: &str, route: Route) -> Vec<&Recorded> {
        self.0
            .iter()
            .filter(|request| request.method == method && request.route == route)
            .collect()
    }

    /// How many there are of this method and kind.
    pub fn count(&self, method: &str, route: Route) -> usize {
        self.of(method, route).len()
    }

    /// All that may have changed something.
    pub fn writes(&self) -> Vec<&Recorded> {
        self.0.iter().filter(|r| r.is_write()).collect()
    }

    /// How often each blob was committed by an upload (a PUT or a single POST that succeeded, not a
    /// mount), whatever the repository.
    pub fn uploads(&self) -> BTreeMap<Digest, usize> {
        let commits = self.0.iter().filter(|request| {
            let commit = match request.route {
                Route::Session => request.method == "PUT",
                Route::Uploads => request.method == "POST" && request.parameter("mount").is_none(),
                _ => false,
            };
            commit && request.status == Some(201)
        });
        count(commits.filter_map(Recorded::digest))
    }

    /// How often each blob was mounted.
    pub fn mounts(&self) -> BTreeMap<Digest, usize> {
        let mounts = self.0.iter().filter(|request| {
            request.route == Route::Uploads && request.method == "POST" && request.succeeded()
        });
        count(
            mounts
                .filter(|request| request.status == Some(201))
                .filter_map(|request| request.parameter("mount")?.parse().ok()),
        )
    }

    /// How often each blob was sent whole to a client: every byte of it in one answer.
    pub fn whole_downloads(&self) -> BTreeMap<Digest, usize> {
        let whole = self.of("GET", Route::Blob).into_iter().filter(|request| {
            request.status == Some(200) && request.bytes_out == request.announced
        });
        count(whole.filter_map(Recorded::digest))
    }

    /// Bytes sent of each blob, over all answers.
    pub fn bytes_downloaded(&self) -> BTreeMap<Digest, u64> {
        let mut sums = BTreeMap::new();
        for request in self.of("GET", Route::Blob) {
            if let Some(digest) = request.digest().filter(|_| request.succeeded()) {
                *sums.entry(digest).or_default() += request.bytes_out;
            }
        }
        sums
    }

    /// Bytes of upload bodies that were read.
    pub fn bytes_uploaded(&self) -> u64 {
        self.0
            .iter()
            .filter(|request| matches!(request.route, Route::Session | Route::Uploads))
            .map(|request| request.bytes_in)
            .sum()
    }

    /// All that carried an `Authorization`.
    pub fn authorized(&self) -> Vec<&Recorded> {
        self.0
            .iter()
            .filter(|request| request.header("authorization").is_some())
            .collect()
    }
}

fn count(digests: impl Iterator<Item = Digest>) -> BTreeMap<Digest, usize> {
    let mut counts = BTreeMap::new();
    for digest in digests {
        *counts.entry(digest).or_default() += 1;
    }
    counts
}

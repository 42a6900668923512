//! From a request to a response, without a network (distribution-spec, "Endpoints").

use sealift_archive::Fault;
use sealift_oci::{Descriptor, Digest, Manifest, excerpt, media_type};
use serde::Serialize;

use crate::contents::{Contents, Repository};
use crate::query::{decoded, encoded, parameter};

/// How many names a page has where the client does not say.
const PAGE: usize = 1000;

/// What a request says, as far as a read-only registry needs it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ApiRequest<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) range: Option<&'a str>,
    pub(crate) if_none_match: Option<&'a str>,
}

/// A response whose blob, if any, is still in the bundle.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ApiResponse {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Body,
    /// The body's length, announced for a HEAD too.
    pub(crate) length: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Body {
    Bytes(Vec<u8>),
    /// A complete blob.
    Blob(Digest),
    /// `length` bytes of a blob from here on.
    Part(Digest, u64),
}

#[derive(Serialize)]
struct Errors<'a> {
    errors: [Error<'a>; 1],
}

#[derive(Serialize)]
struct Error<'a> {
    code: &'a str,
    message: &'a str,
}

#[derive(Serialize)]
struct Tags<'a> {
    name: &'a str,
    tags: Vec<&'a str>,
}

#[derive(Serialize)]
struct Repositories<'a> {
    repositories: Vec<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index<'a> {
    schema_version: u8,
    media_type: &'a str,
    manifests: Vec<&'a Descriptor>,
}

impl ApiResponse {
    fn bytes(status: u16, content_type: &str, bytes: Vec<u8>) -> Self {
        Self {
            status,
            headers: vec![("content-type", content_type.to_owned())],
            length: bytes.len() as u64,
            body: Body::Bytes(bytes),
        }
    }

    fn json(value: &impl Serialize) -> Self {
        let bytes = serde_json::to_vec(value).expect("plain structures are always JSON");
        Self::bytes(200, "application/json", bytes)
    }

    fn error(status: u16, code: &str, message: &str) -> Self {
        let errors = Errors {
            errors: [Error { code, message }],
        };
        let mut response = Self::json(&errors);
        response.status = status;
        response
    }

    /// The response to a request without a user name and password that are accepted.
    pub(crate) fn unauthorized() -> Self {
        let message = "a user name and a password that this registry knows are required";
        Self::error(401, "UNAUTHORIZED", message)
            .header("www-authenticate", "Basic realm=\"sealift\"")
    }

    /// The response to a request in plain HTTP where TLS is spoken.
    pub(crate) fn tls_expected() -> Self {
        let message = "this is an HTTPS server, and the request was sent in plain HTTP";
        Self::error(400, "UNSUPPORTED", message)
    }

    fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl Contents {
    /// Responds to `request`.
    pub(crate) fn respond(&self, request: &ApiRequest<'_>) -> ApiResponse {
        let Some(path) = decoded(request.path) else {
            return ApiResponse::error(
                400,
                "NAME_INVALID",
                "the path is not valid percent-encoding",
            );
        };
        let Some(rest) = path
            .strip_prefix("/v2")
            .filter(|rest| rest.is_empty() || rest.starts_with('/'))
        else {
            return ApiResponse::error(
                404,
                "UNSUPPORTED",
                "only the registry API below /v2/ is served",
            );
        };
        if !matches!(request.method, "GET" | "HEAD") {
            let message = "this registry is read-only: it serves a bundle";
            return ApiResponse::error(405, "UNSUPPORTED", message).header("allow", "GET, HEAD");
        }
        let rest = rest.trim_start_matches('/');
        if rest.is_empty() {
            return ApiResponse::json(&serde_json::json!({}))
                .header("docker-distribution-api-version", "registry/2.0");
        }
        if rest == "_catalog" {
            return self.catalogue(request);
        }
        self.in_repository(rest, request)
    }

    fn in_repository(&self, rest: &str, request: &ApiRequest<'_>) -> ApiResponse {
        let unknown = |name: &str| {
            let name = excerpt(name, 200);
            let message = format!("the bundle contains no repository {name}");
            ApiResponse::error(404, "NAME_UNKNOWN", &message)
        };
        if let Some(name) = rest.strip_suffix("/tags/list") {
            return match self.repository(name) {
                Some(repository) => tags(name, repository, request),
                None => unknown(name),
            };
        }
        for (part, serve) in [
            (
                "/manifests/",
                Self::manifest as fn(&Self, &Repository, &str, &ApiRequest<'_>) -> ApiResponse,
            ),
            ("/blobs/", Self::blob),
            ("/referrers/", referrers),
        ] {
            if let Some((name, selector)) = rest.rsplit_once(part) {
                return match self.repository(name) {
                    Some(repository) => serve(self, repository, selector, request),
                    None => unknown(name),
                };
            }
        }
        ApiResponse::error(404, "UNSUPPORTED", "no such endpoint")
    }

    fn catalogue(&self, request: &ApiRequest<'_>) -> ApiResponse {
        let (page, more) = page(self.repositories(), request.query);
        let last = page.last().copied().unwrap_or_default().to_owned();
        let response = ApiResponse::json(&Repositories { repositories: page });
        with_link(response, more, "/v2/_catalog", request.query, &last)
    }

    fn manifest(
        &self,
        repository: &Repository,
        selector: &str,
        request: &ApiRequest<'_>,
    ) -> ApiResponse {
        let digest = match selector.parse() {
            Ok(digest) => Some(digest),
            Err(_) if selector.contains(':') => {
                return ApiResponse::error(400, "DIGEST_INVALID", "the digest is malformed");
            }
            Err(_) => repository.tags.get(selector).copied(),
        };
        let manifest = digest.and_then(|digest| self.read(repository, &digest).transpose());
        let manifest = match manifest {
            Some(Ok(manifest)) => manifest,
            Some(Err(_)) => return ApiResponse::error(500, "UNKNOWN", "the bundle is corrupt"),
            None => {
                let message = "the bundle contains no such manifest in this repository";
                return ApiResponse::error(404, "MANIFEST_UNKNOWN", message);
            }
        };
        if let Some(response) = not_modified(manifest.digest(), request) {
            return response;
        }
        let bytes = manifest.bytes().to_vec();
        let response = ApiResponse::bytes(200, manifest.media_type(), bytes)
            .header("docker-content-digest", manifest.digest().to_string())
            .header("etag", format!("\"{}\"", manifest.digest()));
        match manifest.subject() {
            Some(subject) => response.header("oci-subject", subject.digest.to_string()),
            None => response,
        }
    }

    /// A manifest of a repository; `None` if it has no such manifest.
    fn read(&self, repository: &Repository, digest: &Digest) -> Result<Option<Manifest>, Fault> {
        if repository.manifests.contains(digest) {
            return self.bundle().manifest(digest);
        }
        let index = repository.indexes.get(digest);
        index
            .map(|index| self.bundle().read_manifest(index))
            .transpose()
    }

    fn blob(
        &self,
        repository: &Repository,
        selector: &str,
        request: &ApiRequest<'_>,
    ) -> ApiResponse {
        let Ok(digest) = selector.parse::<Digest>() else {
            return ApiResponse::error(400, "DIGEST_INVALID", "the digest is malformed");
        };
        let known = repository.blobs.contains(&digest) || repository.manifests.contains(&digest);
        let Some(size) = self.bundle().size(&digest).filter(|_| known) else {
            return ApiResponse::error(
                404,
                "BLOB_UNKNOWN",
                "the bundle contains no such blob in this repository",
            );
        };
        if let Some(response) = not_modified(&digest, request) {
            return response;
        }
        let complete = ApiResponse {
            status: 200,
            headers: vec![
                ("content-type", "application/octet-stream".to_owned()),
                ("docker-content-digest", digest.to_string()),
                ("accept-ranges", "bytes".to_owned()),
                ("etag", format!("\"{digest}\"")),
            ],
            body: Body::Blob(digest),
            length: size,
        };
        match request.range.and_then(|range| span(range, size)) {
            None => complete,
            Some(Span::Outside) => {
                ApiResponse::error(416, "RANGE_INVALID", "no byte of the blob is in this range")
                    .header("content-range", format!("bytes */{size}"))
            }
            Some(Span::Part { from, length }) => ApiResponse {
                status: 206,
                body: Body::Part(digest, from),
                length,
                ..complete
            }
            .header(
                "content-range",
                format!("bytes {from}-{}/{}", from + length - 1, size),
            ),
        }
    }
}

fn referrers(
    _: &Contents,
    repository: &Repository,
    selector: &str,
    request: &ApiRequest<'_>,
) -> ApiResponse {
    let Ok(digest) = selector.parse::<Digest>() else {
        return ApiResponse::error(400, "DIGEST_INVALID", "the digest is malformed");
    };
    let wanted = parameter(request.query, "artifactType").filter(|wanted| !wanted.is_empty());
    let all = repository.referrers.get(&digest);
    let manifests = all
        .into_iter()
        .flatten()
        .filter(|found| wanted.is_none() || found.artifact_type == wanted)
        .collect();
    let mut response = ApiResponse::json(&Index {
        schema_version: 2,
        media_type: media_type::OCI_INDEX,
        manifests,
    });
    response.headers = vec![("content-type", media_type::OCI_INDEX.to_owned())];
    match wanted {
        Some(_) => response.header("oci-filters-applied", "artifactType"),
        None => response,
    }
}

fn tags(name: &str, repository: &Repository, request: &ApiRequest<'_>) -> ApiResponse {
    let (page, more) = page(repository.tags.keys().map(String::as_str), request.query);
    let last = page.last().copied().unwrap_or_default().to_owned();
    let response = ApiResponse::json(&Tags { name, tags: page });
    with_link(
        response,
        more,
        &format!("/v2/{name}/tags/list"),
        request.query,
        &last,
    )
}

/// The names after `last`, `n` of them at the most; and whether there are more.
fn page<'a>(names: impl Iterator<Item = &'a str>, query: &str) -> (Vec<&'a str>, bool) {
    let last = parameter(query, "last").unwrap_or_default();
    let mut rest = names.filter(|name| *name > last.as_str());
    let page: Vec<&str> = rest.by_ref().take(page_size(query)).collect();
    let more = !page.is_empty() && rest.next().is_some();
    (page, more)
}

fn page_size(query: &str) -> usize {
    let wanted = parameter(query, "n").and_then(|n| n.parse().ok());
    wanted.unwrap_or(PAGE)
}

fn with_link(
    response: ApiResponse,
    more: bool,
    path: &str,
    query: &str,
    last: &str,
) -> ApiResponse {
    if !more {
        return response;
    }
    let (n, last) = (page_size(query), encoded(last));
    response.header("link", format!("<{path}?n={n}&last={last}>; rel=\"next\""))
}

fn not_modified(digest: &Digest, request: &ApiRequest<'_>) -> Option<ApiResponse> {
    let known = request.if_none_match?;
    let same = known.split(',').any(|tag| {
        let tag = tag.trim().trim_start_matches("W/").trim_matches('"');
        tag == "*" || tag.parse() == Ok(*digest)
    });
    same.then(|| ApiResponse {
        status: 304,
        headers: vec![("etag", format!("\"{digest}\""))],
        body: Body::Bytes(Vec::new()),
        length: 0,
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Span {
    Part { from: u64, length: u64 },
    Outside,
}

/// A single byte range of content of `size` bytes; none for what is to be ignored: other units, several
/// ranges, nonsense (RFC 9110, section 14.2).
fn span(range: &str, size: u64) -> Option<Span> {
    let (first, last) = range.trim().strip_prefix("bytes=")?.split_once('-')?;
    if last.contains(',') {
        return None;
    }
    let (from, to) = match (first.trim(), last.trim()) {
        ("", suffix) => (
            size.saturating_sub(suffix.parse().ok()?),
            size.checked_sub(1)?,
        ),
        (from, "") => (from.parse().ok()?, size.saturating_sub(1)),
        (from, to) => {
            let (from, to): (u64, u64) = (from.parse().ok()?, to.parse().ok()?);
            if to < from {
                return None;
            }
            (from, to.min(size.saturating_sub(1)))
        }
    };
    if from >= size {
        return Some(Span::Outside);
    }
    Some(Span::Part {
        from,
        length: to - from + 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_ranges_are_understood_and_others_ignored() {
        let part = |from, length| Some(Span::Part { from, length });
        assert_eq!(span("bytes=0-9", 100), part(0, 10));
        assert_eq!(span("bytes=90-", 100), part(90, 10));
        assert_eq!(span("bytes=90-1000", 100), part(90, 10));
        assert_eq!(span("bytes=-5", 100), part(95, 5));
        assert_eq!(span("bytes=-500", 100), part(0, 100));
        assert_eq!(span("bytes=100-", 100), Some(Span::Outside));
        assert_eq!(span("bytes=-0", 100), Some(Span::Outside));
        for ignored in [
            "bytes=5-1",
            "bytes=0-1,3-4",
            "lines=1-2",
            "bytes=a-b",
            "bytes",
            "",
        ] {
            assert_eq!(span(ignored, 100), None, "{ignored}");
        }
        assert_eq!(span("bytes=0-", 0), Some(Span::Outside));
    }
}

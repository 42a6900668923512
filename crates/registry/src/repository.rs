use std::fmt;
use std::io::Read;
use std::sync::Arc;

use sealift_oci::{Descriptor, Digest, MAX_MANIFEST_BYTES, Manifest, media_type};
use serde::Deserialize;

use crate::answer::{Answer, encoded, plain_words};
use crate::body::BlobReader;
use crate::client::{Client, Host};
use crate::error::{ErrorKind, Refusal, RegistryError};
use crate::request::{Call, encode};

/// No page of tags is larger.
const MAX_PAGE_BYTES: u64 = 4 << 20;
/// No list has more bytes, all pages together.
const MAX_LIST_BYTES: u64 = 64 << 20;
/// No list has more pages.
pub(crate) const MAX_PAGES: usize = 1000;

/// One repository on one registry.
#[derive(Clone)]
pub struct Repository {
    pub(crate) client: Client,
    pub(crate) host: Arc<Host>,
    pub(crate) name: String,
}

impl fmt::Debug for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host.name, self.name)
    }
}

/// The content of a blob on its way. The bytes are not checked: whoever reads them hashes them.
pub struct BlobBody {
    /// The content from `offset` on.
    pub reader: Box<dyn Read + Send>,
    /// Where the content begins: what was asked for, or 0 where the server has no ranges.
    pub offset: u64,
}

#[derive(Deserialize)]
struct TagPage {
    #[serde(default)]
    tags: Option<Vec<String>>,
}

impl Repository {
    pub(crate) fn new(client: Client, host: Arc<Host>, name: String) -> Self {
        Self { client, host, name }
    }

    /// The registry, as references name it.
    pub fn registry(&self) -> &str {
        &self.host.name
    }

    /// The repository's name, without the registry.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn pull_scope(&self) -> String {
        format!("repository:{}:pull", self.name)
    }

    pub(crate) fn push_scope(&self) -> String {
        format!("repository:{}:pull,push", self.name)
    }

    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/v2/{}/{rest}", self.name)
    }

    pub(crate) fn fail(
        &self,
        what: impl Into<String>,
        kind: impl Into<ErrorKind>,
    ) -> RegistryError {
        RegistryError {
            host: self.host.name.clone(),
            what: what.into(),
            kind: kind.into(),
        }
    }

    pub(crate) fn send(
        &self,
        call: &Call<'_>,
        what: &dyn Fn() -> String,
    ) -> Result<Answer, RegistryError> {
        self.client.send(&self.host, call, what)
    }

    /// Fetches a manifest by tag or digest. One that is asked for by digest has that digest; one by tag
    /// has the digest that the registry announced, if it did.
    pub fn manifest(&self, selector: &str) -> Result<Manifest, RegistryError> {
        let what = || format!("manifest {selector} of {}", self.name);
        let call = self.manifest_call("GET", selector);
        // The body is read inside the retried part: a cut connection is no other answer.
        let (announced, digest, bytes) = self.client.retrying(&self.host, &what, || {
            let answer = self.client.attempt(&self.host, &call)?;
            let announced = answer.header("content-type").map(str::to_owned);
            let digest = answer
                .header("docker-content-digest")
                .and_then(|digest| digest.parse().ok());
            Ok((announced, digest, answer.bytes(MAX_MANIFEST_BYTES as u64)?))
        })?;
        let expected: Option<Digest> = selector.parse().ok().or(digest);
        let manifest = match expected {
            Some(digest) => Manifest::parse_as(bytes, announced.as_deref(), &digest),
            None => Manifest::parse(bytes, announced.as_deref()),
        };
        manifest.map_err(|error| self.fail(what(), error))
    }

    /// Asks which manifest a tag or digest stands for; none where the registry has none.
    pub fn head_manifest(&self, selector: &str) -> Result<Option<Descriptor>, RegistryError> {
        let what = || format!("manifest {selector} of {}", self.name);
        let answer = match self.send(&self.manifest_call("HEAD", selector), &what) {
            Ok(answer) => answer,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error),
        };
        let media_type = answer.header("content-type").unwrap_or_default().to_owned();
        let size = answer.number("content-length");
        let digest = answer
            .header("docker-content-digest")
            .and_then(|digest| digest.parse().ok());
        match (digest.or_else(|| selector.parse().ok()), size) {
            (Some(digest), Some(size)) => Ok(Some(Descriptor::new(media_type, digest, size))),
            // The specification does not oblige a registry to say either; the body does.
            _ => self
                .manifest(selector)
                .map(|manifest| Some(manifest.descriptor())),
        }
    }

    fn manifest_call(&self, method: &'static str, selector: &str) -> Call<'static> {
        Call::new(
            method,
            self.path(&format!("manifests/{selector}")),
            self.pull_scope(),
        )
        .header("accept", media_type::MANIFEST_ACCEPT.join(", "))
    }

    /// Asks for a blob's content from byte `from` on. Where the server has no ranges, or answers with
    /// another than was asked for, the content comes from its beginning; [`BlobBody::offset`] says so.
    pub fn blob(&self, descriptor: &Descriptor, from: u64) -> Result<BlobBody, RegistryError> {
        if from > 0 && from >= descriptor.size {
            return Ok(BlobBody {
                reader: Box::new(std::io::empty()),
                offset: from,
            });
        }
        if from > 0
            && let Some(body) = self.rest_of_blob(descriptor, from)?
        {
            return Ok(body);
        }
        let what = || format!("blob {} of {}", descriptor.digest, self.name);
        let answer = self.send(&self.blob_call(descriptor), &what)?;
        self.blob_body(answer, descriptor, 0)
            .map_err(|kind| self.fail(what(), kind))
    }

    fn blob_call(&self, descriptor: &Descriptor) -> Call<'static> {
        let path = self.path(&format!("blobs/{}", descriptor.digest));
        Call::get(path, self.pull_scope())
    }

    /// The content from `from` on; nothing where the server does not give exactly that.
    fn rest_of_blob(
        &self,
        descriptor: &Descriptor,
        from: u64,
    ) -> Result<Option<BlobBody>, RegistryError> {
        let what = || format!("blob {} of {}", descriptor.digest, self.name);
        let call = self
            .blob_call(descriptor)
            .header("range", format!("bytes={from}-"));
        let answer = match self.send(&call, &what) {
            Ok(answer) => answer,
            Err(RegistryError {
                kind: ErrorKind::Status(Refusal { status: 416, .. }),
                ..
            }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let offset = match answer.status {
            206 if answer.header("content-range").and_then(content_range)
                == Some((from, descriptor.size - 1)) =>
            {
                from
            }
            // The whole, which begins at the beginning.
            200 => 0,
            _ => return Ok(None),
        };
        self.blob_body(answer, descriptor, offset)
            .map(Some)
            .map_err(|kind| self.fail(what(), kind))
    }

    fn blob_body(
        &self,
        answer: Answer,
        descriptor: &Descriptor,
        offset: u64,
    ) -> Result<BlobBody, ErrorKind> {
        if offset == 0 && answer.status != 200 {
            return Err(ErrorKind::Protocol(format!(
                "status {} where the whole blob was asked for",
                answer.status
            )));
        }
        let left = descriptor.size - offset;
        // Some storage calls a gzipped layer an encoded one, and serves its bytes as they are.
        if let Some(encoding) = answer.encoding()
            && answer.number("content-length") != Some(left)
        {
            return Err(encoded(encoding));
        }
        let cancel = self.client.options.cancel.clone();
        Ok(BlobBody {
            reader: Box::new(BlobReader::new(answer, left, cancel)),
            offset,
        })
    }

    /// Whether the registry has a blob; its size, as far as the registry says it.
    pub fn head_blob(&self, digest: &Digest) -> Result<Option<u64>, RegistryError> {
        let what = || format!("blob {digest} of {}", self.name);
        let call = Call::new(
            "HEAD",
            self.path(&format!("blobs/{digest}")),
            self.pull_scope(),
        );
        match self.send(&call, &what) {
            Ok(answer) => Ok(Some(answer.number("content-length").unwrap_or(0))),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Stores a manifest under a tag or under its digest.
    ///
    /// # Errors
    /// [`RegistryError::is_blob_unknown`] tells a manifest that names what is not there (any more).
    pub fn put_manifest(&self, selector: &str, manifest: &Manifest) -> Result<(), RegistryError> {
        let what = || format!("storing manifest {selector} in {}", self.name);
        let mut call = Call::new(
            "PUT",
            self.path(&format!("manifests/{selector}")),
            self.push_scope(),
        )
        .header("content-type", manifest.media_type());
        call.body = manifest.bytes();
        let answer = self.client.retrying(&self.host, &what, || {
            let answer = self.client.attempt(&self.host, &call);
            answer.map_err(|kind| for_good(kind, manifest))
        })?;
        let stored = answer.header("docker-content-digest").map(str::to_owned);
        if manifest.subject().is_some() {
            let knows_subjects = answer.header("oci-subject").is_some();
            self.host
                .learn(|profile| profile.keeps_referrers = Some(knows_subjects));
        }
        answer.finish();
        match stored {
            // Registries that know SHA-256 alone answer with that digest of the same bytes.
            Some(actual) if !names_content(&actual, manifest) => Err(self.fail(
                what(),
                ErrorKind::OtherContent {
                    expected: *manifest.digest(),
                    actual: plain_words(&actual),
                },
            )),
            _ => Ok(()),
        }
    }

    /// Every tag, all pages.
    pub fn tags(&self) -> Result<Vec<String>, RegistryError> {
        let what = || format!("tags of {}", self.name);
        let mut tags = Vec::new();
        self.pages(self.path("tags/list?n=1000"), &what, |bytes| {
            let page: TagPage = serde_json::from_slice(bytes)
                .map_err(|error| ErrorKind::Protocol(error.to_string()))?;
            tags.extend(page.tags.unwrap_or_default());
            Ok(())
        })?;
        Ok(tags)
    }

    /// Reads a list page by page, following `Link` on the same origin alone.
    pub(crate) fn pages(
        &self,
        first: String,
        what: &dyn Fn() -> String,
        mut page: impl FnMut(&[u8]) -> Result<(), ErrorKind>,
    ) -> Result<(), RegistryError> {
        let mut next = Some(first);
        let mut left = MAX_LIST_BYTES;
        for _ in 0..MAX_PAGES {
            let Some(path) = next.take() else {
                return Ok(());
            };
            let call = Call::get(path, self.pull_scope());
            let (link, bytes) = self.client.retrying(&self.host, what, || {
                let answer = self.client.attempt(&self.host, &call)?;
                let link = self.next_page(&answer)?;
                Ok((link, answer.bytes(MAX_PAGE_BYTES.min(left))?))
            })?;
            next = link;
            left -= bytes.len() as u64;
            page(&bytes).map_err(|kind| self.fail(what(), kind))?;
        }
        match next {
            None => Ok(()),
            Some(_) => Err(self.fail(
                what(),
                ErrorKind::Protocol(format!("more than {MAX_PAGES} pages")),
            )),
        }
    }

    fn next_page(&self, answer: &Answer) -> Result<Option<String>, ErrorKind> {
        let links = answer.headers.get_all("link");
        let mut links = links.iter().filter_map(|value| value.to_str().ok());
        let Some(target) = links.find_map(next_target) else {
            return Ok(None);
        };
        let target = answer.origin.resolve(&answer.path, target);
        match target {
            Some((origin, path)) if origin == self.host.origin => Ok(Some(path)),
            Some((origin, _)) => Err(ErrorKind::Refused(format!(
                "the next page is on another host, {origin}"
            ))),
            None => Err(ErrorKind::Protocol(
                "the link to the next page is malformed".to_owned(),
            )),
        }
    }
}

/// distribution answers 500 to layers that name URLs, today and tomorrow
/// (`validation.manifests.urls`); everything else that it says may pass.
fn for_good(kind: ErrorKind, manifest: &Manifest) -> ErrorKind {
    let names_urls = || manifest.layers().iter().any(|layer| !layer.urls.is_empty());
    match kind {
        ErrorKind::Status(refusal) if refusal.status == 500 && names_urls() => {
            ErrorKind::ForeignLayers(refusal)
        }
        kind => kind,
    }
}

/// The target of a `Link` with the relation `next` (RFC 8288).
fn next_target(mut header: &str) -> Option<&str> {
    let is_next = |parameter: &str| {
        let (name, value) = parameter.split_once('=').unwrap_or_default();
        name.trim().eq_ignore_ascii_case("rel")
            && value.trim().trim_matches('"').eq_ignore_ascii_case("next")
    };
    while let Some((target, after)) = header
        .split_once('<')
        .and_then(|(_, rest)| rest.split_once('>'))
    {
        let (parameters, _) = after.split_once('<').unwrap_or((after, ""));
        if parameters
            .trim_end_matches([',', ' '])
            .split(';')
            .any(is_next)
        {
            return Some(target);
        }
        header = after;
    }
    None
}

/// Whether a `Docker-Content-Digest` is one of the manifest's bytes.
fn names_content(header: &str, manifest: &Manifest) -> bool {
    header
        .parse::<Digest>()
        .is_ok_and(|digest| digest == Digest::of(digest.algorithm(), manifest.bytes()))
}

/// First and last byte of a `Content-Range` (RFC 9110, section 14.4).
fn content_range(header: &str) -> Option<(u64, u64)> {
    let range = header.trim().strip_prefix("bytes")?.trim_start();
    let (first, last) = range.split('/').next()?.split_once('-')?;
    Some((first.trim().parse().ok()?, last.trim().parse().ok()?))
}

/// A tag or digest for a query.
pub(crate) fn query_value(text: &str) -> String {
    encode(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found_among_links() {
        let next = "</v2/a/tags/list?last=b&n=1>; rel=\"next\"";
        assert_eq!(next_target(next), Some("/v2/a/tags/list?last=b&n=1"));
        let two = "<x,z>; rel=prev, <y>; title=\"next\"; rel=next";
        assert_eq!(next_target(two), Some("y"));
        for none in ["", "<x", "<x>; rel=\"prev\"", "</next>; rel=first"] {
            assert_eq!(next_target(none), None, "{none}");
        }
    }

    #[test]
    fn a_content_range_is_first_and_last_byte() {
        assert_eq!(content_range("bytes 5-9/10"), Some((5, 9)));
        assert_eq!(content_range("bytes 5-9/*"), Some((5, 9)));
        for none in ["bytes */10", "items 5-9/10", "5-9/10", "bytes a-b/c"] {
            assert_eq!(content_range(none), None, "{none}");
        }
    }
}

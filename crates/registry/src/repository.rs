use std::fmt;
use std::io::Read;
use std::sync::Arc;

use sealift_oci::{Descriptor, Digest, MAX_MANIFEST_BYTES, Manifest, media_type};
use serde::Deserialize;

use crate::client::{Client, Host};
use crate::error::{Problem, RegistryError};
use crate::request::{Answer, Call, encode};

/// No page of tags is larger.
const MAX_PAGE_BYTES: u64 = 4 << 20;
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
        problem: impl Into<Problem>,
    ) -> RegistryError {
        RegistryError {
            host: self.host.name.clone(),
            what: what.into(),
            problem: problem.into(),
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
        let size = answer
            .header("content-length")
            .and_then(|size| size.parse().ok());
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

    /// Asks for a blob's content from byte `from` on.
    pub fn blob(&self, descriptor: &Descriptor, from: u64) -> Result<BlobBody, RegistryError> {
        let what = || format!("blob {} of {}", descriptor.digest, self.name);
        let mut call = Call::get(
            self.path(&format!("blobs/{}", descriptor.digest)),
            self.pull_scope(),
        );
        if from > 0 {
            call = call.header("range", format!("bytes={from}-"));
        }
        let answer = self.send(&call, &what)?;
        let offset = match answer.status {
            206 => content_range_start(&answer).ok_or_else(|| {
                self.fail(
                    what(),
                    Problem::Protocol("a part of the blob without saying which".to_owned()),
                )
            })?,
            200 => 0,
            status => return Err(self.fail(what(), Problem::Protocol(format!("status {status}")))),
        };
        if offset != from && offset != 0 {
            return Err(self.fail(
                what(),
                Problem::Protocol(format!("bytes from {offset} on instead of {from}")),
            ));
        }
        Ok(BlobBody {
            reader: Box::new(answer.body.into_reader()),
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
            Ok(answer) => Ok(Some(
                answer
                    .header("content-length")
                    .and_then(|size| size.parse().ok())
                    .unwrap_or(0),
            )),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Stores a manifest under a tag or under its digest.
    pub fn put_manifest(&self, selector: &str, manifest: &Manifest) -> Result<(), RegistryError> {
        let what = || format!("storing manifest {selector} in {}", self.name);
        let mut call = Call::new(
            "PUT",
            self.path(&format!("manifests/{selector}")),
            self.push_scope(),
        )
        .header("content-type", manifest.media_type());
        call.body = manifest.bytes();
        let answer = self.send(&call, &what)?;
        let stored = answer.header("docker-content-digest").map(str::to_owned);
        let status = answer.status;
        answer.finish();
        match stored {
            _ if !matches!(status, 200..=202) => {
                Err(self.fail(what(), Problem::Protocol(format!("status {status}"))))
            }
            // Registries that know SHA-256 alone answer with that digest of the same bytes.
            Some(actual) if !names_content(&actual, manifest) => Err(self.fail(
                what(),
                Problem::OtherContent {
                    expected: *manifest.digest(),
                    actual: actual.chars().take(150).collect(),
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
                .map_err(|error| Problem::Protocol(error.to_string()))?;
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
        mut page: impl FnMut(&[u8]) -> Result<(), Problem>,
    ) -> Result<(), RegistryError> {
        let mut next = Some(first);
        for _ in 0..MAX_PAGES {
            let Some(path) = next.take() else {
                return Ok(());
            };
            let answer = self.send(&Call::get(path, self.pull_scope()), what)?;
            next = self
                .next_page(&answer)
                .map_err(|problem| self.fail(what(), problem))?;
            let bytes = answer
                .bytes(MAX_PAGE_BYTES)
                .map_err(|problem| self.fail(what(), problem))?;
            page(&bytes).map_err(|problem| self.fail(what(), problem))?;
        }
        match next {
            None => Ok(()),
            Some(_) => Err(self.fail(
                what(),
                Problem::Protocol(format!("more than {MAX_PAGES} pages")),
            )),
        }
    }

    fn next_page(&self, answer: &Answer) -> Result<Option<String>, Problem> {
        let Some(link) = answer.header("link").filter(|link| link.contains("next")) else {
            return Ok(None);
        };
        let target = link
            .split_once('<')
            .and_then(|(_, rest)| rest.split_once('>'));
        let target = target.and_then(|(target, _)| answer.origin.resolve(&answer.path, target));
        match target {
            Some((origin, path)) if origin == self.host.origin => Ok(Some(path)),
            Some((origin, _)) => Err(Problem::Refused(format!(
                "the next page is on another host, {origin}"
            ))),
            None => Err(Problem::Protocol(
                "the link to the next page is malformed".to_owned(),
            )),
        }
    }
}

/// Whether a `Docker-Content-Digest` is one of the manifest's bytes.
fn names_content(header: &str, manifest: &Manifest) -> bool {
    header
        .parse::<Digest>()
        .is_ok_and(|digest| digest == Digest::of(digest.algorithm(), manifest.bytes()))
}

fn content_range_start(answer: &Answer) -> Option<u64> {
    let range = answer
        .header("content-range")?
        .trim()
        .strip_prefix("bytes")?;
    range.trim_start().split('-').next()?.parse().ok()
}

/// A tag or digest for a query.
pub(crate) fn query_value(text: &str) -> String {
    encode(text)
}

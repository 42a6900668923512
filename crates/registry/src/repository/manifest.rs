//! Manifests, fetched and stored.

use sealift_oci::{Descriptor, Digest, MAX_MANIFEST_BYTES, Manifest, media_type};

use super::Repository;
use crate::error::{ErrorKind, Refusal, RegistryError, SpecCode};
use crate::request::Request;
use crate::response::Response;
use crate::retry::sleep;

/// How often a manifest is sent again that was refused for its digest though its digest is right.
const RETRIES_OF_A_DIGEST: u32 = 3;

/// What became of an index whose children are not all in the repository.
#[derive(Debug)]
pub enum SparseIndex {
    /// The registry stored it.
    Stored,
    /// The registry stores an index only if all its children are there.
    Refused,
}

impl Repository {
    /// Fetches a manifest by tag or digest. One that is requested by digest has that digest; one by tag has
    /// the digest that the registry announced, if it did.
    ///
    /// # Errors
    /// If the manifest cannot be had or is invalid.
    pub fn manifest(&self, selector: &str) -> Result<Manifest, RegistryError> {
        let what = || format!("manifest {selector} of {}", self.name);
        let request = self.manifest_request("GET", selector);
        // The body is read inside the part that is retried: a cut connection is not another manifest.
        let (announced, digest, bytes) = self.transport.retrying(&self.host, &what, || {
            let response = self.transport.attempt(&self.host, &request)?;
            let announced = response
                .header("content-type")
                .map(|media_type| response.words(media_type));
            let digest = announced_digest(&response);
            Ok((
                announced,
                digest,
                response.bytes(MAX_MANIFEST_BYTES as u64)?,
            ))
        })?;
        let expected: Option<Digest> = selector.parse().ok().or(digest);
        let manifest = match expected {
            Some(digest) => Manifest::parse_as(bytes, announced.as_deref(), &digest),
            None => Manifest::parse(bytes, announced.as_deref()),
        };
        manifest.map_err(|error| self.fail(what(), error))
    }

    /// Asks which manifest a tag or digest stands for; `None` if the registry has none. A registry that
    /// refuses HEAD, or refuses without a word, is asked for the manifest itself.
    ///
    /// # Errors
    /// If the registry gives no answer, or does not allow the question.
    pub fn head_manifest(&self, selector: &str) -> Result<Option<Descriptor>, RegistryError> {
        let what = || format!("manifest {selector} of {}", self.name);
        if !self.host.learned().no_head {
            match self.send(&self.manifest_request("HEAD", selector), &what) {
                Ok(response) => {
                    if let Some(descriptor) = described(&response, selector) {
                        return Ok(Some(descriptor));
                    }
                }
                Err(error) if error.is_not_found() => return Ok(None),
                Err(error) if self.is_head_refused(&error.kind) || is_mute(&error.kind) => {}
                Err(error) => return Err(error),
            }
        }
        match self.manifest(selector) {
            Ok(manifest) => Ok(Some(manifest.descriptor())),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn manifest_request(&self, method: &'static str, selector: &str) -> Request<'static> {
        Request::new(
            method,
            self.path(&format!("manifests/{selector}")),
            self.pull_scope(),
        )
        .header("accept", media_type::MANIFEST_ACCEPT.join(", "))
    }

    /// Stores a manifest under a tag or under its digest.
    ///
    /// # Errors
    /// If the registry does not store it. [`RegistryError::is_blob_unknown`] says whether that is because
    /// the manifest refers to what is not there (any more).
    pub fn put_manifest(&self, selector: &str, manifest: &Manifest) -> Result<(), RegistryError> {
        let what = || format!("storing manifest {selector} in {}", self.name);
        let mut failures = 0;
        loop {
            let error = match self.put_once(selector, manifest, &what) {
                Err(error) if is_digest_invalid(&error) && failures < RETRIES_OF_A_DIGEST => error,
                result => return result,
            };
            failures += 1;
            let options = self.transport.options();
            let wait = options.retry.wait(failures, None);
            self.transport
                .report_retry(&self.host, &what(), &error.kind, wait);
            sleep(wait, &options.cancel).map_err(|cancelled| self.fail(what(), cancelled))?;
        }
    }

    fn put_once(
        &self,
        selector: &str,
        manifest: &Manifest,
        what: &dyn Fn() -> String,
    ) -> Result<(), RegistryError> {
        let request = Request {
            body: manifest.bytes(),
            ..Request::new(
                "PUT",
                self.path(&format!("manifests/{selector}")),
                self.push_scope(),
            )
        }
        .header("content-type", manifest.media_type());
        let response = self.transport.retrying(&self.host, what, || {
            let response = self.transport.attempt(&self.host, &request);
            response.map_err(|kind| explained(kind, manifest))
        })?;
        let stored = response.header("docker-content-digest").map(str::to_owned);
        if manifest.subject().is_some() {
            let tracks = response.headers.contains_key("oci-subject");
            self.host
                .learn(|learned| learned.tracks_subjects = Some(tracks));
        }
        match stored {
            // Registries that know only SHA-256 answer with that digest of the same bytes.
            Some(actual) if !names_content(&actual, manifest) => {
                let actual = response.words(&actual);
                response.finish();
                Err(self.fail(
                    what(),
                    ErrorKind::OtherContent {
                        expected: *manifest.digest(),
                        actual,
                    },
                ))
            }
            _ => {
                response.finish();
                Ok(())
            }
        }
    }

    /// Stores an index of which some children are not in the repository, if the registry accepts that; its
    /// answer is remembered for all repositories of the registry.
    ///
    /// # Errors
    /// If the registry gives no answer, or refuses the index for another reason.
    pub fn put_sparse_index(
        &self,
        selector: &str,
        index: &Manifest,
    ) -> Result<SparseIndex, RegistryError> {
        if self.accepts_sparse_indexes() == Some(false) {
            return Ok(SparseIndex::Refused);
        }
        let (accepted, result) = match self.put_manifest(selector, index) {
            Ok(()) => (true, SparseIndex::Stored),
            Err(error) if error.is_blob_unknown() => (false, SparseIndex::Refused),
            Err(error) => return Err(error),
        };
        self.host
            .learn(|learned| learned.sparse_indexes = Some(accepted));
        Ok(result)
    }

    /// Whether the registry accepts an index whose children are absent; `None` if that is not known yet.
    pub fn accepts_sparse_indexes(&self) -> Option<bool> {
        self.host.learned().sparse_indexes
    }
}

/// What the head of a response says about a manifest; `None` if it does not say enough, to which the
/// specification does not oblige it.
fn described(response: &Response, selector: &str) -> Option<Descriptor> {
    let digest = announced_digest(response).or_else(|| selector.parse().ok())?;
    let size = response.number("content-length")?;
    let media_type = response.header("content-type").unwrap_or_default();
    Some(Descriptor::new(media_type.to_owned(), digest, size))
}

fn announced_digest(response: &Response) -> Option<Digest> {
    response.header("docker-content-digest")?.parse().ok()
}

/// Whether a refusal of a HEAD may be one of the method: it has no body that says why. The same request with
/// GET says more.
fn is_mute(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Forbidden { .. } | ErrorKind::Status(Refusal { status: 400, .. })
    )
}

/// Whether a manifest was refused for its digest. [`Manifest`] is what its digest says, so that this passes:
/// distribution 2.8 answers so while another client stores the same manifest.
fn is_digest_invalid(error: &RegistryError) -> bool {
    error
        .refusal()
        .is_some_and(|refusal| refusal.is(&SpecCode::DigestInvalid))
}

/// What the refusal of a manifest means. distribution answers 500 to layers that name URLs, today and tomorrow
/// (`validation.manifests.urls`); everything else that it says may pass.
fn explained(kind: ErrorKind, manifest: &Manifest) -> ErrorKind {
    let names_urls = || manifest.layers().iter().any(|layer| !layer.urls.is_empty());
    match kind {
        ErrorKind::Status(refusal) if refusal.status == 500 && names_urls() => {
            ErrorKind::ForeignLayers(refusal)
        }
        ErrorKind::Status(refusal) if refusal.status == 415 => ErrorKind::UnsupportedType {
            media_type: manifest.media_type().to_owned(),
            refusal,
        },
        kind => kind,
    }
}

/// Whether a `Docker-Content-Digest` is one of the manifest's bytes.
fn names_content(header: &str, manifest: &Manifest) -> bool {
    header
        .parse::<Digest>()
        .is_ok_and(|digest| digest == Digest::of(digest.algorithm(), manifest.bytes()))
}

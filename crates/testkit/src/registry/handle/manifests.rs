//! Manifests: by tag and by digest, complete or refused.

use std::io;

use sealift_oci::{Digest, media_type, valid_tag};
use serde_json::Value;

use super::super::http::{Answer, Body};
use super::super::store::{Repository, Stored, lock};
use super::{Asked, name_unknown, unsupported};

impl Asked<'_> {
    pub(super) fn get_manifest(&self, repository: &str, reference: &str) -> Answer {
        let state = lock(&self.shared.state);
        let Some(repository) = state.repositories.get(repository) else {
            return name_unknown(repository);
        };
        let found = repository.resolve(reference).and_then(|digest| {
            let stored = repository.manifests.get(&digest)?;
            Some((digest, stored))
        });
        let Some((digest, stored)) = found.filter(|(_, stored)| self.accepts(stored)) else {
            return Answer::error(404, "MANIFEST_UNKNOWN", "manifest unknown");
        };
        Answer::new(200)
            .bytes(&stored.media_type, stored.bytes.clone())
            .header("Docker-Content-Digest", digest.to_string())
            .header("ETag", format!("\"{digest}\""))
    }

    /// distribution hides OCI manifests from clients that do not name their type.
    fn accepts(&self, stored: &Stored) -> bool {
        let oci = stored.media_type.starts_with("application/vnd.oci.");
        !self.behaviour.strict_accept
            || !oci
            || self.head.headers.iter().any(|(name, value)| {
                name == "accept"
                    && value
                        .split(',')
                        .any(|part| part.trim().starts_with(&stored.media_type))
            })
    }

    pub(super) fn put_manifest(
        &self,
        repository: &str,
        reference: &str,
        body: &mut Body<'_>,
    ) -> io::Result<Answer> {
        let Some(bytes) = body.read_up_to(self.behaviour.max_manifest)? else {
            let (status, code) = self.behaviour.max_manifest_error;
            return Ok(Answer::error(status, code, "http: request body too large"));
        };
        let result = self
            .read_manifest(&bytes)
            .and_then(|manifest| self.keep(repository, reference, &bytes, &manifest));
        Ok(result.unwrap_or_else(|refusal| refusal))
    }

    fn read_manifest(&self, bytes: &[u8]) -> Result<Value, Answer> {
        let invalid = |message: &str| Answer::error(400, "MANIFEST_INVALID", message);
        let manifest: Value =
            serde_json::from_slice(bytes).map_err(|error| invalid(&error.to_string()))?;
        if manifest["schemaVersion"] != 2 {
            return Err(invalid("unrecognized manifest schema version"));
        }
        let own = manifest["mediaType"].as_str();
        let announced = self.head.header("content-type");
        if own.is_some() && announced != own {
            return Err(invalid("the manifest's mediaType is not its Content-Type"));
        }
        let urls = descriptors(&manifest, "layers").any(|layer| layer["urls"].is_array());
        if urls && self.behaviour.refuses_urls {
            return Err(Answer::error(500, "UNKNOWN", "unknown error"));
        }
        Ok(manifest)
    }

    fn keep(
        &self,
        name: &str,
        reference: &str,
        bytes: &[u8],
        manifest: &Value,
    ) -> Result<Answer, Answer> {
        let (digest, tags) = self.targets(reference, bytes)?;
        let mut state = lock(&self.shared.state);
        let repository = state.repositories.entry(name.to_owned()).or_default();
        if self.behaviour.complete_manifests {
            complete(manifest, repository)?;
        }
        let moves = |tag: &String| repository.tags.get(tag).is_some_and(|old| *old != digest);
        if !self.behaviour.tags_move && tags.iter().any(moves) {
            return Err(Answer::error(400, "TAG_INVALID", "the tag is immutable"));
        }
        let media_type = self.head.header("content-type").unwrap_or_default();
        if !self.lie {
            let stored = Stored {
                media_type: media_type.to_owned(),
                bytes: bytes.into(),
            };
            repository.manifests.insert(digest, stored);
            for tag in &tags {
                repository.tags.insert(tag.clone(), digest);
            }
        }
        let origin = self.shared.origin();
        let mut answer = Answer::new(201)
            .header("Location", format!("{origin}/v2/{name}/manifests/{digest}"))
            .header("Docker-Content-Digest", digest.to_string());
        let subject = manifest["subject"]["digest"].as_str();
        if let Some(subject) = subject.filter(|_| self.behaviour.referrers) {
            answer.set("OCI-Subject", Some(subject.to_owned()));
        }
        for tag in self.head.parameters("tag") {
            answer.headers.push(("OCI-Tag".to_owned(), tag));
        }
        Ok(answer)
    }

    /// The digest and the tags that a manifest is put under.
    fn targets(&self, reference: &str, bytes: &[u8]) -> Result<(Digest, Vec<String>), Answer> {
        if !reference.contains(':') {
            if !valid_tag(reference) {
                return Err(Answer::error(400, "TAG_INVALID", "invalid tag"));
            }
            return Ok((Digest::sha256(bytes), vec![reference.to_owned()]));
        }
        let mismatch = || {
            Answer::error(
                400,
                "DIGEST_INVALID",
                "provided digest did not match uploaded content",
            )
        };
        let digest: Digest = reference.parse().map_err(|_| mismatch())?;
        if Digest::of(digest.algorithm(), bytes) != digest {
            return Err(mismatch());
        }
        Ok((digest, self.head.parameters("tag")))
    }

    pub(super) fn delete_manifest(&self, name: &str, reference: &str) -> Answer {
        if !self.behaviour.deletes {
            return unsupported();
        }
        let mut state = lock(&self.shared.state);
        let Some(repository) = state.repositories.get_mut(name) else {
            return name_unknown(name);
        };
        let gone = match reference.parse::<Digest>() {
            Ok(digest) => {
                repository.tags.retain(|_, to| *to != digest);
                repository.manifests.remove(&digest).is_some()
            }
            Err(_) if !self.behaviour.deletes_tags => {
                return Answer::error(400, "DIGEST_INVALID", "provided digest did not match");
            }
            Err(_) => repository.tags.remove(reference).is_some(),
        };
        if gone {
            Answer::new(202)
        } else {
            Answer::error(404, "MANIFEST_UNKNOWN", "manifest unknown")
        }
    }
}

fn descriptors<'a>(manifest: &'a Value, list: &str) -> impl Iterator<Item = &'a Value> {
    manifest[list].as_array().into_iter().flatten()
}

/// Refuses a manifest whose blobs or children are not there.
fn complete(manifest: &Value, repository: &Repository) -> Result<(), Answer> {
    let unknown = |what: &Value| {
        let message = format!("{} unknown to registry", what["digest"]);
        Answer::error(400, "MANIFEST_BLOB_UNKNOWN", &message)
    };
    let digest = |what: &Value| what["digest"].as_str()?.parse::<Digest>().ok();
    let config = manifest.get("config").filter(|config| config.is_object());
    let blobs = config
        .into_iter()
        .chain(descriptors(manifest, "layers"))
        .chain(descriptors(manifest, "blobs"));
    for blob in blobs {
        let elsewhere = blob["mediaType"]
            .as_str()
            .is_some_and(media_type::is_nondistributable)
            && blob["urls"].is_array();
        let there = digest(blob).is_some_and(|digest| repository.blobs.contains(&digest));
        if !there && !elsewhere {
            return Err(unknown(blob));
        }
    }
    for child in descriptors(manifest, "manifests") {
        if !digest(child).is_some_and(|digest| repository.manifests.contains_key(&digest)) {
            return Err(unknown(child));
        }
    }
    Ok(())
}

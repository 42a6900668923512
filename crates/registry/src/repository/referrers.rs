//! Referrers: by the API, or by the tag that replaces it (distribution-spec, "Listing Referrers").

use std::collections::HashSet;

use sealift_oci::{Descriptor, Digest, Manifest, media_type};
use serde_json::{Value, json};

use super::Repository;
use crate::error::{ErrorKind, RegistryError, SpecCode};

/// No more referrers of one subject are followed.
const MAX_REFERRERS: usize = 1000;

impl Repository {
    /// Everything that refers to `subject`, by its `subject` field: all pages of the API, or the index
    /// under the fallback tag if the registry has no API. Each digest once.
    ///
    /// # Errors
    /// If the registry gives no answer, or more than any real one.
    pub fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, RegistryError> {
        if !self.host.learned().no_referrers {
            match self.referrers_by_api(subject) {
                Err(error) if has_no_api(&error) => {
                    self.host.learn(|learned| learned.no_referrers = true);
                }
                // The API is there, and the repository or the subject is not (yet).
                Err(error) if error.is_not_found() => {}
                result => return result,
            }
        }
        let fallback = self.fallback(subject)?;
        let mut found = fallback
            .map(|index| index.children().to_vec())
            .unwrap_or_default();
        keep_first_of_each(&mut found);
        Ok(found)
    }

    /// Whether the registry keeps track of referrers itself. What it answered to a pushed subject counts
    /// (distribution-spec, "Pushing Manifests with Subject"); before that, whether it has the API.
    ///
    /// # Errors
    /// If the registry gives no answer.
    pub fn has_referrers_api(&self, subject: &Digest) -> Result<bool, RegistryError> {
        if let Some(known) = self.host.learned().tracks_subjects {
            return Ok(known);
        }
        self.referrers(subject)?;
        Ok(!self.host.learned().no_referrers)
    }

    fn referrers_by_api(&self, subject: &Digest) -> Result<Vec<Descriptor>, RegistryError> {
        let what = || format!("referrers of {subject} in {}", self.name);
        let mut found: Vec<Descriptor> = Vec::new();
        self.pages(self.path(&format!("referrers/{subject}")), &what, |bytes| {
            let index = Manifest::parse(bytes, Some(media_type::OCI_INDEX))?;
            found.extend_from_slice(index.children());
            if found.len() > MAX_REFERRERS {
                return Err(ErrorKind::Protocol(format!(
                    "more than {MAX_REFERRERS} referrers"
                )));
            }
            Ok(())
        })?;
        keep_first_of_each(&mut found);
        Ok(found)
    }

    fn fallback(&self, subject: &Digest) -> Result<Option<Manifest>, RegistryError> {
        match self.manifest(&subject.referrers_tag()) {
            Ok(manifest) => Ok(Some(manifest)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Adds `referrers` to the index under the fallback tag of `subject`, keeping what is there as it is
    /// (distribution-spec, "Pushing Manifests with Subject"). Returns whether something had to be written.
    ///
    /// # Errors
    /// If the index cannot be read or written, or what is there is not an index.
    pub fn merge_fallback_referrers(
        &self,
        subject: &Digest,
        referrers: &[Descriptor],
    ) -> Result<bool, RegistryError> {
        let what = || format!("the referrers tag of {subject} in {}", self.name);
        let there = self.fallback(subject)?;
        let Some(bytes) = merged(there.as_ref(), referrers)
            .map_err(|reason| self.fail(what(), ErrorKind::Protocol(reason)))?
        else {
            return Ok(false);
        };
        let manifest = Manifest::parse(bytes, Some(media_type::OCI_INDEX))
            .map_err(|error| self.fail(what(), error))?;
        self.put_manifest(&subject.referrers_tag(), &manifest)?;
        Ok(true)
    }
}

/// Whether a response says that there is no such API, rather than that there is nothing to list.
fn has_no_api(error: &RegistryError) -> bool {
    match &error.kind {
        ErrorKind::NotFound(refusal) => {
            !refusal.is(&SpecCode::NameUnknown) && !refusal.is(&SpecCode::ManifestUnknown)
        }
        // Some registries answer what they do not know so.
        ErrorKind::Status(refusal) => matches!(refusal.status, 400 | 405 | 501),
        _ => false,
    }
}

fn keep_first_of_each(descriptors: &mut Vec<Descriptor>) {
    let mut seen = HashSet::new();
    descriptors.retain(|descriptor| seen.insert(descriptor.digest));
}

/// The bytes of the index with `referrers` added; `None` if all are there. What others wrote stays, unknown
/// fields included; new entries follow in the order of their digests, so that a run in another order writes
/// the same index.
fn merged(there: Option<&Manifest>, referrers: &[Descriptor]) -> Result<Option<Vec<u8>>, String> {
    let known: HashSet<Digest> = there
        .map(Manifest::children)
        .unwrap_or_default()
        .iter()
        .map(|child| child.digest)
        .collect();
    let mut new: Vec<&Descriptor> = referrers
        .iter()
        .filter(|descriptor| !known.contains(&descriptor.digest))
        .collect();
    new.sort_by_key(|descriptor| descriptor.digest);
    new.dedup_by_key(|descriptor| descriptor.digest);
    if new.is_empty() {
        return Ok(None);
    }
    let mut index = match there {
        Some(manifest) => {
            serde_json::from_slice(manifest.bytes()).map_err(|error| error.to_string())?
        }
        None => json!({
            "schemaVersion": 2,
            "mediaType": media_type::OCI_INDEX,
            "manifests": [],
        }),
    };
    let Some(Value::Array(manifests)) = index.get_mut("manifests") else {
        return Err("the index under the referrers tag has no list".to_owned());
    };
    for descriptor in new {
        manifests.push(serde_json::to_value(descriptor).map_err(|error| error.to_string())?);
    }
    serde_json::to_vec(&index)
        .map(Some)
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn descriptor(content: &str) -> Descriptor {
        let mut descriptor = Descriptor::of(media_type::OCI_MANIFEST, content.as_bytes());
        descriptor.artifact_type = Some("application/x".to_owned());
        descriptor.with_annotation("a", content)
    }

    fn parse(bytes: Vec<u8>) -> Manifest {
        Manifest::parse(bytes, Some(media_type::OCI_INDEX)).unwrap()
    }

    #[test]
    fn a_new_index_has_each_referrer_once_in_any_order() {
        let (a, b) = (descriptor("a"), descriptor("b"));
        let one = merged(None, &[a.clone(), b.clone(), a.clone()])
            .unwrap()
            .unwrap();
        let other = merged(None, &[b, a]).unwrap().unwrap();
        assert_eq!(one, other);
        assert_eq!(parse(one).children().len(), 2);
    }

    #[test]
    fn what_others_wrote_stays_and_what_is_there_is_not_written_again() {
        let foreign = descriptor("foreign");
        let mut entry = serde_json::to_value(&foreign).unwrap();
        entry["x-unknown"] = json!("kept");
        let index = json!({
            "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "artifactType": "t/x",
            "annotations": {"k": "v"}, "manifests": [entry],
        });
        let there = parse(serde_json::to_vec(&index).unwrap());
        assert_eq!(merged(Some(&there), &[foreign]).unwrap(), None);
        let bytes = merged(Some(&there), &[descriptor("new")]).unwrap().unwrap();
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(value["artifactType"], "t/x");
        assert_eq!(value["annotations"]["k"], "v");
        assert_eq!(value["manifests"][0], entry);
        assert_eq!(value["manifests"][1]["annotations"]["a"], "new");
    }
}

//! Referrers: by the API, or by the tag that stands in for it (distribution-spec, "Listing Referrers").

use std::collections::BTreeMap;

use sealift_oci::{Descriptor, Digest, Manifest, media_type};
use serde::Serialize;

use crate::error::{Problem, RegistryError};
use crate::repository::Repository;

/// No subject has more referrers that are followed.
const MAX_REFERRERS: usize = 1000;

/// The index under a fallback tag, written anew at every change.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FallbackIndex<'a> {
    schema_version: u8,
    media_type: &'a str,
    manifests: Vec<&'a Descriptor>,
}

impl Repository {
    /// Everything that refers to `subject`, by its `subject` field: all pages of the API, or the index
    /// under the fallback tag where the registry has no API.
    pub fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, RegistryError> {
        if !self.host.profile().no_referrers {
            match self.referrers_by_api(subject) {
                Err(error) if error.is_not_found() => {
                    self.host.learn(|profile| profile.no_referrers = true)
                }
                // Some registries answer what they do not know with 400, 405 or 501.
                Err(RegistryError {
                    problem:
                        Problem::Status {
                            status: 400 | 405 | 501,
                            ..
                        },
                    ..
                }) => {
                    self.host.learn(|profile| profile.no_referrers = true);
                }
                result => return result,
            }
        }
        let fallback = self.fallback(subject)?;
        Ok(fallback
            .map(|index| index.children().to_vec())
            .unwrap_or_default())
    }

    /// Whether the registry answers the referrers API for this repository.
    pub fn has_referrers_api(&self, subject: &Digest) -> Result<bool, RegistryError> {
        self.referrers(subject)?;
        Ok(!self.host.profile().no_referrers)
    }

    fn referrers_by_api(&self, subject: &Digest) -> Result<Vec<Descriptor>, RegistryError> {
        let what = || format!("referrers of {subject} in {}", self.name);
        let mut found: Vec<Descriptor> = Vec::new();
        self.pages(self.path(&format!("referrers/{subject}")), &what, |bytes| {
            let index = Manifest::parse(bytes, Some(media_type::OCI_INDEX))?;
            found.extend_from_slice(index.children());
            if found.len() > MAX_REFERRERS {
                return Err(Problem::Protocol(format!(
                    "more than {MAX_REFERRERS} referrers"
                )));
            }
            Ok(())
        })?;
        Ok(found)
    }

    fn fallback(&self, subject: &Digest) -> Result<Option<Manifest>, RegistryError> {
        match self.manifest(&subject.referrers_tag()) {
            Ok(manifest) => Ok(Some(manifest)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Adds `referrers` to the index under the fallback tag of `subject`, keeping what is there
    /// (distribution-spec, "Pushing Manifests with Subject"). Whether something had to be written.
    pub fn merge_fallback_referrers(
        &self,
        subject: &Digest,
        referrers: &[Descriptor],
    ) -> Result<bool, RegistryError> {
        let there = self.fallback(subject)?;
        let old = there.as_ref().map(Manifest::children).unwrap_or_default();
        let mut merged: BTreeMap<&Digest, &Descriptor> = BTreeMap::new();
        for descriptor in referrers.iter().chain(old) {
            merged.insert(&descriptor.digest, descriptor);
        }
        if merged.len() == old.len() {
            return Ok(false);
        }
        let index = FallbackIndex {
            schema_version: 2,
            media_type: media_type::OCI_INDEX,
            manifests: merged.into_values().collect(),
        };
        let what = || format!("the referrers tag of {subject} in {}", self.name);
        let bytes =
            serde_json::to_vec(&index).expect("an index has no map with other keys than text");
        let manifest = Manifest::parse(bytes, Some(media_type::OCI_INDEX))
            .map_err(|error| self.fail(what(), error))?;
        self.put_manifest(&subject.referrers_tag(), &manifest)?;
        Ok(true)
    }
}

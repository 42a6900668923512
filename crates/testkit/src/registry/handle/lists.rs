//! Lists with pages: tags, repositories, referrers.

use serde_json::{Value, json};

use super::super::auth::next_link;
use super::super::http::Answer;
use super::super::store::{Stored, lock};
use super::{Asked, digest, name_unknown};

impl Asked<'_> {
    pub(super) fn catalog(&self) -> Answer {
        let state = lock(&self.shared.state);
        let names: Vec<String> = state.repositories.keys().cloned().collect();
        drop(state);
        match self.page(&names, "/v2/_catalog") {
            Ok((names, answer)) => answer.json(&json!({ "repositories": names })),
            Err(refusal) => refusal,
        }
    }

    pub(super) fn tags(&self, repository: &str) -> Answer {
        let state = lock(&self.shared.state);
        let Some(found) = state.repositories.get(repository) else {
            return name_unknown(repository);
        };
        let tags: Vec<String> = found.tags.keys().cloned().collect();
        drop(state);
        match self.page(&tags, &format!("/v2/{repository}/tags/list")) {
            Ok((tags, answer)) => answer.json(&json!({ "name": repository, "tags": tags })),
            Err(refusal) => refusal,
        }
    }

    /// The part of a sorted list that `n` and `last` ask for, and an answer with a link to the rest.
    fn page(&self, all: &[String], path: &str) -> Result<(Vec<String>, Answer), Answer> {
        let asked: Option<usize> = match self.head.parameter("n") {
            None => None,
            Some(text) => Some(text.parse().map_err(|_| {
                Answer::error(
                    400,
                    "PAGINATION_NUMBER_INVALID",
                    "invalid number of results",
                )
            })?),
        };
        let limit = [asked, self.behaviour.list_page]
            .into_iter()
            .flatten()
            .min();
        let last = self.head.parameter("last");
        let mut rest = all
            .iter()
            .filter(|name| last.as_ref().is_none_or(|last| *name > last));
        let page: Vec<String> = rest
            .by_ref()
            .take(limit.unwrap_or(usize::MAX))
            .cloned()
            .collect();
        let mut answer = Answer::new(200);
        if let Some(end) = page.last().filter(|_| rest.next().is_some()) {
            let n = limit.unwrap_or_default().to_string();
            let link = next_link(path, &[("n", n), ("last", end.clone())]);
            answer.set("Link", Some(link));
        }
        Ok((page, answer))
    }

    pub(super) fn referrers(&self, repository: &str, reference: &str) -> Answer {
        if !self.behaviour.referrers {
            return Answer::new(404).bytes("text/plain", b"404 page not found\n".to_vec());
        }
        let subject = match digest(reference) {
            Ok(digest) => digest.to_string(),
            Err(refusal) => return refusal,
        };
        let wanted = self.head.parameter("artifactType");
        let wanted = wanted.filter(|_| self.behaviour.filters);
        let state = lock(&self.shared.state);
        let manifests = state.repositories.get(repository).map(|r| &r.manifests);
        let all: Vec<Value> = manifests
            .into_iter()
            .flatten()
            .filter_map(|(digest, stored)| descriptor(&subject, &digest.to_string(), stored))
            .filter(|entry| {
                wanted
                    .as_ref()
                    .is_none_or(|wanted| entry["artifactType"] == wanted.as_str())
            })
            .collect();
        drop(state);
        let start: usize = self
            .head
            .parameter("page")
            .and_then(|page| page.parse().ok())
            .unwrap_or(0);
        let size = self.behaviour.referrers_page.unwrap_or(usize::MAX);
        let page: Vec<Value> = all.iter().skip(start).take(size).cloned().collect();
        let end = start + page.len();
        let index = json!({
            "schemaVersion": 2,
            "mediaType": sealift_oci::media_type::OCI_INDEX,
            "manifests": page,
        });
        let bytes = index.to_string().into_bytes();
        let mut answer = Answer::new(200).bytes(sealift_oci::media_type::OCI_INDEX, bytes);
        if end < all.len() {
            let path = format!("/v2/{repository}/referrers/{subject}");
            let mut query = vec![("page", end.to_string())];
            query.extend(wanted.clone().map(|wanted| ("artifactType", wanted)));
            answer.set("Link", Some(next_link(&path, &query)));
        }
        if wanted.is_some() {
            answer.set("OCI-Filters-Applied", Some("artifactType".to_owned()));
        }
        answer
    }
}

/// The entry of a manifest in the list of its subject's referrers.
fn descriptor(subject: &str, digest: &str, stored: &Stored) -> Option<Value> {
    let manifest: Value = serde_json::from_slice(&stored.bytes).ok()?;
    if manifest["subject"]["digest"] != subject {
        return None;
    }
    let mut entry = json!({
        "mediaType": stored.media_type,
        "digest": digest,
        "size": stored.bytes.len(),
    });
    let kind = manifest["artifactType"]
        .as_str()
        .filter(|kind| !kind.is_empty())
        .or(manifest["config"]["mediaType"].as_str());
    if let Some(kind) = kind {
        entry["artifactType"] = kind.into();
    }
    if manifest["annotations"].is_object() {
        entry["annotations"] = manifest["annotations"].clone();
    }
    Some(entry)
}

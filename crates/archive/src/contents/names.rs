//! What a digest in the record is called: signatures and attestations name their subject by its digest only.

use sealift_oci::{ArtifactKind, Digest};

use crate::contents::graph::Graph;
use crate::contents::record::{Discovery, Record, ReferrerEntry};

/// How far a signature of an attestation of a signature is followed.
const MAX_DEPTH: usize = 4;

impl ReferrerEntry {
    /// The tag that it is found by, for cosign's convention.
    pub fn tag(&self) -> Option<&str> {
        match &self.discovery {
            Discovery::Tag(tag) => Some(tag),
            Discovery::Subject => None,
        }
    }

    /// What it is, as far as the record says it.
    pub fn kind(&self) -> ArtifactKind {
        ArtifactKind::of(self.artifact_type.as_deref(), self.tag())
    }
}

impl Record {
    /// What the manifest `digest` of `repository` (registry and repository) is called: an image's reference,
    /// with the platform if it is for one of several, or what a signature or attestation belongs to. A manifest
    /// that is not in the record is called by its digest.
    pub fn subject_name(&self, repository: &str, digest: &Digest) -> String {
        self.named(repository, digest, MAX_DEPTH)
            .unwrap_or_else(|| format!("{repository}@{digest}"))
    }

    /// The names of everything that needs `digest`, as `graph` has its manifests: images, files, and what
    /// referrers are of.
    pub(crate) fn needed_by(&self, graph: &Graph, digest: &Digest) -> Vec<String> {
        let dependents = graph.dependents(digest);
        let images = self.images.iter().map(|image| {
            let original = image.original.as_ref().map(|original| original.digest);
            let own = original.filter(|original| original == digest);
            let root = own.unwrap_or(image.descriptor.digest);
            (image.reference.to_string(), root)
        });
        let files = (self.files.iter()).map(|file| (file.name.clone(), file.descriptor.digest));
        let referrers = self.referrers.iter().map(|referrer| {
            let subject = self.subject_name(&referrer.repository, &referrer.subject);
            let name = format!("{} of {subject}", referrer.kind());
            (name, referrer.descriptor.digest)
        });
        images
            .chain(files)
            .chain(referrers)
            .filter(|(_, root)| dependents.contains(root))
            .map(|(name, _)| name)
            .collect()
    }

    fn named(&self, repository: &str, digest: &Digest, depth: usize) -> Option<String> {
        let images = || {
            self.images
                .iter()
                .filter(|image| image.reference.name() == repository)
        };
        if let Some(image) = images().find(|image| image.descriptor.digest == *digest) {
            return Some(image.reference.to_string());
        }
        for image in images() {
            let platform = image.platforms.iter().find(|entry| entry.digest == *digest);
            if let Some(platform) = platform.and_then(|entry| entry.platform.as_ref()) {
                return Some(format!("{} ({platform})", image.reference));
            }
        }
        let mut referrers = self.referrers.iter().filter(|referrer| {
            referrer.repository == repository && referrer.descriptor.digest == *digest
        });
        let referrer = referrers.next().filter(|_| depth > 0)?;
        let subject = self.named(repository, &referrer.subject, depth - 1)?;
        Some(format!("{} of {subject}", referrer.kind()))
    }
}

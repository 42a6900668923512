//! Pushes manifests by digest, children before the indexes that list them.

use std::collections::{BTreeMap, BTreeSet};

use sealift_archive::PlainDescriptor;
use sealift_oci::Manifest;
use sealift_pipeline::Event;
use sealift_registry::{ErrorKind, RegistryError, Repository, SparseIndex};

use crate::error::LoadError;
use crate::execute::Run;
use crate::graph::damaged;
use crate::plan::PlannedManifest;

impl Run<'_> {
    /// Stores every manifest that is not there under its digest: what others need before them, the rest
    /// in parallel.
    pub(super) fn store_manifests(&self) -> Result<(), LoadError> {
        self.phase("storing manifests");
        // What covers a publisher's index waits until the registry has accepted that.
        let waiting: BTreeSet<usize> = self.plan.covering.values().flatten().copied().collect();
        let mut waves: BTreeMap<(bool, usize), Vec<usize>> = BTreeMap::new();
        for (n, site) in self.plan.manifests.iter().enumerate() {
            if !site.present {
                let order = self.plan.graph.nodes[site.node].order;
                let wave = waves.entry((waiting.contains(&n), order));
                wave.or_default().push(n);
            }
        }
        for wave in waves.into_values() {
            self.registry.parallel(&wave, |n| {
                if self.skips(*n) {
                    return Ok(());
                }
                let site = &self.plan.manifests[*n];
                let stored = match site.stand_in {
                    Some(_) => self.store_original(*n, site),
                    None => self.store(site),
                };
                self.survive(*n, stored)
            })?;
            self.failures.spread(self.plan);
        }
        self.report_refusals();
        Ok(())
    }

    /// Stores a publisher's index of which children are missing. If the registry refuses it, its stand-in gets
    /// its tags.
    fn store_original(&self, n: usize, site: &PlannedManifest) -> Result<(), LoadError> {
        let manifest = self.read(&self.plan.graph.nodes[site.node].descriptor)?;
        let repository = self.registry.repository(&site.repository)?;
        match repository.put_sparse_index(&site.digest.to_string(), &manifest) {
            Ok(SparseIndex::Stored) => Ok(()),
            Ok(SparseIndex::Refused) => {
                self.refusals.add(self.plan, n);
                Ok(())
            }
            Err(error) if is_refused(&error) => {
                self.refusals.add(self.plan, n);
                Ok(())
            }
            Err(error) => Err(self.refused(site, &manifest, error)),
        }
    }

    /// Reports what became of the indexes that the registry refused.
    fn report_refusals(&self) {
        let (mut images, mut omitted) = (Vec::new(), Vec::new());
        for name in &self.plan.names {
            if self.refusals.has(name.site) {
                match self.plan.stand_in(name.site) {
                    Some(_) => images.push(name.source.as_str()),
                    None => omitted.push(name.source.as_str()),
                }
            }
        }
        if images.is_empty() {
            return;
        }
        let mut text = format!(
            "{} does not accept an index with missing platforms: a new index of the bundled platforms is stored for {}",
            self.registry.name,
            images.join(", ")
        );
        if !omitted.is_empty() {
            text.push_str("; omitted, since they cover only the publisher's index: ");
            text.push_str(&omitted.join(", "));
        }
        self.observer.event(&Event::Warning { text: &text });
    }

    /// Fetches what was stored and compares it, byte for byte.
    pub(super) fn read_back(&self) -> Result<(), LoadError> {
        self.phase("reading back");
        let stored: Vec<usize> = (0..self.plan.manifests.len())
            .filter(|n| !self.plan.manifests[*n].present && !self.skips(*n))
            .collect();
        self.registry.parallel(&stored, |n| {
            self.survive(*n, self.compare(&self.plan.manifests[*n]))
        })?;
        self.failures.spread(self.plan);
        Ok(())
    }

    /// Notes a failure that the load survives.
    fn survive(&self, site: usize, result: Result<(), LoadError>) -> Result<(), LoadError> {
        match result {
            Err(error) if !self.is_fatal(&error) => {
                self.failures.site(site, error.to_string());
                Ok(())
            }
            result => result,
        }
    }

    /// Reads a manifest of the bundle again and checks it.
    pub(super) fn read(&self, descriptor: &PlainDescriptor) -> Result<Manifest, LoadError> {
        self.bundle
            .read_manifest(descriptor)
            .map_err(damaged(self.bundle))
    }

    fn store(&self, site: &PlannedManifest) -> Result<(), LoadError> {
        self.put(site, &site.digest.to_string())
    }

    /// Stores a manifest under its digest or a tag.
    pub(super) fn put(&self, site: &PlannedManifest, selector: &str) -> Result<(), LoadError> {
        let node = &self.plan.graph.nodes[site.node];
        let manifest = self.read(&node.descriptor)?;
        let repository = self.registry.repository(&site.repository)?;
        let result = match repository.put_manifest(selector, &manifest) {
            Err(error) if error.is_blob_unknown() => {
                self.send_again(site, &repository)?;
                repository.put_manifest(selector, &manifest)
            }
            result => result,
        };
        result.map_err(|error| self.refused(site, &manifest, error))
    }

    /// The registry misses something that it was said to have: garbage collection ate it, or a mount
    /// was none. It is asked for each blob and each child again, and gets what is missing.
    fn send_again(&self, site: &PlannedManifest, repository: &Repository) -> Result<(), LoadError> {
        let node = &self.plan.graph.nodes[site.node];
        for blob in &node.blobs {
            let blob = self.plan.graph.blobs[*blob];
            let source = self.source(blob.digest, blob.size);
            let pushed = repository.push_blob(&source, &[]);
            let present = matches!(pushed, Ok(sealift_registry::Pushed::Present));
            if !present {
                self.forget(site, blob.digest);
                self.pushed(blob.digest, blob.size, &site.repository, &source, pushed)?;
            }
        }
        for child in &node.children {
            let child = &self.plan.graph.nodes[*child].descriptor;
            let there = self
                .registry
                .has_manifest(&site.repository, &child.digest, child.size)?;
            if !there {
                let manifest = self.read(child)?;
                repository
                    .put_manifest(&child.digest.to_string(), &manifest)
                    .map_err(|error| self.refused(site, &manifest, error))?;
            }
        }
        Ok(())
    }

    /// Takes back what was noted of a blob that turned out not to be there.
    fn forget(&self, site: &PlannedManifest, digest: sealift_oci::Digest) {
        self.placed
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .retain(|(placed, _)| placed.digest != digest || placed.repository != site.repository);
    }

    fn compare(&self, site: &PlannedManifest) -> Result<(), LoadError> {
        let node = &self.plan.graph.nodes[site.node];
        let sent = self.read(&node.descriptor)?;
        let repository = self.registry.repository(&site.repository)?;
        let other = |what: String| LoadError::ReadBack {
            repository: format!("{repository:?}"),
            what,
        };
        match repository.manifest(&site.digest.to_string()) {
            Ok(stored) if stored.bytes() == sent.bytes() => Ok(()),
            Ok(stored) => Err(other(format!(
                "manifest {} has digest {}",
                site.digest,
                stored.digest()
            ))),
            Err(error) if error.is_not_found() || matches!(error.kind, ErrorKind::Manifest(_)) => {
                Err(other(format!("manifest {}: {}", site.digest, error.kind)))
            }
            Err(error) => Err(LoadError::registry(error)),
        }
    }

    fn refused(
        &self,
        site: &PlannedManifest,
        manifest: &Manifest,
        error: RegistryError,
    ) -> LoadError {
        if error.is_cancelled() {
            return LoadError::registry(error);
        }
        let bundled = self.plan.graph.nodes[site.node].children.len();
        let sparse = manifest
            .children()
            .iter()
            .any(|child| self.bundle.size(&child.digest).is_none());
        if sparse && error.is_blob_unknown() {
            return LoadError::SparseRefused {
                name: self.name_of(site),
                listed: manifest.children().len(),
                bundled,
                source: Box::new(error),
            };
        }
        LoadError::Manifest {
            name: self.name_of(site),
            digest: *manifest.digest(),
            size: manifest.size(),
            source: Box::new(error),
        }
    }

    /// What needs a manifest, in the bundle's words.
    fn name_of(&self, site: &PlannedManifest) -> String {
        let needed_by = self.bundle.needed_by(&site.digest);
        let mut names = needed_by.names.into_iter();
        names.next().unwrap_or_else(|| site.repository.to_string())
    }
}

/// Whether the registry refuses a manifest for what it is, and would refuse it again.
fn is_refused(error: &RegistryError) -> bool {
    error.refusal().is_some_and(|refusal| {
        matches!(refusal.status, 400..=499)
            && !matches!(refusal.status, 401 | 403 | 407 | 408 | 425 | 429)
    })
}

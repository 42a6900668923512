//! Failures of a load that goes on with the images that are complete.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sealift_oci::Digest;

use crate::plan::Plan;
use crate::repository::RepositoryName;

/// What did not succeed while the rest goes on, with the reason in words.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    blobs: Mutex<BTreeMap<(RepositoryName, Digest), String>>,
    sites: Mutex<BTreeMap<usize, String>>,
}

impl Failures {
    /// A blob did not get into a repository.
    pub(crate) fn blob(&self, repository: &RepositoryName, digest: Digest, reason: String) {
        lock(&self.blobs)
            .entry((repository.clone(), digest))
            .or_insert(reason);
    }

    /// A manifest did not get into its repository.
    pub(crate) fn site(&self, site: usize, reason: String) {
        lock(&self.sites).entry(site).or_insert(reason);
    }

    /// Whether a manifest cannot be there.
    pub(crate) fn has(&self, site: usize) -> bool {
        lock(&self.sites).contains_key(&site)
    }

    /// Takes over to manifests what failed of their blobs, children and subjects in their repository.
    pub(crate) fn spread(&self, plan: &Plan) {
        let blobs = lock(&self.blobs);
        let mut sites = lock(&self.sites);
        if blobs.is_empty() && sites.is_empty() {
            return;
        }
        let position: BTreeMap<(&RepositoryName, usize), usize> = plan
            .manifests
            .iter()
            .enumerate()
            .map(|(n, site)| ((&site.repository, site.node), n))
            .collect();
        // In the order of storing, so that what a manifest needs is decided before it.
        let mut order: Vec<usize> = (0..plan.manifests.len()).collect();
        order.sort_by_key(|n| plan.graph.nodes[plan.manifests[*n].node].order);
        for n in order {
            let site = &plan.manifests[n];
            let node = &plan.graph.nodes[site.node];
            let subject = node.subject.and_then(|subject| plan.graph.find(&subject));
            let needed = node.children.iter().copied().chain(subject);
            let mut needed = needed.filter_map(|node| position.get(&(&site.repository, node)));
            let failed_blob = node.blobs.iter().find_map(|blob| {
                blobs.get(&(site.repository.clone(), plan.graph.blobs[*blob].digest))
            });
            let reason = failed_blob.or_else(|| needed.find_map(|needed| sites.get(needed)));
            if let Some(reason) = reason.cloned() {
                sites.entry(n).or_insert(reason);
            }
        }
    }

    /// The manifests that are not there.
    pub(crate) fn sites(&self) -> BTreeMap<usize, String> {
        lock(&self.sites).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

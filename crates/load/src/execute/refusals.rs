//! Publishers' indexes that a registry does not accept, since children are missing.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::plan::Plan;

/// The positions of manifests in a plan that are not stored because a publisher's index was refused: the indexes,
/// and what covers only those.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<BTreeSet<usize>>);

impl Refusals {
    /// The registry refused the index at `site`.
    pub(crate) fn add(&self, plan: &Plan, site: usize) {
        let mut refused = self.lock();
        refused.insert(site);
        refused.extend(plan.covering.get(&site).into_iter().flatten());
    }

    /// Whether a manifest is not stored.
    pub(crate) fn has(&self, site: usize) -> bool {
        self.lock().contains(&site)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! What the work is done with.

use std::path::Path;
use std::sync::Arc;

use sealift_archive::{Bases, Reading, Resources};
use sealift_pipeline::{Budget, Cancel, Observer};
use sealift_registry::Client;

/// What the work is done with; nothing of it changes what comes out.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Speaks to the registries.
    pub client: &'a Client,
    /// How much may run at once.
    pub budget: &'a Budget,
    /// A folder for what does not fit into memory while a request is resolved.
    pub scratch: &'a Path,
    /// Bundles that deltas among the sources are read with.
    pub bases: &'a Bases,
    /// Watches what happens.
    pub observer: &'a Arc<dyn Observer>,
    /// Stops the work; the same that the client has.
    pub cancel: &'a Cancel,
}

impl Context<'_> {
    /// What bundles on disk are opened with.
    pub(crate) fn reading(&self) -> Reading {
        Reading {
            resources: Resources {
                budget: self.budget.clone(),
                scratch: self.scratch.to_owned(),
                cancel: self.cancel.clone(),
            },
            bases: self.bases.clone(),
        }
    }
}

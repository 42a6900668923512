//! What the work is done with.

use std::path::Path;

use sealift_pipeline::{Budget, Cancel, Observer};
use sealift_registry::Client;

/// What the work is done with; nothing of it changes what the registry gets.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Speaks to the registry.
    pub client: &'a Client,
    /// How much may run at once.
    pub budget: &'a Budget,
    /// The folder for scratch space: blobs of a delta's bases that come from the registry.
    pub scratch: &'a Path,
    /// Watches what happens.
    pub observer: &'a dyn Observer,
    /// Stops the work; the same that the client has.
    pub cancel: &'a Cancel,
}

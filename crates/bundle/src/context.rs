use std::path::Path;

use sealift_pipeline::{Cancel, Observer};
use sealift_registry::Client;

/// What the work is done with; nothing of it changes what comes out.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Speaks to the registries.
    pub client: &'a Client,
    /// How many transfers are made at once.
    pub connections: usize,
    /// A folder for what does not fit into memory while a request is resolved.
    pub scratch: &'a Path,
    /// Hears what happens.
    pub observer: &'a dyn Observer,
    /// Stops the work; the same that the client has.
    pub cancel: &'a Cancel,
}

//! What is to be loaded, and where, as a value.

use sealift_oci::{Destination, Naming};

/// Which index gets the tag of an image of which platforms were chosen: the publisher's, of which children are
/// missing then, or the new one that lists only what is there. Signatures cover only the publisher's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PublisherIndex {
    /// The publisher's if it is in the bundle and the registry accepts it, otherwise the new one.
    #[default]
    IfAccepted,
    /// The publisher's; it is an error if that is not possible.
    Required,
    /// The new one.
    Never,
}

/// What is asked of a load.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a choice of its own, all combinations make sense"
)]
pub struct Request {
    /// The registry, and the path below which everything goes.
    pub destination: Destination,
    /// How names at the source become names at the destination.
    pub naming: Naming,
    /// Patterns (`*` stands for any characters, `?` for one) of what is loaded; all, where there is
    /// none. A pattern is compared with an image's whole reference, with it without the tag, and with
    /// both without the registry; and with a carried file's name.
    pub only: Vec<String>,
    /// Patterns of what is left away.
    pub skip: Vec<String>,
    /// Whether tags that point elsewhere may be moved.
    pub overwrite: bool,
    /// Whether a manifest that is there does not vouch for its blobs: the registry is asked for each.
    pub deep: bool,
    /// Whether all of the bundle's file is read and compared with its digests before the first write.
    pub verify_first: bool,
    /// Whether images that are complete are finished though others are not.
    pub keep_going: bool,
    /// Which index an image gets of which platforms were chosen.
    pub publisher_index: PublisherIndex,
}

impl Request {
    /// Everything to `destination`, under the names that it has.
    pub fn new(destination: Destination) -> Self {
        Self {
            destination,
            naming: Naming::default(),
            only: Vec::new(),
            skip: Vec::new(),
            overwrite: false,
            deep: false,
            verify_first: false,
            keep_going: false,
            publisher_index: PublisherIndex::default(),
        }
    }
}

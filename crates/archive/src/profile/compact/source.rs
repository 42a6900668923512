//! A store as the source of packs.

use std::io::{self, Read};

use sealift_oci::Digest;
use sealift_pack::Source;

use crate::store::Store;

/// Blobs of a store, as packs are built from them.
pub(super) struct StoreSource<'a>(pub(super) &'a dyn Store);

impl Source for StoreSource<'_> {
    fn open(&self, digest: &Digest, from: u64) -> io::Result<Box<dyn Read + Send + '_>> {
        self.0.open(digest, from).map(|reader| reader as _)
    }
}

//! A store as the source of packs.

use std::io::{self, Read};

use sealift_oci::Digest;
use sealift_pack::Source;
use sealift_pipeline::VerifyingReader;

use crate::store::Store;

/// Blobs of a store, as packs are built from them.
pub(super) struct StoreSource<'a>(pub(super) &'a dyn Store);

impl Source for StoreSource<'_> {
    fn open(&self, digest: &Digest, from: u64) -> io::Result<Box<dyn Read + Send + '_>> {
        self.0.open(digest, from).map(|reader| reader as _)
    }
}

/// The same, where a blob that is read from its start to its end is compared with its digest.
pub(super) struct VerifiedSource<'a>(pub(super) &'a dyn Store);

impl Source for VerifiedSource<'_> {
    fn open(&self, digest: &Digest, from: u64) -> io::Result<Box<dyn Read + Send + '_>> {
        let reader = self.0.open(digest, from)?;
        if from > 0 {
            return Ok(reader);
        }
        let size = self.0.size(digest).unwrap_or(0);
        Ok(Box::new(VerifyingReader::new(reader, *digest, size)))
    }
}

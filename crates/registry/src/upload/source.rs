//! What an upload is given, and what becomes of it.

use std::io::{self, Read};

use sealift_oci::Descriptor;

/// Content that can be read as often as an upload has to begin again.
pub trait BlobSource: Sync {
    /// Digest and size.
    fn descriptor(&self) -> &Descriptor;

    /// Reads from byte `offset` on. Whatever the offset, the reader must fail at its end if the complete
    /// content, what comes before the offset included, does not match the digest: the last part is sent only
    /// after its end was read.
    ///
    /// # Errors
    /// If the content cannot be read.
    fn open(&self, offset: u64) -> io::Result<Box<dyn Read + Send + '_>>;

    /// Called with the number of bytes that have been handed over so far; it may go back after a failure.
    fn sent(&self, bytes: u64) {
        let _ = bytes;
    }
}

/// How a blob got where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It was sent.
    Sent,
    /// It was mounted from another repository of the registry.
    Mounted {
        /// Which.
        from: String,
    },
    /// It was there.
    Present,
}

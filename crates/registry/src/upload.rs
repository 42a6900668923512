//! Uploads: a ladder of ways, since no single one works with every registry.
//!
//! A blob that is there is not sent; one that another repository has is mounted; small ones go in one
//! PUT; larger ones in one PATCH of known length and a PUT, as Docker does it; in pieces where a
//! proxy or the registry refuses large ones; in one PUT where PATCH is refused. What a host teaches is kept
//! for the run. An upload that broke goes on where the registry says it stopped.

mod content;
mod run;
mod session;
mod way;

use std::io::{self, Read};

use sealift_oci::Descriptor;

use crate::error::{ErrorKind, RegistryError};
use crate::repository::Repository;
use run::Upload;

/// Content that can be read as often as an upload has to begin again.
pub trait BlobSource: Sync {
    /// Digest and size.
    fn descriptor(&self) -> &Descriptor;

    /// Reads from byte `offset` on. Whatever the offset, the reader must fail at its end if the whole
    /// content, what comes before the offset included, is not what the digest says: the last piece leaves
    /// only after its end was read.
    fn open(&self, offset: u64) -> io::Result<Box<dyn Read + Send + '_>>;

    /// Hears how many bytes of the content have been handed over so far; it may go back after a failure.
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

impl Repository {
    /// Brings a blob into the repository, from `mount_from` if one of those repositories has it.
    pub fn push_blob(
        &self,
        source: &dyn BlobSource,
        mount_from: &[String],
    ) -> Result<Pushed, RegistryError> {
        let digest = source.descriptor().digest;
        if self.head_blob(&digest)?.is_some() {
            return Ok(Pushed::Present);
        }
        self.upload_blob(source, mount_from)
    }

    /// The same for a blob that is known not to be there. An upload that fails, or is stopped, leaves no
    /// session behind, as far as the registry can be told.
    pub fn upload_blob(
        &self,
        source: &dyn BlobSource,
        mount_from: &[String],
    ) -> Result<Pushed, RegistryError> {
        let digest = source.descriptor().digest;
        let what = || format!("sending blob {digest} to {}", self.name);
        let mut upload = Upload::new(self, source);
        for from in mount_from.iter().filter(|from| **from != self.name) {
            match upload.mount(from) {
                Ok(true) => return Ok(Pushed::Mounted { from: from.clone() }),
                Ok(false) if upload.has_session() => break,
                Ok(false) => {}
                Err(kind) => return Err(self.fail(what(), kind)),
            }
        }
        let result = self.retry_upload(&mut upload, &what);
        if result.is_err() {
            upload.abandon();
        }
        result
            .map(|()| Pushed::Sent)
            .map_err(|kind| self.fail(what(), kind))
    }

    /// Tries until the blob is there, fails for good, or has failed too often without getting further.
    fn retry_upload(
        &self,
        upload: &mut Upload<'_>,
        what: &dyn Fn() -> String,
    ) -> Result<(), ErrorKind> {
        let mut failures = 0;
        loop {
            let before = upload.furthest();
            let held = self.client.hold(&self.host);
            let Err(kind) = held.and_then(|()| upload.attempt(failures)) else {
                return Ok(());
            };
            failures = if upload.furthest() > before {
                1
            } else {
                failures + 1
            };
            self.client.wait_after(&self.host, what, kind, failures)?;
        }
    }
}

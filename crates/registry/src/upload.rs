//! Uploads: a ladder of strategies, since no single one works with every registry.
//!
//! A blob that is there is not sent; one that another repository has is mounted; small ones are sent in one
//! PUT; larger ones in one PATCH of known length and a PUT, as Docker does it; in chunks if a proxy or the
//! registry refuses large ones; in one PUT if PATCH is refused. What is learned about a host is kept for the
//! run. An upload that broke resumes where the registry says it stopped, also in a later run if the client has
//! a [`SessionStore`](crate::SessionStore).

mod content;
mod run;
mod saved;
mod send;
mod session;
mod source;
mod strategy;

use crate::error::{ErrorKind, RegistryError};
use crate::repository::Repository;
use run::Upload;

pub use source::{BlobSource, Pushed};

impl Repository {
    /// Brings a blob into the repository, from `mount_from` if one of those repositories has it.
    ///
    /// # Errors
    /// If the registry does not accept it, or its content cannot be read or is corrupt.
    pub fn push_blob(
        &self,
        source: &dyn BlobSource,
        mount_from: &[String],
    ) -> Result<Pushed, RegistryError> {
        let digest = source.descriptor().digest;
        match self.head_blob(&digest) {
            Ok(Some(_)) => return Ok(Pushed::Present),
            // An account may be allowed to push and not to look.
            Err(error) if !matches!(error.kind, ErrorKind::Forbidden { .. }) => return Err(error),
            _ => {}
        }
        self.upload_blob(source, mount_from)
    }

    /// The same for a blob that is known not to be there. An upload that fails, or is stopped, ends its
    /// session as far as the registry allows, unless it can be resumed in a later run.
    ///
    /// # Errors
    /// As for [`Repository::push_blob`].
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
                Ok(true) => {
                    upload.abandon();
                    return Ok(Pushed::Mounted { from: from.clone() });
                }
                Ok(false) if upload.has_session() => break,
                Ok(false) => {}
                Err(kind) => return Err(self.fail(what(), kind)),
            }
        }
        match self.retry_upload(&mut upload, &what) {
            Ok(()) => Ok(Pushed::Sent),
            Err(kind) => {
                upload.end_after(&kind);
                Err(self.fail(what(), kind))
            }
        }
    }

    /// Tries until the blob is there, fails for good, or has failed too often without progress.
    fn retry_upload(
        &self,
        upload: &mut Upload<'_>,
        what: &dyn Fn() -> String,
    ) -> Result<(), ErrorKind> {
        let mut failures = 0;
        loop {
            let before = upload.furthest();
            let held = self.transport.hold(&self.host);
            let Err(kind) = held.and_then(|()| upload.attempt(failures)) else {
                return Ok(());
            };
            failures = if upload.furthest() > before {
                1
            } else {
                failures + 1
            };
            self.transport
                .wait_after(&self.host, what, kind, failures)?;
        }
    }
}

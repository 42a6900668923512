//! Deleting tags and manifests.

use sealift_oci::Digest;

use super::Repository;
use crate::error::{ErrorKind, Refusal, RegistryError};
use crate::request::Request;

/// What became of a tag or manifest that was to be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// It is gone.
    Deleted,
    /// There was no such tag or manifest.
    Absent,
    /// The registry does not delete tags: it may delete the manifest, with all tags that stand for it.
    TagUnsupported,
    /// The registry deletes nothing.
    Unsupported,
}

impl Repository {
    /// Deletes a tag. The manifest that it stands for stays, as far as that is for the registry to decide.
    ///
    /// # Errors
    /// If the registry gives no answer, or does not allow it.
    pub fn delete_tag(&self, tag: &str) -> Result<Deletion, RegistryError> {
        let what = || format!("deleting tag {tag} of {}", self.name);
        let deleted = self.delete(tag, &what);
        // The specification has 400 for registries without deletion of tags. distribution 2.8 knows only digests
        // here, and answers 405 to everything if deletion is disabled.
        match deleted {
            Err(error) if has_status(&error.kind, &[400]) => Ok(Deletion::TagUnsupported),
            deleted => deleted,
        }
    }

    /// Deletes a manifest, and with it all tags of the repository that stand for it.
    ///
    /// # Errors
    /// If the registry gives no answer, or does not allow it.
    pub fn delete_manifest(&self, digest: &Digest) -> Result<Deletion, RegistryError> {
        let what = || format!("deleting manifest {digest} of {}", self.name);
        match self.delete(&digest.to_string(), &what) {
            Err(error) if has_status(&error.kind, &[400]) => Ok(Deletion::Unsupported),
            deleted => deleted,
        }
    }

    fn delete(&self, selector: &str, what: &dyn Fn() -> String) -> Result<Deletion, RegistryError> {
        let path = self.path(&format!("manifests/{selector}"));
        let request = Request::new("DELETE", path, self.delete_scope());
        match self.send(&request, what) {
            Ok(response) => {
                response.finish();
                Ok(Deletion::Deleted)
            }
            Err(error) if error.is_not_found() => Ok(Deletion::Absent),
            Err(error) if has_status(&error.kind, &[405, 501]) => Ok(Deletion::Unsupported),
            Err(error) => Err(error),
        }
    }

    fn delete_scope(&self) -> String {
        format!("repository:{}:pull,delete", self.name)
    }
}

/// Whether a request was refused with one of these statuses.
fn has_status(kind: &ErrorKind, statuses: &[u16]) -> bool {
    matches!(kind, ErrorKind::Status(Refusal { status, .. }) if statuses.contains(status))
}

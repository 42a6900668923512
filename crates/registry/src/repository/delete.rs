//! Deleting tags.

use super::Repository;
use crate::error::{ErrorKind, Refusal, RegistryError};
use crate::request::Request;

/// What became of a tag that was to be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// It is gone.
    Deleted,
    /// There was no such tag.
    Absent,
    /// The registry does not delete tags, or not any more than manifests.
    Unsupported,
}

impl Repository {
    /// Deletes a tag. The manifest that it stands for stays, as far as that is for the registry to decide.
    ///
    /// # Errors
    /// If the registry gives no answer, or does not allow it.
    pub fn delete_tag(&self, tag: &str) -> Result<Deletion, RegistryError> {
        let what = || format!("deleting tag {tag} of {}", self.name);
        let path = self.path(&format!("manifests/{tag}"));
        let request = Request::new("DELETE", path, self.delete_scope());
        match self.send(&request, &what) {
            Ok(response) => {
                response.finish();
                Ok(Deletion::Deleted)
            }
            Err(error) if error.is_not_found() => Ok(Deletion::Absent),
            Err(error) if is_unsupported(&error.kind) => Ok(Deletion::Unsupported),
            Err(error) => Err(error),
        }
    }

    fn delete_scope(&self) -> String {
        format!("repository:{}:pull,delete", self.name)
    }
}

/// Whether a refusal is one of the method: distribution 2.8 knows only digests here and answers 400 to a tag.
fn is_unsupported(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Status(Refusal {
            status: 400 | 405 | 501,
            ..
        })
    )
}

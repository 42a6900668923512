//! Questions to the registry, many at once. Nothing is written.

use sealift_oci::{Descriptor, Digest};
use sealift_pipeline::{Cancel, run_fail_fast};
use sealift_registry::{Client, ErrorKind, RegistryError, Repository};

use crate::error::LoadError;

/// A registry that is asked.
pub(crate) struct Registry<'a> {
    pub(crate) client: &'a Client,
    pub(crate) name: &'a str,
    pub(crate) connections: usize,
    pub(crate) cancel: &'a Cancel,
}

impl Registry<'_> {
    /// A repository of it.
    pub(crate) fn repository(&self, name: &str) -> Result<Repository, LoadError> {
        self.client
            .repository(self.name, name)
            .map_err(LoadError::registry)
    }

    /// Does `work` for every item on as many threads as there are connections. The first error stops
    /// the rest.
    pub(crate) fn parallel<I: Sync, T: Send>(
        &self,
        items: &[I],
        work: impl Fn(&I) -> Result<T, LoadError> + Sync,
    ) -> Result<Vec<T>, LoadError> {
        run_fail_fast(self.connections, items, self.cancel, work)
    }

    /// What a tag stands for.
    pub(crate) fn tag(&self, repository: &str, tag: &str) -> Result<Option<Descriptor>, LoadError> {
        self.repository(repository)?
            .head_manifest(tag)
            .map_err(LoadError::registry)
    }

    /// Whether the manifest is there, with the size that it should have.
    pub(crate) fn has_manifest(
        &self,
        repository: &str,
        digest: &Digest,
        size: u64,
    ) -> Result<bool, LoadError> {
        let repository = self.repository(repository)?;
        let selector = digest.to_string();
        let there = repository
            .head_manifest(&selector)
            .map_err(LoadError::registry)?;
        match there {
            None => Ok(false),
            Some(there) if there.size == size && there.digest == *digest => Ok(true),
            // The header says something else; the body decides.
            Some(_) => match repository.manifest(&selector) {
                Ok(manifest) => Ok(manifest.size() == size),
                Err(error) if is_other_content(&error) => Ok(false),
                Err(error) => Err(LoadError::registry(error)),
            },
        }
    }

    /// Whether the blob is there, with the size that it should have as far as the registry says one.
    pub(crate) fn has_blob(
        &self,
        repository: &str,
        digest: &Digest,
        size: u64,
    ) -> Result<bool, LoadError> {
        let there = self
            .repository(repository)?
            .head_blob(digest)
            .map_err(LoadError::registry)?;
        Ok(there.is_some_and(|there| there == size || there == 0))
    }

    /// Whether the content of a blob can be read from there.
    pub(crate) fn can_read_blob(
        &self,
        repository: &str,
        digest: &Digest,
        size: u64,
    ) -> Result<bool, LoadError> {
        let descriptor = Descriptor::new("application/octet-stream", *digest, size);
        self.repository(repository)?
            .can_read_blob(&descriptor)
            .map_err(LoadError::registry)
    }
}

fn is_other_content(error: &RegistryError) -> bool {
    error.is_not_found() || matches!(error.kind, ErrorKind::Manifest(_))
}

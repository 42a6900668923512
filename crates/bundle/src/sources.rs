//! The places that content comes from: repositories of registries.

use std::io::{self, Read};
use std::sync::Arc;

use sealift_archive::PlainDescriptor;
use sealift_oci::{Descriptor, Digest, Manifest, Reference};
use sealift_pipeline::mismatch_of;
use sealift_registry::{Client, RegistryError, Repository};
use serde::{Deserialize, Serialize};

use crate::error::{FetchError, ResolveError};

/// The number of a place in a [`Sources`] table.
pub(crate) type SourceId = u32;

/// One place that content comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) enum Source {
    /// A repository of a registry.
    Registry {
        registry: String,
        repository: String,
    },
}

impl Source {
    /// The repository that `reference` is in.
    pub(crate) fn of(reference: &Reference) -> Self {
        Self::Registry {
            registry: reference.registry().to_owned(),
            repository: reference.repository().to_owned(),
        }
    }

    /// What a person calls it.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Registry {
                registry,
                repository,
            } => format!("{registry}/{repository}"),
        }
    }

    /// What fails as a whole where it fails: the host.
    pub(crate) fn host(&self) -> &str {
        match self {
            Self::Registry { registry, .. } => registry,
        }
    }
}

/// Content on its way; unchecked.
pub(crate) struct Content {
    pub(crate) reader: Box<dyn Read + Send>,
    /// Where the content begins: what was asked for, or 0.
    pub(crate) offset: u64,
}

/// Every place of a plan, by number, ready to be asked.
pub(crate) struct Sources {
    list: Vec<Source>,
    places: Vec<Place>,
}

enum Place {
    Repository(Repository),
    /// It cannot even be asked: its certificates cannot be read, say.
    Unusable(Arc<RegistryError>),
}

impl Sources {
    /// Prepares to ask the places of `list`; nothing is sent.
    pub(crate) fn new(client: &Client, list: Vec<Source>) -> Self {
        let places = list.iter().map(|source| match source {
            Source::Registry {
                registry,
                repository,
            } => match client.repository(registry, repository) {
                Ok(repository) => Place::Repository(repository),
                Err(error) => Place::Unusable(Arc::new(error)),
            },
        });
        Self {
            places: places.collect(),
            list,
        }
    }

    /// The places, by their number.
    pub(crate) fn list(&self) -> &[Source] {
        &self.list
    }

    /// The number of `source`; the table is sorted.
    pub(crate) fn id(&self, source: &Source) -> Option<SourceId> {
        SourceId::try_from(self.list.binary_search(source).ok()?).ok()
    }

    /// The place with the number `id`.
    pub(crate) fn source(&self, id: SourceId) -> &Source {
        &self.list[index(id)]
    }

    /// The repository with the number `id`; none where it is not in a registry.
    pub(crate) fn repository(&self, id: SourceId) -> Result<Option<&Repository>, ResolveError> {
        match &self.places[index(id)] {
            Place::Repository(repository) => Ok(Some(repository)),
            Place::Unusable(error) => Err(Arc::clone(error).into()),
        }
    }

    /// Reads the manifest that a tag or digest stands for.
    pub(crate) fn named_manifest(
        &self,
        id: SourceId,
        selector: &str,
    ) -> Result<Manifest, ResolveError> {
        match &self.places[index(id)] {
            Place::Repository(repository) => repository
                .manifest(selector)
                .map_err(|error| Arc::new(error).into()),
            Place::Unusable(error) => Err(Arc::clone(error).into()),
        }
    }

    /// Reads the manifest that `descriptor` names; its digest is right.
    pub(crate) fn manifest(
        &self,
        id: SourceId,
        descriptor: &PlainDescriptor,
    ) -> Result<Manifest, ResolveError> {
        self.named_manifest(id, &descriptor.digest.to_string())
    }

    /// Begins to read a blob from byte `from` on.
    pub(crate) fn blob(
        &self,
        id: SourceId,
        digest: &Digest,
        size: u64,
        from: u64,
    ) -> Result<Content, FetchError> {
        match &self.places[index(id)] {
            Place::Repository(repository) => {
                let descriptor = Descriptor::new("application/octet-stream", *digest, size);
                let body = repository.blob(&descriptor, from)?;
                Ok(Content {
                    reader: body.reader,
                    offset: body.offset,
                })
            }
            Place::Unusable(error) => Err(FetchError::Registry(Arc::clone(error))),
        }
    }
}

impl Sources {
    /// What a fault while reading from the place `id` means.
    pub(crate) fn broken(&self, id: SourceId, at: u64, times: u32, error: io::Error) -> FetchError {
        let host = self.source(id).host().to_owned();
        match mismatch_of(&error) {
            Some(mismatch) => FetchError::Mismatch {
                host,
                mismatch: mismatch.clone(),
            },
            None => FetchError::Broken {
                host,
                times,
                at,
                source: error,
            },
        }
    }
}

/// Numbers are given out by the table itself.
fn index(id: SourceId) -> usize {
    usize::try_from(id).unwrap_or(usize::MAX)
}

//! The places that content comes from: repositories of registries, images on disk, carried files.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use sealift_archive::{
    CarriedFile, CarryError, CarryOptions, LocalSource, PlainDescriptor, SourceError, carry,
    open_source,
};
use sealift_oci::{Descriptor, Digest, Manifest, Reference};
use sealift_pipeline::{Cancel, mismatch_of};
use sealift_registry::{Client, RegistryError, Repository};
use serde::{Deserialize, Serialize};

use crate::error::{FetchError, ResolveError};

/// The number of a place in a [`Sources`] table.
pub(crate) type SourceId = u32;

/// One place that content comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) enum Source {
    /// A layout or an archive on disk. Before registries, since it is nearer.
    Local {
        path: String,
        /// What tells a changed one from the one that was planned with.
        stamp: String,
    },
    /// A file or folder that is carried.
    Carried { path: String, name: Option<String> },
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
            Self::Local { path, .. } | Self::Carried { path, .. } => path.clone(),
            Self::Registry {
                registry,
                repository,
            } => format!("{registry}/{repository}"),
        }
    }

    /// What fails as a whole where it fails: the host, or the file.
    pub(crate) fn host(&self) -> &str {
        match self {
            Self::Local { path, .. } | Self::Carried { path, .. } => path,
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

/// What is on disk and was read already.
#[derive(Clone, Default)]
pub(crate) struct Locals {
    /// Layouts and archives that are open, by path.
    pub(crate) archives: BTreeMap<String, Arc<dyn LocalSource>>,
    /// Carried files, by their place.
    pub(crate) carried: BTreeMap<Source, Arc<CarriedFile>>,
}

enum Place {
    Local(Arc<dyn LocalSource>),
    Carried(Arc<CarriedFile>),
    /// It cannot be read.
    Unreadable(Arc<SourceError>),
    /// It cannot be carried.
    Uncarried(Arc<CarryError>),
    Repository(Repository),
    /// It cannot even be asked: its certificates cannot be read, say.
    Unusable(Arc<RegistryError>),
}

impl Sources {
    /// Prepares to ask the places of `list`; nothing is sent. What is not among `locals` is opened.
    pub(crate) fn new(client: &Client, list: Vec<Source>, locals: &Locals) -> Self {
        let places = list.iter().map(|source| match source {
            Source::Local { path, .. } => match locals.archives.get(path) {
                Some(open) => Place::Local(Arc::clone(open)),
                None => match open_source(Path::new(path)) {
                    Ok(open) => Place::Local(open.into()),
                    Err(error) => Place::Unreadable(Arc::new(error)),
                },
            },
            Source::Carried { path, name } => match locals.carried.get(source) {
                Some(read) => Place::Carried(Arc::clone(read)),
                None => match carry_file(path, name.as_ref(), &Cancel::new()) {
                    Ok(read) => Place::Carried(Arc::new(read)),
                    Err(error) => Place::Uncarried(Arc::new(error)),
                },
            },
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

    /// Whether the place says beforehand that it has no such manifest. Archives of one platform leave
    /// out others that their index names.
    pub(crate) fn lacks(&self, id: SourceId, digest: &Digest) -> bool {
        match &self.places[index(id)] {
            Place::Local(local) => local.size(digest).is_none(),
            _ => false,
        }
    }

    /// Reads the manifest that a tag or digest of a registry stands for.
    pub(crate) fn named_manifest(
        &self,
        id: SourceId,
        selector: &str,
    ) -> Result<Manifest, ResolveError> {
        self.repository(id)?
            .manifest(selector)
            .map_err(|error| Arc::new(error).into())
    }

    /// Reads the manifest that `descriptor` names; its digest is right.
    pub(crate) fn manifest(
        &self,
        id: SourceId,
        descriptor: &PlainDescriptor,
    ) -> Result<Manifest, ResolveError> {
        match &self.places[index(id)] {
            Place::Local(local) => local
                .manifest(&Descriptor::from(descriptor))
                .map_err(|error| ResolveError::Local(Arc::new(error))),
            Place::Carried(file) if *file.manifest.digest() == descriptor.digest => {
                Ok(file.manifest.clone())
            }
            Place::Carried(_) => Err(ResolveError::Changed {
                path: self.source(id).name(),
            }),
            Place::Unreadable(error) => Err(ResolveError::Local(Arc::clone(error))),
            Place::Uncarried(error) => Err(ResolveError::Carry(Arc::clone(error))),
            _ => self.named_manifest(id, &descriptor.digest.to_string()),
        }
    }

    /// The layout or archive with the number `id`; none where it is none.
    pub(crate) fn local(&self, id: SourceId) -> Option<&dyn LocalSource> {
        match &self.places[index(id)] {
            Place::Local(local) => Some(&**local),
            _ => None,
        }
    }

    /// Whether the place is on disk, where asking again helps nothing.
    pub(crate) fn is_on_disk(&self, id: SourceId) -> bool {
        !matches!(self.source(id), Source::Registry { .. })
    }

    /// The repository with the number `id`.
    pub(crate) fn repository(&self, id: SourceId) -> Result<&Repository, ResolveError> {
        match &self.places[index(id)] {
            Place::Repository(repository) => Ok(repository),
            Place::Unusable(error) => Err(Arc::clone(error).into()),
            Place::Unreadable(error) => Err(ResolveError::Local(Arc::clone(error))),
            Place::Uncarried(error) => Err(ResolveError::Carry(Arc::clone(error))),
            Place::Local(_) | Place::Carried(_) => Err(ResolveError::Nameless {
                place: self.source(id).name(),
            }),
        }
    }

    /// Begins to read a blob from byte `from` on.
    pub(crate) fn blob(
        &self,
        id: SourceId,
        digest: &Digest,
        size: u64,
        from: u64,
    ) -> Result<Content, FetchError> {
        let descriptor = Descriptor::new("application/octet-stream", *digest, size);
        match &self.places[index(id)] {
            Place::Repository(repository) => {
                let body = repository.blob(&descriptor, from)?;
                Ok(Content {
                    reader: body.reader,
                    offset: body.offset,
                })
            }
            Place::Local(local) => match local.blob_at(&descriptor, from) {
                Ok(reader) => Ok(Content {
                    reader: Box::new(reader),
                    offset: from,
                }),
                Err(error) => Err(FetchError::Local(Arc::new(error))),
            },
            Place::Carried(file) => carried_blob(file, digest, self.source(id)),
            Place::Uncarried(error) => Err(FetchError::Carry(Arc::clone(error))),
            Place::Unusable(error) => Err(FetchError::Registry(Arc::clone(error))),
            Place::Unreadable(error) => Err(FetchError::Local(Arc::clone(error))),
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
            None if self.is_on_disk(id) => FetchError::Unreadable {
                path: host,
                at,
                source: error,
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

/// Makes an artifact of the file at `path`.
pub(crate) fn carry_file(
    path: &str,
    name: Option<&String>,
    cancel: &Cancel,
) -> Result<CarriedFile, CarryError> {
    let options = CarryOptions {
        name: name.cloned(),
        reference: None,
    };
    carry(Path::new(path), &options, cancel)
}

fn carried_blob(
    file: &CarriedFile,
    digest: &Digest,
    source: &Source,
) -> Result<Content, FetchError> {
    let blob = file
        .blobs
        .iter()
        .find(|blob| blob.descriptor.digest == *digest)
        .ok_or_else(|| FetchError::Changed {
            path: source.name(),
        })?;
    match blob.open() {
        Ok(reader) => Ok(Content { reader, offset: 0 }),
        Err(error) => Err(FetchError::Unreadable {
            path: source.name(),
            at: 0,
            source: error,
        }),
    }
}

/// Numbers are given out by the table itself.
fn index(id: SourceId) -> usize {
    usize::try_from(id).unwrap_or(usize::MAX)
}

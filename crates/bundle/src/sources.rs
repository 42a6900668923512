//! Where content comes from: repositories of registries, images on disk, carried files.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use sealift_archive::{
    CarriedFile, CarryError, CarryOptions, LocalError, LocalImages, PlainDescriptor, carry,
    open_local,
};
use sealift_oci::{Descriptor, Digest, Manifest, Reference};
use sealift_pipeline::{Cancel, Mismatch, mismatch_of};
use sealift_registry::{RegistryError, Repository};
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::error::{FetchError, ResolveError};

/// The number of a source in a [`Sources`] table.
pub(crate) type SourceId = u32;

/// One source of content.
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
    Carried {
        path: String,
        name: Option<String>,
        program: Option<String>,
    },
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

/// Every source of a plan, by number, ready for requests.
pub(crate) struct Sources {
    list: Vec<Source>,
    origins: Vec<Origin>,
}

/// What is on disk and was read already.
#[derive(Clone, Default)]
pub(crate) struct Locals {
    /// Layouts and archives that are open, by path.
    pub(crate) archives: BTreeMap<String, Arc<LocalImages>>,
    /// Carried files, by their place.
    pub(crate) carried: BTreeMap<Source, Arc<CarriedFile>>,
}

enum Origin {
    Local(Arc<LocalImages>),
    Carried(Arc<CarriedFile>),
    /// It cannot be read.
    Unreadable(Arc<LocalError>),
    /// It cannot be carried.
    Uncarried(Arc<CarryError>),
    Repository(Repository),
    /// It cannot even be asked: its certificates cannot be read, say.
    Unusable(Arc<RegistryError>),
}

impl Sources {
    /// Prepares requests to the sources of `list`; nothing is sent. What is not among `locals` is opened.
    pub(crate) fn new(context: &Context<'_>, list: Vec<Source>, locals: &Locals) -> Self {
        let origins = list.iter().map(|source| match source {
            Source::Local { path, .. } => match locals.archives.get(path) {
                Some(open) => Origin::Local(Arc::clone(open)),
                None => match open_local(Path::new(path), &context.reading()) {
                    Ok(open) => Origin::Local(Arc::new(open)),
                    Err(error) => Origin::Unreadable(Arc::new(error)),
                },
            },
            Source::Carried {
                path,
                name,
                program,
            } => match locals.carried.get(source) {
                Some(read) => Origin::Carried(Arc::clone(read)),
                None => match carry_file(path, name.as_ref(), program.as_ref(), &Cancel::new()) {
                    Ok(read) => Origin::Carried(Arc::new(read)),
                    Err(error) => Origin::Uncarried(Arc::new(error)),
                },
            },
            Source::Registry {
                registry,
                repository,
            } => match context.client.repository(registry, repository) {
                Ok(repository) => Origin::Repository(repository),
                Err(error) => Origin::Unusable(Arc::new(error)),
            },
        });
        Self {
            origins: origins.collect(),
            list,
        }
    }

    /// The sources, by their number.
    pub(crate) fn list(&self) -> &[Source] {
        &self.list
    }

    /// The number of `source`; the table is sorted.
    pub(crate) fn id(&self, source: &Source) -> Option<SourceId> {
        SourceId::try_from(self.list.binary_search(source).ok()?).ok()
    }

    /// The source with the number `id`.
    pub(crate) fn source(&self, id: SourceId) -> &Source {
        &self.list[index(id)]
    }

    /// Whether the source says beforehand that it does not contain a manifest. Archives of one platform
    /// leave out others that their index lists.
    pub(crate) fn lacks(&self, id: SourceId, digest: &Digest) -> bool {
        match &self.origins[index(id)] {
            Origin::Local(local) => !local.contains(digest),
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
        match &self.origins[index(id)] {
            Origin::Local(local) => local
                .manifest(&Descriptor::from(descriptor))
                .map_err(|error| ResolveError::Local(Arc::new(error))),
            Origin::Carried(file) if *file.manifest.digest() == descriptor.digest => {
                Ok(file.manifest.clone())
            }
            Origin::Carried(_) => Err(ResolveError::Changed {
                path: self.source(id).name(),
            }),
            Origin::Unreadable(error) => Err(ResolveError::Local(Arc::clone(error))),
            Origin::Uncarried(error) => Err(ResolveError::Carry(Arc::clone(error))),
            _ => self.named_manifest(id, &descriptor.digest.to_string()),
        }
    }

    /// The layout or archive with the number `id`; none where it is none.
    pub(crate) fn local(&self, id: SourceId) -> Option<&LocalImages> {
        match &self.origins[index(id)] {
            Origin::Local(local) => Some(local),
            _ => None,
        }
    }

    /// Whether the source is on disk, where a second attempt does not help.
    pub(crate) fn is_on_disk(&self, id: SourceId) -> bool {
        !matches!(self.source(id), Source::Registry { .. })
    }

    /// The repository with the number `id`.
    pub(crate) fn repository(&self, id: SourceId) -> Result<&Repository, ResolveError> {
        match &self.origins[index(id)] {
            Origin::Repository(repository) => Ok(repository),
            Origin::Unusable(error) => Err(Arc::clone(error).into()),
            Origin::Unreadable(error) => Err(ResolveError::Local(Arc::clone(error))),
            Origin::Uncarried(error) => Err(ResolveError::Carry(Arc::clone(error))),
            Origin::Local(_) | Origin::Carried(_) => Err(ResolveError::Nameless {
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
        match &self.origins[index(id)] {
            Origin::Repository(repository) => {
                let body = repository.blob(&descriptor, from)?;
                Ok(Content {
                    reader: body.reader,
                    offset: body.offset,
                })
            }
            Origin::Local(local) => match local.blob_at(&descriptor, from) {
                Ok(reader) => Ok(Content {
                    reader,
                    offset: from,
                }),
                Err(error) => Err(FetchError::Local(Arc::new(error))),
            },
            Origin::Carried(file) => carried_blob(file, digest, self.source(id)),
            Origin::Uncarried(error) => Err(FetchError::Carry(Arc::clone(error))),
            Origin::Unusable(error) => Err(FetchError::Registry(Arc::clone(error))),
            Origin::Unreadable(error) => Err(FetchError::Local(Arc::clone(error))),
        }
    }
}

impl Sources {
    /// The source `id` has something else than was promised.
    pub(crate) fn mismatch(&self, id: SourceId, mismatch: Mismatch) -> FetchError {
        let host = self.source(id).host().to_owned();
        if self.is_on_disk(id) {
            FetchError::Corrupt {
                path: host,
                mismatch,
            }
        } else {
            FetchError::Mismatch { host, mismatch }
        }
    }

    /// What a fault while reading from the source `id` means.
    pub(crate) fn broken(&self, id: SourceId, at: u64, times: u32, error: io::Error) -> FetchError {
        let host = self.source(id).host().to_owned();
        match mismatch_of(&error) {
            Some(mismatch) => self.mismatch(id, mismatch.clone()),
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

/// Creates an artifact of the file at `path`.
pub(crate) fn carry_file(
    path: &str,
    name: Option<&String>,
    program: Option<&String>,
    cancel: &Cancel,
) -> Result<CarriedFile, CarryError> {
    let options = CarryOptions {
        name: name.cloned(),
        reference: None,
        program: program.cloned(),
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

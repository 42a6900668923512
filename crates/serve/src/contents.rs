//! What a bundle offers as a registry: repositories with their tags, manifests, blobs and referrers.

use std::collections::{BTreeMap, BTreeSet};

use sealift_archive::{
    Bundle, DestinationNameError, Fault, PlainDescriptor, RecordEntry, destinations,
};
use sealift_oci::{Descriptor, Destination, Digest, Manifest, Naming};

/// What a bundle offers as a registry: repositories with their tags, manifests, blobs and referrers.
pub struct Contents {
    bundle: Bundle,
    repositories: BTreeMap<String, Repository>,
}

/// One repository.
#[derive(Debug, Default)]
pub(crate) struct Repository {
    pub(crate) tags: BTreeMap<String, Digest>,
    pub(crate) manifests: BTreeSet<Digest>,
    /// Publishers' indexes that stand beside a choice of their platforms.
    pub(crate) indexes: BTreeMap<Digest, PlainDescriptor>,
    pub(crate) blobs: BTreeSet<Digest>,
    /// Manifests with a `subject`, by it.
    pub(crate) referrers: BTreeMap<Digest, Vec<Descriptor>>,
}

/// Why a bundle cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ContentsError {
    /// The naming rules do not fit.
    #[error(transparent)]
    Names(#[from] DestinationNameError),
    /// A manifest is not what it was when the bundle was opened.
    #[error("{bundle} is corrupt: {fault}")]
    Bundle {
        /// The bundle's file.
        bundle: String,
        /// What is wrong.
        fault: Fault,
    },
}

impl Contents {
    /// Places everything in `bundle` by `naming`, as a load to a registry without a path would. Where platforms of an
    /// image were chosen, the publisher's index is offered by its digest, and has the tag if `publisher_index` is true;
    /// otherwise the new index has it.
    ///
    /// # Errors
    /// Where two contents would get one name, or a name is none that registries have.
    pub fn new(
        bundle: Bundle,
        naming: &Naming,
        publisher_index: bool,
    ) -> Result<Self, ContentsError> {
        let here: Destination = "localhost".parse().expect("a host name is a destination");
        let named = destinations(bundle.record(), naming, &here)?;
        let mut repositories: BTreeMap<String, Repository> = BTreeMap::new();
        for manifest in named.iter() {
            let repository = repositories.entry(manifest.repository.clone()).or_default();
            let index = match manifest.of {
                RecordEntry::Image(n) => bundle.publisher_index(&bundle.record().images[n]),
                _ => None,
            };
            if let Some(index) = index {
                repository.indexes.insert(index.digest, index.clone());
            }
            if let Some(tag) = &manifest.tag {
                let tagged = index.filter(|_| publisher_index);
                let tagged = tagged.unwrap_or(&manifest.descriptor);
                repository.tags.insert(tag.clone(), tagged.digest);
            }
            repository
                .fill(&bundle, manifest.descriptor.digest)
                .map_err(|fault| ContentsError::Bundle {
                    bundle: bundle.name().to_owned(),
                    fault,
                })?;
        }
        Ok(Self {
            bundle,
            repositories,
        })
    }

    /// The bundle.
    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// The names of all repositories, sorted.
    pub fn repositories(&self) -> impl Iterator<Item = &str> {
        self.repositories.keys().map(String::as_str)
    }

    pub(crate) fn repository(&self, name: &str) -> Option<&Repository> {
        self.repositories.get(name)
    }
}

impl Repository {
    /// Adds a manifest with all that it needs.
    fn fill(&mut self, bundle: &Bundle, root: Digest) -> Result<(), Fault> {
        let graph = bundle.graph();
        for digest in graph.closure([root]) {
            if !self.manifests.insert(digest) {
                continue;
            }
            let Some(node) = graph.get(&digest) else {
                continue;
            };
            self.blobs.extend(node.blobs.iter().map(|blob| blob.digest));
            // Only the list of referrers needs annotations, which the graph does not keep.
            if let (Some(subject), Some(manifest)) = (node.subject, bundle.manifest(&digest)?) {
                let known = self.referrers.entry(subject).or_default();
                known.push(described(&manifest));
            }
        }
        Ok(())
    }
}

/// A referrer as the referrers API lists it (distribution-spec, "Listing Referrers").
fn described(manifest: &Manifest) -> Descriptor {
    Descriptor {
        artifact_type: manifest.artifact_type().map(str::to_owned),
        annotations: manifest.annotations().clone(),
        ..manifest.descriptor()
    }
}

//! What a registry should contain: from a bundle and naming rules, or from the receipt of a load.

use std::collections::{BTreeMap, BTreeSet};

use sealift_archive::{Bundle, Identity, Node, RecordEntry};
use sealift_oci::{Destination, Digest, Reference};
use serde::Deserialize;

use crate::error::LoadError;
use crate::graph::Loaded;
use crate::loaded::ReceiptError;
use crate::repository::RepositoryName;
use crate::request::{PublisherIndex, Request};
use crate::select::{places, select};
use crate::tag::is_list;

/// What a registry should contain.
#[derive(Clone, Debug)]
pub struct Expected {
    pub(super) bundle: Identity,
    destination: Destination,
    pub(super) names: Vec<ExpectedName>,
    pub(super) tags: Vec<ExpectedTag>,
    pub(super) manifests: Vec<ExpectedManifest>,
    /// What is known of the manifests before the registry was asked.
    pub(super) nodes: BTreeMap<Digest, Node>,
}

/// An image, file or referrer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedName {
    /// What it is called in the bundle.
    pub source: String,
    /// Its repository at the destination.
    pub repository: RepositoryName,
    /// Its manifest.
    pub digest: Digest,
}

/// A tag and what it should stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ExpectedTag {
    pub(super) repository: RepositoryName,
    pub(super) tag: String,
    pub(super) digest: Digest,
    /// The publisher's index, which the tag may stand for as well.
    pub(super) original: Option<Digest>,
}

/// A manifest in a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ExpectedManifest {
    pub(super) repository: RepositoryName,
    pub(super) digest: Digest,
    pub(super) size: u64,
}

#[derive(Deserialize)]
struct RawReceipt {
    bundle: Identity,
    destination: String,
    names: Vec<RawName>,
    manifests: Vec<RawManifest>,
    tags: Vec<RawTag>,
}

#[derive(Deserialize)]
struct RawName {
    source: String,
    destination: String,
    digest: Digest,
}

#[derive(Deserialize)]
struct RawManifest {
    repository: String,
    digest: Digest,
    size: u64,
}

#[derive(Deserialize)]
struct RawTag {
    repository: String,
    tag: String,
    new: Digest,
}

impl Expected {
    /// What a load of `bundle` by `request` puts into a registry.
    ///
    /// # Errors
    /// If a pattern matches nothing, two images get one name, or the bundle is damaged.
    pub fn of_bundle(bundle: &Bundle, request: &Request) -> Result<Self, LoadError> {
        // A load stores the new index in any case; the tag may stand for the publisher's.
        let request = &Request {
            publisher_index: PublisherIndex::Never,
            ..request.clone()
        };
        let all = places(bundle, request, &|_| Ok(false))?.all;
        let graph = Loaded::read(bundle, all.iter().map(|placement| &placement.descriptor))?;
        let placements = select(bundle.record(), &graph, all, request)?;
        let mut expected = Self {
            bundle: bundle.identity(),
            destination: request.destination.clone(),
            names: Vec::new(),
            tags: Vec::new(),
            manifests: Vec::new(),
            nodes: BTreeMap::new(),
        };
        let names = bundle.record().names();
        let (mut tags, mut manifests) = (BTreeMap::new(), BTreeSet::new());
        for placement in placements.iter() {
            let repository = RepositoryName::new(&placement.repository);
            let digest = placement.descriptor.digest;
            if let Some(tag) = &placement.tag {
                let original = match placement.of {
                    RecordEntry::Image(n) => bundle.record().images[n].original.as_ref(),
                    _ => None,
                };
                let original = original.map(|original| original.digest);
                tags.insert((repository.clone(), tag.clone()), (digest, original));
            }
            if let Some(root) = graph.find(&digest) {
                graph.visit(root, |node| manifests.insert((repository.clone(), node)));
            }
            expected.names.push(ExpectedName {
                source: names.of(placement.of),
                repository,
                digest,
            });
        }
        let tags = tags.into_iter();
        expected.tags = tags
            .map(|((repository, tag), (digest, original))| ExpectedTag {
                repository,
                tag,
                digest,
                original,
            })
            .collect();
        for (repository, node) in manifests {
            let descriptor = &graph.nodes[node].descriptor;
            if let Some(node) = bundle.graph().get(&descriptor.digest) {
                expected.nodes.insert(descriptor.digest, node.clone());
            }
            expected.manifests.push(ExpectedManifest {
                repository,
                digest: descriptor.digest,
                size: descriptor.size,
            });
        }
        Ok(expected)
    }

    /// What the receipt of a load says that it put into a registry; `name` is its file's name, for messages.
    ///
    /// # Errors
    /// If it is not a receipt.
    pub fn of_receipt(name: &str, bytes: &[u8]) -> Result<Self, ReceiptError> {
        let error = |reason: String| ReceiptError::new(name, reason);
        let raw: RawReceipt =
            serde_json::from_slice(bytes).map_err(|fault| error(fault.to_string()))?;
        let destination = raw.destination.parse();
        let destination: Destination =
            destination.map_err(|fault: sealift_oci::DestinationError| error(fault.to_string()))?;
        let mut names = Vec::with_capacity(raw.names.len());
        for name in raw.names {
            let reference: Reference = name
                .destination
                .parse()
                .map_err(|fault: sealift_oci::ReferenceError| error(fault.to_string()))?;
            names.push(ExpectedName {
                source: name.source,
                repository: RepositoryName::new(reference.repository()),
                digest: name.digest,
            });
        }
        let manifests = raw.manifests.into_iter();
        let manifests = manifests.map(|manifest| ExpectedManifest {
            repository: RepositoryName::new(&manifest.repository),
            digest: manifest.digest,
            size: manifest.size,
        });
        // The tags that stand in for a referrers API belong to all who push referrers. Whether they list what
        // was loaded is checked with the referrers.
        let tags = raw.tags.into_iter().filter(|tag| !is_list(&tag.tag));
        let tags = tags.map(|tag| ExpectedTag {
            repository: RepositoryName::new(&tag.repository),
            tag: tag.tag,
            digest: tag.new,
            original: None,
        });
        Ok(Self {
            bundle: raw.bundle,
            destination,
            names,
            tags: tags.collect(),
            manifests: manifests.collect(),
            nodes: BTreeMap::new(),
        })
    }

    /// The registry, and the path below which everything is.
    pub fn destination(&self) -> &Destination {
        &self.destination
    }

    /// The same at another registry or path, which everything was copied to.
    ///
    /// # Errors
    /// The repository that is not below the path that it was loaded to.
    pub fn at(mut self, destination: &Destination) -> Result<Self, String> {
        let old = prefix(&self.destination);
        let new = prefix(destination);
        let moved = |repository: &RepositoryName| match repository.strip_prefix(old.as_str()) {
            Some(rest) => Ok(RepositoryName::new(&format!("{new}{rest}"))),
            None => Err(format!(
                "the repository {repository} is not below {}",
                self.destination
            )),
        };
        for name in &mut self.names {
            name.repository = moved(&name.repository)?;
        }
        for tag in &mut self.tags {
            tag.repository = moved(&tag.repository)?;
        }
        for manifest in &mut self.manifests {
            manifest.repository = moved(&manifest.repository)?;
        }
        self.destination = destination.clone();
        Ok(self)
    }
}

fn prefix(destination: &Destination) -> String {
    let path = destination.path();
    path.map_or_else(String::new, |path| format!("{path}/"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_that_is_not_a_receipt_is_refused_by_name() {
        for text in ["", "{}", "[1]", r#"{"bundle": 1}"#] {
            let error = Expected::of_receipt("r.json", text.as_bytes()).unwrap_err();
            assert!(error.to_string().starts_with("r.json: "), "{error}");
        }
    }
}

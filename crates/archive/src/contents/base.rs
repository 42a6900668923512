//! What is known of a base: all that a delta's base carries, but its blobs.

use std::collections::{BTreeMap, BTreeSet};

use sealift_oci::Digest;

use crate::contents::graph::Graph;
use crate::contents::record::{Identity, Record};
use crate::contents::value::Contents;

/// A bundle without its blobs: its record and the graph of its manifests.
#[derive(Clone, Debug)]
pub struct Base {
    contents: Contents,
    graph: Graph,
    sizes: BTreeMap<Digest, u64>,
}

impl Base {
    /// The base with these contents and manifests.
    pub(crate) fn new(contents: Contents, graph: Graph) -> Self {
        let blobs = contents.record().blobs.iter();
        let sizes = blobs.map(|blob| (blob.digest, blob.size)).collect();
        Self {
            contents,
            graph,
            sizes,
        }
    }

    /// The identity of the bundle.
    pub fn identity(&self) -> Identity {
        self.contents.identity()
    }

    /// What the bundle carries.
    pub fn record(&self) -> &Record {
        self.contents.record()
    }

    /// Its manifests, and what they need.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The size in bytes of a blob that is not a manifest; `None` if the base does not carry it.
    pub fn size(&self, digest: &Digest) -> Option<u64> {
        self.sizes.get(digest).copied()
    }

    /// The names of the images and files that need one of `blobs`, sorted.
    pub fn needing(&self, blobs: &BTreeSet<Digest>) -> Vec<String> {
        let images = self.record().images.iter();
        let images = images.map(|image| (image.reference.to_string(), image.descriptor.digest));
        let files = self.record().files.iter();
        let files = files.map(|file| (file.name.clone(), file.descriptor.digest));
        let needs = |root: &Digest| {
            let reach = self.graph.reach([*root]);
            reach.blobs.keys().any(|digest| blobs.contains(digest))
        };
        let names: BTreeSet<String> = images
            .chain(files)
            .filter(|(_, root)| needs(root))
            .map(|(name, _)| name)
            .collect();
        names.into_iter().collect()
    }
}

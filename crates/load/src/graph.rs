//! What hangs on what: the manifests of a bundle as descriptors. Their bytes are read again when they
//! are sent, so that memory does not grow with them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use sealift_archive::{Bundle, Fault, PlainDescriptor};
use sealift_oci::{Descriptor, Digest, MAX_MANIFEST_BYTES, Manifest};

use crate::error::LoadError;

/// A manifest.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) descriptor: PlainDescriptor,
    /// The manifests that an index lists, as far as they are in the bundle.
    pub(crate) children: Vec<usize>,
    /// Config and layers.
    pub(crate) blobs: Vec<usize>,
    /// Blobs that the bundle does not have.
    pub(crate) foreign: Vec<Foreign>,
    /// What it refers to.
    pub(crate) subject: Option<Digest>,
    /// When it can be stored: after everything of a lower number.
    pub(crate) order: usize,
}

/// A blob that is not in the bundle.
#[derive(Clone, Debug)]
pub(crate) struct Foreign {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    pub(crate) media_type: String,
}

/// A blob that is no manifest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blob {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
}

/// All manifests that some roots reach, and their blobs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<Node>,
    pub(crate) blobs: Vec<Blob>,
    by_digest: BTreeMap<Digest, usize>,
    blob_by_digest: BTreeMap<Digest, usize>,
}

impl Graph {
    /// Reads every manifest that `roots` reach, once.
    pub(crate) fn read<'a>(
        bundle: &Bundle,
        roots: impl IntoIterator<Item = &'a PlainDescriptor>,
    ) -> Result<Self, LoadError> {
        let mut graph = Self::default();
        for root in roots {
            graph.node(root);
        }
        // Nodes are found while the list is walked: children go to its end.
        let mut next = 0;
        while next < graph.nodes.len() {
            let manifest = read_manifest(bundle, &graph.nodes[next].descriptor)?;
            graph.fill(bundle, next, &manifest);
            next += 1;
        }
        graph.put_in_order();
        Ok(graph)
    }

    /// The manifest with this digest, if something reaches it.
    pub(crate) fn find(&self, digest: &Digest) -> Option<usize> {
        self.by_digest.get(digest).copied()
    }

    /// A manifest and all that it reaches, by position.
    pub(crate) fn closure(&self, root: usize) -> BTreeSet<usize> {
        let mut seen = BTreeSet::from([root]);
        let mut open = vec![root];
        while let Some(node) = open.pop() {
            for child in &self.nodes[node].children {
                if seen.insert(*child) {
                    open.push(*child);
                }
            }
        }
        seen
    }

    fn node(&mut self, descriptor: &PlainDescriptor) -> usize {
        let next = self.nodes.len();
        let position = *self.by_digest.entry(descriptor.digest).or_insert(next);
        if position == next {
            self.nodes.push(Node {
                descriptor: descriptor.clone(),
                children: Vec::new(),
                blobs: Vec::new(),
                foreign: Vec::new(),
                subject: None,
                order: 0,
            });
        }
        position
    }

    fn fill(&mut self, bundle: &Bundle, position: usize, manifest: &Manifest) {
        let mut children: Vec<usize> = Vec::new();
        for child in manifest.children() {
            // A sparse index lists more than the bundle has.
            if bundle.extent(&child.digest).is_some() {
                children.push(self.node(&PlainDescriptor::from(child)));
            }
        }
        let (mut blobs, mut foreign) = (Vec::new(), Vec::new());
        for blob in manifest.blobs() {
            if bundle.extent(&blob.digest).is_some() {
                blobs.push(self.blob(blob));
            } else {
                foreign.push(Foreign {
                    digest: blob.digest,
                    size: blob.size,
                    media_type: blob.media_type.clone(),
                });
            }
        }
        children.sort_unstable();
        children.dedup();
        blobs.sort_unstable();
        blobs.dedup();
        let node = &mut self.nodes[position];
        node.subject = manifest.subject().map(|subject| subject.digest);
        (node.children, node.blobs, node.foreign) = (children, blobs, foreign);
    }

    fn blob(&mut self, descriptor: &Descriptor) -> usize {
        let next = self.blobs.len();
        let position = *self.blob_by_digest.entry(descriptor.digest).or_insert(next);
        if position == next {
            self.blobs.push(Blob {
                digest: descriptor.digest,
                size: descriptor.size,
            });
        }
        position
    }

    /// Children before indexes, subjects before what refers to them. Digests rule out circles: whatever
    /// names another was made after it.
    fn put_in_order(&mut self) {
        let mut after: Vec<Vec<usize>> = vec![Vec::new(); self.nodes.len()];
        let mut waiting = vec![0_usize; self.nodes.len()];
        for (position, node) in self.nodes.iter().enumerate() {
            let subject = node.subject.and_then(|subject| self.find(&subject));
            for needed in node.children.iter().copied().chain(subject) {
                after[needed].push(position);
                waiting[position] += 1;
            }
        }
        let mut ready: Vec<usize> = (0..waiting.len()).filter(|n| waiting[*n] == 0).collect();
        while let Some(position) = ready.pop() {
            let order = self.nodes[position].order + 1;
            for later in std::mem::take(&mut after[position]) {
                self.nodes[later].order = self.nodes[later].order.max(order);
                waiting[later] -= 1;
                if waiting[later] == 0 {
                    ready.push(later);
                }
            }
        }
    }
}

/// Reads a manifest and checks it again. The publisher's index, where platforms were chosen, lies among
/// the blobs.
pub(crate) fn read_manifest(
    bundle: &Bundle,
    descriptor: &PlainDescriptor,
) -> Result<Manifest, LoadError> {
    let damaged = |what: String| LoadError::Bundle {
        bundle: bundle.name().to_owned(),
        fault: Fault {
            entry: descriptor.digest.blob_path(),
            offset: bundle
                .extent(&descriptor.digest)
                .map_or(0, |extent| extent.offset),
            what,
        },
    };
    match bundle.manifest(&descriptor.digest) {
        Ok(Some(manifest)) => return Ok(manifest),
        Ok(None) => {}
        Err(fault) => {
            return Err(LoadError::Bundle {
                bundle: bundle.name().to_owned(),
                fault,
            });
        }
    }
    let reader = bundle
        .blob(&descriptor.digest)
        .ok_or_else(|| damaged("it is missing".to_owned()))?;
    let mut bytes = Vec::new();
    reader
        .take(MAX_MANIFEST_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| damaged(error.to_string()))?;
    Manifest::parse_for(bytes, &Descriptor::from(descriptor))
        .map_err(|error| damaged(error.to_string()))
}

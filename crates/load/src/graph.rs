//! What a load needs to know of the bundle's manifests: numbered, so that plans can refer to them.
//!
//! The bundle's own graph says what is listed; here are the manifests that something loaded reaches, with
//! what the bundle contains of their blobs, and the round in which each can be stored.

use std::borrow::Cow;
use std::collections::BTreeMap;

use sealift_archive::{Bundle, Fault, Graph, Node as Listed, PlainDescriptor};
use sealift_oci::Digest;

use crate::error::LoadError;

/// A manifest.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) descriptor: PlainDescriptor,
    /// The manifests that an index lists, as far as they are in the bundle.
    pub(crate) children: Vec<usize>,
    /// Config and layers.
    pub(crate) blobs: Vec<usize>,
    /// Blobs that the bundle does not contain.
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

/// A blob that is not a manifest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blob {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
}

/// All manifests that some roots reach, and their blobs, by number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) nodes: Vec<Node>,
    pub(crate) blobs: Vec<Blob>,
    by_digest: BTreeMap<Digest, usize>,
    blob_by_digest: BTreeMap<Digest, usize>,
}

impl Loaded {
    /// Numbers every manifest that `roots` reach. Roots that are not among the bundle's manifests, which a
    /// publisher's index is that stands beside a choice of its platforms, are read.
    pub(crate) fn read<'a>(
        bundle: &Bundle,
        roots: impl IntoIterator<Item = &'a PlainDescriptor>,
    ) -> Result<Self, LoadError> {
        let roots: Vec<&PlainDescriptor> = roots.into_iter().collect();
        let graph = with_roots(bundle, &roots)?;
        let reached = graph.closure(roots.iter().map(|root| root.digest));
        let mut loaded = Self::default();
        for (number, digest) in reached.iter().enumerate() {
            loaded.by_digest.insert(*digest, number);
        }
        let rounds = graph.rounds();
        for node in reached.iter().filter_map(|digest| graph.get(digest)) {
            loaded.push(bundle, node, &rounds);
        }
        Ok(loaded)
    }

    /// The manifest with this digest, if something reaches it.
    pub(crate) fn find(&self, digest: &Digest) -> Option<usize> {
        self.by_digest.get(digest).copied()
    }

    /// Visits a manifest and all that it reaches, but nothing below one for which `is_new` returns false: all of that was
    /// visited with it before.
    pub(crate) fn visit(&self, root: usize, mut is_new: impl FnMut(usize) -> bool) {
        let mut open = vec![root];
        while let Some(node) = open.pop() {
            if is_new(node) {
                open.extend(&self.nodes[node].children);
            }
        }
    }

    fn push(&mut self, bundle: &Bundle, listed: &Listed, rounds: &BTreeMap<Digest, usize>) {
        // A sparse index lists more than the bundle contains.
        let children = listed.children.iter();
        let mut children: Vec<usize> = children
            .filter_map(|child| self.find(&child.descriptor.digest))
            .collect();
        let (mut blobs, mut foreign) = (Vec::new(), Vec::new());
        for blob in &listed.blobs {
            if bundle.size(&blob.digest).is_some() {
                blobs.push(self.blob(blob.digest, blob.size));
            } else {
                foreign.push(Foreign {
                    digest: blob.digest,
                    size: blob.size,
                    media_type: blob.foreign_type.as_deref().unwrap_or_default().to_owned(),
                });
            }
        }
        children.sort_unstable();
        children.dedup();
        blobs.sort_unstable();
        blobs.dedup();
        self.nodes.push(Node {
            descriptor: listed.descriptor.clone(),
            children,
            blobs,
            foreign,
            subject: listed.subject,
            order: rounds.get(&listed.descriptor.digest).copied().unwrap_or(0),
        });
    }

    fn blob(&mut self, digest: Digest, size: u64) -> usize {
        let next = self.blobs.len();
        let position = *self.blob_by_digest.entry(digest).or_insert(next);
        if position == next {
            self.blobs.push(Blob { digest, size });
        }
        position
    }
}

/// The bundle's graph, with those of `roots` that are not among its manifests.
fn with_roots<'a>(
    bundle: &'a Bundle,
    roots: &[&PlainDescriptor],
) -> Result<Cow<'a, Graph>, LoadError> {
    let mut graph = Cow::Borrowed(bundle.graph());
    for root in roots {
        if !graph.contains(&root.digest) {
            let manifest = bundle.read_manifest(root).map_err(damaged(bundle))?;
            graph
                .to_mut()
                .insert(Listed::of(&manifest))
                .map_err(|error| damaged(bundle)(bundle.fault(&root.digest, error.to_string())))?;
        }
    }
    Ok(graph)
}

/// A manifest that is not what it was when the bundle was opened.
pub(crate) fn damaged(bundle: &Bundle) -> impl FnOnce(Fault) -> LoadError + use<> {
    let bundle = bundle.name().to_owned();
    move |fault| LoadError::Bundle { bundle, fault }
}

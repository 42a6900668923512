//! Manifests, each asked for once, from the first place that has it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sealift_archive::{Graph, GraphError, Node, PlainDescriptor};
use sealift_oci::{Descriptor, Digest, Manifest, ManifestError, media_type};
use sealift_pipeline::{JobError, run_parallel};

use crate::context::Context;
use crate::error::{Pointer, ResolveError};
use crate::resolve::limits::TOO_MANY_TOGETHER;
use crate::sources::{SourceId, Sources};
use crate::spool::Spool;

/// How many manifests are read at once: each may have four megabytes, in several forms while it is
/// checked.
const READERS: usize = 8;

/// How many threads read manifests.
pub(crate) fn readers(context: &Context<'_>) -> usize {
    context.budget.connections().min(READERS)
}

/// A manifest to read.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) descriptor: PlainDescriptor,
    /// What names it: an index, or the subject of a referrer.
    pub(crate) parent: Digest,
    pub(crate) sources: BTreeSet<SourceId>,
}

/// What is known while a request is resolved.
pub(crate) struct Known<'a> {
    pub(crate) context: Context<'a>,
    pub(crate) sources: &'a Sources,
    pub(crate) spool: &'a Spool,
    pub(crate) graph: Graph,
    /// Indexes that were made here.
    pub(crate) made: BTreeSet<Digest>,
    /// Indexes with which an image lists too many manifests. What they list was not requested.
    pub(crate) oversized: BTreeSet<Digest>,
    /// Manifests that could not be had as somebody describes them, and why. Another may describe them
    /// rightly.
    pub(crate) failed: BTreeMap<PlainDescriptor, ResolveError>,
}

impl<'a> Known<'a> {
    pub(crate) fn new(context: Context<'a>, sources: &'a Sources, spool: &'a Spool) -> Self {
        Self {
            context,
            sources,
            spool,
            graph: Graph::default(),
            made: BTreeSet::new(),
            oversized: BTreeSet::new(),
            failed: BTreeMap::new(),
        }
    }

    /// Adds a manifest that was read and checked.
    ///
    /// # Errors
    /// If all manifests together have too many entries.
    pub(crate) fn add(&mut self, node: Node) -> Result<(), ResolveError> {
        let added = self.graph.insert(node);
        added.map_err(|_: GraphError| TOO_MANY_TOGETHER)
    }

    /// The same for a manifest that several images may share.
    ///
    /// # Errors
    /// As [`Known::add`].
    pub(crate) fn add_shared(&mut self, node: &Node) -> Result<(), ResolveError> {
        if self.graph.contains(&node.descriptor.digest) {
            return Ok(());
        }
        self.add(node.clone())
    }

    /// Reads all that is wanted and not known yet.
    pub(crate) fn fetch(&mut self, wanted: Vec<Wanted>) {
        let mut once: BTreeMap<PlainDescriptor, Wanted> = BTreeMap::new();
        for one in wanted {
            let known = self.graph.contains(&one.descriptor.digest);
            if known || self.failed.contains_key(&one.descriptor) {
                continue;
            }
            match once.get_mut(&one.descriptor) {
                Some(there) => there.sources.extend(one.sources),
                None => drop(once.insert(one.descriptor.clone(), one)),
            }
        }
        let items: Vec<Wanted> = once.into_values().collect();
        let context = self.context;
        let (sources, spool) = (self.sources, self.spool);
        let results = run_parallel(readers(&context), &items, context.cancel, |wanted| {
            fetch_one(sources, spool, wanted)
        });
        for (wanted, result) in items.iter().zip(results) {
            let added = match result {
                Ok(node) => self.add(node),
                Err(JobError::Failed(error)) => Err(error),
                Err(JobError::Cancelled(cancelled)) => Err(cancelled.into()),
            };
            if let Err(error) = added {
                self.failed.insert(wanted.descriptor.clone(), error);
            }
        }
    }
}

fn fetch_one(sources: &Sources, spool: &Spool, wanted: &Wanted) -> Result<Node, ResolveError> {
    let pointer = Box::new(Pointer {
        parent: wanted.parent,
        child: wanted.descriptor.digest,
    });
    let mut first = None;
    let none = || ResolveError::NotAManifest {
        pointer: pointer.clone(),
        media_type: wanted.descriptor.media_type.clone(),
    };
    if !media_type::is_manifest(&wanted.descriptor.media_type) {
        return Err(none());
    }
    for source in &wanted.sources {
        match sources.manifest(*source, &wanted.descriptor) {
            Ok(manifest) => {
                let manifest = as_described(manifest, &wanted.descriptor);
                let manifest = manifest.map_err(|error| ResolveError::Child {
                    pointer: pointer.clone(),
                    error: Box::new(error),
                })?;
                keep(spool, &manifest)?;
                return Ok(Node::of(&manifest));
            }
            Err(error) => {
                first.get_or_insert(error);
            }
        }
    }
    Err(first.unwrap_or_else(none))
}

/// Keeps the bytes of `manifest` for when the file is written, and the blobs that it embeds: a registry may
/// not have those.
pub(crate) fn keep(spool: &Spool, manifest: &Manifest) -> Result<(), ResolveError> {
    let put = |digest: &Digest, bytes: &Arc<[u8]>| {
        let put = spool.put(digest, bytes);
        put.map_err(|error| ResolveError::Scratch(Arc::new(error)))
    };
    put(manifest.digest(), manifest.bytes())?;
    for blob in manifest.blobs() {
        if let Some(bytes) = blob.embedded() {
            put(&blob.digest, &bytes.into())?;
        }
    }
    Ok(())
}

/// The digest agrees already; size and media type must as well, and the descriptor's type counts where
/// the body has none.
fn as_described(
    manifest: Manifest,
    descriptor: &PlainDescriptor,
) -> Result<Manifest, ManifestError> {
    if manifest.size() == descriptor.size && manifest.media_type() == descriptor.media_type {
        return Ok(manifest);
    }
    Manifest::parse_for(manifest.bytes().clone(), &Descriptor::from(descriptor))
}

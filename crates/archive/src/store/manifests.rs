//! Manifests as a bundle's file has them: read once, checked, and put into a graph.

use std::io::Read;

use sealift_oci::{Descriptor, Digest, Kind, MAX_MANIFEST_BYTES, Manifest, media_type};

use crate::contents::{Contents, Graph, Node};
use crate::fault::Fault;
use crate::store::content::{Location, Store};

/// Reads every manifest that the record lists from `store` once. What they point at has to have the size that
/// `size` returns for it.
pub(crate) fn read_graph(
    contents: &Contents,
    store: &dyn Store,
    size: &dyn Fn(&Digest) -> Option<u64>,
) -> Result<Graph, Fault> {
    let mut graph = Graph::default();
    for listed in &contents.record().manifests {
        let manifest = read_manifest(store, &Descriptor::from(listed))?;
        let located = |what: String| fault_at(store, &listed.digest, what);
        // A record that calls a manifest something else would make others of its readers skip it.
        if manifest.media_type() != listed.media_type {
            return Err(located(format!(
                "the record lists it as {:?}, but it is {:?}",
                listed.media_type.chars().take(120).collect::<String>(),
                manifest.media_type()
            )));
        }
        graph
            .insert(Node::of(&manifest))
            .map_err(|error| located(error.to_string()))?;
    }
    for node in graph.nodes() {
        check_node(&graph, node, size)
            .map_err(|what| fault_at(store, &node.descriptor.digest, what))?;
    }
    graph
        .check_depth()
        .and_then(|()| graph.check_reach(contents.record()))
        .map_err(|error| fault_at(store, &error.digest(), error.to_string()))?;
    Ok(graph)
}

/// What a manifest points at is there, with the size and the media type that it says.
fn check_node(
    graph: &Graph,
    node: &Node,
    size: &dyn Fn(&Digest) -> Option<u64>,
) -> Result<(), String> {
    let is_listed = |digest: &Digest, media_type: &str| {
        let node = graph.get(digest);
        node.is_some_and(|node| node.descriptor.media_type == media_type)
    };
    for child in &node.children {
        let to = &child.descriptor;
        check_pointer(&to.digest, to.size, size)?;
        if node.kind == Kind::Index && !is_listed(&to.digest, &to.media_type) {
            return Err(format!(
                "it lists {} as {:?}, but the record does not",
                to.digest, to.media_type
            ));
        }
    }
    for blob in &node.blobs {
        let foreign = blob.foreign_type.as_deref();
        if !foreign.is_some_and(media_type::is_nondistributable) || size(&blob.digest).is_some() {
            check_pointer(&blob.digest, blob.size, size)?;
        }
    }
    Ok(())
}

fn check_pointer(
    to: &Digest,
    expected: u64,
    size: &dyn Fn(&Digest) -> Option<u64>,
) -> Result<(), String> {
    match size(to) {
        Some(actual) if actual == expected => Ok(()),
        Some(actual) => Err(format!(
            "it lists {to} with {expected} bytes, but the file has {actual}"
        )),
        None => Err(format!("it needs {to}, which is not in the file")),
    }
}

/// Reads a manifest and checks that it is what `descriptor` says.
pub(crate) fn read_manifest(store: &dyn Store, descriptor: &Descriptor) -> Result<Manifest, Fault> {
    let fault = |what: String| fault_at(store, &descriptor.digest, what);
    let mut bytes = Vec::new();
    store
        .open(&descriptor.digest, 0)
        .and_then(|reader| {
            reader
                .take(MAX_MANIFEST_BYTES as u64 + 1)
                .read_to_end(&mut bytes)
        })
        .map_err(|error| fault(format!("cannot be read: {error}")))?;
    Manifest::parse_for(bytes, descriptor).map_err(|error| fault(error.to_string()))
}

/// A fault of the content of `digest` in `store`.
pub(crate) fn fault_at(store: &dyn Store, digest: &Digest, what: impl Into<String>) -> Fault {
    let Location { entry, offset } = store.locate(digest);
    Fault::new(entry, offset, what)
}

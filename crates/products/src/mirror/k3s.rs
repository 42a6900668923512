//! `registries.yaml` of k3s and RKE2: endpoints by registry, and `rewrite` if there is a path.

use super::names::{prefixes, scheme};
use super::request::{MirrorError, MirrorFiles, MirrorFormat, MirrorRequest};
use crate::emit::{Node, document, list, map};
use crate::file::OutputFile;

pub(super) fn files(request: &MirrorRequest<'_>) -> Result<MirrorFiles, MirrorError> {
    let endpoint = format!("{}://{}", scheme(request), request.destination.registry());
    let mirrors = prefixes(MirrorFormat::K3s, request)?
        .into_iter()
        .map(|(registry, prefix)| {
            let mut mirror = vec![("endpoint".to_owned(), list([Node::from(endpoint.as_str())]))];
            if let Some(prefix) = prefix {
                mirror.push((
                    "rewrite".to_owned(),
                    map([("^(.*)$", Node::from(format!("{prefix}/$1")))]),
                ));
            }
            (registry, Node::Map(mirror))
        });
    let text = document(&map([("mirrors", map(mirrors))]));
    Ok(MirrorFiles {
        files: vec![OutputFile::text("registries.yaml", text)],
        notes: vec![
            "copy registries.yaml to /etc/rancher/k3s/ (k3s) or /etc/rancher/rke2/ (RKE2) on every node, and restart the service".to_owned(),
            "put credentials and a private CA under configs: in the same file".to_owned(),
        ],
    })
}

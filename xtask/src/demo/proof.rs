//! Fetches everything below a name over a bare socket and hashes it, without sealift's code.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::net::SocketAddr;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::wire::{Connection, expect};

/// Everything below one name: what its manifests and blobs hash to, and their sizes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tree {
    /// The digest that the name stands for.
    root: String,
    manifests: BTreeMap<String, u64>,
    blobs: BTreeMap<String, u64>,
}

impl Tree {
    /// The digest that the name stands for.
    pub(crate) fn root(&self) -> &str {
        &self.root
    }
}

/// Fetches a manifest of `repository` and all that it needs. What does not have the digest that names it is an
/// error.
pub(crate) fn walk(
    registry: SocketAddr,
    repository: &str,
    selector: &str,
) -> Result<Tree, Box<dyn Error>> {
    let mut tree = Tree::default();
    let mut connection = Connection::open(registry)?;
    let mut open = vec![selector.to_owned()];
    while let Some(selector) = open.pop() {
        let bytes = fetch(
            &mut connection,
            &format!("/v2/{repository}/manifests/{selector}"),
        )?;
        let digest = digest(&bytes);
        if tree.root.is_empty() {
            tree.root.clone_from(&digest);
        } else if digest != selector {
            return Err(format!("{repository}: {selector} is {digest}").into());
        }
        tree.manifests.insert(digest, bytes.len() as u64);
        let manifest: Value = serde_json::from_slice(&bytes)?;
        open.extend(digests(&manifest["manifests"]));
        let config = Value::Array(vec![manifest["config"].clone()]);
        for blob in digests(&config).chain(digests(&manifest["layers"])) {
            if tree.blobs.contains_key(&blob) {
                continue;
            }
            let size = check_blob(&mut connection, repository, &blob)?;
            tree.blobs.insert(blob, size);
        }
    }
    Ok(tree)
}

fn digests(descriptors: &Value) -> impl Iterator<Item = String> {
    let list = descriptors.as_array().into_iter().flatten();
    list.filter_map(|descriptor| descriptor["digest"].as_str().map(str::to_owned))
}

fn fetch(connection: &mut Connection, path: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let accept = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";
    let answer = connection.request("GET", path, &[("Accept", accept)], 0, |_| Ok(()))?;
    let bytes = connection.small_body(&answer)?;
    expect(&answer, 200, path)?;
    Ok(bytes)
}

fn check_blob(
    connection: &mut Connection,
    repository: &str,
    blob: &str,
) -> Result<u64, Box<dyn Error>> {
    let path = format!("/v2/{repository}/blobs/{blob}");
    let answer = connection.request("GET", &path, &[], 0, |_| Ok(()))?;
    expect(&answer, 200, &path)?;
    let mut hasher = Sha256::new();
    connection.body(answer.length, |piece| {
        hasher.update(piece);
        Ok(())
    })?;
    let actual = named(hasher.finalize());
    if actual == blob {
        Ok(answer.length)
    } else {
        Err(format!("{repository}: blob {blob} is {actual}").into())
    }
}

fn digest(bytes: &[u8]) -> String {
    named(Sha256::digest(bytes))
}

/// A hash as registries write it.
fn named(hash: impl IntoIterator<Item = u8>) -> String {
    let mut name = String::from("sha256:");
    for byte in hash {
        for digit in [byte >> 4, byte & 15] {
            name.extend(char::from_digit(digit.into(), 16));
        }
    }
    name
}

/// One name in the table of what arrived.
pub(crate) struct Row {
    name: String,
    there: Tree,
    /// Whether the destination serves the same, byte for byte.
    pub(crate) arrived: bool,
}

impl Row {
    pub(crate) fn new(name: String, there: Tree, here: Option<&Tree>) -> Self {
        let arrived = here == Some(&there);
        Self {
            name,
            there,
            arrived,
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes: u64 = self
            .there
            .manifests
            .values()
            .chain(self.there.blobs.values())
            .sum();
        write!(
            f,
            "| {} | {:.19}… | {} | {} | {bytes} | {} |",
            shortened(&self.name),
            self.there.root,
            self.there.manifests.len(),
            self.there.blobs.len(),
            if self.arrived { "yes" } else { "NO" }
        )
    }
}

/// The name with its long digests cut: a table's line is short.
fn shortened(name: &str) -> String {
    let Some(at) = name.find("sha256").map(|at| at + "sha256-".len()) else {
        return name.to_owned();
    };
    let (start, digest) = name.split_at(at);
    let end = digest
        .split_once('.')
        .map_or(String::new(), |(_, end)| format!(".{end}"));
    format!("{start}{digest:.8}…{end}")
}

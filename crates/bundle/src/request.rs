//! What is to be bundled, as a value.

use std::collections::BTreeMap;
use std::path::PathBuf;

use sealift_archive::Identity;
use sealift_oci::{Digest, PlatformSelector, Reference};
use serde::Serialize;

/// What a bundle is to carry.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Images by name, from the registries that the names say.
    pub images: Vec<Reference>,
    /// Where images are pulled from that are not pulled from where their names say: their names there, in the
    /// order in which they are tried. The bundle contains them under the names in `images`.
    pub mirrors: BTreeMap<Reference, Vec<Reference>>,
    /// The same images in other registries, by their names in `images`: their digests are compared, and the
    /// plan warns of those that differ. Images that are pulled from a mirror have none.
    pub elsewhere: BTreeMap<Reference, Vec<Reference>>,
    /// OCI layouts (folders or tars) and `docker save` archives; all their images.
    pub local: Vec<LocalRequest>,
    /// Files and folders to carry as they are.
    pub files: Vec<FileRequest>,
    /// The platforms to take out of indexes; all where none is given.
    pub platforms: Vec<PlatformSelector>,
    /// Whether signatures, attestations and SBOMs come along.
    pub referrers: bool,
    /// Whether layers that their publisher forbids to redistribute are asked of the registry too.
    pub foreign_layers: bool,
    /// The bases of a delta: what they have is not fetched.
    pub bases: Vec<Identity>,
    /// Whether images that cannot be resolved are omitted; else one of them fails the whole request.
    pub keep_going: bool,
}

/// Images on disk.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LocalRequest {
    /// Where they are.
    pub path: PathBuf,
    /// The repository (`REGISTRY/REPOSITORY`) for images whose name has none.
    pub repository: Option<String>,
}

impl From<PathBuf> for LocalRequest {
    fn from(path: PathBuf) -> Self {
        Self {
            path,
            repository: None,
        }
    }
}

/// A file or folder to carry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileRequest {
    /// Where it is.
    pub path: PathBuf,
    /// The name to carry it under instead of its own.
    pub name: Option<String>,
    /// For a program that reads bundles: its version and platform.
    pub program: Option<String>,
}

#[derive(Serialize)]
struct Canonical {
    images: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mirrors: Vec<(String, Vec<String>)>,
    local: Vec<(String, Option<String>)>,
    files: Vec<(String, Option<String>, Option<String>)>,
    platforms: Vec<String>,
    referrers: bool,
    foreign_layers: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    bases: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_going: Option<bool>,
}

impl Request {
    /// The names that registries are asked for to get `image`, in order.
    pub fn pulled_from<'r>(&'r self, image: &'r Reference) -> &'r [Reference] {
        let own = std::slice::from_ref(image);
        self.mirrors.get(image).map_or(own, Vec::as_slice)
    }

    /// The digest of what is asked for. Order and repetition do not count; two requests with one digest
    /// can share what an interrupted run left.
    pub fn digest(&self) -> Digest {
        let canonical = Canonical {
            images: sorted(self.images.iter().map(Reference::to_string)),
            mirrors: sorted(self.mirrors.iter().map(|(image, names)| {
                let names = names.iter().map(Reference::to_string);
                (image.to_string(), names.collect())
            })),
            local: sorted(self.local.iter().map(|local| {
                (
                    format!("{}", local.path.display()),
                    local.repository.clone(),
                )
            })),
            files: sorted(self.files.iter().map(|file| {
                let path = format!("{}", file.path.display());
                (path, file.name.clone(), file.program.clone())
            })),
            platforms: sorted(self.platforms.iter().map(PlatformSelector::to_string)),
            referrers: self.referrers,
            foreign_layers: self.foreign_layers,
            bases: self.bases.iter().map(ToString::to_string).collect(),
            keep_going: self.keep_going.then_some(true),
        };
        let bytes = serde_json::to_vec(&canonical).expect("lists of text are always JSON");
        Digest::sha256(&bytes)
    }
}

fn sorted<T: Ord>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut items: Vec<T> = items.collect();
    items.sort_unstable();
    items.dedup();
    items
}

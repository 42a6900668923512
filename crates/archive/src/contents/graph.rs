//! Which manifest needs what: every manifest that was read, by digest, without its bytes.
//!
//! All who follow manifests to their children, blobs and subjects do it here. Each walk visits a manifest
//! once, however many indexes list it, so its time grows with the number of distinct manifests and of
//! entries in them, and ends for any input.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use sealift_oci::{Digest, Kind, Manifest, Platform, media_type};

use crate::contents::record::{PlainDescriptor, Record};
use crate::contents::referring::Referring;

/// How many indexes may be nested in an index.
pub const MAX_INDEX_DEPTH: usize = 8;

/// The largest config, in bytes, that is read while planning and stored before the layers.
pub const MAX_CONFIG_BYTES: u64 = 4 << 20;

/// The most entries (children and blobs) of all manifests together: what 20,000 images of 20 layers have.
pub const MAX_ENTRIES: usize = 400_000;

/// The most manifests and blobs that the names of a record lead to, with the referrers of images. A few manifests and many
/// names would otherwise take the time and memory of their product.
const MAX_REACHED: u64 = 1_000_000;

/// Why manifests cannot be carried together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// An index with too many indexes in each other.
    #[error("indexes are nested more than {MAX_INDEX_DEPTH} deep")]
    TooDeep {
        /// The outermost of them.
        digest: Digest,
    },
    /// Manifests that list each other. No honest digest can.
    #[error("indexes list each other in a circle")]
    Circle {
        /// One of them.
        digest: Digest,
    },
    /// More than any honest set of images needs.
    #[error(
        "the images, files and referrers need more than {MAX_REACHED} manifests, blobs and referrers in all, each counted for each of them"
    )]
    TooManyReached {
        /// The manifest of the image, file or referrer that needs one too many.
        digest: Digest,
    },
    /// More entries than any honest set of images.
    #[error("the manifests have more than {MAX_ENTRIES} entries in all")]
    TooLarge {
        /// The manifest that has one too many.
        digest: Digest,
    },
}

impl GraphError {
    /// The manifest where it was noticed.
    pub fn digest(&self) -> Digest {
        match self {
            Self::TooDeep { digest }
            | Self::Circle { digest }
            | Self::TooLarge { digest }
            | Self::TooManyReached { digest } => *digest,
        }
    }
}

/// A manifest that was read and checked, without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The manifest.
    pub descriptor: PlainDescriptor,
    /// Whether it is an index or an image manifest.
    pub kind: Kind,
    /// What an index lists, in its order.
    pub children: Vec<Child>,
    /// What an image manifest needs, config first.
    pub blobs: Vec<BlobRef>,
    /// What it refers to.
    pub subject: Option<Digest>,
    /// What kind of artifact it is, as far as it says.
    pub artifact_type: Option<String>,
}

/// A child of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    /// Its manifest.
    pub descriptor: PlainDescriptor,
    /// What it is for, if the index says so.
    pub platform: Option<Platform>,
    /// The sibling that it is the attestation of.
    pub attests: Option<Digest>,
}

/// A blob that a manifest needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobRef {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// What it is to the manifest.
    pub role: Role,
    /// The media type of a layer that its publisher forbids to redistribute; `None` for all others.
    pub foreign_type: Option<Box<str>>,
    /// Whether its descriptor names URLs to fetch it from.
    pub has_urls: bool,
}

/// What a blob is to its manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The config of an image for some platform.
    ImageConfig,
    /// Another config.
    Config,
    /// A layer.
    Layer,
    /// A layer that its publisher forbids to redistribute.
    Foreign,
}

impl Node {
    /// Everything about `manifest` but its bytes.
    pub fn of(manifest: &Manifest) -> Self {
        let config = manifest.config().map(|config| BlobRef {
            digest: config.digest,
            size: config.size,
            role: match config.media_type.as_str() {
                media_type::OCI_CONFIG | media_type::DOCKER_CONFIG => Role::ImageConfig,
                _ => Role::Config,
            },
            foreign_type: None,
            has_urls: false,
        });
        let layers = manifest.layers().iter().map(|layer| {
            let foreign = media_type::is_nondistributable(&layer.media_type);
            BlobRef {
                digest: layer.digest,
                size: layer.size,
                role: if foreign { Role::Foreign } else { Role::Layer },
                foreign_type: foreign.then(|| layer.media_type.as_str().into()),
                has_urls: !layer.urls.is_empty(),
            }
        });
        let children = manifest.children().iter().map(|child| Child {
            descriptor: PlainDescriptor::from(child),
            platform: child.platform.clone(),
            attests: child.attestation_of(),
        });
        Self {
            descriptor: PlainDescriptor::from(&manifest.descriptor()),
            kind: manifest.kind(),
            children: children.collect(),
            blobs: config.into_iter().chain(layers).collect(),
            subject: manifest.subject().map(|subject| subject.digest),
            artifact_type: manifest.artifact_type().map(str::to_owned),
        }
    }

    /// The config of an image for a platform, if it is small enough to be read while planning.
    pub fn image_config(&self) -> Option<&BlobRef> {
        self.blobs
            .first()
            .filter(|blob| blob.role == Role::ImageConfig && blob.size <= MAX_CONFIG_BYTES)
    }

    /// Whether its first blob is a config.
    pub fn has_config(&self) -> bool {
        let first = self.blobs.first().map(|blob| blob.role);
        matches!(first, Some(Role::ImageConfig | Role::Config))
    }

    fn entries(&self) -> usize {
        self.children.len() + self.blobs.len()
    }
}

/// What some roots need: manifests, roots included, and their blobs with their sizes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// The manifests.
    pub manifests: BTreeSet<Digest>,
    /// The blobs, with their sizes in bytes.
    pub blobs: BTreeMap<Digest, u64>,
}

/// Every manifest that was read, by digest.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    nodes: BTreeMap<Digest, Node>,
    entries: usize,
}

impl Graph {
    /// Adds a manifest; one that is there already stays as it is.
    ///
    /// # Errors
    /// [`GraphError::TooLarge`] if the manifests have too many entries together.
    pub fn insert(&mut self, node: Node) -> Result<(), GraphError> {
        let digest = node.descriptor.digest;
        if self.nodes.contains_key(&digest) {
            return Ok(());
        }
        self.entries += node.entries();
        if self.entries > MAX_ENTRIES {
            return Err(GraphError::TooLarge { digest });
        }
        self.nodes.insert(digest, node);
        Ok(())
    }

    /// The manifest with this digest.
    pub fn get(&self, digest: &Digest) -> Option<&Node> {
        self.nodes.get(digest)
    }

    /// Whether a manifest with this digest was read.
    pub fn contains(&self, digest: &Digest) -> bool {
        self.nodes.contains_key(digest)
    }

    /// All manifests, by digest.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values()
    }

    /// The children of `digest` that were read, each once.
    pub fn children(&self, digest: &Digest) -> BTreeSet<Digest> {
        let children = self.nodes.get(digest).map(|node| node.children.as_slice());
        children
            .unwrap_or_default()
            .iter()
            .map(|child| child.descriptor.digest)
            .filter(|child| self.contains(child))
            .collect()
    }

    /// Every manifest that `roots` reach, roots included, as far as they were read.
    pub fn closure(&self, roots: impl IntoIterator<Item = Digest>) -> BTreeSet<Digest> {
        let (mut reached, mut open) = (BTreeSet::new(), Vec::from_iter(roots));
        while let Some(digest) = open.pop() {
            if let Some(node) = self.nodes.get(&digest)
                && reached.insert(digest)
            {
                let children = node.children.iter().map(|child| child.descriptor.digest);
                open.extend(children.filter(|child| !reached.contains(child)));
            }
        }
        reached
    }

    /// Every manifest and blob that `roots` reach.
    pub fn reach(&self, roots: impl IntoIterator<Item = Digest>) -> Reach {
        let manifests = self.closure(roots);
        let blobs = manifests
            .iter()
            .filter_map(|digest| self.nodes.get(digest))
            .flat_map(|node| node.blobs.iter().map(|blob| (blob.digest, blob.size)))
            .collect();
        Reach { manifests, blobs }
    }

    /// Those of `wanted` that `root` reaches, manifests or blobs.
    pub(crate) fn reached_of(&self, root: &Digest, wanted: &BTreeSet<Digest>) -> BTreeSet<Digest> {
        let reached = self.closure([*root]);
        let nodes = reached.iter().filter_map(|digest| self.nodes.get(digest));
        let blobs = nodes.flat_map(|node| &node.blobs).map(|blob| &blob.digest);
        let both = blobs.chain(&reached).chain([root]);
        both.filter(|digest| wanted.contains(digest))
            .copied()
            .collect()
    }

    /// Checks that the names of `record` do not lead to more than any honest ones. What two names of one repository both
    /// stand for counts once, but its referrers for each name.
    ///
    /// # Errors
    /// [`GraphError::TooManyReached`].
    pub fn check_reach(&self, record: &Record) -> Result<(), GraphError> {
        let mut rest = MAX_REACHED;
        let mut count = |digest: Digest, more: u64| match rest.checked_sub(more) {
            Some(left) => {
                rest = left;
                Ok(())
            }
            None => Err(GraphError::TooManyReached { digest }),
        };
        let mut weights: BTreeMap<Digest, u64> = BTreeMap::new();
        let mut weight = |root: Digest| *weights.entry(root).or_insert_with(|| self.weight(root));
        let images = record.images.iter();
        let mut names: BTreeMap<(String, Digest, Option<Digest>), u64> = BTreeMap::new();
        for image in images {
            let original = image.original.as_ref().map(|original| original.digest);
            let name = (image.reference.name(), image.descriptor.digest, original);
            *names.entry(name).or_default() += 1;
        }
        let referring = Referring::of(record);
        for ((repository, root, original), times) in &names {
            count(*root, weight(*root))?;
            let mut subjects = self.closure([*root]);
            subjects.extend(original);
            let referrers = referring.reached(repository, subjects).len();
            let referrers = referrers + self.attestations(root);
            count(*root, (referrers as u64).saturating_mul(*times))?;
        }
        let files = record.files.iter().map(|file| file.descriptor.digest);
        let referrers = record.referrers.iter().map(|one| one.descriptor.digest);
        for root in files.chain(referrers) {
            count(root, weight(root))?;
        }
        Ok(())
    }

    /// How many attestations an index lists.
    fn attestations(&self, root: &Digest) -> usize {
        let children = self.get(root).into_iter().flat_map(|node| &node.children);
        children.filter(|child| child.attests.is_some()).count()
    }

    /// How many manifests `root` reaches, and their blobs, each counted where it is listed.
    fn weight(&self, root: Digest) -> u64 {
        let reached = self.closure([root]);
        let nodes = reached.iter().filter_map(|digest| self.nodes.get(digest));
        nodes.map(|node| 1 + node.blobs.len() as u64).sum()
    }

    /// Every manifest that reaches `target`, which is a manifest or a blob; `target` included.
    pub fn dependents(&self, target: &Digest) -> BTreeSet<Digest> {
        let mut parents: BTreeMap<Digest, Vec<Digest>> = BTreeMap::new();
        for (digest, node) in &self.nodes {
            for child in &node.children {
                parents
                    .entry(child.descriptor.digest)
                    .or_default()
                    .push(*digest);
            }
        }
        let needs = |node: &&Node| node.blobs.iter().any(|blob| blob.digest == *target);
        let mut open: Vec<Digest> = self
            .nodes()
            .filter(needs)
            .map(|node| node.descriptor.digest)
            .collect();
        open.push(*target);
        let mut found = BTreeSet::new();
        while let Some(digest) = open.pop() {
            if found.insert(digest) {
                open.extend(parents.get(&digest).into_iter().flatten());
            }
        }
        found
    }

    /// Checks that no indexes are nested too deep and none list each other.
    ///
    /// # Errors
    /// The first index that is or does.
    pub fn check_depth(&self) -> Result<(), GraphError> {
        let indexes = |digest: &Digest| {
            let mut below = self.children(digest);
            below.retain(|child| self.get(child).is_some_and(|node| node.kind == Kind::Index));
            below
        };
        let below: BTreeMap<Digest, BTreeSet<Digest>> = self
            .nodes()
            .filter(|node| node.kind == Kind::Index)
            .map(|node| (node.descriptor.digest, indexes(&node.descriptor.digest)))
            .collect();
        let heights = levels(&below);
        match below.keys().find(|digest| !heights.contains_key(digest)) {
            Some(digest) => Err(GraphError::Circle { digest: *digest }),
            None => match heights
                .iter()
                .find(|(_, height)| **height > MAX_INDEX_DEPTH)
            {
                Some((digest, _)) => Err(GraphError::TooDeep { digest: *digest }),
                None => Ok(()),
            },
        }
    }

    /// In which round each manifest can be stored: after its children and after what it refers to. The
    /// first round is 0; manifests in a circle, which no honest digest allows, have none.
    pub fn rounds(&self) -> BTreeMap<Digest, usize> {
        let needed: BTreeMap<Digest, BTreeSet<Digest>> = self
            .nodes
            .iter()
            .map(|(digest, node)| {
                let subject = node.subject.filter(|subject| self.contains(subject));
                let mut needed = self.children(digest);
                needed.extend(subject);
                (*digest, needed)
            })
            .collect();
        levels(&needed)
    }
}

/// How many steps the longest path from each key to one without needs has. Keys in circles, and those
/// that reach one, have no level. Every need has to be a key.
fn levels(needed: &BTreeMap<Digest, BTreeSet<Digest>>) -> BTreeMap<Digest, usize> {
    let mut needed_by: BTreeMap<Digest, Vec<Digest>> = BTreeMap::new();
    let mut waiting: BTreeMap<Digest, usize> = BTreeMap::new();
    for (digest, needs) in needed {
        waiting.insert(*digest, needs.len());
        for need in needs {
            needed_by.entry(*need).or_default().push(*digest);
        }
    }
    let mut ready: VecDeque<(Digest, usize)> = waiting
        .iter()
        .filter(|(_, needs)| **needs == 0)
        .map(|(digest, _)| (*digest, 0))
        .collect();
    let mut levels = BTreeMap::new();
    // In the order of levels: the last need that is met is one of the highest.
    while let Some((digest, level)) = ready.pop_front() {
        levels.insert(digest, level);
        for parent in needed_by.remove(&digest).unwrap_or_default() {
            if let Some(needs) = waiting.get_mut(&parent) {
                *needs -= 1;
                if *needs == 0 {
                    ready.push_back((parent, level + 1));
                }
            }
        }
    }
    levels
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn digest(name: &str) -> Digest {
        Digest::sha256(name.as_bytes())
    }

    fn descriptor(name: &str) -> PlainDescriptor {
        PlainDescriptor {
            media_type: media_type::OCI_INDEX.to_owned(),
            digest: digest(name),
            size: 1,
        }
    }

    fn index(name: &str, children: &[&str]) -> Node {
        Node {
            descriptor: descriptor(name),
            kind: Kind::Index,
            children: children
                .iter()
                .map(|child| Child {
                    descriptor: descriptor(child),
                    platform: None,
                    attests: None,
                })
                .collect(),
            blobs: Vec::new(),
            subject: None,
            artifact_type: None,
        }
    }

    fn image(name: &str, blobs: &[&str]) -> Node {
        Node {
            kind: Kind::Image,
            blobs: blobs
                .iter()
                .map(|blob| BlobRef {
                    digest: digest(blob),
                    size: 7,
                    role: Role::Layer,
                    foreign_type: None,
                    has_urls: false,
                })
                .collect(),
            ..index(name, &[])
        }
    }

    fn graph(nodes: Vec<Node>) -> Graph {
        let mut graph = Graph::default();
        for node in nodes {
            graph.insert(node).unwrap();
        }
        graph
    }

    fn chain(length: usize, repeat: usize) -> Graph {
        let name = |n: usize| format!("index {n}");
        let nodes = (0..length).map(|n| {
            let child = name(n + 1);
            index(&name(n), &vec![child.as_str(); repeat])
        });
        let mut nodes: Vec<Node> = nodes.collect();
        nodes.push(index(&name(length), &[]));
        graph(nodes)
    }

    #[test]
    fn a_child_that_is_listed_a_thousand_times_on_every_level_costs_no_more_than_its_entries() {
        let graph = chain(8, 1000);
        graph.check_depth().unwrap();
        assert_eq!(graph.closure([digest("index 0")]).len(), 9);
        assert_eq!(graph.dependents(&digest("index 8")).len(), 9);
        assert_eq!(graph.rounds()[&digest("index 0")], 8);
    }

    #[test]
    fn indexes_are_nested_eight_deep_and_no_deeper() {
        assert_eq!(chain(8, 1).check_depth(), Ok(()));
        assert_eq!(
            chain(9, 1).check_depth(),
            Err(GraphError::TooDeep {
                digest: digest("index 0")
            })
        );
    }

    #[test]
    fn a_circle_is_refused_and_ends_every_walk() {
        let graph = graph(vec![index("a", &["b"]), index("b", &["a"])]);
        assert!(matches!(
            graph.check_depth(),
            Err(GraphError::Circle { .. })
        ));
        assert_eq!(graph.closure([digest("a")]).len(), 2);
        assert_eq!(graph.dependents(&digest("a")).len(), 2);
        assert!(graph.rounds().is_empty());
    }

    #[test]
    fn what_is_needed_is_stored_before_what_needs_it() {
        let mut signature = image("signature", &["layer"]);
        signature.subject = Some(digest("index"));
        let graph = graph(vec![
            signature,
            index("index", &["image", "absent"]),
            image("image", &["layer"]),
        ]);
        let rounds = graph.rounds();
        let round = |name| rounds[&digest(name)];
        assert_eq!(
            (round("image"), round("index"), round("signature")),
            (0, 1, 2)
        );
    }

    #[test]
    fn a_blob_leads_to_everything_that_needs_it() {
        let graph = graph(vec![
            index("index", &["image"]),
            image("image", &["layer"]),
            image("other", &["else"]),
        ]);
        let expected = ["index", "image", "layer"].map(digest);
        assert_eq!(graph.dependents(&digest("layer")), BTreeSet::from(expected));
        let reach = graph.reach([digest("index")]);
        assert_eq!(reach.manifests.len(), 2);
        assert_eq!(reach.blobs, BTreeMap::from([(digest("layer"), 7)]));
    }
}

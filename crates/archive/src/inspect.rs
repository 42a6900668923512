//! What is inside of a bundle, from its record and its manifests. No blob is read, unless the configurations of images
//! are asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use sealift_oci::{ArtifactKind, Digest, ImageConfig, Kind, Platform};
use serde::Serialize;

use crate::bundle::{Bundle, OpenError};
use crate::contents::{
    BlobRef, FileKind, Identity, ImageEntry, ImageSource, Names, Node, PlatformEntry, Referring,
};
use crate::delta::Delta;
use crate::files::{Program, programs};
use crate::verify::is_content_fault;

/// What is inside a bundle, from its record and its manifests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inspection {
    /// The bundle's identity.
    pub identity: Identity,
    /// The file's size in bytes.
    pub bytes: u64,
    /// How many blobs there are, manifests included.
    pub blobs: u64,
    /// How many bytes of blobs would be there more if nothing were shared.
    pub shared_bytes: u64,
    /// The images, by reference.
    pub images: Vec<InspectedImage>,
    /// The carried files, by name.
    pub files: Vec<InspectedFile>,
    /// Those of them that are programs which read bundles.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub programs: Vec<Program>,
    /// What a delta leaves to its bases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delta: Option<InspectedDelta>,
}

/// What a delta leaves to its bases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InspectedDelta {
    /// The bases, in the order in which the delta lists them.
    pub bases: Vec<InspectedBase>,
    /// How many deltas lead from this one to complete bundles, itself included, as far as the bases are open.
    pub chain: u32,
    /// How many blobs are left out, since a base has them.
    pub left_out_blobs: u64,
    /// Their bytes.
    pub left_out_bytes: u64,
}

/// A base of a delta.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InspectedBase {
    /// Its identity.
    pub identity: Identity,
    /// Its images.
    pub images: Vec<String>,
    /// How many of its blobs are needed.
    pub needed_blobs: u64,
    /// Their bytes.
    pub needed_bytes: u64,
}

/// One image of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InspectedImage {
    /// Its name, as asked for.
    pub reference: String,
    /// What the name stands for here.
    pub digest: Digest,
    /// The media type of its index or manifest.
    pub media_type: String,
    /// Where it was taken from.
    pub source: ImageSource,
    /// The publisher's index, where platforms were chosen and `digest` is a new one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original: Option<Digest>,
    /// Whether the digest was made at build time, since the source had none.
    pub new_digest: bool,
    /// All that the image needs, in bytes.
    pub bytes: u64,
    /// What no other image needs, in bytes.
    pub own_bytes: u64,
    /// What it runs on; attestations that its index lists are among the referrers.
    pub platforms: Vec<InspectedPlatform>,
    /// What its index has and the bundle has not.
    pub left_out: Vec<PlatformEntry>,
    /// Its signatures, attestations and SBOMs.
    pub referrers: Vec<InspectedReferrer>,
}

/// One manifest of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InspectedPlatform {
    /// The platform, where the index names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Its manifest.
    pub digest: Digest,
    /// How many layers it has.
    pub layers: usize,
    /// Manifest, config and layers, in bytes.
    pub bytes: u64,
    /// What its configuration says, once [`read_configs`] has read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<ImageConfig>,
    /// Why its configuration is not read or not understood.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_problem: Option<String>,
}

/// A manifest that belongs to an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InspectedReferrer {
    /// What it is: a signature, an attestation, an SBOM.
    pub kind: ArtifactKind,
    /// What it belongs to: the image, one of its platforms, or another referrer.
    pub subject: Digest,
    /// The name of what it belongs to.
    pub subject_name: String,
    /// Its manifest.
    pub digest: Digest,
    /// The artifact type that its manifest states.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Whether it is listed in the image's own index, as `BuildKit` does it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub in_index: bool,
    /// The tag it is found by, for cosign's convention.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// All that it needs, in bytes.
    pub bytes: u64,
}

/// A carried file or folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InspectedFile {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: FileKind,
    /// The name that it is pushed under.
    pub reference: String,
    /// The artifact's manifest.
    pub digest: Digest,
    /// All that it needs, in bytes.
    pub bytes: u64,
}

/// No more bytes of configurations are read, one that several platforms share counted each time: a small bundle may
/// repeat a large one without end.
const MAX_CONFIGS: u64 = 16 << 20;

/// The configurations of all images that a bundle describes.
pub fn configs(bundle: &Bundle, inspection: &Inspection) -> Vec<Digest> {
    let images = inspection.images.iter();
    let platforms = images.flat_map(|image| &image.platforms);
    let configs = platforms.filter_map(|platform| config_of(bundle, platform));
    configs.map(|blob| blob.digest).collect()
}

/// The configuration of an image, if it has one that is small enough to be read.
fn config_of<'a>(bundle: &'a Bundle, platform: &InspectedPlatform) -> Option<&'a BlobRef> {
    bundle.graph().get(&platform.digest)?.image_config()
}

/// Reads the configuration of every image in `inspection`, which describes `bundle`.
///
/// # Errors
/// If one cannot be read, or does not have its digest.
pub fn read_configs(bundle: &Bundle, inspection: &mut Inspection) -> Result<(), OpenError> {
    let images = inspection.images.iter_mut();
    let mut rest = MAX_CONFIGS;
    for platform in images.flat_map(|image| &mut image.platforms) {
        let Some(blob) = config_of(bundle, platform) else {
            continue;
        };
        let Some(left) = rest.checked_sub(blob.size) else {
            platform.config_problem = Some(format!(
                "not read: those before it have almost {MAX_CONFIGS} bytes together"
            ));
            continue;
        };
        rest = left;
        match bundle.image_config(&blob.digest) {
            Ok(Ok(config)) => platform.config = Some(config),
            Ok(Err(problem)) => platform.config_problem = Some(problem.to_string()),
            Err(error) => return Err(unreadable(bundle, &blob.digest, error)),
        }
    }
    Ok(())
}

fn unreadable(bundle: &Bundle, digest: &Digest, error: io::Error) -> OpenError {
    let name = bundle.name().to_owned();
    if is_content_fault(&error) {
        let fault = bundle.fault(digest, error.to_string());
        return OpenError::Fault { name, fault };
    }
    OpenError::Io {
        name,
        source: error,
    }
}

/// Describes what is inside of `bundle`.
pub fn inspect(bundle: &Bundle) -> Inspection {
    let mut inspector = Inspector::new(bundle);
    let images = bundle.record().images.iter();
    Inspection {
        identity: bundle.identity(),
        bytes: bundle.total_bytes(),
        blobs: bundle.blob_count(),
        shared_bytes: inspector.shared_bytes(),
        images: images.map(|image| inspector.image(image)).collect(),
        files: inspect_files(bundle),
        programs: programs(bundle),
        delta: bundle.delta().map(inspect_delta),
    }
}

fn inspect_delta(delta: &Delta) -> InspectedDelta {
    let bases = delta.bases().iter().map(|base| {
        let needed = delta.needed().values();
        let needed: Vec<u64> = needed
            .filter(|blob| blob.base == base.identity())
            .map(|blob| blob.size)
            .collect();
        let images = base.record().images.iter();
        InspectedBase {
            identity: base.identity(),
            images: images.map(|image| image.reference.to_string()).collect(),
            needed_blobs: needed.len() as u64,
            needed_bytes: needed.iter().sum(),
        }
    });
    InspectedDelta {
        bases: bases.collect(),
        chain: delta.chain(),
        left_out_blobs: delta.left_out().len() as u64,
        left_out_bytes: delta.left_out().values().sum(),
    }
}

/// What several images have in common, each found once.
struct Inspector<'a> {
    bundle: &'a Bundle,
    names: Names<'a>,
    referring: Referring<'a>,
    /// What images stand for.
    roots: BTreeMap<Digest, Root>,
    /// How many images need each manifest and blob.
    uses: BTreeMap<Digest, u64>,
    /// The referrers of an image, by repository and digest.
    referrers: BTreeMap<(String, Digest), Vec<InspectedReferrer>>,
    /// The bytes of manifests with their blobs.
    weights: BTreeMap<Digest, u64>,
}

/// What an image stands for.
struct Root {
    /// All that it needs.
    reach: BTreeSet<Digest>,
    bytes: u64,
    own_bytes: u64,
    /// The attestations that its index lists.
    attestations: BTreeSet<Digest>,
}

impl<'a> Inspector<'a> {
    fn new(bundle: &'a Bundle) -> Self {
        let record = bundle.record();
        let mut times: BTreeMap<Digest, u64> = BTreeMap::new();
        for image in &record.images {
            *times.entry(image.descriptor.digest).or_default() += 1;
        }
        let reach = times.keys().map(|root| (*root, reached(bundle, root)));
        let reach: BTreeMap<Digest, BTreeSet<Digest>> = reach.collect();
        let mut uses: BTreeMap<Digest, u64> = BTreeMap::new();
        for (root, reach) in &reach {
            for digest in reach {
                *uses.entry(*digest).or_default() += times[root];
            }
        }
        let root = |(root, reach): (Digest, BTreeSet<Digest>)| {
            let own = reach.iter().filter(|digest| uses.get(digest) == Some(&1));
            let known = Root {
                bytes: bytes(bundle, &reach),
                own_bytes: own.map(|digest| size(bundle, digest)).sum(),
                attestations: attested(bundle, &root).map(|(_, one)| one).collect(),
                reach,
            };
            (root, known)
        };
        Self {
            bundle,
            names: record.names(),
            referring: Referring::of(record),
            roots: reach.into_iter().map(root).collect(),
            uses,
            referrers: BTreeMap::new(),
            weights: BTreeMap::new(),
        }
    }

    fn shared_bytes(&self) -> u64 {
        let uses = self.uses.iter();
        let shared = uses.map(|(digest, uses)| size(self.bundle, digest) * (uses - 1));
        shared.sum()
    }

    fn image(&mut self, image: &ImageEntry) -> InspectedImage {
        let platforms = self.platforms(image);
        let referrers = self.referrers(image);
        let root = &self.roots[&image.descriptor.digest];
        InspectedImage {
            reference: image.reference.to_string(),
            digest: image.descriptor.digest,
            media_type: image.descriptor.media_type.clone(),
            source: image.source,
            original: image.original.as_ref().map(|original| original.digest),
            new_digest: image.new_digest,
            bytes: root.bytes,
            own_bytes: root.own_bytes,
            platforms,
            left_out: image.left_out.clone(),
            referrers,
        }
    }

    fn platforms(&mut self, image: &ImageEntry) -> Vec<InspectedPlatform> {
        let bundle = self.bundle;
        let attestations = &self.roots[&image.descriptor.digest].attestations;
        let named = image
            .platforms
            .iter()
            .map(|entry| (entry.platform.clone(), entry.digest));
        let mut pairs: Vec<_> = named.collect();
        if pairs.is_empty() {
            pairs.push((None, image.descriptor.digest));
        }
        let nodes = pairs.into_iter().filter_map(|(platform, digest)| {
            let node = bundle.graph().get(&digest)?;
            if attestations.contains(&digest) {
                return None;
            }
            (node.kind == Kind::Image).then_some((platform, node))
        });
        let weights = &mut self.weights;
        nodes
            .map(|(platform, node)| InspectedPlatform {
                platform,
                digest: node.descriptor.digest,
                layers: node.blobs.len() - usize::from(node.has_config()),
                bytes: *weights
                    .entry(node.descriptor.digest)
                    .or_insert_with(|| weight(bundle, node)),
                config: None,
                config_problem: None,
            })
            .collect()
    }

    /// The referrers of everything that an image needs, and theirs.
    fn referrers(&mut self, image: &ImageEntry) -> Vec<InspectedReferrer> {
        let key = (image.reference.name(), image.descriptor.digest);
        if let Some(known) = self.referrers.get(&key) {
            return known.clone();
        }
        let (repository, root) = &key;
        let reach = self.roots[root].reach.clone();
        let mut found = self.in_index(repository, root);
        let reached = self.referring.reached(repository, reach);
        found.extend(reached.into_iter().map(|n| self.referrer(n)));
        self.referrers.insert(key, found.clone());
        found
    }

    fn referrer(&self, position: usize) -> InspectedReferrer {
        let bundle = self.bundle;
        let referrer = &bundle.record().referrers[position];
        let digest = referrer.descriptor.digest;
        let tag = referrer.tag();
        let manifest = bundle.manifest(&digest).ok().flatten();
        InspectedReferrer {
            kind: manifest.map_or_else(
                || referrer.kind(),
                |manifest| ArtifactKind::of_manifest(&manifest, tag),
            ),
            subject: referrer.subject,
            subject_name: self.names.subject(&referrer.repository, &referrer.subject),
            digest,
            artifact_type: referrer.artifact_type.clone(),
            in_index: false,
            tag: tag.map(str::to_owned),
            bytes: bytes(bundle, &reached(bundle, &digest)),
        }
    }

    /// The attestations in an index.
    fn in_index(&self, repository: &str, root: &Digest) -> Vec<InspectedReferrer> {
        let bundle = self.bundle;
        let found = attested(bundle, root).filter_map(|(subject, digest)| {
            let manifest = bundle.manifest(&digest).ok().flatten()?;
            Some(InspectedReferrer {
                kind: ArtifactKind::in_index(&manifest),
                subject,
                subject_name: self.names.subject(repository, &subject),
                digest,
                artifact_type: manifest.artifact_type().map(str::to_owned),
                in_index: true,
                tag: None,
                bytes: bytes(bundle, &reached(bundle, &digest)),
            })
        });
        found.collect()
    }
}

/// The attestations that an image's own index lists, each after what it is of.
fn attested(bundle: &Bundle, root: &Digest) -> impl Iterator<Item = (Digest, Digest)> {
    let node = bundle.graph().get(root);
    let children = node.map(|node| node.children.as_slice());
    let children = children.unwrap_or_default().iter();
    children.filter_map(|child| Some((child.attests?, child.descriptor.digest)))
}

fn inspect_files(bundle: &Bundle) -> Vec<InspectedFile> {
    let files = bundle.record().files.iter();
    files
        .map(|file| InspectedFile {
            name: file.name.clone(),
            kind: file.kind,
            reference: file.reference.to_string(),
            digest: file.descriptor.digest,
            bytes: bytes(bundle, &reached(bundle, &file.descriptor.digest)),
        })
        .collect()
}

/// Everything in the bundle that `root` needs, itself included.
fn reached(bundle: &Bundle, root: &Digest) -> BTreeSet<Digest> {
    let reach = bundle.graph().reach([*root]);
    let mut reached = reach.manifests;
    let blobs = reach.blobs.into_keys();
    reached.extend(blobs.filter(|digest| bundle.size(digest).is_some()));
    reached
}

fn weight(bundle: &Bundle, node: &Node) -> u64 {
    let blobs: BTreeSet<Digest> = node.blobs.iter().map(|blob| blob.digest).collect();
    node.descriptor.size + bytes(bundle, &blobs)
}

fn bytes(bundle: &Bundle, digests: &BTreeSet<Digest>) -> u64 {
    digests.iter().map(|digest| size(bundle, digest)).sum()
}

fn size(bundle: &Bundle, digest: &Digest) -> u64 {
    bundle.size(digest).unwrap_or(0)
}

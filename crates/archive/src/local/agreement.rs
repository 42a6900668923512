//! Whether the two indexes of an archive, `index.json` and `manifest.json`, agree about its images.

use std::collections::btree_map::Entry::{Occupied, Vacant};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use sealift_oci::{Descriptor, Digest, Reference, media_type};

use crate::fault::shown;
use crate::local::docker::{Config, ListedImage, MAX_CONFIG_BYTES, digest_of_name};
use crate::local::error::LocalError;
use crate::local::images::LocalImages;
use crate::local::name::LocalName;
use crate::local::read::malformed;

/// The most manifests that all images of an index lead to, each counted for each image.
const MAX_REACHED: usize = 200_000;

/// Checks that an archive's OCI index has what its `manifest.json` names: every image under all its names,
/// with as many layers as `manifest.json` and the config say. Readers of the one and of the other would get
/// different images otherwise.
pub(super) fn check_agreement(
    images: &LocalImages,
    listed: &[ListedImage],
) -> Result<(), LocalError> {
    let indexed = Indexed::read(images)?;
    listed
        .iter()
        .try_for_each(|listed| indexed.check(images, listed))
}

/// The images of an OCI index.
struct Indexed {
    by_config: BTreeMap<Digest, IndexedConfig>,
    /// The manifests and indexes that have each name.
    named: BTreeMap<Reference, BTreeSet<Digest>>,
}

/// The images of an OCI index that have the same config.
#[derive(Default)]
struct IndexedConfig {
    /// How many layers their manifests have, each number with the first manifest that has it.
    layers: BTreeMap<usize, Digest>,
    /// How many filesystem layers the config names; `None` if it is not an image's config.
    filesystems: Option<usize>,
    /// What `index.json` lists that leads to them.
    roots: BTreeSet<Digest>,
}

impl Indexed {
    fn read(images: &LocalImages) -> Result<Self, LocalError> {
        let mut indexed = Self {
            by_config: BTreeMap::new(),
            named: BTreeMap::new(),
        };
        let mut roots: BTreeMap<Digest, &Descriptor> = BTreeMap::new();
        for image in images.images() {
            let digest = image.descriptor.digest;
            roots.entry(digest).or_insert(&image.descriptor);
            if let LocalName::Full(reference) = &image.name {
                let named = indexed.named.entry(reference.clone()).or_default();
                named.insert(digest);
            }
        }
        let mut left = MAX_REACHED;
        for (root, descriptor) in roots {
            for manifest in image_manifests(images, descriptor, &mut left)? {
                indexed.add(images, root, &manifest)?;
            }
        }
        Ok(indexed)
    }

    fn add(
        &mut self,
        images: &LocalImages,
        root: Digest,
        manifest: &ImageManifest,
    ) -> Result<(), LocalError> {
        let Some(config) = &manifest.config else {
            return Ok(());
        };
        let known = match self.by_config.entry(config.digest) {
            Occupied(known) => known.into_mut(),
            Vacant(new) => new.insert(IndexedConfig {
                filesystems: diff_ids(images, config)?,
                ..IndexedConfig::default()
            }),
        };
        known
            .layers
            .entry(manifest.layers)
            .or_insert(manifest.digest);
        known.roots.insert(root);
        Ok(())
    }

    fn check(&self, images: &LocalImages, listed: &ListedImage) -> Result<(), LocalError> {
        let tags = listed.repo_tags.as_deref().unwrap_or_default();
        let disagree = |what: String| {
            Err(LocalError::Disagreement {
                path: images.path().to_owned(),
                image: shown(tags.first().unwrap_or(&listed.config)),
                what,
            })
        };
        let Some(config) = digest_of_name(&listed.config) else {
            return disagree(
                "manifest.json names its config otherwise than by a digest".to_owned(),
            );
        };
        let Some(found) = self.by_config.get(&config) else {
            return disagree(format!(
                "index.json lists no image with the config {config}"
            ));
        };
        let layers = listed.layers.as_deref().unwrap_or_default().len();
        let other = found.filesystems.is_some_and(|count| count != layers);
        for (counted, manifest) in &found.layers {
            if other || *counted != layers {
                return disagree(format!(
                    "manifest.json lists {layers} layers, the manifest {manifest} has {counted}{}",
                    found
                        .filesystems
                        .map_or(String::new(), |count| format!(", its config {count}"))
                ));
            }
        }
        for tag in tags {
            let is_named = |reference: Reference| {
                let named = self.named.get(&reference);
                named.is_some_and(|named| !named.is_disjoint(&found.roots))
            };
            if tag.parse().is_ok_and(|reference| !is_named(reference)) {
                return disagree(format!("index.json does not list it as {}", shown(tag)));
            }
        }
        Ok(())
    }
}

/// What is compared of an image's manifest.
struct ImageManifest {
    digest: Digest,
    config: Option<Descriptor>,
    layers: usize,
}

/// The image manifests that a descriptor of an index stands for, as far as the archive contains them. Each counts for
/// `left`, how many more may be read.
fn image_manifests(
    images: &LocalImages,
    root: &Descriptor,
    left: &mut usize,
) -> Result<Vec<ImageManifest>, LocalError> {
    let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
    let mut open = vec![root.clone()];
    while let Some(descriptor) = open.pop() {
        if !images.contains(&descriptor.digest)
            || !media_type::is_manifest(&descriptor.media_type)
            || !seen.insert(descriptor.digest)
        {
            continue;
        }
        *left = left.checked_sub(1).ok_or_else(|| {
            let what = format!(
                "its images have more than {MAX_REACHED} manifests in all, each counted for each image"
            );
            malformed(images.path(), "index.json", what)
        })?;
        let manifest = images.manifest(&descriptor)?;
        open.extend(manifest.children().iter().cloned());
        if manifest.children().is_empty() {
            found.push(ImageManifest {
                digest: *manifest.digest(),
                config: manifest.config().cloned(),
                layers: manifest.layers().len(),
            });
        }
    }
    Ok(found)
}

/// How many filesystem layers a config names; `None` if it is not an image's config.
fn diff_ids(images: &LocalImages, config: &Descriptor) -> Result<Option<usize>, LocalError> {
    let mut bytes = Vec::new();
    images
        .blob_at(config, 0)?
        .take(MAX_CONFIG_BYTES)
        .read_to_end(&mut bytes)
        .map_err(|source| LocalError::Io {
            path: format!("{} of {}", config.digest.blob_path(), images.path()),
            source,
        })?;
    let config: Option<Config> = serde_json::from_slice(&bytes).ok();
    Ok(config.map(|config| config.diff_ids().len()))
}

//! `docker save` archives: `manifest.json`, configs and layers.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

use sealift_oci::{Algorithm, Descriptor, Digest, MAX_MANIFEST_BYTES, media_type};
use sealift_pipeline::{BUFFER_BYTES, HashingReader};
use serde::{Deserialize, Serialize};

use crate::contents::{ImageSource, MAX_ENTRIES};
use crate::fault::shown;
use crate::local::error::LocalError;
use crate::local::images::{LocalImage, LocalImages};
use crate::local::name::LocalName;
use crate::local::read::{Entry, MAX_INDEX_BYTES, malformed, parse_json, read_small};
use crate::store::tar::Contents;
use crate::store::{Extent, ReadAt};
use crate::store::{ExtentReader, ExtentStore};

/// The most bytes of an image's config that are read.
pub(super) const MAX_CONFIG_BYTES: u64 = 8 << 20;
/// The most images of one archive.
const MAX_IMAGES: usize = 10_000;
/// The most names (of layers, tags, configs and fields) in `manifest.json`.
const MAX_NAMES: usize = 1_000_000;
/// How many links are followed to a layer.
const MAX_LINKS: usize = 8;

/// An image as `manifest.json` lists it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListedImage {
    pub(super) config: String,
    #[serde(default)]
    pub(super) repo_tags: Option<Vec<String>>,
    #[serde(default)]
    pub(super) layers: Option<Vec<String>>,
}

#[derive(Deserialize)]
pub(super) struct Config {
    rootfs: RootFs,
}

#[derive(Deserialize)]
struct RootFs {
    #[serde(default)]
    diff_ids: Option<Vec<Digest>>,
}

impl Config {
    /// The digests of the layers' content.
    pub(super) fn diff_ids(self) -> Vec<Digest> {
        self.rootfs.diff_ids.unwrap_or_default()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewManifest {
    schema_version: u8,
    media_type: &'static str,
    config: Descriptor,
    layers: Vec<Descriptor>,
}

/// Reads `manifest.json`.
pub(super) fn listed(
    path: &str,
    entry: &Entry,
    limit: u64,
) -> Result<Vec<ListedImage>, LocalError> {
    let bytes = read_small(path, "manifest.json", entry, limit)?;
    if bytes.split(|byte| *byte == b'"').count() / 2 > MAX_NAMES {
        let what = format!("it has more than {MAX_NAMES} names of layers and tags");
        return Err(malformed(path, "manifest.json", what));
    }
    let listed: Vec<ListedImage> = parse_json(path, "manifest.json", &bytes)?;
    let layers = listed.iter().filter_map(|image| image.layers.as_ref());
    if layers.map(Vec::len).sum::<usize>() > MAX_ENTRIES {
        let what = format!("it lists more than {MAX_ENTRIES} layers in all");
        return Err(malformed(path, "manifest.json", what));
    }
    if listed.len() > MAX_IMAGES {
        let what = format!("it lists {} images, more than {MAX_IMAGES}", listed.len());
        return Err(malformed(path, "manifest.json", what));
    }
    Ok(listed)
}

/// Opens an archive without an OCI part: configs and layers, but no manifests.
///
/// Each image gets an OCI manifest, created from nothing but the archive's content: the config as it is,
/// then the layers as they are, base first. The same archive gives the same digest every time; no registry
/// has served it before.
pub(super) fn open(
    path: String,
    file: Arc<dyn ReadAt>,
    contents: &Contents,
) -> Result<LocalImages, LocalError> {
    let mut reader = Reader {
        path,
        file,
        contents,
        images: Vec::new(),
        manifests: BTreeMap::new(),
        blobs: BTreeMap::new(),
        hashed: BTreeMap::new(),
        configs: BTreeMap::new(),
    };
    let entry = reader.entry("manifest.json")?;
    for image in listed(&reader.path, &entry, MAX_INDEX_BYTES)? {
        reader.image(image)?;
    }
    let store = ExtentStore::new(reader.file, reader.blobs).with_created(reader.manifests);
    Ok(LocalImages {
        path: reader.path,
        kind: ImageSource::DockerArchive,
        images: reader.images,
        referrers: Vec::new(),
        record: None,
        store: Arc::new(store),
    })
}

/// Reads an archive's images one after the other.
struct Reader<'a> {
    path: String,
    file: Arc<dyn ReadAt>,
    contents: &'a Contents,
    images: Vec<LocalImage>,
    manifests: BTreeMap<Digest, Arc<[u8]>>,
    blobs: BTreeMap<Digest, Extent>,
    /// What layers that are compressed hash to, by their offset.
    hashed: BTreeMap<u64, Digest>,
    /// Configs that were read, by their offset: many images may name the same.
    configs: BTreeMap<u64, Arc<ReadConfig>>,
}

/// A config that was read.
struct ReadConfig {
    descriptor: Descriptor,
    diff_ids: Vec<Digest>,
}

impl Reader<'_> {
    fn image(&mut self, listed: ListedImage) -> Result<(), LocalError> {
        let config = self.config(&listed.config)?;
        let layers = listed.layers.unwrap_or_default();
        if config.diff_ids.len() != layers.len() {
            return Err(self.form(
                &listed.config,
                format!(
                    "it has {} layers, manifest.json lists {}",
                    config.diff_ids.len(),
                    layers.len()
                ),
            ));
        }
        let layers: Result<Vec<Descriptor>, LocalError> = layers
            .iter()
            .zip(&config.diff_ids)
            .map(|(layer, diff_id)| self.layer(layer, *diff_id))
            .collect();
        let manifest = NewManifest {
            schema_version: 2,
            media_type: media_type::OCI_MANIFEST,
            config: config.descriptor.clone(),
            layers: layers?,
        };
        let bytes =
            serde_json::to_vec(&manifest).expect("a manifest has no map with other keys than text");
        if bytes.len() > MAX_MANIFEST_BYTES {
            return Err(self.form("manifest.json", "an image has too many layers"));
        }
        self.name(listed.repo_tags.unwrap_or_default(), bytes);
        Ok(())
    }

    /// One image for every name; one without a name where there is none.
    fn name(&mut self, tags: Vec<String>, bytes: Vec<u8>) {
        let descriptor = Descriptor::of(media_type::OCI_MANIFEST, &bytes);
        self.manifests.insert(descriptor.digest, bytes.into());
        let mut names: Vec<LocalName> = tags
            .into_iter()
            .map(|tag| match tag.parse() {
                Ok(reference) => LocalName::Full(reference),
                Err(_) => LocalName::Other(tag),
            })
            .collect();
        if names.is_empty() {
            names.push(LocalName::Unnamed);
        }
        self.images.extend(names.into_iter().map(|name| LocalImage {
            name,
            descriptor: descriptor.clone(),
            new_digest: true,
        }));
    }

    /// Reads the config that `manifest.json` names; each once.
    fn config(&mut self, name: &str) -> Result<Arc<ReadConfig>, LocalError> {
        let entry = self.entry(name)?;
        if let Some(known) = self.configs.get(&entry.extent.offset) {
            self.check_name(name, known.descriptor.digest)?;
            return Ok(Arc::clone(known));
        }
        self.read_config(name, &entry)
    }

    fn check_name(&self, config: &str, digest: Digest) -> Result<(), LocalError> {
        match digest_of_name(config) {
            Some(named) if named != digest => Err(self.form(
                config,
                format!("it is named after digest {named} but has {digest} (it is corrupt)"),
            )),
            _ => Ok(()),
        }
    }

    fn read_config(&mut self, name: &str, entry: &Entry) -> Result<Arc<ReadConfig>, LocalError> {
        let bytes = read_small(&self.path, name, entry, MAX_CONFIG_BYTES)?;
        let descriptor = Descriptor::of(media_type::OCI_CONFIG, &bytes);
        self.check_name(name, descriptor.digest)?;
        let parsed: Config = parse_json(&self.path, name, &bytes)?;
        self.blob(name, descriptor.digest, entry.extent)?;
        let config = Arc::new(ReadConfig {
            descriptor,
            diff_ids: parsed.diff_ids(),
        });
        self.configs
            .insert(entry.extent.offset, Arc::clone(&config));
        Ok(config)
    }

    /// A layer that is not compressed has the digest that the config gives it, so it need not be read
    /// twice: copying it checks that. One that is compressed has to be hashed.
    fn layer(&mut self, name: &str, diff_id: Digest) -> Result<Descriptor, LocalError> {
        let entry = self.entry(name)?;
        let mut start = [0; 4];
        let wanted = usize::try_from(entry.extent.size).map_or(4, |size| size.min(4));
        let read = entry
            .file
            .read_exact_at(&mut start[..wanted], entry.extent.offset);
        read.map_err(|error| self.io(name, error))?;
        let compressed = match start {
            [0x1f, 0x8b, ..] => Some(media_type::OCI_LAYER_GZIP),
            [0x28, 0xb5, 0x2f, 0xfd] => Some(media_type::OCI_LAYER_ZSTD),
            _ => None,
        };
        let digest = match compressed {
            Some(_) => self.hash(name, &entry)?,
            None => diff_id,
        };
        let media_type = compressed
            .filter(|_| digest != diff_id)
            .unwrap_or(media_type::OCI_LAYER);
        self.blob(name, digest, entry.extent)?;
        Ok(Descriptor::new(media_type, digest, entry.extent.size))
    }

    fn hash(&mut self, name: &str, entry: &Entry) -> Result<Digest, LocalError> {
        if let Some(digest) = self.hashed.get(&entry.extent.offset) {
            return Ok(*digest);
        }
        let reader = ExtentReader::new(Arc::clone(&entry.file), entry.extent, 0);
        let mut reader = HashingReader::new(reader, Algorithm::Sha256);
        let mut buffer = vec![0; BUFFER_BYTES];
        while reader
            .read(&mut buffer)
            .map_err(|error| self.io(name, error))?
            > 0
        {}
        let (digest, _) = reader.finish();
        self.hashed.insert(entry.extent.offset, digest);
        Ok(digest)
    }

    fn blob(&mut self, name: &str, digest: Digest, extent: Extent) -> Result<(), LocalError> {
        let first = *self.blobs.entry(digest).or_insert(extent);
        if first.size != extent.size {
            return Err(self.form(
                name,
                format!(
                    "{digest} has {} bytes here and {} elsewhere",
                    extent.size, first.size
                ),
            ));
        }
        Ok(())
    }

    /// Finds a file of the archive by the name that `manifest.json` gives it, through links inside the
    /// archive: docker wrote a layer that two images share once and a link to it.
    fn entry(&self, name: &str) -> Result<Entry, LocalError> {
        let mut current = name.strip_prefix("./").unwrap_or(name);
        for _ in 0..=MAX_LINKS {
            let extent = self.contents.files.get(current).copied().or_else(|| {
                let digest = Digest::from_blob_path(current)?;
                self.contents.blobs.get(&digest).copied()
            });
            if let Some(extent) = extent {
                return Ok(Entry {
                    file: Arc::clone(&self.file),
                    extent,
                });
            }
            match self.contents.links.get(current) {
                Some(target) => current = target,
                None => break,
            }
        }
        Err(LocalError::Missing {
            path: self.path.clone(),
            what: shown(name),
        })
    }

    fn form(&self, entry: &str, what: impl Into<String>) -> LocalError {
        malformed(&self.path, entry, what)
    }

    fn io(&self, entry: &str, source: std::io::Error) -> LocalError {
        LocalError::Io {
            path: format!("{} of {}", shown(entry), self.path),
            source,
        }
    }
}

/// The digest that a config's name says: `<hex>.json` or `blobs/sha256/<hex>`.
pub(super) fn digest_of_name(name: &str) -> Option<Digest> {
    let hex = name.strip_suffix(".json");
    hex.and_then(|hex| format!("sha256:{hex}").parse().ok())
        .or_else(|| Digest::from_blob_path(name))
}

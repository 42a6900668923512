use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

use sealift_oci::{
    Algorithm, Descriptor, Digest, MAX_MANIFEST_BYTES, Manifest, check_json, media_type,
};
use sealift_pipeline::{BUFFER_BYTES, HashingReader};
use serde::{Deserialize, Serialize};

use super::layout::{found, read_json};
use super::storage::{Found as Place, read_small};
use super::tar::Contents;
use super::{LocalSource, MAX_INDEX_BYTES, SourceError, SourceImage, SourceName, SourceReferrer};
use crate::bundle::BlobReader;
use crate::layout::Extent;
use crate::read_at::ReadAt;
use crate::record::{ImageSource, Record};

/// The most bytes of an image's config that are read.
const MAX_CONFIG_BYTES: u64 = 8 << 20;
/// The most images of one archive.
const MAX_IMAGES: usize = 10_000;
/// How many links are followed to a layer.
const MAX_LINKS: usize = 8;

/// A `docker save` archive without an OCI part: configs and layers, but no manifests.
///
/// Each image gets an OCI manifest, made of nothing but the archive's content: the config as it is, then
/// the layers as they are, base first. The same archive gives the same digest every time; no registry
/// has served it before.
pub(super) struct DockerArchive {
    name: String,
    file: Arc<dyn ReadAt>,
    images: Vec<SourceImage>,
    manifests: BTreeMap<Digest, Arc<[u8]>>,
    blobs: BTreeMap<Digest, Extent>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    layers: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Config {
    rootfs: RootFs,
}

#[derive(Deserialize)]
struct RootFs {
    #[serde(default)]
    diff_ids: Option<Vec<Digest>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewManifest {
    schema_version: u8,
    media_type: &'static str,
    config: Descriptor,
    layers: Vec<Descriptor>,
}

/// Reads an archive's images one after the other.
struct Reader<'a> {
    archive: DockerArchive,
    contents: &'a Contents,
    /// What layers that are compressed hash to, by their place.
    hashed: BTreeMap<u64, Digest>,
}

impl DockerArchive {
    pub(super) fn open(
        name: String,
        file: Arc<dyn ReadAt>,
        contents: Contents,
    ) -> Result<Self, SourceError> {
        let mut reader = Reader {
            archive: Self {
                name,
                file,
                images: Vec::new(),
                manifests: BTreeMap::new(),
                blobs: BTreeMap::new(),
            },
            contents: &contents,
            hashed: BTreeMap::new(),
        };
        let place = reader.place("manifest.json")?;
        let items: Vec<Item> = read_json(
            &reader.archive.name,
            "manifest.json",
            &place,
            MAX_INDEX_BYTES,
        )?;
        if items.len() > MAX_IMAGES {
            return Err(reader.form(
                "manifest.json",
                format!("it lists {} images, more than {MAX_IMAGES}", items.len()),
            ));
        }
        for item in items {
            reader.item(item)?;
        }
        Ok(reader.archive)
    }
}

impl Reader<'_> {
    fn item(&mut self, item: Item) -> Result<(), SourceError> {
        let config = self.place(&item.config)?;
        let bytes = read_small(&self.archive.name, &item.config, &config, MAX_CONFIG_BYTES)?;
        let digest = Digest::sha256(&bytes);
        if let Some(named) = digest_of_name(&item.config).filter(|named| *named != digest) {
            return Err(self.form(
                &item.config,
                format!("it is named after digest {named} but has {digest} (it is damaged)"),
            ));
        }
        let diff_ids = self.diff_ids(&item.config, &bytes)?;
        let layers = item.layers.unwrap_or_default();
        if diff_ids.len() != layers.len() {
            return Err(self.form(
                &item.config,
                format!(
                    "it has {} layers, manifest.json lists {}",
                    diff_ids.len(),
                    layers.len()
                ),
            ));
        }
        self.blob(&item.config, digest, config.extent)?;
        let layers: Result<Vec<Descriptor>, SourceError> = layers
            .iter()
            .zip(diff_ids)
            .map(|(layer, diff_id)| self.layer(layer, diff_id))
            .collect();
        let manifest = NewManifest {
            schema_version: 2,
            media_type: media_type::OCI_MANIFEST,
            config: Descriptor::of(media_type::OCI_CONFIG, &bytes),
            layers: layers?,
        };
        let bytes =
            serde_json::to_vec(&manifest).expect("a manifest has no map with other keys than text");
        if bytes.len() > MAX_MANIFEST_BYTES {
            return Err(self.form("manifest.json", "an image has too many layers"));
        }
        self.name(item.repo_tags.unwrap_or_default(), bytes);
        Ok(())
    }

    /// One image for every name; one without a name where there is none.
    fn name(&mut self, tags: Vec<String>, bytes: Vec<u8>) {
        let descriptor = Descriptor::of(media_type::OCI_MANIFEST, &bytes);
        self.archive
            .manifests
            .insert(descriptor.digest, bytes.into());
        let mut names: Vec<SourceName> = tags
            .into_iter()
            .map(|tag| match tag.parse() {
                Ok(reference) => SourceName::Full(reference),
                Err(_) => SourceName::Other(tag),
            })
            .collect();
        if names.is_empty() {
            names.push(SourceName::Unnamed);
        }
        self.archive
            .images
            .extend(names.into_iter().map(|name| SourceImage {
                name,
                descriptor: descriptor.clone(),
                new_digest: true,
            }));
    }

    fn diff_ids(&self, entry: &str, config: &[u8]) -> Result<Vec<Digest>, SourceError> {
        check_json(config).map_err(|error| SourceError::Json {
            source_name: self.archive.name.clone(),
            entry: entry.to_owned(),
            error,
        })?;
        let config: Config = serde_json::from_slice(config).map_err(|error| {
            self.form(
                entry,
                error.to_string().chars().take(200).collect::<String>(),
            )
        })?;
        Ok(config.rootfs.diff_ids.unwrap_or_default())
    }

    /// A layer that is not compressed has the digest that the config gives it, so it need not be read
    /// twice: whoever copies it will see. One that is compressed has to be hashed.
    fn layer(&mut self, name: &str, diff_id: Digest) -> Result<Descriptor, SourceError> {
        let place = self.place(name)?;
        let mut start = [0; 4];
        let wanted = usize::try_from(place.extent.size).map_or(4, |size| size.min(4));
        let read = place
            .file
            .read_exact_at(&mut start[..wanted], place.extent.offset);
        read.map_err(|error| self.io(name, error))?;
        let compressed = match start {
            [0x1f, 0x8b, ..] => Some(media_type::OCI_LAYER_GZIP),
            [0x28, 0xb5, 0x2f, 0xfd] => Some(media_type::OCI_LAYER_ZSTD),
            _ => None,
        };
        let digest = match compressed {
            Some(_) => self.hash(name, &place)?,
            None => diff_id,
        };
        let media_type = compressed
            .filter(|_| digest != diff_id)
            .unwrap_or(media_type::OCI_LAYER);
        self.blob(name, digest, place.extent)?;
        Ok(Descriptor::new(media_type, digest, place.extent.size))
    }

    fn hash(&mut self, name: &str, place: &Place) -> Result<Digest, SourceError> {
        if let Some(digest) = self.hashed.get(&place.extent.offset) {
            return Ok(*digest);
        }
        let reader = BlobReader::new(Arc::clone(&place.file), place.extent, 0);
        let mut reader = HashingReader::new(reader, Algorithm::Sha256);
        let mut buffer = vec![0; BUFFER_BYTES];
        while reader
            .read(&mut buffer)
            .map_err(|error| self.io(name, error))?
            > 0
        {}
        let (digest, _) = reader.finish();
        self.hashed.insert(place.extent.offset, digest);
        Ok(digest)
    }

    fn blob(&mut self, name: &str, digest: Digest, extent: Extent) -> Result<(), SourceError> {
        let first = *self.archive.blobs.entry(digest).or_insert(extent);
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
    fn place(&self, name: &str) -> Result<Place, SourceError> {
        let mut current = name.strip_prefix("./").unwrap_or(name);
        for _ in 0..=MAX_LINKS {
            let extent = self.contents.files.get(current).copied().or_else(|| {
                let digest = Digest::from_blob_path(current)?;
                self.contents.blobs.get(&digest).copied()
            });
            if let Some(extent) = extent {
                return Ok(Place {
                    file: Arc::clone(&self.archive.file),
                    extent,
                });
            }
            match self.contents.links.get(current) {
                Some(target) => current = target,
                None => break,
            }
        }
        Err(SourceError::Missing {
            source_name: self.archive.name.clone(),
            what: name.escape_debug().take(120).collect(),
        })
    }

    fn form(&self, entry: &str, what: impl Into<String>) -> SourceError {
        SourceError::Form {
            source_name: self.archive.name.clone(),
            entry: entry.escape_debug().take(120).collect(),
            what: what.into(),
        }
    }

    fn io(&self, entry: &str, source: std::io::Error) -> SourceError {
        let entry: String = entry.escape_debug().take(120).collect();
        SourceError::Io {
            path: format!("{entry} of {}", self.archive.name),
            source,
        }
    }
}

/// The digest that a config's name says: `<hex>.json` or `blobs/sha256/<hex>`.
fn digest_of_name(name: &str) -> Option<Digest> {
    let hex = name.strip_suffix(".json");
    hex.and_then(|hex| format!("sha256:{hex}").parse().ok())
        .or_else(|| Digest::from_blob_path(name))
}

impl LocalSource for DockerArchive {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> ImageSource {
        ImageSource::DockerArchive
    }

    fn images(&self) -> &[SourceImage] {
        &self.images
    }

    fn referrers(&self) -> &[SourceReferrer] {
        &[]
    }

    fn record(&self) -> Option<&Record> {
        None
    }

    fn manifest(&self, descriptor: &Descriptor) -> Result<Manifest, SourceError> {
        let Some(bytes) = self.manifests.get(&descriptor.digest) else {
            return Err(SourceError::Missing {
                source_name: self.name.clone(),
                what: descriptor.digest.to_string(),
            });
        };
        Manifest::parse_for(Arc::clone(bytes), descriptor).map_err(|error| SourceError::Manifest {
            source_name: self.name.clone(),
            digest: descriptor.digest,
            error,
        })
    }

    fn size(&self, digest: &Digest) -> Option<u64> {
        let manifest = self.manifests.get(digest).map(|bytes| bytes.len() as u64);
        manifest.or_else(|| self.blobs.get(digest).map(|extent| extent.size))
    }

    fn blob_at(&self, descriptor: &Descriptor, from: u64) -> Result<BlobReader, SourceError> {
        let place = self.blobs.get(&descriptor.digest).map(|extent| Place {
            file: Arc::clone(&self.file),
            extent: *extent,
        });
        let place = found(&self.name, Ok(place), descriptor)?;
        Ok(BlobReader::new(place.file, place.extent, from))
    }
}

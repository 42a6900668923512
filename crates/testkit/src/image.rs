//! Images made for tests: the same seed gives the same bytes, always.

mod artifact;

mod layer;

use std::collections::BTreeMap;
use std::sync::Arc;

use sealift_oci::{Descriptor, Digest, Platform, annotation, media_type};
use serde_json::{Value, json};

pub use artifact::{Artifact, cosign, cosign_tag, fallback_index};

pub use layer::{EMPTY_LAYER, Layer, Packing, filler};

use crate::Registry;

/// A manifest that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Media type, digest and size.
    pub descriptor: Descriptor,
    /// The bytes.
    pub bytes: Arc<[u8]>,
}

/// An image or artifact with all that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// What a tag would point at.
    pub root: Descriptor,
    /// Manifests and indexes, children before their index; the root is among them.
    pub manifests: Vec<Made>,
    /// Configs and layers.
    pub blobs: BTreeMap<Digest, Arc<[u8]>>,
    /// Tags that belong to it: cosign's, or that of a fallback index of referrers.
    pub tags: Vec<(String, Digest)>,
}

impl Image {
    fn empty() -> Self {
        let root = Descriptor::of("", b"");
        Self {
            root,
            manifests: Vec::new(),
            blobs: BTreeMap::new(),
            tags: Vec::new(),
        }
    }

    fn add_blob(&mut self, media_type: &str, bytes: impl Into<Arc<[u8]>>) -> Descriptor {
        let bytes = bytes.into();
        let descriptor = Descriptor::of(media_type, &bytes);
        self.blobs.insert(descriptor.digest, bytes);
        descriptor
    }

    /// Adds a manifest and makes it the root.
    fn add_manifest(&mut self, manifest: &Value) -> Descriptor {
        let bytes: Arc<[u8]> = manifest.to_string().into_bytes().into();
        let media_type = manifest["mediaType"].as_str().unwrap_or_default();
        let descriptor = Descriptor::of(media_type, &bytes);
        self.root = descriptor.clone();
        self.manifests.push(Made {
            descriptor: descriptor.clone(),
            bytes,
        });
        descriptor
    }

    /// The digest of the root.
    pub fn digest(&self) -> Digest {
        self.root.digest
    }

    /// Adds all of another image, of its signature for instance; the root stays.
    pub fn with(mut self, other: Self) -> Self {
        for made in other.manifests {
            if !self.manifests.contains(&made) {
                self.manifests.push(made);
            }
        }
        self.blobs.extend(other.blobs);
        self.tags.extend(other.tags);
        self
    }

    /// The manifest with this digest.
    pub fn manifest(&self, digest: &Digest) -> Option<&Made> {
        self.manifests
            .iter()
            .find(|made| made.descriptor.digest == *digest)
    }

    /// What the root index lists; nothing where the root is no index.
    pub fn children(&self) -> Vec<Descriptor> {
        self.manifest(&self.root.digest)
            .and_then(|made| serde_json::from_slice::<Value>(&made.bytes).ok())
            .and_then(|root| serde_json::from_value(root["manifests"].clone()).ok())
            .unwrap_or_default()
    }

    /// Every digest of it: manifests and blobs.
    pub fn digests(&self) -> Vec<Digest> {
        let manifests = self.manifests.iter().map(|made| made.descriptor.digest);
        manifests.chain(self.blobs.keys().copied()).collect()
    }

    /// Puts all of it into a registry, without HTTP, under a tag or under none.
    pub fn put_into(&self, registry: &Registry, repository: &str, tag: Option<&str>) {
        for (digest, bytes) in &self.blobs {
            registry.put_shared_blob(repository, *digest, Arc::clone(bytes));
        }
        for made in &self.manifests {
            let media_type = &made.descriptor.media_type;
            registry.put_manifest(repository, media_type, &made.bytes);
        }
        for (tag, digest) in &self.tags {
            registry.tag(repository, tag, *digest);
        }
        if let Some(tag) = tag {
            registry.tag(repository, tag, self.root.digest);
        }
    }

    /// Asserts that a repository has all of it, byte for byte, and the tag.
    pub fn assert_in(&self, registry: &Registry, repository: &str, tag: Option<&str>) {
        for (digest, bytes) in &self.blobs {
            let stored = registry.blob(repository, digest);
            assert_eq!(
                stored.as_deref(),
                Some(&bytes[..]),
                "blob {digest} in {repository}"
            );
        }
        for made in &self.manifests {
            let digest = made.descriptor.digest;
            let stored = registry.manifest(repository, &digest.to_string());
            let (media_type, bytes) =
                stored.unwrap_or_else(|| panic!("no manifest {digest} in {repository}"));
            assert_eq!(media_type, made.descriptor.media_type, "{digest}");
            assert_eq!(bytes, &made.bytes[..], "{digest}");
        }
        if let Some(tag) = tag {
            let tagged = registry.tagged(repository, tag);
            assert_eq!(tagged, Some(self.root.digest), "{repository}:{tag}");
        }
    }
}

/// Whose media types an image uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The OCI image specification's.
    Oci,
    /// Docker's, schema 2.
    Docker,
}

impl Format {
    fn index(self) -> &'static str {
        match self {
            Self::Oci => media_type::OCI_INDEX,
            Self::Docker => media_type::DOCKER_LIST,
        }
    }

    fn manifest(self) -> &'static str {
        match self {
            Self::Oci => media_type::OCI_MANIFEST,
            Self::Docker => media_type::DOCKER_MANIFEST,
        }
    }

    fn config(self) -> &'static str {
        match self {
            Self::Oci => media_type::OCI_CONFIG,
            Self::Docker => media_type::DOCKER_CONFIG,
        }
    }
}

/// Makes images.
///
/// ```
/// use sealift_testkit::{ImageMaker, Layer, Registry};
///
/// let image = ImageMaker::new("node")
///     .platforms(&["linux/amd64", "linux/arm64/v8"])
///     .layer(Layer::gzip("base", 20_000))
///     .layer(Layer::zstd("program", 50_000))
///     .attested()
///     .make();
/// let registry = Registry::start();
/// image.put_into(&registry, "calico/node", Some("v1"));
/// assert_eq!(registry.tagged("calico/node", "v1"), Some(image.digest()));
/// ```
#[derive(Clone, Debug)]
pub struct ImageMaker {
    seed: String,
    format: Format,
    platforms: Vec<Platform>,
    layers: Vec<Layer>,
    attested: bool,
    single: bool,
    annotations: BTreeMap<String, String>,
    labels: BTreeMap<String, String>,
}

impl ImageMaker {
    /// An image for linux/amd64 and linux/arm64, of OCI types, with an index.
    pub fn new(seed: &str) -> Self {
        Self {
            seed: seed.to_owned(),
            format: Format::Oci,
            platforms: vec![platform("linux/amd64"), platform("linux/arm64")],
            layers: Vec::new(),
            attested: false,
            single: false,
            annotations: BTreeMap::new(),
            labels: BTreeMap::new(),
        }
    }

    /// With Docker's media types.
    pub fn docker(mut self) -> Self {
        self.format = Format::Docker;
        self
    }

    /// For these platforms: `os/architecture[/variant][:os.version]`.
    pub fn platforms(mut self, names: &[&str]) -> Self {
        self.platforms = names.iter().map(|name| platform(name)).collect();
        self
    }

    /// Without an index: the first platform's manifest is the root.
    pub fn single(mut self) -> Self {
        self.single = true;
        self
    }

    /// With a layer more.
    pub fn layer(mut self, layer: Layer) -> Self {
        self.layers.push(layer);
        self
    }

    /// With an attestation for each platform, as `BuildKit` attaches them.
    pub fn attested(mut self) -> Self {
        self.attested = true;
        self
    }

    /// With an annotation on the root.
    pub fn annotation(mut self, key: &str, value: &str) -> Self {
        self.annotations.insert(key.to_owned(), value.to_owned());
        self
    }

    /// With a label in its configs.
    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.labels.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Makes it.
    pub fn make(&self) -> Image {
        let mut image = Image::empty();
        if self.single {
            let platform = self.platforms.first().cloned();
            let platform = platform.unwrap_or_else(|| self::platform("linux/amd64"));
            self.manifest(&mut image, &platform, &self.annotations);
            return image;
        }
        let mut children = Vec::new();
        for platform in &self.platforms {
            let mut child = self.manifest(&mut image, platform, &BTreeMap::new());
            child.platform = Some(platform.clone());
            children.push(child);
        }
        if self.attested {
            let attestations: Vec<Descriptor> = children
                .iter()
                .map(|child| self.attestation(&mut image, child))
                .collect();
            children.extend(attestations);
        }
        image.add_manifest(&index(self.format.index(), &children, &self.annotations));
        image
    }

    fn manifest(
        &self,
        image: &mut Image,
        platform: &Platform,
        annotations: &BTreeMap<String, String>,
    ) -> Descriptor {
        let mut layers = Vec::new();
        let mut contents = Vec::new();
        for layer in &self.layers {
            let (content, packed) = layer.make(&platform.to_string());
            layers.push(image.add_blob(layer.media_type(self.format), packed));
            contents.push(content);
        }
        let mut config = json!({
            "created": "1970-01-01T00:00:00Z",
            "config": {
                "Env": ["PATH=/bin", format!("SEED={}", self.seed)],
                "Cmd": ["/bin/true"],
            },
            "rootfs": { "type": "layers", "diff_ids": contents },
            "history": self.layers.iter().map(|layer| json!({
                "created": "1970-01-01T00:00:00Z",
                "created_by": layer.seed(),
            })).collect::<Vec<Value>>(),
        });
        if !self.labels.is_empty() {
            config["config"]["Labels"] = json!(self.labels);
        }
        merge(&mut config, json!(platform));
        let config = image.add_blob(self.format.config(), config.to_string().into_bytes());
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": self.format.manifest(),
            "config": config,
            "layers": layers,
        });
        if !annotations.is_empty() {
            manifest["annotations"] = json!(annotations);
        }
        image.add_manifest(&manifest)
    }

    fn attestation(&self, image: &mut Image, subject: &Descriptor) -> Descriptor {
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v0.1",
            "predicateType": "https://slsa.dev/provenance/v0.2",
            "subject": [{ "name": self.seed, "digest": { "sha256": subject.digest.hex() } }],
            "predicate": { "seed": self.seed },
        });
        let layer = image
            .add_blob(
                "application/vnd.in-toto+json",
                statement.to_string().into_bytes(),
            )
            .with_annotation(
                "in-toto.io/predicate-type",
                "https://slsa.dev/provenance/v0.2",
            );
        let diff = layer.digest;
        let config = json!({
            "architecture": "unknown",
            "os": "unknown",
            "config": {},
            "rootfs": { "type": "layers", "diff_ids": [diff] },
        });
        let config = image.add_blob(media_type::OCI_CONFIG, config.to_string().into_bytes());
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": media_type::OCI_MANIFEST,
            "config": config,
            "layers": [layer],
        });
        let mut child = image
            .add_manifest(&manifest)
            .with_annotation(
                annotation::DOCKER_REFERENCE_TYPE,
                annotation::ATTESTATION_MANIFEST,
            )
            .with_annotation(
                annotation::DOCKER_REFERENCE_DIGEST,
                subject.digest.to_string(),
            );
        child.platform = Some(platform("unknown/unknown"));
        child
    }
}

/// An index of other images' roots, which may be indexes themselves.
pub fn nested(format: Format, images: &[Image]) -> Image {
    let mut all = Image::empty();
    for image in images {
        all = all.with(image.clone());
    }
    let children: Vec<Descriptor> = images.iter().map(|image| image.root.clone()).collect();
    all.add_manifest(&index(format.index(), &children, &BTreeMap::new()));
    all
}

fn index(
    media_type: &str,
    children: &[Descriptor],
    annotations: &BTreeMap<String, String>,
) -> Value {
    let mut index = json!({
        "schemaVersion": 2,
        "mediaType": media_type,
        "manifests": children,
    });
    if !annotations.is_empty() {
        index["annotations"] = json!(annotations);
    }
    index
}

fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}

/// A platform from `os/architecture[/variant][:os.version]`.
pub fn platform(name: &str) -> Platform {
    let (names, version) = name.split_once(':').unwrap_or((name, ""));
    let mut parts = names.split('/').map(str::to_owned);
    Platform {
        os: parts.next().unwrap_or_default(),
        architecture: parts.next().unwrap_or_default(),
        variant: parts.next(),
        os_version: (!version.is_empty()).then(|| version.to_owned()),
        os_features: Vec::new(),
    }
}

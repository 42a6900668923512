//! Makes artifacts such as signatures, for tests.

use std::collections::BTreeMap;

use sealift_oci::{Descriptor, Digest, annotation, media_type};
use serde_json::{Value, json};

use super::{Image, index};

/// Makes artifacts: manifests of the image kind that are no images, referrers among them.
#[derive(Clone, Debug)]
pub struct Artifact {
    kind: String,
    config: (String, Vec<u8>),
    files: Vec<(Descriptor, Vec<u8>)>,
    subject: Option<Descriptor>,
    annotations: BTreeMap<String, String>,
}

impl Artifact {
    /// Without layers and with the empty config.
    pub fn new(artifact_type: &str) -> Self {
        Self {
            kind: artifact_type.to_owned(),
            config: (media_type::OCI_EMPTY.to_owned(), b"{}".to_vec()),
            files: Vec::new(),
            subject: None,
            annotations: BTreeMap::new(),
        }
    }

    /// With a config of its own.
    pub fn config(mut self, media_type: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.config = (media_type.to_owned(), bytes.into());
        self
    }

    /// With a file as a layer, titled by its name.
    pub fn file(mut self, media_type: &str, name: &str, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        let descriptor = Descriptor::of(media_type, &bytes);
        let descriptor = descriptor.with_annotation(annotation::TITLE, name);
        self.files.push((descriptor, bytes));
        self
    }

    /// With a layer that has these annotations.
    pub fn layer(
        mut self,
        media_type: &str,
        bytes: impl Into<Vec<u8>>,
        annotations: &[(&str, &str)],
    ) -> Self {
        let bytes = bytes.into();
        let mut descriptor = Descriptor::of(media_type, &bytes);
        for (key, value) in annotations {
            descriptor = descriptor.with_annotation(key, *value);
        }
        self.files.push((descriptor, bytes));
        self
    }

    /// Refers to this.
    pub fn subject(mut self, subject: &Descriptor) -> Self {
        let plain = Descriptor::new(&subject.media_type, subject.digest, subject.size);
        self.subject = Some(plain);
        self
    }

    /// With an annotation.
    pub fn annotation(mut self, key: &str, value: &str) -> Self {
        self.annotations.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Makes it.
    pub fn make(&self) -> Image {
        let mut image = Image::empty();
        let config = image.add_blob(&self.config.0, self.config.1.clone());
        let mut layers = Vec::new();
        for (descriptor, bytes) in &self.files {
            image.add_blob(&descriptor.media_type, bytes.clone());
            layers.push(descriptor.clone());
        }
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": media_type::OCI_MANIFEST,
            "config": config,
            "layers": layers,
        });
        let mut set = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                manifest[key] = value;
            }
        };
        let has_type = !self.kind.is_empty();
        set("artifactType", has_type.then(|| json!(self.kind)));
        set(
            "subject",
            self.subject.as_ref().map(|subject| json!(subject)),
        );
        let annotated = !self.annotations.is_empty();
        set("annotations", annotated.then(|| json!(self.annotations)));
        image.add_manifest(&manifest);
        image
    }
}

/// cosign's tag for what belongs to a digest: `sha256-<hex>.<suffix>`, with `sig`, `att` or `sbom`.
pub fn cosign_tag(digest: &Digest, suffix: &str) -> String {
    format!("{}-{}.{suffix}", digest.algorithm(), digest.hex())
}

/// What cosign puts beside an image under its tag convention, with that tag. The signature in it is
/// no signature of anything.
pub fn cosign(subject: &Descriptor, suffix: &str) -> Image {
    let (layer_type, key) = match suffix {
        "att" => ("application/vnd.dsse.envelope.v1+json", "predicateType"),
        "sbom" => ("text/spdx+json", "org.opencontainers.image.title"),
        _ => (
            "application/vnd.dev.cosign.simplesigning.v1+json",
            "dev.cosignproject.cosign/signature",
        ),
    };
    let payload = json!({
        "critical": {
            "identity": { "docker-reference": "" },
            "image": { "docker-manifest-digest": subject.digest },
            "type": format!("cosign container image {suffix}"),
        },
        "optional": null,
    });
    let payload = payload.to_string().into_bytes();
    let config = json!({
        "architecture": "",
        "os": "",
        "config": {},
        "rootfs": { "type": "layers", "diff_ids": [Digest::sha256(&payload)] },
    });
    let mut image = Artifact::new("")
        .config(media_type::OCI_CONFIG, config.to_string().into_bytes())
        .layer(layer_type, payload, &[(key, "bm90IGEgc2lnbmF0dXJl")])
        .make();
    let tag = cosign_tag(&subject.digest, suffix);
    image.tags.push((tag, image.root.digest));
    image
}

/// The index that stands in for the referrers API, under its tag, with the referrers in it.
pub fn fallback_index(subject: &Digest, referrers: &[Image]) -> Image {
    let mut all = Image::empty();
    let mut children = Vec::new();
    for referrer in referrers {
        all = all.with(referrer.clone());
        let mut child = referrer.root.clone();
        let manifest = referrer
            .manifest(&child.digest)
            .and_then(|made| serde_json::from_slice::<Value>(&made.bytes).ok())
            .unwrap_or_default();
        child.artifact_type = manifest["artifactType"]
            .as_str()
            .or(manifest["config"]["mediaType"].as_str())
            .map(str::to_owned);
        children.push(child);
    }
    all.add_manifest(&index(media_type::OCI_INDEX, &children, &BTreeMap::new()));
    let tag = subject.referrers_tag();
    all.tags.push((tag, all.root.digest));
    all
}

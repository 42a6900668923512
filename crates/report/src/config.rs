//! What a publisher says about an image in its config and annotations: when it was built, from what.

use std::collections::BTreeMap;

use sealift_archive::Bundle;
use sealift_oci::{Digest, ImageConfig};
use serde::Serialize;

use crate::error::ReportError;
use crate::layers::corrupt;

/// The most characters of a value that are shown.
const MAX_VALUE: usize = 300;
/// Labels and annotations that are shown, without `org.opencontainers.image.`, and what they are called.
const SHOWN: [(&str, &str); 8] = [
    ("title", "title"),
    ("version", "version"),
    ("revision", "source revision"),
    ("source", "source code"),
    ("url", "web page"),
    ("vendor", "vendor"),
    ("licenses", "licences"),
    ("base.name", "base image"),
];

/// What a publisher says about an image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Publisher {
    /// When it was built, as the config states it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Labels of the image specification, by what they are called.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<&'static str, String>,
    /// Why the config was not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Reads the config of an image, and the annotations of its manifest, which count where both say something.
///
/// # Errors
/// If the config does not have its digest.
pub(crate) fn publisher(
    bundle: &Bundle,
    manifest: &Digest,
    config: Option<&Digest>,
) -> Result<Publisher, ReportError> {
    let mut publisher = Publisher::default();
    if let Some(digest) = config {
        let config = bundle.image_config(digest);
        match config.map_err(|error| corrupt(bundle, digest, &error))? {
            Ok(config) => publisher.take(&config),
            Err(problem) => publisher.problem = Some(short(&problem.to_string())),
        }
    }
    if let Ok(Some(manifest)) = bundle.manifest(manifest) {
        publisher.add(manifest.annotations());
    }
    Ok(publisher)
}

impl Publisher {
    fn take(&mut self, config: &ImageConfig) {
        self.created = config.created.as_deref().map(short);
        self.add(&config.labels);
    }

    fn add(&mut self, labels: &BTreeMap<String, String>) {
        for (key, name) in SHOWN {
            let value = labels.get(&format!("org.opencontainers.image.{key}"));
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                self.labels.insert(name, short(value));
            }
        }
    }
}

/// `text`, cut where it is too long to show.
fn short(text: &str) -> String {
    let mut short: String = text.chars().take(MAX_VALUE).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

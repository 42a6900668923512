//! A receipt read back: what a load put where.

use std::collections::BTreeMap;

use sealift_archive::Identity;
use sealift_oci::{
    Destination, DestinationError, Digest, MapRule, Naming, NamingError, Reference, ReferenceError,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// What a receipt says about the images at a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The bundle that was loaded.
    pub bundle: Identity,
    /// The registry, and the path below which everything is.
    pub destination: Destination,
    /// The images that are there, by their names in the bundle.
    pub images: BTreeMap<Reference, LoadedImage>,
}

/// An image at a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadedImage {
    /// Its name there.
    pub name: Reference,
    /// The digest of its manifest or index there.
    pub digest: Digest,
    /// The publisher's index, where `digest` is a new one with a choice of its platforms.
    pub original: Option<Digest>,
}

/// Why a file is not a receipt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {reason} (expected a receipt of a load)")]
pub struct ReceiptError {
    name: String,
    reason: String,
}

impl ReceiptError {
    pub(crate) fn new(name: &str, reason: String) -> Self {
        Self {
            name: name.to_owned(),
            reason,
        }
    }
}

/// Reads of a receipt what is asked for; `name` is its file's name, for messages.
pub(crate) fn parse<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T, ReceiptError> {
    serde_json::from_slice(bytes).map_err(|fault| ReceiptError::new(name, fault.to_string()))
}

/// The destination that a receipt states.
pub(crate) fn destination(name: &str, text: &str) -> Result<Destination, ReceiptError> {
    text.parse()
        .map_err(|fault: DestinationError| ReceiptError::new(name, fault.to_string()))
}

#[derive(Deserialize)]
struct RawReceipt {
    bundle: Identity,
    destination: String,
    names: Vec<RawName>,
}

#[derive(Deserialize)]
struct RawName {
    kind: String,
    source: String,
    destination: String,
    digest: Digest,
    #[serde(default)]
    original: Option<Digest>,
}

impl Loaded {
    /// Reads a receipt; `name` is its file's name, for messages.
    ///
    /// # Errors
    /// If it is not a receipt.
    pub fn read(name: &str, bytes: &[u8]) -> Result<Self, ReceiptError> {
        let raw: RawReceipt = parse(name, bytes)?;
        let mut images = BTreeMap::new();
        for image in raw.names.into_iter().filter(|name| name.kind == "image") {
            let reference = |text: &str| -> Result<Reference, ReceiptError> {
                text.parse()
                    .map_err(|fault: ReferenceError| ReceiptError::new(name, fault.to_string()))
            };
            let loaded = LoadedImage {
                name: reference(&image.destination)?,
                digest: image.digest,
                original: image.original,
            };
            images.insert(reference(&image.source)?, loaded);
        }
        Ok(Self {
            bundle: raw.bundle,
            destination: destination(name, &raw.destination)?,
            images,
        })
    }

    /// The naming that gives each image its name at the destination: the rule that explains the names, or one
    /// explicit map for each image.
    ///
    /// # Errors
    /// If an image is not below the destination.
    pub fn names(&self) -> Result<Naming, NamingError> {
        if let Some(naming) = self.naming() {
            return Ok(naming);
        }
        let path = self.destination.path();
        let path = path.map_or_else(String::new, |path| format!("{path}/"));
        let maps = self.images.iter().map(|(image, loaded)| {
            let there = loaded.name.repository();
            let below = there.strip_prefix(&path).unwrap_or(there);
            format!("{}={below}", image.name()).parse::<MapRule>()
        });
        let maps: Vec<MapRule> = maps.collect::<Result<_, _>>()?;
        Ok(Naming::default().with_maps(maps))
    }

    /// The naming that the load used; `None` if no rule explains the names, for example because some were
    /// named by explicit maps.
    pub fn naming(&self) -> Option<Naming> {
        let pairs = self.images.iter();
        let pairs: Vec<(Reference, Reference)> = pairs
            .map(|(image, loaded)| (image.clone(), loaded.name.clone()))
            .collect();
        Naming::explaining(&pairs, &self.destination)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const RECEIPT: &str = r#"{
        "bundle": "DIGEST",
        "destination": "r.corp/a",
        "totals": {},
        "names": [
            {
                "kind": "image",
                "source": "quay.io/calico/node:v1",
                "destination": "r.corp/a/node:v1",
                "digest": "DIGEST"
            },
            {
                "kind": "file",
                "source": "values.yaml",
                "destination": "r.corp/a/files/values.yaml:1",
                "digest": "DIGEST"
            }
        ]
    }"#;

    #[test]
    fn a_receipt_reads_back_as_the_images_and_their_naming() {
        let receipt = RECEIPT.replace("DIGEST", &Digest::sha256(b"m").to_string());
        let loaded = Loaded::read("r.json", receipt.as_bytes()).unwrap();
        assert_eq!(loaded.images.len(), 1);
        let rule = loaded.naming().unwrap().rule();
        assert_eq!(rule, sealift_oci::NamingRule::Flat);
    }

    #[test]
    fn names_that_no_rule_explains_are_mapped_one_by_one() {
        let receipt = RECEIPT
            .replace("DIGEST", &Digest::sha256(b"m").to_string())
            .replace("r.corp/a/node:v1", "r.corp/a/net/n:v1");
        let loaded = Loaded::read("r.json", receipt.as_bytes()).unwrap();
        assert_eq!(loaded.naming(), None);
        let names = loaded.names().unwrap();
        let image = "quay.io/calico/node:v1".parse().unwrap();
        let there = names.reference_at(&image, &loaded.destination).unwrap();
        assert_eq!(there.to_string(), "r.corp/a/net/n:v1");
    }

    #[test]
    fn what_is_not_a_receipt_is_refused_by_name() {
        for text in ["", "[]", "{}", r#"{"bundle": 1}"#] {
            let error = Loaded::read("r.json", text.as_bytes()).unwrap_err();
            assert!(error.to_string().starts_with("r.json: "), "{error}");
        }
    }
}

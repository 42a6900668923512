//! Manifests: the bytes as they came, and a typed view of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use crate::digest::shorten;
use crate::{Descriptor, Digest, JsonError, check_json, media_type};

/// The most bytes a manifest may have: what distribution-spec asks registries to accept, and where the
/// common ones stop.
pub const MAX_MANIFEST_BYTES: usize = 4 << 20;

/// What a manifest is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An index (or Docker manifest list): its children are manifests.
    Index,
    /// An image manifest, of an image or of an artifact: its children are blobs.
    Image,
}

/// A manifest as it came: the bytes are kept, the view is read from them once.
#[derive(Clone, PartialEq, Eq)]
pub struct Manifest {
    bytes: Arc<[u8]>,
    digest: Digest,
    media_type: String,
    kind: Kind,
    view: View,
}

/// Why bytes are no manifest that can be carried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// More bytes than [`MAX_MANIFEST_BYTES`].
    #[error(
        "the manifest has {size} bytes, more than the {MAX_MANIFEST_BYTES} that registries accept"
    )]
    TooLarge {
        /// Its size.
        size: u64,
    },
    /// Not JSON, or JSON that two readers could understand differently.
    #[error("the manifest is not acceptable JSON: {0}")]
    Json(#[from] JsonError),
    /// JSON without the fields of a manifest.
    #[error("the manifest does not have a manifest's form: {reason}")]
    Form {
        /// Which field, and what was expected.
        reason: String,
    },
    /// The body names another media type than the descriptor or the registry did (CVE-2021-41190).
    #[error("the manifest says that it is {body:?} but was announced as {announced:?}")]
    MediaType {
        /// The body's `mediaType`.
        body: String,
        /// The descriptor's or the `Content-Type`.
        announced: String,
    },
    /// Both an index's and an image's fields (CVE-2021-41190).
    #[error("the manifest has the fields of an index and of an image manifest at once")]
    Ambiguous,
    /// Docker's schema 1, which no registry takes any more.
    #[error(
        "the manifest is of Docker's schema 1, which current registries refuse (publish the image again with a current tool)"
    )]
    Schema1,
    /// A type that is neither index nor manifest.
    #[error("{media_type:?} is not the type of a manifest or an index")]
    Unknown {
        /// The type, shortened.
        media_type: String,
    },
    /// The bytes have another digest than expected.
    #[error("the manifest has digest {actual}, not {expected}")]
    Digest {
        /// What the descriptor or reference asks for.
        expected: Digest,
        /// What the bytes have.
        actual: Digest,
    },
    /// The bytes are more or fewer than the descriptor says.
    #[error("the manifest has {actual} bytes, its descriptor says {expected}")]
    Size {
        /// What the descriptor says.
        expected: u64,
        /// How many there are.
        actual: u64,
    },
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct View {
    #[serde(default)]
    media_type: Option<String>,
    #[serde(default)]
    artifact_type: Option<String>,
    #[serde(default)]
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Option<Vec<Descriptor>>,
    #[serde(default)]
    blobs: Option<Vec<Descriptor>>,
    #[serde(default)]
    manifests: Option<Vec<Descriptor>>,
    #[serde(default)]
    subject: Option<Descriptor>,
    #[serde(default, deserialize_with = "crate::json::null_as_default")]
    annotations: BTreeMap<String, String>,
}

/// What the view of a manifest depends on.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Probe {
    schema_version: Option<serde_json::Value>,
    /// Whether the list is written as `null`, as Go writes an empty one.
    #[serde(default, rename = "manifests", deserialize_with = "is_null")]
    null_manifests: bool,
    #[serde(default, rename = "layers", deserialize_with = "is_null")]
    null_layers: bool,
}

fn is_null<'de, D: serde::Deserializer<'de>>(field: D) -> Result<bool, D::Error> {
    Ok(Option::<serde::de::IgnoredAny>::deserialize(field)?.is_none())
}

impl Manifest {
    /// Reads a manifest whose digest nobody announced; it is computed by SHA-256.
    ///
    /// `announced` is the media type that came with the bytes, from a descriptor or a registry's
    /// `Content-Type`. A body that names its own type must agree with it.
    pub fn parse(
        bytes: impl Into<Arc<[u8]>>,
        announced: Option<&str>,
    ) -> Result<Self, ManifestError> {
        let bytes = bytes.into();
        let digest = Digest::sha256(&bytes);
        Self::read(bytes, digest, announced)
    }

    /// Reads a manifest that must have the digest `expected`.
    pub fn parse_as(
        bytes: impl Into<Arc<[u8]>>,
        announced: Option<&str>,
        expected: &Digest,
    ) -> Result<Self, ManifestError> {
        let bytes = bytes.into();
        let actual = Digest::of(expected.algorithm(), &bytes);
        if actual != *expected {
            return Err(ManifestError::Digest {
                expected: *expected,
                actual,
            });
        }
        Self::read(bytes, actual, announced)
    }

    /// Reads the manifest that `descriptor` points at: size, digest and media type must agree.
    pub fn parse_for(
        bytes: impl Into<Arc<[u8]>>,
        descriptor: &Descriptor,
    ) -> Result<Self, ManifestError> {
        let bytes = bytes.into();
        if bytes.len() as u64 != descriptor.size {
            return Err(ManifestError::Size {
                expected: descriptor.size,
                actual: bytes.len() as u64,
            });
        }
        Self::parse_as(bytes, Some(&descriptor.media_type), &descriptor.digest)
    }

    fn read(
        bytes: Arc<[u8]>,
        digest: Digest,
        announced: Option<&str>,
    ) -> Result<Self, ManifestError> {
        if bytes.len() > MAX_MANIFEST_BYTES {
            return Err(ManifestError::TooLarge {
                size: bytes.len() as u64,
            });
        }
        check_json(&bytes)?;
        let probe: Probe = from_slice(&bytes)?;
        check_schema_version(probe.schema_version.as_ref())?;
        let mut view: View = from_slice(&bytes)?;
        let media_type = media_type_of(&view, announced)?;
        let (list, null) = if media_type::is_index(&media_type) {
            (&mut view.manifests, probe.null_manifests)
        } else {
            (&mut view.layers, probe.null_layers)
        };
        if null {
            *list = Some(Vec::new());
        }
        let kind = kind_of(&view, &media_type)?;
        Ok(Self {
            bytes,
            digest,
            media_type,
            kind,
            view,
        })
    }

    /// The bytes, as they came.
    pub fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    /// The digest of the bytes.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The size of the bytes.
    pub fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// The media type to store and announce it under.
    pub fn media_type(&self) -> &str {
        &self.media_type
    }

    /// Index or image manifest.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// A descriptor of it: media type, digest and size.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor::new(&self.media_type, self.digest, self.size())
    }

    /// The manifests that an index lists; empty for an image manifest.
    pub fn children(&self) -> &[Descriptor] {
        self.view.manifests.as_deref().unwrap_or_default()
    }

    /// The config of an image manifest.
    pub fn config(&self) -> Option<&Descriptor> {
        self.view.config.as_ref()
    }

    /// The layers of an image manifest, base first.
    pub fn layers(&self) -> &[Descriptor] {
        let layers = self.view.layers.as_deref();
        layers.or(self.view.blobs.as_deref()).unwrap_or_default()
    }

    /// Every blob that the manifest needs: config, then layers. Empty for an index.
    pub fn blobs(&self) -> impl Iterator<Item = &Descriptor> {
        self.config().into_iter().chain(self.layers())
    }

    /// What it refers to, for a referrer.
    pub fn subject(&self) -> Option<&Descriptor> {
        self.view.subject.as_ref()
    }

    /// What kind of artifact it is: its `artifactType`, else its config's media type
    /// (distribution-spec, "Listing Referrers").
    pub fn artifact_type(&self) -> Option<&str> {
        let own = self.view.artifact_type.as_deref().filter(|t| !t.is_empty());
        own.or_else(|| self.config().map(|config| config.media_type.as_str()))
    }

    /// Its annotations.
    pub fn annotations(&self) -> &BTreeMap<String, String> {
        &self.view.annotations
    }
}

impl std::fmt::Debug for Manifest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Manifest")
            .field("digest", &self.digest)
            .field("media_type", &self.media_type)
            .field("bytes", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

fn from_slice<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, ManifestError> {
    serde_json::from_slice(bytes).map_err(|error| ManifestError::Form {
        reason: shorten(&error.to_string()),
    })
}

fn check_schema_version(version: Option<&serde_json::Value>) -> Result<(), ManifestError> {
    match version.and_then(serde_json::Value::as_u64) {
        Some(2) => Ok(()),
        Some(1) => Err(ManifestError::Schema1),
        // The withdrawn artifact manifest has no schemaVersion; its type is checked later.
        None if version.is_none() => Ok(()),
        _ => Err(ManifestError::Form {
            reason: "schemaVersion is not 2".to_owned(),
        }),
    }
}

fn media_type_of(view: &View, announced: Option<&str>) -> Result<String, ManifestError> {
    let body = view.media_type.as_deref().filter(|body| !body.is_empty());
    // Web servers in front of registries add parameters to the type.
    let announced = announced
        .map(|announced| announced.split(';').next().unwrap_or_default().trim())
        .filter(|announced| media_type::is_manifest(announced) || body.is_none());
    match (body, announced) {
        (Some(body), Some(announced)) if body != announced => Err(ManifestError::MediaType {
            body: shorten(body),
            announced: shorten(announced),
        }),
        (Some(body), _) => Ok(body.to_owned()),
        (None, Some(announced)) if media_type::is_manifest(announced) => Ok(announced.to_owned()),
        (None, _) => guess(view),
    }
}

/// The type of a body that no one named one for: OCI's `mediaType` is only a SHOULD, Docker's is not.
fn guess(view: &View) -> Result<String, ManifestError> {
    if view.manifests.is_some() {
        Ok(media_type::OCI_INDEX.to_owned())
    } else if view.config.is_some() && view.layers.is_some() {
        Ok(media_type::OCI_MANIFEST.to_owned())
    } else {
        Err(ManifestError::Form {
            reason: "neither an index's manifests nor a manifest's config and layers".to_owned(),
        })
    }
}

fn kind_of(view: &View, media_type: &str) -> Result<Kind, ManifestError> {
    let form = |reason: &str| ManifestError::Form {
        reason: reason.to_owned(),
    };
    if view.manifests.is_some()
        && (view.layers.is_some() || view.config.is_some() || view.blobs.is_some())
    {
        return Err(ManifestError::Ambiguous);
    }
    if media_type::is_index(media_type) {
        return match view.manifests {
            Some(_) => Ok(Kind::Index),
            None => Err(form("an index without a list of manifests")),
        };
    }
    match media_type {
        media_type::OCI_ARTIFACT_MANIFEST => Ok(Kind::Image),
        media_type::OCI_MANIFEST | media_type::DOCKER_MANIFEST => {
            if view.config.is_none() {
                Err(form("an image manifest without a config"))
            } else if view.layers.is_none() {
                Err(form("an image manifest without a list of layers"))
            } else {
                Ok(Kind::Image)
            }
        }
        other if other.starts_with("application/vnd.docker.distribution.manifest.v1") => {
            Err(ManifestError::Schema1)
        }
        other => Err(ManifestError::Unknown {
            media_type: shorten(other),
        }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const HEX: &str = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

    fn image(extra: &str) -> String {
        format!(
            r#"{{"schemaVersion":2,{extra}"config":{{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:{HEX}","size":2}},"layers":[]}}"#
        )
    }

    fn parse(text: &str) -> Result<Manifest, ManifestError> {
        Manifest::parse(text.as_bytes(), None)
    }

    #[test]
    fn null_means_an_empty_list() {
        let index = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","manifests":null}}"#,
            media_type::OCI_INDEX
        );
        let index = parse(&index).unwrap();
        assert_eq!((index.kind(), index.children().len()), (Kind::Index, 0));
        let text = image(r#""mediaType":"application/vnd.oci.image.manifest.v1+json","#);
        let none = text.replace("\"layers\":[]", "\"layers\":null,\"manifests\":null");
        assert_eq!(parse(&none).unwrap().layers().len(), 0);
        let layer =
            format!(r#"[{{"mediaType":"a/b","digest":"sha256:{HEX}","size":2,"urls":null}}]"#);
        let urls = parse(&text.replace("[]", &layer)).unwrap();
        assert!(urls.layers()[0].urls.is_empty());
    }

    #[test]
    fn embedded_content_counts_only_where_size_and_digest_are_right() {
        let digest: Digest = format!("sha256:{HEX}").parse().unwrap();
        let with = |data: &str, size| Descriptor {
            data: Some(data.to_owned()),
            ..Descriptor::new("a/b", digest, size)
        };
        assert_eq!(with("e30=", 2).embedded().unwrap(), b"{}");
        assert_eq!(with("e30=", 3).embedded(), None);
        assert_eq!(with("W10=", 2).embedded(), None);
        assert_eq!(with("?", 2).embedded(), None);
    }

    #[test]
    fn the_bytes_stay_as_they_came() {
        let text = image("  \"unknown\" : [1.0e2],\n");
        let manifest = parse(&text).unwrap();
        assert_eq!(&manifest.bytes()[..], text.as_bytes());
        assert_eq!(*manifest.digest(), Digest::sha256(text.as_bytes()));
        assert_eq!(manifest.media_type(), media_type::OCI_MANIFEST);
        assert_eq!(manifest.blobs().count(), 1);
    }

    #[test]
    fn a_body_of_another_type_than_announced_is_refused() {
        let text = image(r#""mediaType":"application/vnd.oci.image.manifest.v1+json","#);
        assert!(matches!(
            Manifest::parse(text.as_bytes(), Some(media_type::DOCKER_MANIFEST)),
            Err(ManifestError::MediaType { .. })
        ));
        assert!(
            Manifest::parse(
                text.as_bytes(),
                Some("application/vnd.oci.image.manifest.v1+json; charset=utf-8")
            )
            .is_ok()
        );
        assert!(Manifest::parse(text.as_bytes(), Some("text/plain")).is_ok());
    }

    #[test]
    fn an_image_announced_as_an_index_is_refused() {
        assert!(Manifest::parse(image("").as_bytes(), Some(media_type::OCI_INDEX)).is_err());
    }

    #[test]
    fn a_body_that_is_both_is_refused() {
        assert_eq!(
            parse(&image(r#""manifests":[],"#)),
            Err(ManifestError::Ambiguous)
        );
    }

    #[test]
    fn other_schema_versions_are_refused() {
        assert_eq!(
            parse(r#"{"schemaVersion":1,"fsLayers":[]}"#),
            Err(ManifestError::Schema1)
        );
        assert!(parse(r#"{"schemaVersion":"2","manifests":[]}"#).is_err());
    }

    #[test]
    fn descriptors_must_be_whole_and_sizes_not_negative() {
        for descriptor in [
            format!(r#"{{"digest":"sha256:{HEX}","size":2}}"#),
            r#"{"mediaType":"a/b","size":2}"#.to_owned(),
            format!(r#"{{"mediaType":"a/b","digest":"sha256:{HEX}"}}"#),
            format!(r#"{{"mediaType":"a/b","digest":"sha256:{HEX}","size":-1}}"#),
            r#"{"mediaType":"a/b","digest":"md5:00","size":1}"#.to_owned(),
        ] {
            let text = format!(r#"{{"schemaVersion":2,"manifests":[{descriptor}]}}"#);
            assert!(
                matches!(parse(&text), Err(ManifestError::Form { .. })),
                "{text}"
            );
        }
    }

    #[test]
    fn a_manifest_over_four_mebibytes_is_refused() {
        let text = image(&format!(r#""x":"{}","#, "a".repeat(MAX_MANIFEST_BYTES)));
        assert!(matches!(parse(&text), Err(ManifestError::TooLarge { .. })));
    }

    #[test]
    fn size_and_digest_of_the_descriptor_must_agree() {
        let text = image("");
        let manifest = parse(&text).unwrap();
        let mut descriptor = manifest.descriptor();
        assert_eq!(
            Manifest::parse_for(text.as_bytes(), &descriptor).unwrap(),
            manifest
        );
        descriptor.size += 1;
        assert!(matches!(
            Manifest::parse_for(text.as_bytes(), &descriptor),
            Err(ManifestError::Size { .. })
        ));
        descriptor.size -= 1;
        descriptor.digest = Digest::sha256(b"");
        assert!(matches!(
            Manifest::parse_for(text.as_bytes(), &descriptor),
            Err(ManifestError::Digest { .. })
        ));
    }

    #[test]
    fn the_artifact_type_is_the_manifests_own_or_its_configs() {
        assert_eq!(
            parse(&image("")).unwrap().artifact_type(),
            Some(media_type::OCI_EMPTY)
        );
        let text = image(r#""artifactType":"application/x","#);
        assert_eq!(parse(&text).unwrap().artifact_type(), Some("application/x"));
    }
}

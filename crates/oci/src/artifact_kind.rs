//! What an artifact that belongs to an image is: a signature, an attestation, an SBOM. Decided here and nowhere
//! else, by the media types that cosign, notation, `BuildKit`, oras and others write.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use crate::Manifest;
use crate::digest::shorten;

/// The class of an artifact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArtifactClass {
    /// A signature.
    Signature,
    /// Signed or unsigned statements about an image: how it was built, what was scanned.
    Attestation,
    /// A list of what an image consists of.
    Sbom,
    /// Something else.
    Other,
}

/// What an artifact is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ArtifactKind {
    /// Its class.
    pub class: ArtifactClass,
    /// What is known beyond that: who wrote it, the predicates of an attestation, the format of an SBOM; the
    /// artifact type of what has no class.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
}

const COSIGN_SIGNATURE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const COSIGN_ARTIFACT: &str = "application/vnd.dev.cosign.artifact.";
const NOTATION: &str = "application/vnd.cncf.notary.signature";
const SIGSTORE_BUNDLE: &str = "application/vnd.dev.sigstore.bundle";
const IN_TOTO: &str = "application/vnd.in-toto";
const ENVELOPE: &str = "application/vnd.dsse.envelope";

/// Annotations that name the predicate of a statement: of in-toto (which `BuildKit` writes), cosign, sigstore.
const PREDICATES: [&str; 3] = [
    "in-toto.io/predicate-type",
    "predicateType",
    "dev.sigstore.bundle.predicateType",
];
/// The annotation with what a sigstore bundle contains, and its value for a signature.
const BUNDLE_CONTENT: &str = "dev.sigstore.bundle.content";
const BUNDLE_SIGNATURE: &str = "message-signature";

/// Starts of predicate types, and what they are called. The first two are SBOMs.
const PREDICATE_NAMES: [(&str, &str); 10] = [
    ("https://spdx.dev/Document", "SPDX"),
    ("https://cyclonedx.org/", "CycloneDX"),
    ("https://slsa.dev/provenance", "SLSA provenance"),
    (
        "https://slsa.dev/verification_summary",
        "SLSA verification summary",
    ),
    (
        "https://cosign.sigstore.dev/attestation/vuln",
        "vulnerability scan",
    ),
    ("https://in-toto.io/attestation/vulns", "vulnerability scan"),
    ("https://in-toto.io/attestation/test-result", "test result"),
    ("https://in-toto.io/attestation/release", "release"),
    ("https://openvex.dev/", "OpenVEX"),
    ("https://docs.docker.com/scout/", "Docker Scout"),
];

impl ArtifactKind {
    fn new(class: ArtifactClass, details: &[&str]) -> Self {
        Self {
            class,
            details: details.iter().map(|&detail| detail.to_owned()).collect(),
        }
    }

    /// What an artifact is, as far as its artifact type and the tag that it is found by say it.
    pub fn of(artifact_type: Option<&str>, tag: Option<&str>) -> Self {
        let by_type = artifact_type.and_then(of_type);
        let by_tag = || match tag?.rsplit_once('.')?.1 {
            "sig" => Some(Self::new(ArtifactClass::Signature, &["cosign"])),
            "att" => Some(Self::new(ArtifactClass::Attestation, &["cosign"])),
            "sbom" => Some(Self::new(ArtifactClass::Sbom, &["cosign"])),
            _ => None,
        };
        by_type.or_else(by_tag).unwrap_or_else(|| Self {
            class: ArtifactClass::Other,
            details: artifact_type.map(shorten).into_iter().collect(),
        })
    }

    /// What an artifact is, by all that its manifest says.
    pub fn of_manifest(manifest: &Manifest, tag: Option<&str>) -> Self {
        let kind = Self::of(manifest.artifact_type(), tag);
        let annotations = manifest.annotations();
        if annotations.get(BUNDLE_CONTENT).map(String::as_str) == Some(BUNDLE_SIGNATURE) {
            return Self::new(ArtifactClass::Signature, &["sigstore bundle"]);
        }
        let mut layers = manifest.layers().iter();
        let all = layers
            .clone()
            .map(|layer| &layer.annotations)
            .chain([annotations]);
        let predicates: BTreeSet<&str> = all
            .flat_map(|annotations| PREDICATES.iter().filter_map(|key| annotations.get(*key)))
            .map(String::as_str)
            .collect();
        if !predicates.is_empty() {
            return of_predicates(&predicates);
        }
        match kind.class {
            ArtifactClass::Other => {
                let found = layers.find_map(|layer| of_type(&layer.media_type));
                found.unwrap_or(kind)
            }
            _ => kind,
        }
    }

    /// What the attestation is that `BuildKit` lists beside an image in its index.
    pub fn in_index(manifest: &Manifest) -> Self {
        let kind = Self::of_manifest(manifest, None);
        match kind.class {
            ArtifactClass::Other => Self::new(ArtifactClass::Attestation, &["BuildKit"]),
            _ => kind,
        }
    }
}

fn of_type(media_type: &str) -> Option<ArtifactKind> {
    use ArtifactClass::{Attestation, Sbom, Signature};
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    let (class, detail) = match media_type {
        COSIGN_SIGNATURE => (Signature, "cosign"),
        NOTATION => (Signature, "notation"),
        _ if media_type.starts_with(COSIGN_ARTIFACT) => {
            match &media_type[COSIGN_ARTIFACT.len()..] {
                rest if rest.starts_with("sig.") => (Signature, "cosign"),
                rest if rest.starts_with("att.") => (Attestation, "cosign"),
                rest if rest.starts_with("sbom.") => (Sbom, "cosign"),
                _ => return None,
            }
        }
        _ if media_type.starts_with(SIGSTORE_BUNDLE) => (Attestation, "sigstore bundle"),
        _ if media_type.starts_with(IN_TOTO) => (Attestation, "in-toto"),
        _ if media_type.starts_with(ENVELOPE) => (Attestation, "in-toto"),
        _ => (Sbom, sbom_format(media_type)?),
    };
    Some(ArtifactKind::new(class, &[detail]))
}

fn sbom_format(media_type: &str) -> Option<&'static str> {
    let (_, subtype) = media_type.split_once('/')?;
    let subtype = subtype.trim_start_matches("vnd.");
    [
        ("spdx", "SPDX"),
        ("cyclonedx", "CycloneDX"),
        ("syft", "Syft"),
    ]
    .into_iter()
    .find(|(start, _)| subtype.starts_with(start))
    .map(|(_, format)| format)
}

fn of_predicates(predicates: &BTreeSet<&str>) -> ArtifactKind {
    let known = |predicate: &str| {
        let found = PREDICATE_NAMES
            .iter()
            .position(|(start, _)| predicate.starts_with(start));
        (
            found,
            found.map_or_else(|| shorten(predicate), |at| PREDICATE_NAMES[at].1.to_owned()),
        )
    };
    let known: BTreeSet<(Option<usize>, String)> =
        predicates.iter().map(|one| known(one)).collect();
    let sbom = known.iter().all(|(at, _)| at.is_some_and(|at| at < 2));
    ArtifactKind {
        class: if sbom {
            ArtifactClass::Sbom
        } else {
            ArtifactClass::Attestation
        },
        details: known.into_iter().map(|(_, name)| name).collect(),
    }
}

impl fmt::Display for ArtifactClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Signature => "signature",
            Self::Attestation => "attestation",
            Self::Sbom => "SBOM",
            Self::Other => "artifact",
        })
    }
}

impl fmt::Display for ArtifactKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.class.fmt(f)?;
        if self.details.is_empty() {
            return Ok(());
        }
        write!(f, " ({})", self.details.join(", "))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    const EMPTY: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

    fn manifest(
        artifact_type: &str,
        annotations: &serde_json::Value,
        layers: &[(&str, &str)],
    ) -> Manifest {
        let layers = layers.iter().map(|(media_type, predicate)| {
            json!({
                "mediaType": media_type, "digest": EMPTY, "size": 2,
                "annotations": if predicate.is_empty() { json!({}) } else { json!({ "predicateType": predicate }) },
            })
        });
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": crate::media_type::OCI_MANIFEST,
            "artifactType": artifact_type,
            "config": { "mediaType": crate::media_type::OCI_CONFIG, "digest": EMPTY, "size": 2 },
            "layers": layers.collect::<Vec<_>>(),
            "annotations": annotations,
        });
        Manifest::parse(manifest.to_string().into_bytes(), None).unwrap()
    }

    fn words(artifact_type: &str, layers: &[(&str, &str)], tag: Option<&str>) -> String {
        ArtifactKind::of_manifest(&manifest(artifact_type, &json!({}), layers), tag).to_string()
    }

    #[test]
    fn signatures_are_known_by_type_layer_or_tag() {
        assert_eq!(
            words("", &[(COSIGN_SIGNATURE, "")], None),
            "signature (cosign)"
        );
        assert_eq!(words("", &[], Some("sha256-00.sig")), "signature (cosign)");
        assert_eq!(words(NOTATION, &[], None), "signature (notation)");
        let cosign = "application/vnd.dev.cosign.artifact.sig.v1+json";
        assert_eq!(words(cosign, &[], None), "signature (cosign)");
        let bundle = json!({ BUNDLE_CONTENT: BUNDLE_SIGNATURE });
        let bundle = manifest(
            "application/vnd.dev.sigstore.bundle.v0.3+json",
            &bundle,
            &[],
        );
        let kind = ArtifactKind::of_manifest(&bundle, None);
        assert_eq!(kind.to_string(), "signature (sigstore bundle)");
    }

    #[test]
    fn attestations_are_called_by_their_predicates() {
        let envelope = "application/vnd.dsse.envelope.v1+json";
        let (provenance, scan) = (
            "https://slsa.dev/provenance/v1",
            "https://cosign.sigstore.dev/attestation/vuln/v1",
        );
        assert_eq!(
            words(
                "",
                &[(envelope, provenance), (envelope, scan)],
                Some("sha256-00.att")
            ),
            "attestation (SLSA provenance, vulnerability scan)"
        );
        assert_eq!(words("", &[(envelope, "")], None), "attestation (in-toto)");
        assert_eq!(
            words("", &[(envelope, "https://example.org/own/v1")], None),
            "attestation (https://example.org/own/v1)"
        );
        let bundle = json!({ "dev.sigstore.bundle.predicateType": provenance });
        let bundle = manifest(
            "application/vnd.dev.sigstore.bundle.v0.3+json",
            &bundle,
            &[],
        );
        let kind = ArtifactKind::of_manifest(&bundle, None);
        assert_eq!(kind.to_string(), "attestation (SLSA provenance)");
    }

    #[test]
    fn sboms_are_called_by_their_format_also_inside_of_attestations() {
        assert_eq!(words("application/spdx+json", &[], None), "SBOM (SPDX)");
        assert_eq!(
            words("", &[("application/vnd.cyclonedx+json", "")], None),
            "SBOM (CycloneDX)"
        );
        assert_eq!(
            words(
                "",
                &[(
                    "application/vnd.in-toto+json",
                    "https://spdx.dev/Document/v2.3"
                )],
                None
            ),
            "SBOM (SPDX)"
        );
        assert_eq!(words("", &[], Some("sha256-00.sbom")), "SBOM (cosign)");
    }

    #[test]
    fn what_has_no_class_keeps_its_type() {
        assert_eq!(
            words("application/x", &[("text/plain", "")], Some("v1.sige")),
            "artifact (application/x)"
        );
        assert_eq!(ArtifactKind::of(None, None).to_string(), "artifact");
        let long = "a/".repeat(3000);
        assert!(words(&long, &[], None).len() < 300);
        let plain = manifest("", &json!({}), &[]);
        assert_eq!(
            ArtifactKind::in_index(&plain).to_string(),
            "attestation (BuildKit)"
        );
    }
}

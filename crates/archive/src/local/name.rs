//! What a layout or archive calls an image, and what that means as a reference.

use sealift_oci::annotation::{CONTAINERD_IMAGE_NAME, REF_NAME};
use sealift_oci::{Descriptor, Reference, decode_ref_name, valid_tag};

/// What a layout or archive calls an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocalName {
    /// A full reference, normalised.
    Full(Reference),
    /// Only a tag, as `skopeo` and `podman` write it: the user has to name the repository.
    Tag(String),
    /// A text that is neither, as it is there.
    Other(String),
    /// No name at all.
    Unnamed,
}

/// Reads the names that an index's descriptor has: containerd's is a full reference, the layout's own may
/// be only a tag.
pub(super) fn name_of(descriptor: &Descriptor) -> LocalName {
    let full = descriptor.annotations.get(CONTAINERD_IMAGE_NAME);
    if let Some(reference) = full.and_then(|name| name.parse().ok()) {
        return LocalName::Full(reference);
    }
    let Some(text) = descriptor
        .annotations
        .get(REF_NAME)
        .or(full)
        .filter(|text| !text.is_empty())
    else {
        return LocalName::Unnamed;
    };
    let decoded = decode_ref_name(text).unwrap_or_else(|| text.clone());
    if valid_tag(&decoded) {
        return LocalName::Tag(decoded);
    }
    match decoded.parse() {
        Ok(reference) => LocalName::Full(reference),
        Err(_) => LocalName::Other(text.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(annotations: &[(&str, &str)]) -> LocalName {
        let mut descriptor = Descriptor::of("m", b"");
        for (key, value) in annotations {
            descriptor = descriptor.with_annotation(key, *value);
        }
        name_of(&descriptor)
    }

    fn full(text: &str) -> LocalName {
        LocalName::Full(text.parse().expect("a reference"))
    }

    #[test]
    fn containerds_name_takes_precedence_over_the_layouts_own() {
        let both = [
            (REF_NAME, "3.20"),
            (CONTAINERD_IMAGE_NAME, "docker.io/library/alpine:3.20"),
        ];
        assert_eq!(named(&both), full("alpine:3.20"));
    }

    #[test]
    fn a_bare_tag_stays_a_tag_and_a_reference_is_completed() {
        assert_eq!(
            named(&[(REF_NAME, "latest")]),
            LocalName::Tag("latest".to_owned())
        );
        assert_eq!(
            named(&[(REF_NAME, "alpine:3")]),
            full("docker.io/library/alpine:3")
        );
        assert_eq!(
            named(&[(REF_NAME, "r.io/a+5f5f+b:1.0+2d")]),
            full("r.io/a__b:1.0-")
        );
        assert_eq!(named(&[]), LocalName::Unnamed);
    }
}

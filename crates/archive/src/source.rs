//! Images that are on disk already: OCI layouts in a folder or a tar, `docker save` archives, bundles.
//!
//! Nothing is unpacked and nothing is copied: a source knows where in which file each blob lies. Names
//! inside an archive are keys of a table and never become paths on the disk.

mod archive;
mod docker;
mod error;
mod layout;
mod storage;
mod tar;

use std::path::Path;

use sealift_oci::{Descriptor, Digest, Manifest, Reference, decode_ref_name, valid_tag};
use sealift_pipeline::VerifyingReader;

use crate::bundle::BlobReader;
use crate::record::{Found, ImageSource, Record};

pub use error::SourceError;

/// The most bytes of `index.json` and of `manifest.json` that are read (some 100,000 images).
pub(crate) const MAX_INDEX_BYTES: u64 = 32 << 20;

/// What a source calls an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceName {
    /// A whole reference, normalised.
    Full(Reference),
    /// A tag alone, as `skopeo` and `podman` write it: the repository is for the user to say.
    Tag(String),
    /// A text that is neither, as it stands there.
    Other(String),
    /// No name at all.
    Unnamed,
}

/// One image of a source, under one of its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceImage {
    /// Its name.
    pub name: SourceName,
    /// Its manifest or index.
    pub descriptor: Descriptor,
    /// Whether the manifest was made here, since the source has none.
    pub new_digest: bool,
}

impl SourceImage {
    /// The reference that the image is carried under. A name without a repository gets `repository`
    /// (`REGISTRY/REPOSITORY`, without a tag); an image without any name gets its tag too, `latest`.
    ///
    /// # Errors
    /// Where the name is none, or has no repository and none was given. `source` is named in the error.
    pub fn reference(
        &self,
        repository: Option<&str>,
        source: &str,
    ) -> Result<Reference, SourceError> {
        let shown = match &self.name {
            SourceName::Full(reference) => return Ok(reference.clone()),
            SourceName::Other(text) => {
                return Err(SourceError::BadName {
                    source_name: source.to_owned(),
                    text: text.escape_debug().take(120).collect(),
                });
            }
            SourceName::Tag(tag) => tag.clone(),
            SourceName::Unnamed => String::new(),
        };
        let tag = if shown.is_empty() { "latest" } else { &shown };
        let Some(repository) = repository else {
            return Err(SourceError::NoRepository {
                source_name: source.to_owned(),
                digest: self.descriptor.digest,
                tag: shown,
            });
        };
        format!("{repository}:{tag}")
            .parse()
            .map_err(|error| SourceError::Reference {
                source_name: source.to_owned(),
                error,
            })
    }
}

/// A signature, attestation or SBOM that a source's index lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceReferrer {
    /// Registry and repository, where the source says.
    pub repository: Option<String>,
    /// What it belongs to.
    pub subject: Digest,
    /// Its manifest.
    pub descriptor: Descriptor,
    /// What kind of artifact it is, as far as it says.
    pub artifact_type: Option<String>,
    /// How it was found.
    pub found: Found,
}

/// Images on disk.
pub trait LocalSource: Send + Sync {
    /// What messages call it: its path.
    fn name(&self) -> &str;

    /// What it is.
    fn kind(&self) -> ImageSource;

    /// Its images, in its own order; one with two names is there twice.
    fn images(&self) -> &[SourceImage];

    /// The referrers that its index lists.
    fn referrers(&self) -> &[SourceReferrer];

    /// The record of a source that is a bundle: its carried files, which are not among the images, and
    /// where its images came from.
    fn record(&self) -> Option<&Record>;

    /// Reads a manifest: its size, digest and media type are what `descriptor` says.
    fn manifest(&self, descriptor: &Descriptor) -> Result<Manifest, SourceError>;

    /// How many bytes the source has of `digest`; none where it has no such content. Archives of one
    /// platform leave out the others' manifests, and an index may name them nevertheless.
    fn size(&self, digest: &Digest) -> Option<u64>;

    /// Content from byte `from` on, unchecked: for whoever hashes it as it passes
    /// ([`BlobSink`](crate::BlobSink) does). Its size was compared with the descriptor's.
    fn blob_at(&self, descriptor: &Descriptor, from: u64) -> Result<BlobReader, SourceError>;

    /// Content from its first byte; the end comes only if size and digest agree.
    fn blob(&self, descriptor: &Descriptor) -> Result<VerifyingReader<BlobReader>, SourceError> {
        let reader = self.blob_at(descriptor, 0)?;
        Ok(VerifyingReader::new(
            reader,
            descriptor.digest,
            descriptor.size,
        ))
    }
}

/// Opens what is at `path`: a folder with a layout in it, or an archive of any of the kinds. Layers that
/// a `docker save` archive compresses are hashed now, since nothing says their digests.
///
/// # Errors
/// Where it is none of these, or is damaged; the message says which program makes one.
pub fn open_source(path: &Path) -> Result<Box<dyn LocalSource>, SourceError> {
    let name = path.display().to_string();
    let fault = |source| SourceError::Io {
        path: name.clone(),
        source,
    };
    if std::fs::metadata(path).map_err(fault)?.is_dir() {
        let storage = storage::Folder::new(path);
        return Ok(Box::new(layout::LayoutSource::open(
            name,
            Box::new(storage),
        )?));
    }
    archive::open(std::fs::File::open(path).map_err(fault)?, name)
}

/// Reads the names that an index's descriptor carries: containerd's is whole, the layout's own may be a
/// tag alone.
fn name_of(descriptor: &Descriptor) -> SourceName {
    use sealift_oci::annotation::{CONTAINERD_IMAGE_NAME, REF_NAME};
    let whole = descriptor.annotations.get(CONTAINERD_IMAGE_NAME);
    if let Some(reference) = whole.and_then(|name| name.parse().ok()) {
        return SourceName::Full(reference);
    }
    let Some(text) = descriptor
        .annotations
        .get(REF_NAME)
        .or(whole)
        .filter(|text| !text.is_empty())
    else {
        return SourceName::Unnamed;
    };
    let decoded = decode_ref_name(text).unwrap_or_else(|| text.clone());
    if valid_tag(&decoded) {
        return SourceName::Tag(decoded);
    }
    match decoded.parse() {
        Ok(reference) => SourceName::Full(reference),
        Err(_) => SourceName::Other(text.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sealift_oci::annotation::{CONTAINERD_IMAGE_NAME, REF_NAME};

    fn named(annotations: &[(&str, &str)]) -> SourceName {
        let mut descriptor = Descriptor::of("m", b"");
        for (key, value) in annotations {
            descriptor = descriptor.with_annotation(key, *value);
        }
        name_of(&descriptor)
    }

    fn full(text: &str) -> SourceName {
        SourceName::Full(text.parse().expect("a reference"))
    }

    #[test]
    fn containerds_name_goes_before_the_layouts_own() {
        let both = [
            (REF_NAME, "3.20"),
            (CONTAINERD_IMAGE_NAME, "docker.io/library/alpine:3.20"),
        ];
        assert_eq!(named(&both), full("alpine:3.20"));
    }

    #[test]
    fn a_tag_alone_stays_a_tag_and_a_reference_becomes_whole() {
        assert_eq!(
            named(&[(REF_NAME, "latest")]),
            SourceName::Tag("latest".to_owned())
        );
        assert_eq!(
            named(&[(REF_NAME, "alpine:3")]),
            full("docker.io/library/alpine:3")
        );
        assert_eq!(
            named(&[(REF_NAME, "r.io/a+5f5f+b:1.0+2d")]),
            full("r.io/a__b:1.0-")
        );
        assert_eq!(named(&[]), SourceName::Unnamed);
    }

    #[test]
    fn a_name_that_is_none_is_kept_for_the_message() {
        let image = SourceImage {
            name: named(&[(REF_NAME, "Not/A:Name:1")]),
            descriptor: Descriptor::of("m", b""),
            new_digest: false,
        };
        let error = image
            .reference(Some("r.io/a"), "x.tar")
            .expect_err("no name");
        assert!(error.to_string().contains("Not/A:Name:1"), "{error}");
    }

    #[test]
    fn a_name_without_a_repository_gets_the_one_that_was_given() {
        let image = |name| SourceImage {
            name,
            descriptor: Descriptor::of("m", b""),
            new_digest: false,
        };
        let tagged = image(SourceName::Tag("v1".to_owned()));
        let reference = tagged.reference(Some("r.io/a"), "x").expect("a reference");
        assert_eq!(reference.to_string(), "r.io/a:v1");
        let unnamed = image(SourceName::Unnamed).reference(Some("r.io/a"), "x");
        assert_eq!(unnamed.expect("a reference").to_string(), "r.io/a:latest");
        let error = tagged.reference(None, "x.tar").expect_err("no repository");
        assert!(
            error.to_string().contains("v1") && error.to_string().contains("x.tar"),
            "{error}"
        );
    }
}

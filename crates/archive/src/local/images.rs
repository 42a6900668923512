//! The images of a layout or archive, with the store that their content is read from.

use std::io::{self, Read};
use std::sync::Arc;

use sealift_oci::{Descriptor, Digest, MAX_MANIFEST_BYTES, Manifest, Reference};
use sealift_pipeline::VerifyingReader;

use crate::contents::{Discovery, ImageSource, Record};
use crate::fault::shown;
use crate::local::error::LocalError;
use crate::local::name::LocalName;
use crate::store::Store;

/// One image on disk, under one of its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalImage {
    /// Its name.
    pub name: LocalName,
    /// Its manifest or index.
    pub descriptor: Descriptor,
    /// Whether the manifest was created by sealift, since there is none on disk.
    pub new_digest: bool,
}

impl LocalImage {
    /// The reference that the image is bundled under. `repository` (`REGISTRY/REPOSITORY[:TAG]`) names images
    /// without a repository: one with only a tag keeps that tag; one without any name gets the tag of
    /// `repository`, or is named by its digest if that has none.
    ///
    /// # Errors
    /// If the name is not one, or has no repository and none was given. The error names `path`.
    pub fn reference(&self, repository: Option<&str>, path: &str) -> Result<Reference, LocalError> {
        let tag = match &self.name {
            LocalName::Full(reference) => return Ok(reference.clone()),
            LocalName::Other(text) => {
                return Err(LocalError::BadName {
                    path: path.to_owned(),
                    text: shown(text),
                });
            }
            LocalName::Tag(tag) => Some(tag.as_str()),
            LocalName::Unnamed => None,
        };
        let Some(repository) = repository else {
            return Err(LocalError::NoRepository {
                path: path.to_owned(),
                digest: self.descriptor.digest,
                tag: tag.unwrap_or_default().to_owned(),
            });
        };
        let invalid = |error| LocalError::Reference {
            path: path.to_owned(),
            error,
        };
        let given: Reference = repository.parse().map_err(invalid)?;
        let given_tag = given
            .tag()
            .filter(|tag| repository.ends_with(&format!(":{tag}")));
        let digest = self.descriptor.digest;
        match tag.or(given_tag) {
            Some(tag) => Reference::new(given.registry(), given.repository(), Some(tag), None),
            None => Reference::new(given.registry(), given.repository(), None, Some(digest)),
        }
        .map_err(invalid)
    }
}

/// A signature, attestation or SBOM that a layout's index lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalReferrer {
    /// Registry and repository, if the layout names them.
    pub repository: Option<String>,
    /// What it belongs to.
    pub subject: Digest,
    /// Its manifest.
    pub descriptor: Descriptor,
    /// What kind of artifact it is, as far as it says.
    pub artifact_type: Option<String>,
    /// How it was found.
    pub discovery: Discovery,
}

/// Images on disk.
pub struct LocalImages {
    pub(super) path: String,
    pub(super) kind: ImageSource,
    pub(super) images: Vec<LocalImage>,
    pub(super) referrers: Vec<LocalReferrer>,
    pub(super) record: Option<Record>,
    pub(super) store: Arc<dyn Store>,
}

impl LocalImages {
    /// What messages call them: their path.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What kind of layout or archive they are in.
    pub fn kind(&self) -> ImageSource {
        self.kind
    }

    /// The images, in the layout's own order; one with two names occurs twice.
    pub fn images(&self) -> &[LocalImage] {
        &self.images
    }

    /// The referrers that the layout's index lists.
    pub fn referrers(&self) -> &[LocalReferrer] {
        &self.referrers
    }

    /// The record, if they are a bundle: it lists carried files, which are not among the images, and where
    /// the images came from.
    pub fn record(&self) -> Option<&Record> {
        self.record.as_ref()
    }

    /// Whether there is content with this digest. Archives of one platform leave out the manifests of
    /// others, and their index may list them nevertheless.
    pub fn contains(&self, digest: &Digest) -> bool {
        self.store.size(digest).is_some()
    }

    /// Reads a manifest.
    ///
    /// # Errors
    /// If it is missing, or its size, digest or media type are not those of `descriptor`.
    pub fn manifest(&self, descriptor: &Descriptor) -> Result<Manifest, LocalError> {
        read_manifest(&self.path, &*self.store, descriptor)
    }

    /// Opens content at its byte `from`, unchecked: for readers that hash it as it passes. Its size was
    /// compared with the descriptor's.
    ///
    /// # Errors
    /// If it is missing or cannot be read, or has another size.
    pub fn blob_at(
        &self,
        descriptor: &Descriptor,
        from: u64,
    ) -> Result<Box<dyn Read + Send>, LocalError> {
        check_size(&self.path, &*self.store, descriptor)?;
        self.store
            .open(&descriptor.digest, from)
            .map_err(|source| LocalError::Io {
                path: format!("{} of {}", descriptor.digest.blob_path(), self.path),
                source,
            })
    }

    /// Opens content at its first byte; it ends without an error only if its size and digest are right.
    ///
    /// # Errors
    /// As [`LocalImages::blob_at`].
    pub fn blob(
        &self,
        descriptor: &Descriptor,
    ) -> Result<VerifyingReader<Box<dyn Read + Send>>, LocalError> {
        let reader = self.blob_at(descriptor, 0)?;
        Ok(VerifyingReader::new(
            reader,
            descriptor.digest,
            descriptor.size,
        ))
    }
}

fn check_size(path: &str, store: &dyn Store, descriptor: &Descriptor) -> Result<(), LocalError> {
    match store.size(&descriptor.digest) {
        None => Err(match store.open(&descriptor.digest, 0) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => LocalError::Io {
                path: format!("{} of {path}", descriptor.digest.blob_path()),
                source,
            },
            _ => LocalError::Missing {
                path: path.to_owned(),
                what: descriptor.digest.to_string(),
            },
        }),
        Some(actual) if actual != descriptor.size => Err(LocalError::Size {
            path: path.to_owned(),
            digest: descriptor.digest,
            expected: descriptor.size,
            actual,
        }),
        Some(_) => Ok(()),
    }
}

/// Reads the manifest that `descriptor` points at.
pub(super) fn read_manifest(
    path: &str,
    store: &dyn Store,
    descriptor: &Descriptor,
) -> Result<Manifest, LocalError> {
    check_size(path, store, descriptor)?;
    let mut bytes = Vec::new();
    let limit = MAX_MANIFEST_BYTES as u64 + 1;
    store
        .open(&descriptor.digest, 0)
        .and_then(|reader| reader.take(limit).read_to_end(&mut bytes))
        .map_err(|source| LocalError::Io {
            path: format!("{} of {path}", descriptor.digest.blob_path()),
            source,
        })?;
    Manifest::parse_for(bytes, descriptor).map_err(|error| LocalError::Manifest {
        path: path.to_owned(),
        digest: descriptor.digest,
        error,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn image(name: LocalName) -> LocalImage {
        LocalImage {
            name,
            descriptor: Descriptor::of("m", b""),
            new_digest: false,
        }
    }

    #[test]
    fn a_text_that_is_not_a_name_is_quoted_in_the_error() {
        let image = image(LocalName::Other("Not/A:Name:1".to_owned()));
        let error = image.reference(Some("r.io/a"), "x.tar").unwrap_err();
        assert!(error.to_string().contains("Not/A:Name:1"), "{error}");
    }

    #[test]
    fn a_name_without_a_repository_gets_the_one_that_was_given() {
        let tagged = image(LocalName::Tag("v1".to_owned()));
        let reference = tagged.reference(Some("r.io/a"), "x").unwrap();
        assert_eq!(reference.to_string(), "r.io/a:v1");
        let error = tagged.reference(None, "x.tar").unwrap_err().to_string();
        assert!(error.contains("v1") && error.contains("x.tar"), "{error}");
    }

    #[test]
    fn an_image_without_a_name_is_named_by_its_digest_or_by_the_tag_that_was_given() {
        let unnamed = image(LocalName::Unnamed);
        let by_digest = unnamed.reference(Some("r.io/a"), "x").unwrap();
        let digest = unnamed.descriptor.digest;
        assert_eq!(by_digest.to_string(), format!("r.io/a@{digest}"));
        let tagged = unnamed.reference(Some("r.io/a:v2"), "x").unwrap();
        assert_eq!(tagged.to_string(), "r.io/a:v2");
    }
}

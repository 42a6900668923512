use std::collections::HashSet;
use std::io;

use sealift_oci::annotation::CONTAINERD_SUBJECT;
use sealift_oci::{Descriptor, Digest, MAX_MANIFEST_BYTES, Manifest, check_json, media_type};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::storage::{Found as Place, Storage, read_small};
use super::{
    LocalSource, MAX_INDEX_BYTES, SourceError, SourceImage, SourceName, SourceReferrer, name_of,
};
use crate::bundle::BlobReader;
use crate::record::{Found, ImageSource, MAX_RECORD_BYTES, Record};

/// An OCI image layout (image-spec, `image-layout.md`), in a folder or a tar.
pub(super) struct LayoutSource {
    name: String,
    storage: Box<dyn Storage>,
    images: Vec<SourceImage>,
    referrers: Vec<SourceReferrer>,
    record: Option<Record>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Marker {
    image_layout_version: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u64,
    #[serde(default)]
    media_type: Option<String>,
    manifests: Vec<Descriptor>,
}

impl LayoutSource {
    pub(super) fn open(name: String, storage: Box<dyn Storage>) -> Result<Self, SourceError> {
        let mut source = Self {
            name,
            storage,
            images: Vec::new(),
            referrers: Vec::new(),
            record: None,
        };
        let marker: Marker = source.needed("oci-layout", 4096)?;
        if marker.image_layout_version != "1.0.0" {
            return Err(source.form("oci-layout", "its version is not 1.0.0"));
        }
        let index: Index = source.needed("index.json", MAX_INDEX_BYTES)?;
        let other = |kind: &String| !kind.is_empty() && kind != media_type::OCI_INDEX;
        if index.schema_version != 2 || index.media_type.as_ref().is_some_and(other) {
            return Err(source.form("index.json", "it is not an OCI index of schema version 2"));
        }
        match source.place("sealift.json")? {
            Some(place) => source.take_record(&place)?,
            None => source.take_index(index)?,
        }
        Ok(source)
    }

    fn take_record(&mut self, place: &Place) -> Result<(), SourceError> {
        let bytes = read_small(&self.name, "sealift.json", place, MAX_RECORD_BYTES)?;
        let record =
            Record::parse(&bytes).map_err(|error| self.form("sealift.json", error.to_string()))?;
        self.images = record
            .images
            .iter()
            .map(|image| SourceImage {
                name: SourceName::Full(image.reference.clone()),
                descriptor: Descriptor::from(&image.descriptor),
                new_digest: image.new_digest,
            })
            .collect();
        self.referrers = record
            .referrers
            .iter()
            .map(|referrer| SourceReferrer {
                repository: Some(referrer.repository.clone()),
                subject: referrer.subject,
                descriptor: Descriptor::from(&referrer.descriptor),
                artifact_type: referrer.artifact_type.clone(),
                found: referrer.found.clone(),
            })
            .collect();
        self.record = Some(record);
        Ok(())
    }

    /// Sorts what the index lists into images and referrers. Types that are no manifest's are no fault
    /// (image-spec, `image-layout.md`), and nothing to carry.
    fn take_index(&mut self, index: Index) -> Result<(), SourceError> {
        let mut seen = HashSet::new();
        for descriptor in index.manifests {
            if !media_type::is_manifest(&descriptor.media_type) {
                continue;
            }
            let name = name_of(&descriptor);
            if !seen.insert((descriptor.digest, format!("{name:?}"))) {
                continue;
            }
            self.take(name, descriptor)?;
        }
        Ok(())
    }

    fn take(&mut self, name: SourceName, descriptor: Descriptor) -> Result<(), SourceError> {
        let (repository, tag) = match &name {
            SourceName::Full(reference) => {
                (Some(reference.name()), reference.tag().map(str::to_owned))
            }
            SourceName::Tag(tag) => (None, Some(tag.clone())),
            SourceName::Other(_) | SourceName::Unnamed => (None, None),
        };
        match (tag.as_deref().and_then(subject_of_tag), tag) {
            (Some((_, TagKind::Fallback)), _) if media_type::is_index(&descriptor.media_type) => {
                return self.take_fallback(repository, &descriptor);
            }
            (Some((subject, TagKind::Cosign)), Some(tag)) => {
                self.referrers.push(SourceReferrer {
                    repository,
                    subject,
                    artifact_type: self.artifact_type(&descriptor)?,
                    descriptor,
                    found: Found::Tag(tag),
                });
                return Ok(());
            }
            _ => {}
        }
        let marked = descriptor.annotations.get(CONTAINERD_SUBJECT);
        let subject = match marked.and_then(|subject| subject.parse().ok()) {
            Some(subject) => Some(subject),
            None if name == SourceName::Unnamed => self
                .present(&descriptor)?
                .and_then(|manifest| manifest.subject().map(|subject| subject.digest)),
            None => None,
        };
        match subject {
            Some(subject) => self.push_referrer(repository, subject, descriptor)?,
            None => self.images.push(SourceImage {
                name,
                descriptor,
                new_digest: false,
            }),
        }
        Ok(())
    }

    /// The index under a referrers' fallback tag: what it lists are the referrers. The index itself is
    /// made anew where they go.
    fn take_fallback(
        &mut self,
        repository: Option<String>,
        index: &Descriptor,
    ) -> Result<(), SourceError> {
        let children = self.manifest(index)?.children().to_vec();
        for child in children {
            let subject = self
                .present(&child)?
                .and_then(|manifest| manifest.subject().map(|subject| subject.digest));
            if let Some(subject) = subject {
                self.push_referrer(repository.clone(), subject, child)?;
            }
        }
        Ok(())
    }

    fn push_referrer(
        &mut self,
        repository: Option<String>,
        subject: Digest,
        descriptor: Descriptor,
    ) -> Result<(), SourceError> {
        let referrer = SourceReferrer {
            repository,
            subject,
            artifact_type: self.artifact_type(&descriptor)?,
            descriptor,
            found: Found::Subject,
        };
        if !self.referrers.contains(&referrer) {
            self.referrers.push(referrer);
        }
        Ok(())
    }

    fn artifact_type(&self, descriptor: &Descriptor) -> Result<Option<String>, SourceError> {
        let manifest = self.present(descriptor)?;
        Ok(manifest.and_then(|manifest| manifest.artifact_type().map(str::to_owned)))
    }

    /// The manifest, where the source has it.
    fn present(&self, descriptor: &Descriptor) -> Result<Option<Manifest>, SourceError> {
        match self.size(&descriptor.digest) {
            Some(_) => self.manifest(descriptor).map(Some),
            None => Ok(None),
        }
    }

    fn needed<T: DeserializeOwned>(
        &self,
        entry: &'static str,
        limit: u64,
    ) -> Result<T, SourceError> {
        let Some(place) = self.place(entry)? else {
            return Err(SourceError::NoImages {
                source_name: self.name.clone(),
                what: "oci-layout or index.json is missing (expected an OCI layout)",
            });
        };
        read_json(&self.name, entry, &place, limit)
    }

    fn place(&self, entry: &'static str) -> Result<Option<Place>, SourceError> {
        self.storage.file(entry).map_err(self.io(entry))
    }

    fn io(&self, entry: &str) -> impl FnOnce(io::Error) -> SourceError + use<> {
        let path = format!("{entry} of {}", self.name);
        move |source| SourceError::Io { path, source }
    }

    fn form(&self, entry: &str, what: impl Into<String>) -> SourceError {
        SourceError::Form {
            source_name: self.name.clone(),
            entry: entry.to_owned(),
            what: what.into(),
        }
    }
}

impl LocalSource for LayoutSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> ImageSource {
        ImageSource::Layout
    }

    fn images(&self) -> &[SourceImage] {
        &self.images
    }

    fn referrers(&self) -> &[SourceReferrer] {
        &self.referrers
    }

    fn record(&self) -> Option<&Record> {
        self.record.as_ref()
    }

    fn manifest(&self, descriptor: &Descriptor) -> Result<Manifest, SourceError> {
        let place = found(
            &self.name,
            self.storage.blob(&descriptor.digest),
            descriptor,
        )?;
        let path = descriptor.digest.blob_path();
        let bytes = read_small(&self.name, &path, &place, MAX_MANIFEST_BYTES as u64)?;
        Manifest::parse_for(bytes, descriptor).map_err(|error| SourceError::Manifest {
            source_name: self.name.clone(),
            digest: descriptor.digest,
            error,
        })
    }

    fn size(&self, digest: &Digest) -> Option<u64> {
        let place = self.storage.blob(digest).ok()??;
        Some(place.extent.size)
    }

    fn blob_at(&self, descriptor: &Descriptor, from: u64) -> Result<BlobReader, SourceError> {
        let place = found(
            &self.name,
            self.storage.blob(&descriptor.digest),
            descriptor,
        )?;
        Ok(BlobReader::new(place.file, place.extent, from))
    }
}

/// The place that `descriptor` points at, with the size that it says.
pub(super) fn found(
    source: &str,
    place: io::Result<Option<Place>>,
    descriptor: &Descriptor,
) -> Result<Place, SourceError> {
    match place {
        Err(error) => Err(SourceError::Io {
            path: format!("{} of {source}", descriptor.digest.blob_path()),
            source: error,
        }),
        Ok(None) => Err(SourceError::Missing {
            source_name: source.to_owned(),
            what: descriptor.digest.to_string(),
        }),
        Ok(Some(place)) if place.extent.size != descriptor.size => Err(SourceError::Size {
            source_name: source.to_owned(),
            digest: descriptor.digest,
            expected: descriptor.size,
            actual: place.extent.size,
        }),
        Ok(Some(place)) => Ok(place),
    }
}

/// Reads a file of JSON that everyone would read alike.
pub(super) fn read_json<T: DeserializeOwned>(
    source: &str,
    entry: &str,
    place: &Place,
    limit: u64,
) -> Result<T, SourceError> {
    let bytes = read_small(source, entry, place, limit)?;
    check_json(&bytes).map_err(|error| SourceError::Json {
        source_name: source.to_owned(),
        entry: entry.to_owned(),
        error,
    })?;
    serde_json::from_slice(&bytes).map_err(|error| SourceError::Form {
        source_name: source.to_owned(),
        entry: entry.to_owned(),
        what: error.to_string().chars().take(200).collect(),
    })
}

/// What a tag made of a digest is for.
enum TagKind {
    /// The index of a subject's referrers (distribution-spec, "Referrers Tag Schema").
    Fallback,
    /// Cosign's convention: `.sig`, `.att` or `.sbom` after the digest.
    Cosign,
}

/// The subject that a tag made of a digest belongs to.
fn subject_of_tag(tag: &str) -> Option<(Digest, TagKind)> {
    let (algorithm, rest) = tag.split_once('-')?;
    let (hex, kind) = match rest.split_once('.') {
        Some((hex, "sig" | "att" | "sbom")) => (hex, TagKind::Cosign),
        Some(_) => return None,
        None => (rest, TagKind::Fallback),
    };
    let digest = format!("{algorithm}:{hex}").parse().ok()?;
    Some((digest, kind))
}

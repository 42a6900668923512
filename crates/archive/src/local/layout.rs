//! OCI image layouts (image-spec, `image-layout.md`), in a folder or a tar.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;

use sealift_oci::annotation::CONTAINERD_SUBJECT;
use sealift_oci::{Descriptor, Digest, Manifest, media_type};
use serde::Deserialize;

use crate::contents::{Artifact, Discovery, ImageSource, MAX_RECORD_BYTES, Record};
use crate::local::error::LocalError;
use crate::local::images::{LocalImage, LocalImages, LocalReferrer, read_manifest};
use crate::local::name::{LocalName, name_of};
use crate::local::read::{Entry, MAX_INDEX_BYTES, malformed, read_json, read_small};
use crate::store::Store;

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

/// The files that describe a layout.
pub(super) struct LayoutFiles {
    index: Index,
    /// The record of a layout that is a bundle.
    record: Option<Record>,
}

impl LayoutFiles {
    /// Reads them through `file`, which returns the file with a name, or `None`.
    pub(super) fn read(
        path: &str,
        file: &dyn Fn(&str) -> io::Result<Option<Entry>>,
    ) -> Result<Self, LocalError> {
        let entry = |name: &str| {
            file(name).map_err(|source| LocalError::Io {
                path: format!("{name} of {path}"),
                source,
            })
        };
        let needed = |name: &str| {
            entry(name)?.ok_or_else(|| LocalError::NoImages {
                path: path.to_owned(),
                what: "oci-layout or index.json is missing (expected an OCI layout)",
            })
        };
        let marker: Marker = read_json(path, "oci-layout", &needed("oci-layout")?, 4096)?;
        if marker.image_layout_version != "1.0.0" {
            return Err(malformed(path, "oci-layout", "its version is not 1.0.0"));
        }
        let index: Index = read_json(path, "index.json", &needed("index.json")?, MAX_INDEX_BYTES)?;
        let other = |kind: &String| !kind.is_empty() && kind != media_type::OCI_INDEX;
        if index.schema_version != 2 || index.media_type.as_ref().is_some_and(other) {
            let what = "it is not an OCI index of schema version 2";
            return Err(malformed(path, "index.json", what));
        }
        let record = match entry("sealift.json")? {
            Some(entry) => Some(record(path, &entry)?),
            None => None,
        };
        Ok(Self { index, record })
    }

    /// Whether the layout is a bundle in the compact profile.
    pub(super) fn is_compact_bundle(&self) -> bool {
        let mut manifests = self.index.manifests.iter();
        let artifact_type = manifests
            .next()
            .and_then(|one| one.artifact_type.as_deref());
        artifact_type.is_some_and(Artifact::is_bundle_type)
    }

    /// Whether the layout is a bundle.
    pub(super) fn is_bundle(&self) -> bool {
        self.record.is_some()
    }
}

fn record(path: &str, entry: &Entry) -> Result<Record, LocalError> {
    let bytes = read_small(path, "sealift.json", entry, MAX_RECORD_BYTES)?;
    let invalid = |error: String| malformed(path, "sealift.json", error);
    let record = Record::parse(&bytes).map_err(|error| invalid(error.to_string()))?;
    match record.check_rules() {
        Ok(()) => Ok(record),
        Err(error) => Err(invalid(error.to_string())),
    }
}

/// The images of a bundle's record, with their content in `store`.
pub(super) fn of_record(path: String, record: Record, store: Arc<dyn Store>) -> LocalImages {
    let mut reader = Reader::new(path, ImageSource::Layout, store);
    reader.read_record(record);
    reader.images
}

/// The images that `files` list, with their content in `store`.
pub(super) fn open(
    path: String,
    kind: ImageSource,
    files: LayoutFiles,
    store: Arc<dyn Store>,
) -> Result<LocalImages, LocalError> {
    let mut reader = Reader::new(path, kind, store);
    match files.record {
        Some(record) => reader.read_record(record),
        None => reader.read_index(files.index)?,
    }
    Ok(reader.images)
}

struct Reader {
    images: LocalImages,
}

impl Reader {
    fn new(path: String, kind: ImageSource, store: Arc<dyn Store>) -> Self {
        Self {
            images: LocalImages {
                path,
                kind,
                images: Vec::new(),
                referrers: Vec::new(),
                record: None,
                store,
            },
        }
    }

    fn read_record(&mut self, record: Record) {
        self.images.images = record
            .images
            .iter()
            .map(|image| LocalImage {
                name: LocalName::Full(image.reference.clone()),
                descriptor: Descriptor::from(&image.descriptor),
                new_digest: image.new_digest,
            })
            .collect();
        self.images.referrers = record
            .referrers
            .iter()
            .map(|referrer| LocalReferrer {
                repository: Some(referrer.repository.clone()),
                subject: referrer.subject,
                descriptor: Descriptor::from(&referrer.descriptor),
                artifact_type: referrer.artifact_type.clone(),
                discovery: referrer.discovery.clone(),
            })
            .collect();
        self.images.record = Some(record);
    }

    /// Sorts what the index lists into images and referrers. Types that are not a manifest's are allowed
    /// (image-spec, `image-layout.md`) and skipped.
    fn read_index(&mut self, index: Index) -> Result<(), LocalError> {
        let mut seen = HashSet::new();
        for descriptor in index.manifests {
            if !media_type::is_manifest(&descriptor.media_type) {
                continue;
            }
            let name = name_of(&descriptor);
            if !seen.insert((descriptor.digest, format!("{name:?}"))) {
                continue;
            }
            self.read_entry(name, descriptor)?;
        }
        Ok(())
    }

    fn read_entry(&mut self, name: LocalName, descriptor: Descriptor) -> Result<(), LocalError> {
        let (repository, tag) = match &name {
            LocalName::Full(reference) => {
                (Some(reference.name()), reference.tag().map(str::to_owned))
            }
            LocalName::Tag(tag) => (None, Some(tag.clone())),
            LocalName::Other(_) | LocalName::Unnamed => (None, None),
        };
        match (tag.as_deref().and_then(subject_of_tag), tag) {
            (Some((_, TagKind::Fallback)), _) if media_type::is_index(&descriptor.media_type) => {
                return self.read_fallback(repository, &descriptor);
            }
            (Some((subject, TagKind::Cosign)), Some(tag)) => {
                self.images.referrers.push(LocalReferrer {
                    repository,
                    subject,
                    artifact_type: self.artifact_type(&descriptor)?,
                    descriptor,
                    discovery: Discovery::Tag(tag),
                });
                return Ok(());
            }
            _ => {}
        }
        let marked = descriptor.annotations.get(CONTAINERD_SUBJECT);
        let subject = match marked.and_then(|subject| subject.parse().ok()) {
            Some(subject) => Some(subject),
            None if name == LocalName::Unnamed => self
                .present(&descriptor)?
                .and_then(|manifest| manifest.subject().map(|subject| subject.digest)),
            None => None,
        };
        match subject {
            Some(subject) => self.push_referrer(repository, subject, descriptor)?,
            None => self.images.images.push(LocalImage {
                name,
                descriptor,
                new_digest: false,
            }),
        }
        Ok(())
    }

    /// The index under a referrers' fallback tag: what it lists are the referrers. The index itself is
    /// created anew at the destination.
    fn read_fallback(
        &mut self,
        repository: Option<String>,
        index: &Descriptor,
    ) -> Result<(), LocalError> {
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
    ) -> Result<(), LocalError> {
        let referrer = LocalReferrer {
            repository,
            subject,
            artifact_type: self.artifact_type(&descriptor)?,
            descriptor,
            discovery: Discovery::Subject,
        };
        if !self.images.referrers.contains(&referrer) {
            self.images.referrers.push(referrer);
        }
        Ok(())
    }

    fn artifact_type(&self, descriptor: &Descriptor) -> Result<Option<String>, LocalError> {
        let manifest = self.present(descriptor)?;
        Ok(manifest.and_then(|manifest| manifest.artifact_type().map(str::to_owned)))
    }

    /// The manifest, if the layout contains it.
    fn present(&self, descriptor: &Descriptor) -> Result<Option<Manifest>, LocalError> {
        if self.images.contains(&descriptor.digest) {
            self.manifest(descriptor).map(Some)
        } else {
            Ok(None)
        }
    }

    fn manifest(&self, descriptor: &Descriptor) -> Result<Manifest, LocalError> {
        read_manifest(&self.images.path, &*self.images.store, descriptor)
    }
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

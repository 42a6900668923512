//! The rules of `docs/format.md` about a record as a whole, in one place: a record that breaks one is
//! neither written nor read.

use std::collections::{BTreeMap, BTreeSet};

use sealift_oci::{Digest, Reference, valid_tag};

use crate::contents::record::{Discovery, PlainDescriptor, Record, ReferrerEntry, stored_name};

/// Which rule a record breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Readers would disagree about which image a name means.
    #[error("{name} names two digests, {first} and {second} (expected one digest per name)")]
    TwoDigests {
        /// The name.
        name: String,
        /// One digest.
        first: Digest,
        /// The other.
        second: Digest,
    },
    /// A name that an image and a carried file share.
    #[error("{name} names both an image and a carried file")]
    ImageAndFile {
        /// The name.
        name: String,
    },
    /// A reference with a digest whose image has another.
    #[error(
        "{reference} is pinned, but its image is {descriptor} (expected the digest of the reference)"
    )]
    Pinned {
        /// The reference.
        reference: Box<Reference>,
        /// The digest of its image.
        descriptor: Digest,
    },
    /// One digest that two descriptors give different sizes.
    #[error("{digest} is listed with {first} and with {second} bytes")]
    TwoSizes {
        /// The digest.
        digest: Digest,
        /// One size.
        first: u64,
        /// The other.
        second: u64,
    },
    /// A blob that is listed as a manifest too.
    #[error("{digest} is listed both as a manifest and as a blob")]
    ManifestAndBlob {
        /// The digest.
        digest: Digest,
    },
    /// An image, referrer or file whose descriptor is not among the manifests.
    #[error(
        "the descriptor of {name} is not among the record's manifests ({digest}, {media_type:?}, {size} bytes)"
    )]
    Unlisted {
        /// What it is the descriptor of.
        name: String,
        /// Its digest.
        digest: Digest,
        /// Its media type.
        media_type: String,
        /// Its size in bytes.
        size: u64,
    },
    /// A referrer in a repository that no registry can have.
    #[error(
        "a referrer of {subject} is in {repository:?} (expected REGISTRY/REPOSITORY without tag or digest)"
    )]
    Repository {
        /// What it refers to.
        subject: Digest,
        /// What is in the place of its repository.
        repository: String,
    },
    /// A referrer under a tag that no registry can have.
    #[error("a referrer of {subject} has the tag {tag:?}, which is not a valid tag")]
    Tag {
        /// What it refers to.
        subject: Digest,
        /// What is in the place of its tag.
        tag: String,
    },
}

impl Record {
    /// Checks everything that a record has to keep to by itself, without the content that it lists.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn check_rules(&self) -> Result<(), RuleError> {
        self.check_sizes()?;
        self.check_listed()?;
        self.check_pins()?;
        self.referrers.iter().try_for_each(check_referrer)?;
        self.check_names()
    }

    fn check_sizes(&self) -> Result<(), RuleError> {
        let manifests = self.manifests.iter();
        let manifests: BTreeMap<Digest, u64> =
            manifests.map(|one| (one.digest, one.size)).collect();
        let mut sizes = manifests.clone();
        let blobs = self.blobs.iter().map(|blob| (blob.digest, blob.size));
        let listed = self.manifests.iter().map(|one| (one.digest, one.size));
        for (digest, size) in listed.chain(blobs) {
            if let Some(first) = sizes.insert(digest, size)
                && first != size
            {
                return Err(RuleError::TwoSizes {
                    digest,
                    first,
                    second: size,
                });
            }
        }
        match self
            .blobs
            .iter()
            .find(|blob| manifests.contains_key(&blob.digest))
        {
            Some(blob) => Err(RuleError::ManifestAndBlob {
                digest: blob.digest,
            }),
            None => Ok(()),
        }
    }

    fn check_listed(&self) -> Result<(), RuleError> {
        let listed: BTreeSet<&PlainDescriptor> = self.manifests.iter().collect();
        let images = self.images.iter();
        let images = images.map(|image| (image.reference.to_string(), &image.descriptor));
        let files = self.files.iter();
        let files = files.map(|file| (file.name.clone(), &file.descriptor));
        let referrers = self.referrers.iter().map(|referrer| {
            let name = format!("a referrer of {}@{}", referrer.repository, referrer.subject);
            (name, &referrer.descriptor)
        });
        let unlisted = images
            .chain(files)
            .chain(referrers)
            .find(|(_, descriptor)| !listed.contains(descriptor));
        match unlisted {
            Some((name, descriptor)) => Err(RuleError::Unlisted {
                name,
                digest: descriptor.digest,
                media_type: descriptor.media_type.clone(),
                size: descriptor.size,
            }),
            None => Ok(()),
        }
    }

    /// A pinned reference stands for the digest that it has, or for a choice of that index's platforms.
    fn check_pins(&self) -> Result<(), RuleError> {
        let broken = self.images.iter().find(|image| {
            let original = image.original.as_ref().map(|original| original.digest);
            image.reference.digest().is_some_and(|pinned| {
                *pinned != image.descriptor.digest && Some(*pinned) != original
            })
        });
        match broken {
            Some(image) => Err(RuleError::Pinned {
                reference: Box::new(image.reference.clone()),
                descriptor: image.descriptor.digest,
            }),
            None => Ok(()),
        }
    }

    fn check_names(&self) -> Result<(), RuleError> {
        let mut names: BTreeMap<String, Digest> = BTreeMap::new();
        for image in &self.images {
            name(
                &mut names,
                stored_name(&image.reference),
                image.descriptor.digest,
            )?;
        }
        let images: BTreeSet<String> = names.keys().cloned().collect();
        for file in &self.files {
            let stored = stored_name(&file.reference);
            name(&mut names, stored.clone(), file.descriptor.digest)?;
            if images.contains(&stored) {
                return Err(RuleError::ImageAndFile { name: stored });
            }
        }
        for referrer in &self.referrers {
            if let Discovery::Tag(tag) = &referrer.discovery {
                let stored = format!("{}:{tag}", referrer.repository);
                name(&mut names, stored, referrer.descriptor.digest)?;
            }
        }
        Ok(())
    }
}

/// Notes that `name` stands for `second`.
fn name(
    names: &mut BTreeMap<String, Digest>,
    name: String,
    second: Digest,
) -> Result<(), RuleError> {
    match names.get(&name) {
        Some(first) if *first != second => Err(RuleError::TwoDigests {
            first: *first,
            name,
            second,
        }),
        Some(_) => Ok(()),
        None => {
            names.insert(name, second);
            Ok(())
        }
    }
}

fn check_referrer(referrer: &ReferrerEntry) -> Result<(), RuleError> {
    let full = format!("{}@{}", referrer.repository, referrer.subject);
    let same = |reference: Reference| reference.name() == referrer.repository;
    if !full.parse().is_ok_and(same) {
        return Err(RuleError::Repository {
            subject: referrer.subject,
            repository: referrer.repository.chars().take(120).collect(),
        });
    }
    match &referrer.discovery {
        Discovery::Tag(tag) if !valid_tag(tag) => Err(RuleError::Tag {
            subject: referrer.subject,
            tag: tag.chars().take(120).collect(),
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use sealift_oci::{Descriptor, media_type};

    use super::*;
    use crate::contents::record::{BlobEntry, FileEntry, FileKind, ImageEntry, ImageSource};

    fn descriptor(content: &str) -> PlainDescriptor {
        PlainDescriptor::from(&Descriptor::of(
            media_type::OCI_MANIFEST,
            content.as_bytes(),
        ))
    }

    fn image(reference: &str, content: &str) -> ImageEntry {
        ImageEntry {
            reference: reference.parse().unwrap(),
            descriptor: descriptor(content),
            source: ImageSource::Registry,
            original: None,
            platforms: Vec::new(),
            left_out: Vec::new(),
            new_digest: false,
        }
    }

    fn record() -> Record {
        let mut record = Record::empty();
        record.images.push(image("r.example/a:1", "a"));
        record.manifests = vec![descriptor("a"), descriptor("b")];
        record
    }

    fn referrer(repository: &str, discovery: Discovery, content: &str) -> ReferrerEntry {
        ReferrerEntry {
            repository: repository.to_owned(),
            subject: descriptor("a").digest,
            descriptor: descriptor(content),
            artifact_type: None,
            discovery,
        }
    }

    fn broken(change: impl FnOnce(&mut Record)) -> RuleError {
        let mut record = record();
        change(&mut record);
        record.check_rules().unwrap_err()
    }

    #[test]
    fn a_name_stands_for_one_digest_whoever_has_it() {
        assert_eq!(record().check_rules(), Ok(()));
        let two = broken(|record| record.images.push(image("r.example/a:1", "b")));
        assert!(matches!(two, RuleError::TwoDigests { .. }));
        let tag = Discovery::Tag("1".to_owned());
        let two = broken(|record| record.referrers.push(referrer("r.example/a", tag, "b")));
        assert!(matches!(two, RuleError::TwoDigests { .. }));
    }

    #[test]
    fn a_carried_file_has_no_images_name() {
        let shared = broken(|record| {
            record.files.push(FileEntry {
                name: "a".to_owned(),
                kind: FileKind::File,
                reference: "r.example/a:1".parse().unwrap(),
                descriptor: descriptor("a"),
            });
        });
        assert!(matches!(shared, RuleError::ImageAndFile { .. }));
    }

    #[test]
    fn a_pinned_reference_has_the_digest_that_it_names() {
        let pinned = format!("r.example/p@{}", descriptor("b").digest);
        let wrong = broken(|record| record.images.push(image(&pinned, "a")));
        assert!(matches!(wrong, RuleError::Pinned { .. }));
        let mut right = record();
        right.images.push(image(&pinned, "b"));
        assert_eq!(right.check_rules(), Ok(()));
        let mut chosen = image(&pinned, "a");
        chosen.original = Some(descriptor("b"));
        let mut right = record();
        right.images.push(chosen);
        assert_eq!(right.check_rules(), Ok(()));
    }

    #[test]
    fn referrers_are_in_repositories_and_under_tags_that_registries_have() {
        for repository in ["x", "r.io/x:1", "", "../..", "r.io/A", "r.io/a:1@x"] {
            let wrong = broken(|record| {
                record
                    .referrers
                    .push(referrer(repository, Discovery::Subject, "b"));
            });
            assert!(
                matches!(wrong, RuleError::Repository { .. }),
                "{repository}"
            );
        }
        let tag = Discovery::Tag("not a tag".to_owned());
        let wrong = broken(|record| record.referrers.push(referrer("r.io/a", tag, "b")));
        assert!(matches!(wrong, RuleError::Tag { .. }));
    }

    #[test]
    fn what_is_listed_is_listed_once_and_as_one_thing() {
        let both = broken(|record| {
            let PlainDescriptor { digest, size, .. } = descriptor("a");
            record.blobs.push(BlobEntry {
                digest,
                size,
                config: false,
            });
        });
        assert!(matches!(both, RuleError::ManifestAndBlob { .. }));
        let absent = broken(|record| record.images.push(image("r.example/c:1", "c")));
        assert!(matches!(absent, RuleError::Unlisted { .. }));
        let sizes = broken(|record| {
            let mut other = descriptor("a");
            other.size += 1;
            record.manifests.push(other);
        });
        assert!(matches!(sizes, RuleError::TwoSizes { .. }));
    }
}

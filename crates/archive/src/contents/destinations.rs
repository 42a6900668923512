//! What everything in a bundle is called at a destination: each image, carried file and referrer gets its
//! repository and tag. The loader writes under these names and `serve` answers to them, so that both use
//! the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use sealift_oci::{
    Descriptor, Destination, Digest, Naming, Reference, valid_repository, valid_tag,
};

use crate::contents::record::{Discovery, PlainDescriptor, Record, ReferrerEntry};

/// An entry of the record, by its position in its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RecordEntry {
    /// `record.images[n]`.
    Image(usize),
    /// `record.files[n]`.
    File(usize),
    /// `record.referrers[n]`.
    Referrer(usize),
}

/// One manifest in one repository of the destination, under one tag or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DestinationManifest {
    /// Which entry of the record it is of.
    pub of: RecordEntry,
    /// The repository, with the destination's path and without its registry.
    pub repository: String,
    /// The tag. None for a referrer that is found by its `subject`: it is stored by digest alone.
    pub tag: Option<String>,
    /// The manifest.
    pub descriptor: PlainDescriptor,
}

/// Everything that a bundle puts at a destination: images first, then files, then referrers, each in
/// the record's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destinations {
    list: Vec<DestinationManifest>,
}

/// Two different contents that would get one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collision {
    /// The repository at the destination.
    pub repository: String,
    /// The tag.
    pub tag: String,
    /// What one is called in the bundle, and its digest.
    pub first: (String, Digest),
    /// The other.
    pub second: (String, Digest),
}

impl fmt::Display for Collision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{} would be both {} ({}) and {} ({})",
            self.repository, self.tag, self.first.0, self.first.1, self.second.0, self.second.1
        )
    }
}

/// Why something has no usable name at the destination.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DestinationNameError {
    /// The naming rules give a name that registries refuse.
    #[error(
        "{name} would be stored as {given:?}, which registries refuse (expected lower-case components of at most 255 characters in all, and a tag of at most 128; choose another naming rule or a map)"
    )]
    Name {
        /// What it is called in the bundle.
        name: String,
        /// The name at the destination.
        given: String,
    },
    /// Different contents would get one name.
    #[error(
        "the naming rules give one name to different contents: {} (choose another naming rule or map one of them)",
        list(.0)
    )]
    Collisions(Vec<Collision>),
}

fn list(collisions: &[Collision]) -> String {
    let words: Vec<String> = collisions.iter().map(ToString::to_string).collect();
    words.join("; ")
}

impl Destinations {
    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &DestinationManifest> {
        self.list.iter()
    }

    /// What `choose` makes of each.
    pub fn filter_map(
        self,
        choose: impl FnMut(DestinationManifest) -> Option<DestinationManifest>,
    ) -> Self {
        Self {
            list: self.list.into_iter().filter_map(choose).collect(),
        }
    }

    /// Every repository, sorted.
    pub fn repositories(&self) -> BTreeSet<&str> {
        self.list
            .iter()
            .map(|manifest| manifest.repository.as_str())
            .collect()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The same, once no tag of a repository stands for two digests.
    ///
    /// # Errors
    /// All collisions at once.
    pub fn without_collisions(self, record: &Record) -> Result<Self, DestinationNameError> {
        let mut taken: BTreeMap<(&str, &str), &DestinationManifest> = BTreeMap::new();
        let mut collisions = Vec::new();
        let names = record.names();
        for manifest in &self.list {
            let Some(tag) = &manifest.tag else { continue };
            let first = *taken.entry((&manifest.repository, tag)).or_insert(manifest);
            if first.descriptor.digest != manifest.descriptor.digest {
                collisions.push(Collision {
                    repository: manifest.repository.clone(),
                    tag: tag.clone(),
                    first: (names.of(first.of), first.descriptor.digest),
                    second: (names.of(manifest.of), manifest.descriptor.digest),
                });
            }
        }
        if collisions.is_empty() {
            Ok(self)
        } else {
            Err(DestinationNameError::Collisions(collisions))
        }
    }
}

/// Names everything in `record` at `destination`.
///
/// A reference by digest alone gets [`Reference::storage_tag`]. A referrer goes where its subject's
/// repository goes. The tag that stands in for the referrers API is nobody's to copy: it has to be
/// made of what is at the destination.
///
/// # Errors
/// Where a name is none, or two different contents would get the same one.
pub fn destinations(
    record: &Record,
    naming: &Naming,
    destination: &Destination,
) -> Result<Destinations, DestinationNameError> {
    all_destinations(record, naming, destination)?.without_collisions(record)
}

/// The same without a check for collisions, for a caller that selects a part of it:
/// [`Destinations::filter_map`], then [`Destinations::without_collisions`].
///
/// # Errors
/// Where a name is none.
pub fn all_destinations(
    record: &Record,
    naming: &Naming,
    destination: &Destination,
) -> Result<Destinations, DestinationNameError> {
    let named = |of: RecordEntry, reference: &Reference, descriptor: &PlainDescriptor| {
        let repository = naming.repository_at(reference, destination);
        let tag = Some(reference.storage_tag());
        checked(record, of, repository, tag, descriptor)
    };
    let images = record
        .images
        .iter()
        .enumerate()
        .map(|(n, image)| named(RecordEntry::Image(n), &image.reference, &image.descriptor));
    let files = record
        .files
        .iter()
        .enumerate()
        .map(|(n, file)| named(RecordEntry::File(n), &file.reference, &file.descriptor));
    let referrers = record
        .referrers
        .iter()
        .enumerate()
        .map(|(n, referrer)| referrer_destination(record, n, referrer, naming, destination));
    let list: Result<Vec<DestinationManifest>, DestinationNameError> =
        images.chain(files).chain(referrers).collect();
    Ok(Destinations { list: list? })
}

fn referrer_destination(
    record: &Record,
    position: usize,
    referrer: &ReferrerEntry,
    naming: &Naming,
    destination: &Destination,
) -> Result<DestinationManifest, DestinationNameError> {
    let of = RecordEntry::Referrer(position);
    let source = format!("{}@{}", referrer.repository, referrer.subject);
    let Ok(source) = source.parse::<Reference>() else {
        return Err(DestinationNameError::Name {
            name: record.names().of(of),
            given: referrer.repository.clone(),
        });
    };
    let tag = match &referrer.discovery {
        Discovery::Tag(tag) if *tag != referrer.subject.referrers_tag() => Some(tag.clone()),
        _ => None,
    };
    let repository = naming.repository_at(&source, destination);
    checked(record, of, repository, tag, &referrer.descriptor)
}

fn checked(
    record: &Record,
    of: RecordEntry,
    repository: String,
    tag: Option<String>,
    descriptor: &PlainDescriptor,
) -> Result<DestinationManifest, DestinationNameError> {
    if !valid_repository(&repository) || tag.as_deref().is_some_and(|tag| !valid_tag(tag)) {
        let tag = tag.map(|tag| format!(":{tag}")).unwrap_or_default();
        return Err(DestinationNameError::Name {
            name: record.names().of(of),
            given: format!("{repository}{tag}"),
        });
    }
    Ok(DestinationManifest {
        of,
        repository,
        tag,
        descriptor: descriptor.clone(),
    })
}

impl DestinationManifest {
    /// The manifest's descriptor in the form that requests take.
    pub fn manifest(&self) -> Descriptor {
        Descriptor::from(&self.descriptor)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::contents::record::{ImageEntry, ImageSource};
    use sealift_oci::{NamingRule, media_type};

    fn descriptor(text: &str) -> PlainDescriptor {
        PlainDescriptor::from(&Descriptor::of(media_type::OCI_MANIFEST, text.as_bytes()))
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

    fn referrer(
        repository: &str,
        subject: &str,
        content: &str,
        discovery: Discovery,
    ) -> ReferrerEntry {
        ReferrerEntry {
            repository: repository.to_owned(),
            subject: descriptor(subject).digest,
            descriptor: descriptor(content),
            artifact_type: None,
            discovery,
        }
    }

    fn names(record: &Record, rule: NamingRule, destination: &str) -> Vec<String> {
        let named =
            destinations(record, &Naming::new(rule), &destination.parse().unwrap()).unwrap();
        named
            .iter()
            .map(|manifest| match &manifest.tag {
                Some(tag) => format!("{}:{tag}", manifest.repository),
                None => format!("{}@", manifest.repository),
            })
            .collect()
    }

    #[test]
    fn a_name_by_digest_alone_gets_a_tag_that_is_not_the_fallback_tag() {
        let digest = descriptor("a").digest;
        let mut record = Record::empty();
        record
            .images
            .push(image(&format!("quay.io/x/a@{digest}"), "a"));
        let names = names(&record, NamingRule::Keep, "r/p");
        assert_eq!(names, [format!("p/x/a:sha256.{}", &digest.hex()[..32])]);
        assert!(!names[0].ends_with(&digest.referrers_tag()));
    }

    #[test]
    fn signatures_follow_the_repository_of_their_subject() {
        let mut record = Record::empty();
        let subject = descriptor("a").digest;
        let signature = format!("{}.sig", subject.referrers_tag());
        record.images.push(image("docker.io/calico/node:v1", "a"));
        record.referrers = vec![
            referrer(
                "docker.io/calico/node",
                "a",
                "s",
                Discovery::Tag(signature.clone()),
            ),
            referrer("docker.io/calico/node", "a", "t", Discovery::Subject),
        ];
        let names = names(&record, NamingRule::Flat, "r:5000/mirror");
        let expected = [
            "mirror/node:v1".to_owned(),
            format!("mirror/node:{signature}"),
            "mirror/node@".to_owned(),
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn the_fallback_tag_is_never_a_destination() {
        let mut record = Record::empty();
        let tag = descriptor("a").digest.referrers_tag();
        record
            .referrers
            .push(referrer("r.io/a", "a", "s", Discovery::Tag(tag)));
        assert_eq!(names(&record, NamingRule::Keep, "r"), ["a@"]);
    }

    #[test]
    fn two_contents_under_one_name_collide_and_equal_ones_do_not() {
        let mut record = Record::empty();
        record.images = vec![
            image("docker.io/x/a:1", "one"),
            image("quay.io/y/a:1", "one"),
        ];
        let flat = Naming::new(NamingRule::Flat);
        let destination = "r".parse().unwrap();
        assert!(destinations(&record, &flat, &destination).is_ok());
        record.images.push(image("quay.io/z/a:1", "two"));
        let Err(DestinationNameError::Collisions(collisions)) =
            destinations(&record, &flat, &destination)
        else {
            panic!("no collision was found");
        };
        assert_eq!(collisions.len(), 1);
        assert_eq!(collisions[0].second.0, "quay.io/z/a:1");
        assert!(destinations(&record, &Naming::default(), &destination).is_ok());
    }

    #[test]
    fn a_name_that_becomes_too_long_is_refused() {
        let mut record = Record::empty();
        record
            .images
            .push(image(&format!("r.io/{}:1", "a".repeat(200)), "a"));
        let destination = format!("r/{}", "b".repeat(100)).parse().unwrap();
        assert!(matches!(
            destinations(&record, &Naming::default(), &destination),
            Err(DestinationNameError::Name { .. })
        ));
    }

    #[test]
    fn a_repository_that_is_no_name_is_refused() {
        for repository in ["", "../..", "r.io/A", "r.io/a:1@x"] {
            let mut record = Record::empty();
            record
                .referrers
                .push(referrer(repository, "a", "s", Discovery::Subject));
            let placed = destinations(&record, &Naming::default(), &"r".parse().unwrap());
            assert!(
                matches!(placed, Err(DestinationNameError::Name { .. })),
                "{repository:?}"
            );
        }
    }
}

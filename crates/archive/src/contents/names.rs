//! What a digest in the record is called: signatures and attestations name their subject by its digest only.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use sealift_oci::{ArtifactKind, Digest};
use serde::Serialize;

use crate::contents::destinations::RecordEntry;
use crate::contents::graph::Graph;
use crate::contents::record::{Discovery, ImageEntry, Record, ReferrerEntry};

/// How far a signature of an attestation of a signature is followed.
const MAX_DEPTH: usize = 4;

/// No more names are listed of what needs a digest.
const MAX_NAMES: usize = 10;

/// What needs a digest, by the names of the record. There may be as many names as a record has, for each digest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NeededBy {
    /// The first names: images, then files, then what referrers are of.
    #[serde(rename = "touches")]
    pub names: Vec<String>,
    /// How many more there are.
    #[serde(rename = "moreTouched", skip_serializing_if = "is_zero")]
    pub more: u64,
}

impl fmt::Display for NeededBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names.join(", "))?;
        match self.more {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl ReferrerEntry {
    /// The tag that it is found by, for cosign's convention.
    pub fn tag(&self) -> Option<&str> {
        match &self.discovery {
            Discovery::Tag(tag) => Some(tag),
            Discovery::Subject => None,
        }
    }

    /// What it is, as far as the record says it.
    pub fn kind(&self) -> ArtifactKind {
        ArtifactKind::of(self.artifact_type.as_deref(), self.tag())
    }
}

impl Record {
    /// What everything in the record is called.
    pub fn names(&self) -> Names<'_> {
        Names::new(self)
    }

    /// The names of everything that needs one of `digests`, as `graph` has its manifests: images, files, and what
    /// referrers are of. Each root is followed once, however many names and digests there are.
    pub(crate) fn needed_by(
        &self,
        graph: &Graph,
        digests: &BTreeSet<Digest>,
    ) -> BTreeMap<Digest, NeededBy> {
        let mut found: BTreeMap<Digest, Found> = BTreeMap::new();
        for (root, entries) in self.entries_by_root() {
            for digest in graph.reached_of(&root, digests) {
                found.entry(digest).or_default().extend(&entries);
            }
        }
        for (n, image) in self.images.iter().enumerate() {
            if let Some(original) = &image.original
                && digests.contains(&original.digest)
            {
                let found = found.entry(original.digest).or_default();
                found.extend(&[RecordEntry::Image(n)]);
            }
        }
        let names = self.names();
        let needed = found.into_iter();
        needed
            .map(|(digest, found)| (digest, found.named(&names)))
            .collect()
    }

    /// Images, files and referrers by their manifests, each in the order of the record.
    fn entries_by_root(&self) -> BTreeMap<Digest, Vec<RecordEntry>> {
        let images = self.images.iter().enumerate();
        let images = images.map(|(n, image)| (RecordEntry::Image(n), image.descriptor.digest));
        let files = self.files.iter().enumerate();
        let files = files.map(|(n, file)| (RecordEntry::File(n), file.descriptor.digest));
        let referrers = self.referrers.iter().enumerate();
        let referrers = referrers.map(|(n, one)| (RecordEntry::Referrer(n), one.descriptor.digest));
        let mut roots: BTreeMap<Digest, Vec<RecordEntry>> = BTreeMap::new();
        for (entry, root) in images.chain(files).chain(referrers) {
            roots.entry(root).or_default().push(entry);
        }
        roots
    }
}

/// The first entries that need a digest, and how many there are in all.
#[derive(Default)]
struct Found {
    first: Vec<RecordEntry>,
    all: u64,
}

impl Found {
    /// Adds entries, which are sorted.
    fn extend(&mut self, entries: &[RecordEntry]) {
        self.first.extend(entries.iter().take(MAX_NAMES));
        self.first.sort_unstable();
        self.first.truncate(MAX_NAMES);
        self.all += entries.len() as u64;
    }

    fn named(self, names: &Names<'_>) -> NeededBy {
        let listed = self.first.len() as u64;
        let first = self.first.into_iter();
        NeededBy {
            names: first.map(|entry| names.of(entry)).collect(),
            more: self.all - listed,
        }
    }
}

/// What everything in a record is called, found once for all.
pub struct Names<'a> {
    record: &'a Record,
    /// By repository (registry and repository) and digest.
    known: BTreeMap<(Cow<'a, str>, Digest), Known>,
}

/// What a manifest of a repository is.
#[derive(Clone, Copy)]
enum Known {
    Image(usize),
    /// One of the platforms of an image.
    Platform(usize, usize),
    Referrer(usize),
}

impl<'a> Names<'a> {
    fn new(record: &'a Record) -> Self {
        let mut known = BTreeMap::new();
        let repository = |image: &ImageEntry| Cow::Owned(image.reference.name());
        for (n, image) in record.images.iter().enumerate() {
            let key = (repository(image), image.descriptor.digest);
            known.entry(key).or_insert(Known::Image(n));
        }
        for (n, image) in record.images.iter().enumerate() {
            for (number, entry) in image.platforms.iter().enumerate() {
                if entry.platform.is_some() {
                    let key = (repository(image), entry.digest);
                    known.entry(key).or_insert(Known::Platform(n, number));
                }
            }
        }
        for (n, referrer) in record.referrers.iter().enumerate() {
            let repository = Cow::Borrowed(referrer.repository.as_str());
            let key = (repository, referrer.descriptor.digest);
            known.entry(key).or_insert(Known::Referrer(n));
        }
        Self { record, known }
    }

    /// What an entry is called, for a person: an image's reference, a file's name, or what a referrer
    /// is and belongs to.
    pub fn of(&self, entry: RecordEntry) -> String {
        let record = self.record;
        let name = match entry {
            RecordEntry::Image(n) => record
                .images
                .get(n)
                .map(|image| image.reference.to_string()),
            RecordEntry::File(n) => record.files.get(n).map(|file| file.name.clone()),
            RecordEntry::Referrer(n) => record.referrers.get(n).map(|referrer| {
                let subject = self.subject(&referrer.repository, &referrer.subject);
                format!("{} of {subject}", referrer.kind())
            }),
        };
        name.unwrap_or_default()
    }

    /// What the manifest `digest` of `repository` (registry and repository) is called: an image's reference,
    /// with the platform if it is for one of several, or what a signature or attestation belongs to. A manifest
    /// that is not in the record is called by its digest.
    pub fn subject(&self, repository: &str, digest: &Digest) -> String {
        self.named(repository, digest, MAX_DEPTH)
            .unwrap_or_else(|| format!("{repository}@{digest}"))
    }

    fn named(&self, repository: &str, digest: &Digest, depth: usize) -> Option<String> {
        let record = self.record;
        let known = self.known.get(&(Cow::Borrowed(repository), *digest))?;
        match *known {
            Known::Image(n) => Some(record.images[n].reference.to_string()),
            Known::Platform(n, number) => {
                let image = &record.images[n];
                let platform = image.platforms[number].platform.as_ref()?;
                Some(format!("{} ({platform})", image.reference))
            }
            Known::Referrer(n) if depth > 0 => {
                let referrer = &record.referrers[n];
                let subject = self.named(repository, &referrer.subject, depth - 1)?;
                Some(format!("{} of {subject}", referrer.kind()))
            }
            Known::Referrer(_) => None,
        }
    }
}

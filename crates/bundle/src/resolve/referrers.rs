//! Signatures, attestations, SBOMs: what belongs to the manifests that are carried.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sealift_archive::{Discovery, LocalImages, PlainDescriptor};
use sealift_oci::{Digest, Reference};
use sealift_pipeline::{JobError, run_parallel};

use crate::error::{ImageFailure, ResolveError};
use crate::resolve::fetch::{Known, Wanted};
use crate::resolve::limits::MAX_MANIFESTS;
use crate::resolve::{Images, Root, descend_completely, originals};
use crate::sources::{SourceId, Sources};

/// How far referrers of referrers are followed: a signature of an attestation of an image.
const MAX_ROUNDS: usize = 3;
/// The ends of the tags that cosign stores by (its `pkg/oci/remote`), after `sha256-<hex>`.
const COSIGN_SUFFIXES: [&str; 3] = ["sig", "att", "sbom"];

/// A manifest in a repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Subject {
    pub(crate) source: SourceId,
    /// Registry and repository; what is on disk takes them from its image.
    pub(crate) repository: String,
    pub(crate) digest: Digest,
}

impl Subject {
    /// The manifest `digest` of an image.
    pub(crate) fn of(root: &Root, digest: Digest) -> Self {
        Self {
            source: root.source,
            repository: root.reference.name(),
            digest,
        }
    }

    fn with(&self, digest: Digest) -> Self {
        Self {
            digest,
            ..self.clone()
        }
    }
}

/// A referrer that is carried.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Referrer {
    pub(crate) subject: Subject,
    pub(crate) descriptor: PlainDescriptor,
    pub(crate) artifact_type: Option<String>,
    pub(crate) discovery: Discovery,
}

/// What was found for all images.
#[derive(Debug, Default)]
pub(crate) struct Referrers {
    pub(crate) carried: BTreeSet<Referrer>,
    /// What refers to an index that a new one stands for, in words.
    pub(crate) of_originals: BTreeMap<Subject, Vec<String>>,
    pub(crate) warnings: Vec<String>,
    /// The image that each subject was reached from.
    pub(crate) images: BTreeMap<Subject, Reference>,
}

/// Something that refers to a subject, as its registry lists it.
#[derive(Clone, Debug)]
struct Hit {
    descriptor: PlainDescriptor,
    artifact_type: Option<String>,
    discovery: Discovery,
}

/// One question to a registry.
#[derive(Clone, Copy)]
enum Question {
    Subject,
    Tag(&'static str),
}

/// Asks for the referrers of everything that is carried, and reads them.
pub(crate) fn find(
    known: &mut Known<'_>,
    images: &Images,
    failures: &mut Vec<ImageFailure>,
) -> Referrers {
    let mut search = Search {
        asked: BTreeSet::new(),
        failures,
        found: Referrers::default(),
    };
    let mut level: Vec<Subject> = Vec::new();
    let mut originals = BTreeSet::new();
    for (root, chosen) in images {
        let image = &root.reference;
        if let Some(original) = originals::of(root, chosen) {
            let subject = Subject::of(root, original.digest);
            search.belongs(&subject, image);
            if originals::is_carried(known, original) {
                level.push(subject.clone());
            }
            originals.insert(subject);
        }
        for digest in below(known, &chosen.descriptor.digest) {
            if !known.made.contains(&digest) {
                let subject = Subject::of(root, digest);
                search.belongs(&subject, image);
                level.push(subject);
            }
        }
    }
    for _ in 0..MAX_ROUNDS {
        level = search.round(known, level);
        if level.is_empty() || known.context.cancel.is_cancelled() {
            break;
        }
    }
    search.originals(known, originals);
    search.found
}

/// `root` and every manifest that it reaches.
fn below(known: &Known<'_>, root: &Digest) -> BTreeSet<Digest> {
    known.graph.closure([*root])
}

struct Search<'a> {
    asked: BTreeSet<Subject>,
    failures: &'a mut Vec<ImageFailure>,
    found: Referrers,
}

impl Search<'_> {
    fn belongs(&mut self, subject: &Subject, image: &Reference) {
        let images = &mut self.found.images;
        images
            .entry(subject.clone())
            .or_insert_with(|| image.clone());
    }

    /// A failure of the image that a subject was reached from.
    fn fail(&mut self, name: String, subject: &Subject, error: ResolveError) {
        self.failures.push(ImageFailure {
            name,
            image: self.found.images.get(subject).cloned(),
            error,
        });
    }

    /// The name of the image that a subject was reached from.
    fn image_name(&self, subject: &Subject) -> String {
        let image = self.found.images.get(subject);
        image.map_or_else(
            || format!("{}@{}", subject.repository, subject.digest),
            Reference::to_string,
        )
    }

    /// Notes what refers to publishers' indexes: it does not cover the new ones, and whoever reads the plan
    /// should know. Those that are carried were asked about already.
    fn originals(&mut self, known: &Known<'_>, originals: BTreeSet<Subject>) {
        for referrer in &self.found.carried {
            if originals.contains(&referrer.subject) {
                let names = self.found.of_originals.entry(referrer.subject.clone());
                names.or_default().push(referrer.words());
            }
        }
        let others = originals.difference(&self.asked).cloned().collect();
        for (subject, hits) in self.ask(known, others) {
            let names = hits.iter().map(Hit::words).collect();
            self.found.of_originals.insert(subject, names);
        }
    }

    /// Asks for the referrers of `level`, reads them, and gives what they are in turn.
    fn round(&mut self, known: &mut Known<'_>, level: Vec<Subject>) -> Vec<Subject> {
        let mut fresh: Vec<Subject> = level
            .into_iter()
            .filter(|subject| self.asked.insert(subject.clone()))
            .collect();
        fresh.sort_unstable();
        let hits = self.ask(known, fresh);
        let wanted = hits.iter().flat_map(|(subject, hits)| {
            hits.iter().map(|hit| Wanted {
                descriptor: hit.descriptor.clone(),
                parent: subject.digest,
                sources: BTreeSet::from([subject.source]),
            })
        });
        known.fetch(wanted.collect());
        let roots = hits.iter().flat_map(|(subject, hits)| {
            hits.iter()
                .map(|hit| (hit.descriptor.digest, subject.source))
        });
        descend_completely(known, roots.collect());
        let mut next = Vec::new();
        for (subject, hits) in hits {
            for hit in hits {
                next.extend(self.take(known, &subject, hit));
            }
        }
        next
    }

    /// Takes in one referrer that was read, or says why not.
    fn take(&mut self, known: &Known<'_>, subject: &Subject, hit: Hit) -> Option<Subject> {
        let digest = hit.descriptor.digest;
        let of = format!("{}@{}", subject.repository, subject.digest);
        let Some(node) = known.graph.get(&digest) else {
            let error = known.failed.get(&hit.descriptor)?;
            if error.is_not_found() || matches!(error, ResolveError::NotAManifest { .. }) {
                self.warn(format!(
                    "{} of {of} is listed, but it is not there: {error}",
                    hit.words()
                ));
            } else {
                let name = format!("{} of {of}", hit.words());
                self.fail(name, subject, error.clone());
            }
            return None;
        };
        if hit.discovery == Discovery::Subject && node.subject != Some(subject.digest) {
            self.warn(format!(
                "{} is listed as a referrer of {of}, but it does not say so itself; it is not carried",
                hit.words()
            ));
            return None;
        }
        if let Some(image) = self.found.images.get(subject).cloned() {
            self.belongs(&subject.with(digest), &image);
        }
        self.found.carried.insert(Referrer {
            subject: subject.clone(),
            descriptor: node.descriptor.clone(),
            artifact_type: hit.artifact_type.or_else(|| node.artifact_type.clone()),
            discovery: hit.discovery,
        });
        if self.found.carried.len() > MAX_MANIFESTS {
            let error = ResolveError::TooMuch {
                what: "too many referrers",
                limit: MAX_MANIFESTS,
            };
            self.fail(self.image_name(subject), subject, error);
            return None;
        }
        Some(subject.with(digest))
    }

    /// Asks all questions about all `subjects` at once; what fails is a failure of the image.
    fn ask(&mut self, known: &Known<'_>, subjects: Vec<Subject>) -> BTreeMap<Subject, Vec<Hit>> {
        let tags = COSIGN_SUFFIXES.map(Question::Tag);
        let questions: Vec<(Subject, Question)> = subjects
            .iter()
            .flat_map(|subject| {
                let all = std::iter::once(Question::Subject).chain(tags);
                all.map(|question| (subject.clone(), question))
            })
            .collect();
        let context = known.context;
        let results = run_parallel(
            context.budget.connections(),
            &questions,
            context.cancel,
            |(subject, question)| ask_one(known.sources, subject, *question),
        );
        let mut hits: BTreeMap<Subject, Vec<Hit>> = BTreeMap::new();
        let mut broken = BTreeSet::new();
        for ((subject, _), result) in questions.into_iter().zip(results) {
            let error = match result {
                Ok(found) => {
                    hits.entry(subject).or_default().extend(found);
                    continue;
                }
                Err(JobError::Failed(error)) => error,
                Err(JobError::Cancelled(cancelled)) => cancelled.into(),
            };
            // One line an image: what refuses one question mostly refuses all.
            let name = self.image_name(&subject);
            if broken.insert(name.clone()) {
                self.fail(name, &subject, ResolveError::Referrers(Box::new(error)));
            }
        }
        hits
    }

    fn warn(&mut self, text: String) {
        self.found.warnings.push(text);
    }
}

impl Hit {
    fn words(&self) -> String {
        words(
            &self.discovery,
            self.artifact_type.as_deref(),
            &self.descriptor,
        )
    }
}

impl Referrer {
    fn words(&self) -> String {
        words(
            &self.discovery,
            self.artifact_type.as_deref(),
            &self.descriptor,
        )
    }
}

/// What a referrer is, for a person.
fn words(discovery: &Discovery, kind: Option<&str>, descriptor: &PlainDescriptor) -> String {
    match (discovery, kind) {
        (Discovery::Tag(tag), _) => tag.clone(),
        (Discovery::Subject, Some(kind)) => format!("{kind} {}", descriptor.digest),
        (Discovery::Subject, None) => format!("referrer {}", descriptor.digest),
    }
}

fn ask_one(
    sources: &Sources,
    subject: &Subject,
    question: Question,
) -> Result<Vec<Hit>, ResolveError> {
    if let Some(local) = sources.local(subject.source) {
        return Ok(match question {
            Question::Subject => on_disk(local, subject),
            Question::Tag(_) => Vec::new(),
        });
    }
    let repository = sources.repository(subject.source)?;
    let registry = |error| ResolveError::Registry(Arc::new(error));
    match question {
        Question::Subject => {
            let found = repository.referrers(&subject.digest).map_err(registry)?;
            let hits = found.into_iter().map(|descriptor| Hit {
                descriptor: PlainDescriptor::from(&descriptor),
                artifact_type: descriptor.artifact_type,
                discovery: Discovery::Subject,
            });
            Ok(hits.collect())
        }
        Question::Tag(suffix) => {
            // HEAD costs nothing where a registry counts the manifests that are fetched.
            let tag = format!("{}.{suffix}", subject.digest.referrers_tag());
            let found = repository.head_manifest(&tag).map_err(registry)?;
            let hits = found.into_iter().map(|descriptor| Hit {
                descriptor: PlainDescriptor::from(&descriptor),
                artifact_type: None,
                discovery: Discovery::Tag(tag.clone()),
            });
            Ok(hits.collect())
        }
    }
}

/// What a layout's index lists for `subject`, by either convention.
fn on_disk(local: &LocalImages, subject: &Subject) -> Vec<Hit> {
    let listed = local.referrers().iter().filter(|referrer| {
        let repository = referrer.repository.as_ref();
        referrer.subject == subject.digest
            && repository.is_none_or(|repository| *repository == subject.repository)
    });
    let hits = listed.map(|referrer| Hit {
        descriptor: PlainDescriptor::from(&referrer.descriptor),
        artifact_type: referrer.artifact_type.clone(),
        discovery: referrer.discovery.clone(),
    });
    hits.collect()
}

//! What the references stand for.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::Read;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sealift_archive::{BlobRef, ImageEntry, ImageSource, MAX_ENTRIES, Node, PlainDescriptor};
use sealift_oci::{Digest, Kind, Platform, Reference};
use sealift_pipeline::{JobError, VerifyingReader, run_parallel};

use crate::error::{ImageFailure, ResolveError};
use crate::request::Request;
use crate::resolve::fetch::{Known, keep, readers};
use crate::resolve::limits::TOO_MANY_TOGETHER;
use crate::resolve::local::{Opened, recorded};
use crate::resolve::{Root, failure, image_failure};
use crate::sources::{Source, SourceId, Sources};
use crate::spool::Spool;

/// An image to ask for.
pub(crate) struct Asked {
    reference: Reference,
    /// Where it can be, in the order in which the sources are tried.
    places: Vec<(SourceId, What)>,
    kind: ImageSource,
    new_digest: bool,
    recorded: Option<ImageEntry>,
}

/// How its manifest is named.
enum What {
    /// By tag or digest, in a registry.
    Selector(String),
    /// By a descriptor, on disk.
    Described(PlainDescriptor),
}

/// Everything that is asked for: references once, by digest where they have one, else by tag, which is
/// not asked for again; then all images on disk.
pub(crate) fn asked(
    request: &Request,
    opened: &[Opened],
    sources: &Sources,
    failures: &mut Vec<ImageFailure>,
) -> Vec<Asked> {
    let references: BTreeSet<&Reference> = request.images.iter().collect();
    let mut asked: Vec<Asked> = references
        .into_iter()
        .filter_map(|reference| {
            let places = request.pulled_from(reference).iter();
            let places = places.filter_map(|pulled| {
                let selector = match (pulled.digest(), pulled.tag()) {
                    (Some(digest), _) => digest.to_string(),
                    (None, tag) => tag.unwrap_or("latest").to_owned(),
                };
                let source = sources.id(&Source::of(pulled))?;
                Some((source, What::Selector(selector)))
            });
            let places: Vec<(SourceId, What)> = places.collect();
            (!places.is_empty()).then(|| Asked {
                reference: reference.clone(),
                places,
                kind: ImageSource::Registry,
                new_digest: false,
                recorded: None,
            })
        })
        .collect();
    for one in opened {
        let Some(source) = sources.id(&one.place) else {
            continue;
        };
        let recorded = recorded(&one.images);
        for image in one.images.images() {
            match image.reference(one.repository.as_deref(), &one.path) {
                Ok(reference) => asked.push(Asked {
                    recorded: recorded.get(&reference).cloned(),
                    reference,
                    places: vec![(
                        source,
                        What::Described(PlainDescriptor::from(&image.descriptor)),
                    )],
                    kind: one.images.kind(),
                    new_digest: image.new_digest,
                }),
                Err(error) => {
                    failures.push(failure(&one.path, ResolveError::Local(Arc::new(error))));
                }
            }
        }
    }
    asked
}

/// Reads the manifest of each, from the first source that has it; where that is not the first that was
/// requested, a warning says so.
pub(crate) fn read(
    known: &mut Known<'_>,
    asked: &[Asked],
    warnings: &mut Vec<String>,
    failures: &mut Vec<ImageFailure>,
) -> Vec<Root> {
    let context = known.context;
    let (sources, spool) = (known.sources, known.spool);
    let reading = Reading {
        sources,
        spool,
        unreachable: Mutex::default(),
        read: Mutex::default(),
    };
    let results = run_parallel(readers(&context), asked, context.cancel, |asked| {
        reading.first(asked)
    });
    let mut roots = Vec::with_capacity(asked.len());
    for (asked, result) in asked.iter().zip(results) {
        let error = match result {
            Ok(Found {
                read,
                source,
                before,
            }) => {
                warnings.extend(before.map(|before| {
                    let there = sources.source(source).name();
                    format!("{} is pulled from {there}: {before}", asked.reference)
                }));
                let root = Root {
                    reference: asked.reference.clone(),
                    source,
                    kind: asked.kind,
                    descriptor: read.node.descriptor.clone(),
                    platform: read.platform.clone(),
                    new_digest: asked.new_digest,
                    recorded: asked.recorded.clone(),
                };
                match known.add_shared(&read.node) {
                    Ok(()) => {
                        roots.push(root);
                        continue;
                    }
                    Err(error) => error,
                }
            }
            Err(JobError::Failed(error)) => error,
            Err(JobError::Cancelled(cancelled)) => cancelled.into(),
        };
        failures.push(image_failure(&asked.reference, error));
    }
    roots
}

/// A manifest that was read, and where.
struct Found {
    read: Arc<ReadManifest>,
    source: SourceId,
    /// Why the sources before this one were passed over.
    before: Option<String>,
}

/// A manifest that was read.
struct ReadManifest {
    node: Node,
    /// What it runs on, as its config says.
    platform: Option<Platform>,
}

/// What reading many manifests has in common.
struct Reading<'a> {
    sources: &'a Sources,
    spool: &'a Spool,
    /// Hosts that do not respond.
    unreachable: Mutex<BTreeSet<String>>,
    read: Mutex<ManyRead>,
}

/// Manifests that were read, and how many entries they have.
#[derive(Default)]
struct ManyRead {
    /// Those that images on disk name; many may name the same.
    described: BTreeMap<(SourceId, PlainDescriptor), Arc<ReadManifest>>,
    /// What configs say that images run on.
    platforms: BTreeMap<Digest, Option<Platform>>,
    entries: usize,
}

impl Reading<'_> {
    /// Tries one source after the other. A registry that does not respond at all is not asked for other images
    /// if those can also be had elsewhere.
    fn first(&self, asked: &Asked) -> Result<Found, ResolveError> {
        let sources = self.sources;
        let silent = || {
            self.unreachable
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        let mut tried: Vec<(String, ResolveError)> = Vec::new();
        let mut skipped = Vec::new();
        for (number, (source, what)) in asked.places.iter().enumerate() {
            let place = sources.source(*source);
            let is_last = number + 1 == asked.places.len();
            if !is_last && silent().contains(place.host()) {
                skipped.push(format!("{} does not respond", place.host()));
                continue;
            }
            match self.one(*source, what) {
                Ok(read) => {
                    let tried = tried.iter().map(|(_, error)| error.to_string());
                    let before: Vec<String> = skipped.into_iter().chain(tried).collect();
                    return Ok(Found {
                        read,
                        source: *source,
                        before: (!before.is_empty()).then(|| before.join("; ")),
                    });
                }
                Err(error) if error.is_cancelled() => return Err(error),
                Err(error) => {
                    if error.is_unreachable() {
                        silent().insert(place.host().to_owned());
                    }
                    tried.push((place.name(), error));
                }
            }
        }
        match (tried.len(), tried.pop()) {
            (1, Some((_, error))) => Err(error),
            (_, Some(last)) => {
                tried.push(last);
                Err(ResolveError::Nowhere(tried))
            }
            (_, None) => Err(ResolveError::Nowhere(tried)),
        }
    }

    /// Reads a manifest from a source, one that is described alike only once.
    fn one(&self, source: SourceId, what: &What) -> Result<Arc<ReadManifest>, ResolveError> {
        let key = match what {
            What::Selector(_) => None,
            What::Described(descriptor) => Some((source, descriptor.clone())),
        };
        if let Some(known) = key
            .as_ref()
            .and_then(|key| self.lock().described.get(key).cloned())
        {
            return Ok(known);
        }
        let manifest = match what {
            What::Selector(selector) => self.sources.named_manifest(source, selector)?,
            What::Described(descriptor) => self.sources.manifest(source, descriptor)?,
        };
        keep(self.spool, &manifest)?;
        let node = Node::of(&manifest);
        let platform = self.platform(source, &node)?;
        let new = Arc::new(ReadManifest { node, platform });
        let mut read = self.lock();
        read.entries += new.node.children.len() + new.node.blobs.len();
        if read.entries > MAX_ENTRIES {
            return Err(TOO_MANY_TOGETHER);
        }
        if let Some(key) = key {
            read.described.insert(key, Arc::clone(&new));
        }
        Ok(new)
    }

    /// What an image runs on that is not in an index: nothing but its config says it.
    fn platform(&self, source: SourceId, node: &Node) -> Result<Option<Platform>, ResolveError> {
        let Some(config) = node.image_config().filter(|_| node.kind == Kind::Image) else {
            return Ok(None);
        };
        if let Some(known) = self.lock().platforms.get(&config.digest) {
            return Ok(known.clone());
        }
        let platform = platform_of(&read_config(self.sources, self.spool, source, config)?);
        let mut read = self.lock();
        read.platforms.insert(config.digest, platform.clone());
        Ok(platform)
    }

    fn lock(&self) -> MutexGuard<'_, ManyRead> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the config of an image that is not in an index: nothing else says what it runs on. It is kept,
/// since it is carried anyway.
fn read_config(
    sources: &Sources,
    spool: &Spool,
    source: SourceId,
    config: &BlobRef,
) -> Result<Arc<[u8]>, ResolveError> {
    let scratch = |error| ResolveError::Scratch(Arc::new(error));
    if let Some(bytes) = spool.get(&config.digest).map_err(scratch)? {
        return Ok(bytes);
    }
    let content = sources
        .blob(source, &config.digest, config.size, 0)
        .map_err(|error| ResolveError::Config(Arc::new(error)))?;
    let mut bytes = Vec::with_capacity(usize::try_from(config.size).unwrap_or(0));
    VerifyingReader::new(content.reader, config.digest, config.size)
        .read_to_end(&mut bytes)
        .map_err(|error| ResolveError::Config(Arc::new(sources.broken(source, 0, 1, error))))?;
    let bytes: Arc<[u8]> = bytes.into();
    spool.put(&config.digest, &bytes).map_err(scratch)?;
    Ok(bytes)
}

/// The platform that a config names; none where it is not of the form that its type promises, which is
/// no reason not to carry it.
fn platform_of(config: &[u8]) -> Option<Platform> {
    let platform: Platform = serde_json::from_slice(config).ok()?;
    (!platform.os.is_empty() && !platform.architecture.is_empty()).then_some(platform)
}

/// Makes one of those that have one name and one digest. Where one tag is given with several digests, the
/// reference that is named first has the tag, and the others are carried by their digests alone, which
/// `warnings` says. Those that have no digest of their own are refused.
pub(crate) fn one_digest_a_name(
    request: &Request,
    mut roots: Vec<Root>,
    warnings: &mut Vec<String>,
    failures: &mut Vec<ImageFailure>,
) -> Vec<Root> {
    let mut places: BTreeMap<&Reference, usize> = BTreeMap::new();
    for (place, reference) in request.images.iter().enumerate() {
        places.entry(reference).or_insert(place);
    }
    // What a tag stands for now has it before what somebody wrote beside it.
    roots.sort_by_key(|root| {
        let place = places.get(&root.reference).copied();
        let pinned = root.reference.digest().is_some();
        (pinned, place.unwrap_or(usize::MAX))
    });
    let mut names: BTreeMap<(String, String), Root> = BTreeMap::new();
    let mut refused: BTreeSet<(String, String)> = BTreeSet::new();
    let mut open: VecDeque<Root> = roots.into();
    while let Some(root) = open.pop_front() {
        let name = (root.reference.name(), root.reference.storage_tag());
        let Some(first) = names.get_mut(&name) else {
            names.insert(name, root);
            continue;
        };
        if first.descriptor.digest == root.descriptor.digest {
            // The one with the digest says more.
            if first.reference.digest().is_none() {
                *first = root;
            }
            continue;
        }
        let untagged = root.reference.without_tag();
        if let (Some(reference), Some(tag)) = (untagged, root.reference.tag()) {
            warnings.push(format!(
                "{} is carried without the tag {tag}, which {} has",
                root.reference, first.reference
            ));
            open.push_back(Root { reference, ..root });
            continue;
        }
        for (own, other) in [(&root, &*first), (&*first, &root)] {
            failures.push(failure(own.reference.to_string(), two_digests(own, other)));
        }
        refused.insert(name);
    }
    names.retain(|name, _| !refused.contains(name));
    names.into_values().collect()
}

fn two_digests(own: &Root, other: &Root) -> ResolveError {
    let digest = |root: &Root| -> Digest { root.descriptor.digest };
    ResolveError::TwoDigests {
        own: digest(own),
        other: other.reference.to_string(),
        other_digest: Box::new(digest(other)),
    }
}

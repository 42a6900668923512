//! What the references stand for.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::Read;
use std::sync::Arc;

use sealift_archive::{BlobRef, ImageEntry, ImageSource, Node, PlainDescriptor};
use sealift_oci::{Digest, Kind, Manifest, Platform, Reference};
use sealift_pipeline::{JobError, VerifyingReader, run_parallel};

use crate::error::{ImageFailure, ResolveError};
use crate::request::Request;
use crate::resolve::fetch::{Known, keep, readers};
use crate::resolve::local::{Opened, recorded};
use crate::resolve::{Root, failure};
use crate::sources::{Source, SourceId, Sources};
use crate::spool::Spool;

/// An image to ask for.
pub(crate) struct Asked {
    reference: Reference,
    source: SourceId,
    kind: ImageSource,
    what: What,
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
            let pulled = request.pulled_from(reference);
            let selector = match (pulled.digest(), pulled.tag()) {
                (Some(digest), _) => digest.to_string(),
                (None, tag) => tag.unwrap_or("latest").to_owned(),
            };
            Some(Asked {
                reference: reference.clone(),
                source: sources.id(&Source::of(pulled))?,
                kind: ImageSource::Registry,
                what: What::Selector(selector),
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
                    source,
                    kind: one.images.kind(),
                    what: What::Described(PlainDescriptor::from(&image.descriptor)),
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

/// Reads the manifest of each.
pub(crate) fn read(
    known: &mut Known<'_>,
    asked: &[Asked],
    failures: &mut Vec<ImageFailure>,
) -> Vec<Root> {
    let context = known.context;
    let (sources, spool) = (known.sources, known.spool);
    let results = run_parallel(readers(&context), asked, context.cancel, |asked| {
        read_one(sources, spool, asked)
    });
    let mut roots = Vec::with_capacity(asked.len());
    for (asked, result) in asked.iter().zip(results) {
        let error = match result {
            Ok((node, platform)) => {
                let root = Root {
                    reference: asked.reference.clone(),
                    source: asked.source,
                    kind: asked.kind,
                    descriptor: node.descriptor.clone(),
                    platform,
                    new_digest: asked.new_digest,
                    recorded: asked.recorded.clone(),
                };
                match known.add(node) {
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
        failures.push(failure(asked.reference.to_string(), error));
    }
    roots
}

fn read_one(
    sources: &Sources,
    spool: &Spool,
    asked: &Asked,
) -> Result<(Node, Option<Platform>), ResolveError> {
    let manifest: Manifest = match &asked.what {
        What::Selector(selector) => sources.named_manifest(asked.source, selector)?,
        What::Described(descriptor) => sources.manifest(asked.source, descriptor)?,
    };
    keep(spool, &manifest)?;
    let node = Node::of(&manifest);
    let config = (node.kind == Kind::Image)
        .then(|| node.image_config().cloned())
        .flatten();
    let platform = match config {
        Some(config) => platform_of(&read_config(sources, spool, asked.source, &config)?),
        None => None,
    };
    Ok((node, platform))
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

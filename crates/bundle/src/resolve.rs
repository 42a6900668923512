//! From a request to a plan: everything is requested once, and all failures are collected.
//!
//! Work goes in rounds, each of them parallel: the roots that the references name; what the indexes
//! list, level by level; referrers, theirs, and so on. Manifests are kept in a spool, what they need in a
//! graph. After that nothing is requested any more: platforms are chosen, and the record is created.

mod assemble;
mod elsewhere;
mod fetch;
mod files;
mod limits;
pub(crate) mod local;
mod originals;
mod referrers;
mod roots;
mod select;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sealift_archive::{FileEntry, ImageEntry, ImageSource, MAX_INDEX_DEPTH, PlainDescriptor};
use sealift_oci::{Digest, Platform, PlatformSelector, Reference};
use sealift_pipeline::{Cancelled, Event};

use crate::context::Context;
use crate::error::{BundleError, ImageFailure, ResolveError};
use crate::plan::{OmittedImage, Plan, PlanParts, Planned};
use crate::request::Request;
use crate::sources::{Locals, Source, SourceId, Sources};
use crate::spool::Spool;

use fetch::{Known, Wanted};
use limits::MAX_MANIFESTS;
use referrers::Referrers;
use select::{Chosen, Verdict, verdicts};

/// An image that was asked for, with the manifest that its name stands for.
#[derive(Clone, Debug)]
pub(crate) struct Root {
    pub(crate) reference: Reference,
    pub(crate) source: SourceId,
    pub(crate) kind: ImageSource,
    pub(crate) descriptor: PlainDescriptor,
    /// What the config of a single image says.
    pub(crate) platform: Option<Platform>,
    /// Whether the manifest was made here.
    pub(crate) new_digest: bool,
    /// What the bundle that it comes from says of it.
    pub(crate) recorded: Option<ImageEntry>,
}

/// Creates a plan of `request`. Nothing is written.
///
/// # Errors
/// All images, referrers and files that cannot be bundled, together.
pub fn resolve(request: &Request, context: &Context<'_>) -> Result<Plan, BundleError> {
    context.observer.event(&Event::Phase { name: "resolving" });
    if request.images.is_empty() && request.local.is_empty() && request.files.is_empty() {
        return Err(BundleError::Empty);
    }
    let mut failures = Vec::new();
    let spool = Arc::new(Spool::new(context.scratch));
    let opened = local::open(&request.local, context, &mut failures);
    let archives = opened
        .iter()
        .map(|one| (one.path.clone(), Arc::clone(&one.images)));
    let locals = Locals {
        archives: archives.collect(),
        carried: files::read(&request.files, context, &mut failures),
    };
    let places = places(request, &opened, &locals);
    let sources = Sources::new(context, places, &locals);
    let mut known = Known::new(*context, &sources, &spool);

    let asked = roots::asked(request, &opened, &sources, &mut failures);
    let mut untagged = Vec::new();
    let roots = roots::read(&mut known, &asked, &mut untagged, &mut failures);
    let roots = roots::one_digest_a_name(request, roots, &mut untagged, &mut failures);
    descend(&mut known, &roots, &request.platforms);
    let mut images = Vec::with_capacity(roots.len());
    for root in roots {
        match select::choose(&mut known, &root, &request.platforms) {
            Ok(chosen) => images.push((root, chosen)),
            Err(error) => failures.push(image_failure(&root.reference, error)),
        }
    }
    if let Err(error) = originals::read(&known, &images) {
        failures.push(failure("the publishers' indexes", error));
    }
    let mut files = files::carried_on(&mut known, &opened);
    files.extend(files::carried(&mut known, &locals.carried));
    files::one_content_a_name(&files, &mut failures);
    let (planned, omitted) = plan(request, &mut known, images, &files, &untagged, failures)?;
    Ok(Plan::new(PlanParts {
        planned,
        omitted,
        request: request.digest(),
        sources: sources.list().to_vec(),
        spool: Arc::clone(&spool),
        shared: BTreeSet::new(),
        locals,
    }))
}

/// Plans `images` and `files` with what belongs to them. If images that turn out to be incomplete can be omitted, that
/// is done once more without them: what was read is known.
fn plan(
    request: &Request,
    known: &mut Known<'_>,
    mut images: Images,
    files: &[(FileEntry, SourceId)],
    untagged: &[String],
    mut failures: Vec<ImageFailure>,
) -> Result<(Planned, Vec<OmittedImage>), BundleError> {
    let context = known.context;
    loop {
        let before = failures.len();
        let mut referrers = if request.referrers {
            referrers::find(known, &images, &mut failures)
        } else {
            Referrers::default()
        };
        let differing = elsewhere::compare(request, &images, &context);
        referrers.warnings.extend(differing);
        referrers.warnings.extend_from_slice(untagged);
        context.cancel.check()?;
        let parts = assemble::Parts {
            request,
            images: &images,
            referrers: &referrers,
            files,
        };
        let builder = assemble::assemble(&parts, known, &mut failures);
        if !failures.is_empty() && !can_omit(request, &images, &failures) {
            return Err(all(failures));
        }
        if failures.len() == before {
            return Ok((builder.finish(&images, &referrers)?, omitted(failures)));
        }
        let incomplete: BTreeSet<&Reference> = failures[before..]
            .iter()
            .filter_map(|failure| failure.image.as_ref())
            .collect();
        let count = images.len();
        images.retain(|(root, _)| !incomplete.contains(&root.reference));
        if images.len() == count {
            return Err(all(failures));
        }
    }
}

/// Whether the request can be planned without the images that failed.
fn can_omit(request: &Request, images: &Images, failures: &[ImageFailure]) -> bool {
    request.keep_going && !images.is_empty() && failures.iter().all(ImageFailure::is_omittable)
}

/// What the plan goes without, each image once.
fn omitted(failures: Vec<ImageFailure>) -> Vec<OmittedImage> {
    let mut reasons: BTreeMap<Reference, String> = BTreeMap::new();
    for failure in failures {
        if let Some(image) = failure.image {
            let reason = failure.error.to_string();
            let reason = if failure.name == image.to_string() {
                reason
            } else {
                format!("{}: {reason}", failure.name)
            };
            reasons.entry(image).or_insert(reason);
        }
    }
    let omitted = reasons.into_iter();
    omitted
        .map(|(reference, reason)| OmittedImage { reference, reason })
        .collect()
}

/// Every place that the request names, once and in order.
fn places(request: &Request, opened: &[local::Opened], locals: &Locals) -> Vec<Source> {
    let registries = request
        .images
        .iter()
        .flat_map(|image| request.pulled_from(image).iter().map(Source::of));
    let archives = opened.iter().map(|one| one.place.clone());
    let carried = locals.carried.keys().cloned();
    let named: BTreeSet<Source> = registries.chain(archives).chain(carried).collect();
    named.into_iter().collect()
}

/// Reads what the roots' indexes list, as far as it is carried.
fn descend(known: &mut Known<'_>, roots: &[Root], selectors: &[PlatformSelector]) {
    let level = roots
        .iter()
        .map(|root| (root.descriptor.digest, root.source, false));
    descend_from(known, level.collect(), selectors);
}

/// Reads everything that the indexes among `roots` list.
fn descend_completely(known: &mut Known<'_>, roots: BTreeSet<(Digest, SourceId)>) {
    let level = roots
        .into_iter()
        .map(|(digest, source)| (digest, source, true));
    descend_from(known, level.collect(), &[]);
}

/// Level by level; whether something is carried with all that it lists is part of what is
/// remembered of it.
fn descend_from(
    known: &mut Known<'_>,
    roots: BTreeSet<(Digest, SourceId, bool)>,
    selectors: &[PlatformSelector],
) {
    let mut seen = roots.clone();
    // Which root each is below, and how many manifests are listed below each root.
    let numbered = roots.into_iter().enumerate();
    let mut level: BTreeMap<_, usize> = numbered.map(|(number, root)| (root, number)).collect();
    let mut listed = vec![0_usize; level.len()];
    for _ in 0..MAX_INDEX_DEPTH {
        // Decided by the indexes, before anything that they list is requested.
        for ((digest, ..), root) in &level {
            listed[*root] += known
                .graph
                .get(digest)
                .map_or(0, |node| node.children.len());
        }
        let mut wanted = Vec::new();
        let mut next = BTreeMap::new();
        for ((digest, source, completely), root) in &level {
            let Some(node) = known.graph.get(digest) else {
                continue;
            };
            if listed[*root] > MAX_MANIFESTS {
                known.oversized.insert(*digest);
                continue;
            }
            let selectors = if *completely { &[] } else { selectors };
            let absent = |child: &PlainDescriptor| {
                let lacks = known.sources.lacks(*source, &child.digest);
                lacks.then_some(Verdict::AttestationAbsent)
            };
            let verdicts = verdicts(&node.children, selectors, &absent);
            for (child, verdict) in node.children.iter().zip(verdicts) {
                if !matches!(verdict, Verdict::Keep | Verdict::Descend) {
                    continue;
                }
                let completely = verdict == Verdict::Keep;
                next.entry((child.descriptor.digest, *source, completely))
                    .or_insert(*root);
                wanted.push(Wanted {
                    descriptor: child.descriptor.clone(),
                    parent: *digest,
                    sources: BTreeSet::from([*source]),
                });
            }
        }
        known.fetch(wanted);
        next.retain(|entry, _| seen.insert(*entry));
        level = next;
        if level.is_empty() {
            return;
        }
    }
}

/// What is wrong with a file or with the request itself.
pub(crate) fn failure(name: impl Into<String>, error: ResolveError) -> ImageFailure {
    ImageFailure {
        name: name.into(),
        image: None,
        error,
    }
}

/// Why an image cannot be bundled.
pub(crate) fn image_failure(image: &Reference, error: ResolveError) -> ImageFailure {
    ImageFailure {
        name: image.to_string(),
        image: Some(image.clone()),
        error,
    }
}

/// All failures together, or that it was stopped.
fn all(mut failures: Vec<ImageFailure>) -> BundleError {
    if failures.iter().any(|failure| failure.error.is_cancelled()) {
        return Cancelled.into();
    }
    failures.sort_by(|one, other| one.name.cmp(&other.name));
    BundleError::Unresolved(failures)
}

/// Images with what was chosen of them.
pub(crate) type Images = Vec<(Root, Chosen)>;

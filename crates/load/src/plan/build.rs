//! Makes the plan: what the bundle has, what the registry has, and what follows.

use std::collections::{BTreeMap, BTreeSet};

use sealift_archive::{
    Bundle, DestinationManifest, Destinations, PlainDescriptor, Record, RecordEntry, Referring,
    verify,
};
use sealift_oci::{Descriptor, Digest};
use sealift_pipeline::Event;

use crate::context::Context;
use crate::error::{ForeignLayer, LoadError};
use crate::graph::{Foreign, Loaded, damaged};
use crate::name::{NameKind, PlannedName};
use crate::plan::ask::Registry;
use crate::plan::bases;
use crate::plan::value::{
    BlobAction, BlobPlace, Plan, PlannedBlob, PlannedManifest, PlannedReferrers, PlannedTag,
    TagAction, Totals,
};
use crate::repository::RepositoryName;
use crate::request::Request;
use crate::select::{Places, places, select};

/// Decides what a load of `bundle` has to do. The registry is asked for every tag, for every manifest
/// that no tag vouches for, and for the blobs of those that are missing; nothing is written.
///
/// # Errors
/// Where names collide, the bundle lacks something or the registry does not answer. Tags that may not
/// be moved are no error of the plan: see [`Plan::conflicts`].
pub fn plan(bundle: &Bundle, request: &Request, context: &Context<'_>) -> Result<Plan, LoadError> {
    context.observer.event(&Event::Phase { name: "planning" });
    let registry = Registry {
        client: context.client,
        name: request.destination.registry(),
        connections: context.budget.connections(),
        cancel: context.cancel,
    };
    let has_new = |placement: &DestinationManifest| match &placement.tag {
        Some(tag) => {
            let there = registry.tag(&placement.repository, tag)?;
            Ok(there.is_some_and(|there| there.digest == placement.descriptor.digest))
        }
        None => Ok(false),
    };
    let Places { all, stand_ins } = places(bundle, request, &has_new)?;
    let roots = all.iter().map(|placement| &placement.descriptor);
    let graph = Loaded::read(bundle, roots.chain(stand_ins.values()))?;
    let placements = select(bundle.record(), &graph, all, request)?;
    let mut sites = Sites::new(bundle, &graph, &placements, &stand_ins)?;
    context.observer.event(&Event::Phase {
        name: "asking the registry",
    });
    let tags = ask_tags(bundle, &registry, &graph, &placements, &mut sites, request)?;
    sites.ask(&registry, &graph)?;
    refuse_foreign(bundle, &registry, &graph, &sites.list)?;
    let mut blobs = ask_blobs(&registry, &graph, &sites.list, request.deep)?;
    let bases = bases::settle(bundle, &registry, &mut blobs, request)?;
    put_in_reading_order(bundle, &mut blobs);
    let mut plan = Plan {
        bundle: bundle.identity(),
        destination: request.destination.clone(),
        totals: Totals::default(),
        names: names(bundle, request, &placements, &sites),
        tags,
        referrers: referrers(&graph, &sites.list),
        covering: covering(bundle.record(), &graph, &placements, &sites),
        manifests: sites.list,
        blobs,
        bases,
        graph,
        keep_going: request.keep_going,
        overwrite: request.overwrite,
    };
    plan.totals = totals(&plan);
    bases::account(bundle, &mut plan, context)?;
    if request.verify_first && plan.totals.conflicts == 0 {
        verify_all(bundle, request, context)?;
    }
    Ok(plan)
}

/// Layers that the bundle does not have must be there already: they cannot be pushed, and nothing is
/// fetched from elsewhere.
fn refuse_foreign(
    bundle: &Bundle,
    registry: &Registry<'_>,
    graph: &Loaded,
    sites: &[PlannedManifest],
) -> Result<(), LoadError> {
    let needed: Vec<(&PlannedManifest, &Foreign)> = sites
        .iter()
        .filter(|site| !site.present)
        .flat_map(|site| {
            let foreign = &graph.nodes[site.node].foreign;
            foreign.iter().map(move |foreign| (site, foreign))
        })
        .collect();
    let there = registry.parallel(&needed, |(site, foreign)| {
        registry.has_blob(&site.repository, &foreign.digest, foreign.size)
    })?;
    let missing = needed.into_iter().zip(there).filter(|(_, there)| !there);
    let mut sites: BTreeMap<Digest, (&PlannedManifest, &Foreign)> = BTreeMap::new();
    for ((site, foreign), _) in missing {
        sites.entry(foreign.digest).or_insert((site, foreign));
    }
    if sites.is_empty() {
        return Ok(());
    }
    let manifests = sites.values().map(|(site, _)| site.digest).collect();
    let names = bundle.needed_by_each(&manifests);
    let name = |site: &PlannedManifest| names.get(&site.digest)?.names.first().cloned();
    let layers = sites.into_values().map(|(site, foreign)| ForeignLayer {
        name: name(site).unwrap_or_default(),
        digest: foreign.digest,
        media_type: foreign.media_type.clone(),
    });
    Err(LoadError::Foreign(layers.collect()))
}

/// The most manifests and blobs of a load, each counted in each repository that gets it.
const MAX_PLACES: usize = 1_000_000;

/// Every manifest in every repository, each once.
struct Sites {
    list: Vec<PlannedManifest>,
    position: BTreeMap<(RepositoryName, usize), usize>,
    /// How many manifests and blobs these are.
    places: usize,
}

impl Sites {
    fn new(
        bundle: &Bundle,
        graph: &Loaded,
        placements: &Destinations,
        stand_ins: &BTreeMap<(String, Digest), PlainDescriptor>,
    ) -> Result<Self, LoadError> {
        let names: BTreeMap<&str, RepositoryName> = placements
            .repositories()
            .into_iter()
            .map(|name| (name, RepositoryName::new(name)))
            .collect();
        let mut sites = Self {
            list: Vec::new(),
            position: BTreeMap::new(),
            places: 0,
        };
        for placement in placements.iter() {
            let Some(repository) = names.get(placement.repository.as_str()) else {
                continue;
            };
            if let Some(root) = graph.find(&placement.descriptor.digest) {
                sites.add_all(bundle, graph, repository, root)?;
            }
            let place = (placement.repository.clone(), placement.descriptor.digest);
            if let Some(new) = stand_ins.get(&place)
                && let Some(node) = graph.find(&new.digest)
            {
                let new_site = sites.add(graph, repository, node);
                if let Some(site) = sites.of(graph, placement) {
                    sites.list[site].stand_in = Some(new.digest);
                    sites.list[site].stand_in_site = Some(new_site);
                }
            }
        }
        Ok(sites)
    }

    /// Adds a manifest and all that it reaches.
    fn add_all(
        &mut self,
        bundle: &Bundle,
        graph: &Loaded,
        repository: &RepositoryName,
        root: usize,
    ) -> Result<(), LoadError> {
        let mut new = BTreeSet::new();
        graph.visit(root, |node| {
            !self.position.contains_key(&(repository.clone(), node)) && new.insert(node)
        });
        for node in new {
            let known = &graph.nodes[node];
            self.places += 1 + known.blobs.len() + known.foreign.len();
            if self.places > MAX_PLACES {
                let what = format!(
                    "the names of the bundle lead to more than {MAX_PLACES} manifests and blobs, each counted in each repository"
                );
                return Err(damaged(bundle)(
                    bundle.fault(&known.descriptor.digest, what),
                ));
            }
            self.add(graph, repository, node);
        }
        Ok(())
    }

    /// Adds a manifest, unless it is there; its position.
    fn add(&mut self, graph: &Loaded, repository: &RepositoryName, node: usize) -> usize {
        let next = self.list.len();
        let position = *self
            .position
            .entry((repository.clone(), node))
            .or_insert(next);
        if position == next {
            let descriptor = &graph.nodes[node].descriptor;
            self.list.push(PlannedManifest {
                repository: repository.clone(),
                digest: descriptor.digest,
                media_type: descriptor.media_type.clone(),
                size: descriptor.size,
                present: false,
                stand_in: None,
                stand_in_site: None,
                node,
            });
        }
        position
    }

    /// The manifest of a placement.
    fn of(&self, graph: &Loaded, placement: &DestinationManifest) -> Option<usize> {
        let node = graph.find(&placement.descriptor.digest)?;
        let repository = RepositoryName::new(&placement.repository);
        self.position.get(&(repository, node)).copied()
    }

    /// Asks for every manifest that no tag vouched for.
    fn ask(&mut self, registry: &Registry<'_>, graph: &Loaded) -> Result<(), LoadError> {
        let open: Vec<usize> = (0..self.list.len())
            .filter(|n| !self.list[*n].present)
            .collect();
        let list = &self.list;
        let answers = registry.parallel(&open, |n| {
            let site = &list[*n];
            let size = graph.nodes[site.node].descriptor.size;
            registry.has_manifest(&site.repository, &site.digest, size)
        })?;
        for (n, present) in open.into_iter().zip(answers) {
            self.list[n].present = present;
        }
        Ok(())
    }
}

/// What the registry has under each tag. A tag that stands for the right manifest says that the
/// manifest is there.
fn ask_tags(
    bundle: &Bundle,
    registry: &Registry<'_>,
    graph: &Loaded,
    placements: &Destinations,
    sites: &mut Sites,
    request: &Request,
) -> Result<Vec<PlannedTag>, LoadError> {
    let mut wanted: BTreeMap<(usize, &str), bool> = BTreeMap::new();
    for placement in placements.iter() {
        if let (Some(tag), Some(site)) = (&placement.tag, sites.of(graph, placement)) {
            let early = matches!(placement.of, RecordEntry::Referrer(_));
            *wanted.entry((site, tag)).or_insert(early) &= early;
        }
    }
    let wanted: Vec<(usize, &str, bool)> = wanted
        .into_iter()
        .map(|((site, tag), early)| (site, tag, early))
        .collect();
    let list = &sites.list;
    let answers = registry.parallel(&wanted, |(site, tag, _)| {
        registry.tag(&list[*site].repository, tag)
    })?;
    let mut tags = Vec::with_capacity(wanted.len());
    for ((site, tag, early), there) in wanted.into_iter().zip(answers) {
        let manifest = &mut sites.list[site];
        let digest = manifest.digest;
        let action = match there {
            None => TagAction::Set,
            Some(there) if stands_for(bundle, graph, manifest, &there)? => {
                manifest.present = there.size == manifest.size;
                TagAction::Unchanged
            }
            Some(there) if request.overwrite => TagAction::Move { from: there.digest },
            Some(there) => TagAction::Conflict {
                there: there.digest,
            },
        };
        tags.push(PlannedTag {
            repository: manifest.repository.clone(),
            tag: tag.to_owned(),
            digest,
            action,
            site,
            early,
        });
    }
    Ok(tags)
}

/// Whether the registry's descriptor is of the manifest. Registries that know only SHA-256 name a SHA-512
/// manifest by that.
pub(crate) fn stands_for(
    bundle: &Bundle,
    graph: &Loaded,
    manifest: &PlannedManifest,
    there: &Descriptor,
) -> Result<bool, LoadError> {
    if there.digest.algorithm() == manifest.digest.algorithm() {
        return Ok(there.digest == manifest.digest);
    }
    let read = bundle
        .read_manifest(&graph.nodes[manifest.node].descriptor)
        .map_err(damaged(bundle))?;
    Ok(Digest::of(there.digest.algorithm(), read.bytes()) == there.digest)
}

/// Asks for every blob that a missing manifest needs, and decides what becomes of it. A manifest that is
/// there vouches for its blobs, unless `deep`.
fn ask_blobs(
    registry: &Registry<'_>,
    graph: &Loaded,
    sites: &[PlannedManifest],
    deep: bool,
) -> Result<Vec<PlannedBlob>, LoadError> {
    let mut vouched: BTreeMap<usize, BTreeSet<&RepositoryName>> = BTreeMap::new();
    let mut needed: BTreeMap<usize, BTreeSet<&RepositoryName>> = BTreeMap::new();
    for site in sites {
        let list = if site.present && !deep {
            &mut vouched
        } else {
            &mut needed
        };
        for blob in &graph.nodes[site.node].blobs {
            list.entry(*blob).or_default().insert(&site.repository);
        }
    }
    let questions: Vec<(usize, &RepositoryName)> = needed
        .iter()
        .flat_map(|(blob, repositories)| repositories.iter().map(|name| (*blob, *name)))
        .filter(|(blob, name)| !vouched.get(blob).is_some_and(|names| names.contains(name)))
        .collect();
    let answers = registry.parallel(&questions, |(blob, repository)| {
        let blob = graph.blobs[*blob];
        registry.has_blob(repository, &blob.digest, blob.size)
    })?;
    let mut asked: BTreeMap<usize, Vec<(&RepositoryName, bool)>> = BTreeMap::new();
    for ((blob, repository), present) in questions.into_iter().zip(answers) {
        asked.entry(blob).or_default().push((repository, present));
    }
    let blobs = asked
        .into_iter()
        .map(|(blob, places)| {
            let vouched = vouched.get(&blob).and_then(|names| names.first().copied());
            let blob = graph.blobs[blob];
            PlannedBlob {
                digest: blob.digest,
                size: blob.size,
                places: decide(&places, vouched),
            }
        })
        .collect();
    Ok(blobs)
}

/// A blob is mounted from where it is; where it is nowhere, it is sent once and mounted from there.
fn decide(places: &[(&RepositoryName, bool)], vouched: Option<&RepositoryName>) -> Vec<BlobPlace> {
    let there = places.iter().find(|(_, present)| *present);
    let mut from = there.map(|(name, _)| *name).or(vouched);
    places
        .iter()
        .map(|(repository, present)| BlobPlace {
            repository: (*repository).clone(),
            action: match (present, from) {
                (true, _) => BlobAction::Present,
                (false, Some(from)) => BlobAction::Mount { from: from.clone() },
                (false, None) => {
                    from = Some(repository);
                    BlobAction::Send
                }
            },
        })
        .collect()
}

/// Sorts blobs as the bundle's store is best read.
fn put_in_reading_order(bundle: &Bundle, blobs: &mut [PlannedBlob]) {
    let wanted = blobs.iter().map(|blob| blob.digest).collect();
    let order = bundle.store().groups(wanted).into_iter().flatten();
    let position: BTreeMap<Digest, usize> =
        order.enumerate().map(|(n, digest)| (digest, n)).collect();
    blobs.sort_by_key(|blob| position.get(&blob.digest).copied().unwrap_or(usize::MAX));
}

fn names(
    bundle: &Bundle,
    request: &Request,
    placements: &Destinations,
    sites: &Sites,
) -> Vec<PlannedName> {
    let names = bundle.record().names();
    let by_digest: BTreeMap<(&str, Digest), usize> = sites
        .list
        .iter()
        .enumerate()
        .map(|(n, site)| ((&*site.repository, site.digest), n))
        .collect();
    placements
        .iter()
        .filter_map(|placement| {
            let digest = placement.descriptor.digest;
            let site = *by_digest.get(&(placement.repository.as_str(), digest))?;
            let place = format!(
                "{}/{}",
                request.destination.registry(),
                placement.repository
            );
            Some(PlannedName {
                kind: match placement.of {
                    RecordEntry::Image(_) => NameKind::Image,
                    RecordEntry::File(_) => NameKind::File,
                    RecordEntry::Referrer(_) => NameKind::Referrer,
                },
                source: names.of(placement.of),
                destination: match &placement.tag {
                    Some(tag) => format!("{place}:{tag}"),
                    None => format!("{place}@{digest}"),
                },
                digest,
                original: original(bundle, placement.of, digest),
                site,
            })
        })
        .collect()
}

/// The referrers of each publisher's index that has a stand-in.
fn covering(
    record: &Record,
    graph: &Loaded,
    placements: &Destinations,
    sites: &Sites,
) -> BTreeMap<usize, BTreeSet<usize>> {
    let mut covering: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    let known = Referring::of(record);
    let mut of_referrers: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for placement in placements.iter() {
        if let RecordEntry::Referrer(n) = placement.of {
            let sites = sites.of(graph, placement);
            of_referrers.entry(n).or_default().extend(sites);
        }
    }
    let mut seen: BTreeSet<(usize, String)> = BTreeSet::new();
    for placement in placements.iter() {
        let RecordEntry::Image(n) = placement.of else {
            continue;
        };
        let Some(site) = sites.of(graph, placement) else {
            continue;
        };
        if sites.list[site].stand_in.is_none() {
            continue;
        }
        let repository = record.images[n].reference.name();
        if !seen.insert((site, repository.clone())) {
            continue;
        }
        let subject = BTreeSet::from([placement.descriptor.digest]);
        let referrers = known.reached(&repository, subject).into_iter();
        let referrers = referrers.filter_map(|n| of_referrers.get(&n)).flatten();
        covering.entry(site).or_default().extend(referrers);
    }
    covering
}

/// The publisher's digest of an image that is carried under another.
fn original(bundle: &Bundle, of: RecordEntry, digest: Digest) -> Option<Digest> {
    let RecordEntry::Image(n) = of else {
        return None;
    };
    let original = bundle.record().images[n].original.as_ref()?.digest;
    (original != digest).then_some(original)
}

fn referrers(graph: &Loaded, sites: &[PlannedManifest]) -> Vec<PlannedReferrers> {
    let mut groups: BTreeMap<(&RepositoryName, Digest), Vec<usize>> = BTreeMap::new();
    for (position, site) in sites.iter().enumerate() {
        if let Some(subject) = graph.nodes[site.node].subject {
            let group = groups.entry((&site.repository, subject)).or_default();
            group.push(position);
        }
    }
    groups
        .into_iter()
        .map(|((repository, subject), sites_of)| PlannedReferrers {
            repository: repository.clone(),
            subject,
            manifests: sites_of.iter().map(|n| sites[*n].digest).collect(),
            sites: sites_of,
        })
        .collect()
}

fn totals(plan: &Plan) -> Totals {
    let count = |kind| plan.names.iter().filter(|name| name.kind == kind).count() as u64;
    let repositories: BTreeSet<&RepositoryName> = plan
        .manifests
        .iter()
        .map(|manifest| &manifest.repository)
        .collect();
    let reached: BTreeSet<usize> = plan
        .manifests
        .iter()
        .flat_map(|manifest| &plan.graph.nodes[manifest.node].blobs)
        .copied()
        .collect();
    let mut totals = Totals {
        images: count(NameKind::Image),
        files: count(NameKind::File),
        referrers: count(NameKind::Referrer),
        repositories: repositories.len() as u64,
        manifests: plan.manifests.len() as u64,
        manifests_present: plan.manifests.iter().filter(|m| m.present).count() as u64,
        blobs: reached.len() as u64,
        bytes: reached
            .iter()
            .map(|blob| plan.graph.blobs[*blob].size)
            .sum(),
        ..Totals::default()
    };
    for blob in &plan.blobs {
        for place in &blob.places {
            match place.action {
                BlobAction::Present => {}
                BlobAction::Mount { .. } => {
                    totals.blobs_to_mount += 1;
                    totals.bytes_to_mount += blob.size;
                }
                BlobAction::Send => {
                    totals.blobs_to_send += 1;
                    totals.bytes_to_send += blob.size;
                }
            }
        }
    }
    for tag in &plan.tags {
        match tag.action {
            TagAction::Set => totals.tags_to_set += 1,
            TagAction::Unchanged => totals.tags_unchanged += 1,
            TagAction::Move { .. } => totals.tags_to_move += 1,
            TagAction::Conflict { .. } => totals.conflicts += 1,
        }
    }
    totals
}

/// Reads the whole bundle. With `keep_going`, what is damaged shows when it is to be sent.
fn verify_all(bundle: &Bundle, request: &Request, context: &Context<'_>) -> Result<(), LoadError> {
    let report = verify(
        bundle,
        false,
        context.budget,
        context.cancel,
        context.observer,
    )?;
    if report.problems.is_empty() || request.keep_going {
        return Ok(());
    }
    Err(LoadError::Damaged {
        bundle: bundle.name().to_owned(),
        damaged: report.problems,
    })
}

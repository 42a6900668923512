//! Which platforms of an index are carried, and the new index that stands for them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sealift_archive::{Child, MAX_INDEX_DEPTH, Node, PlainDescriptor, PlatformEntry};
use sealift_oci::{Descriptor, Digest, Kind, Manifest, Platform, PlatformSelector, media_type};
use serde::Serialize;

use crate::error::{Pointer, ResolveError};
use crate::resolve::Root;
use crate::resolve::fetch::{Known, keep};
use crate::resolve::limits::{MAX_MANIFESTS, TOO_DEEP, TOO_MANY};
use crate::sources::SourceId;

/// What happens to one child of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is carried, and all below it.
    Keep,
    /// It is an index that names no platform: what it lists decides.
    Descend,
    /// It is for a platform that was not asked for.
    OtherPlatform,
    /// It is the attestation of a manifest that is left out.
    AttestsLeftOut,
    /// It is an attestation that the archive was saved without.
    AttestationAbsent,
    /// It is an attestation that the registry lists and does not have.
    AttestationNotServed,
}

impl Verdict {
    /// Why something is left out, in words.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::AttestsLeftOut => "attestation of a platform that is left out",
            Self::AttestationAbsent => "attestation that the archive was saved without",
            Self::AttestationNotServed => "attestation that the registry does not have",
            _ => "not among the selected platforms",
        }
    }
}

/// Judges every child of an index. Attestations follow the sibling that they belong to. `absent` says which
/// of them are not there, and why.
pub(crate) fn verdicts(
    children: &[Child],
    selectors: &[PlatformSelector],
    absent: &dyn Fn(&PlainDescriptor) -> Option<Verdict>,
) -> Vec<Verdict> {
    let own: Vec<Verdict> = children
        .iter()
        .map(|child| own_verdict(child, selectors))
        .collect();
    let kept: BTreeSet<Digest> = children
        .iter()
        .zip(&own)
        .filter(|(child, verdict)| child.attests.is_none() && **verdict == Verdict::Keep)
        .map(|(child, _)| child.descriptor.digest)
        .collect();
    children
        .iter()
        .zip(own)
        .map(|(child, own)| match child.attests {
            Some(subject) if !kept.contains(&subject) && !selectors.is_empty() => {
                Verdict::AttestsLeftOut
            }
            Some(_) => absent(&child.descriptor).unwrap_or(Verdict::Keep),
            None => own,
        })
        .collect()
}

fn own_verdict(child: &Child, selectors: &[PlatformSelector]) -> Verdict {
    match &child.platform {
        _ if selectors.is_empty() => Verdict::Keep,
        Some(platform) if selectors.iter().any(|wanted| wanted.matches(platform)) => Verdict::Keep,
        Some(_) => Verdict::OtherPlatform,
        None if media_type::is_index(&child.descriptor.media_type) => Verdict::Descend,
        // What names no platform is not for another one.
        None => Verdict::Keep,
    }
}

/// What stands for an image in the bundle.
#[derive(Clone, Debug)]
pub(crate) struct Chosen {
    pub(crate) descriptor: PlainDescriptor,
    pub(crate) platforms: Vec<PlatformEntry>,
    pub(crate) left_out: Vec<(PlatformEntry, Verdict)>,
    /// Which selectors found something.
    matched: BTreeSet<usize>,
}

impl Chosen {
    /// The selectors that found nothing.
    pub(crate) fn unmatched<'a>(
        &self,
        selectors: &'a [PlatformSelector],
    ) -> Vec<&'a PlatformSelector> {
        let unmatched = selectors.iter().enumerate();
        unmatched
            .filter(|(index, _)| !self.matched.contains(index))
            .map(|(_, selector)| selector)
            .collect()
    }
}

/// Chooses from what an image's name stands for.
pub(crate) fn choose(
    known: &mut Known<'_>,
    root: &Root,
    selectors: &[PlatformSelector],
) -> Result<Chosen, ResolveError> {
    let chosen = match known.graph.get(&root.descriptor.digest) {
        Some(node) if node.kind == Kind::Index => {
            let mut choice = Choice {
                known,
                source: root.source,
                selectors,
                seen: 0,
            };
            choice.index(&root.descriptor, 0)?
        }
        _ => Some(single(&root.descriptor, root.platform.as_ref(), selectors)),
    };
    match chosen {
        Some(chosen) if !fails(&chosen, selectors) => Ok(chosen),
        chosen => Err(ResolveError::Platform {
            wanted: selectors.iter().map(PlatformSelector::to_string).collect(),
            there: chosen.map_or_else(
                || there(known, &root.descriptor),
                |chosen| names(&chosen.platforms),
            ),
        }),
    }
}

/// Whether there are platforms, and none that was asked for.
fn fails(chosen: &Chosen, selectors: &[PlatformSelector]) -> bool {
    !selectors.is_empty()
        && chosen.matched.is_empty()
        && (chosen.left_out.iter().map(|(entry, _)| entry))
            .chain(&chosen.platforms)
            .any(|entry| entry.platform.is_some())
}

fn single(
    root: &PlainDescriptor,
    platform: Option<&Platform>,
    selectors: &[PlatformSelector],
) -> Chosen {
    let platforms = platform.map(|platform| PlatformEntry {
        platform: Some(platform.clone()),
        digest: root.digest,
    });
    Chosen {
        descriptor: root.clone(),
        matched: platform.map_or_else(BTreeSet::new, |platform| matched(platform, selectors)),
        platforms: platforms.into_iter().collect(),
        left_out: Vec::new(),
    }
}

fn matched(platform: &Platform, selectors: &[PlatformSelector]) -> BTreeSet<usize> {
    let all = selectors.iter().enumerate();
    all.filter(|(_, selector)| selector.matches(platform))
        .map(|(index, _)| index)
        .collect()
}

/// A choice from one image.
struct Choice<'a, 'b> {
    known: &'a mut Known<'b>,
    source: SourceId,
    selectors: &'a [PlatformSelector],
    /// How many children were looked at.
    seen: usize,
}

impl Choice<'_, '_> {
    /// Chooses from an index; none where nothing of it is left.
    fn index(
        &mut self,
        index: &PlainDescriptor,
        depth: usize,
    ) -> Result<Option<Chosen>, ResolveError> {
        let children = match self.known.graph.get(&index.digest) {
            Some(node) => node.children.clone(),
            None => return Err(missing(self.known, index)),
        };
        self.seen += children.len();
        if depth > MAX_INDEX_DEPTH {
            return Err(TOO_DEEP);
        }
        if self.seen > MAX_MANIFESTS || self.known.oversized.contains(&index.digest) {
            return Err(TOO_MANY);
        }
        let known = &*self.known;
        let absent = |child: &PlainDescriptor| {
            if known.sources.lacks(self.source, &child.digest) {
                return Some(Verdict::AttestationAbsent);
            }
            // Where all platforms are carried, so is the publisher's index, with all that it lists.
            let failed = known.failed.get(child);
            let not_served = failed.is_some_and(ResolveError::is_not_found);
            (not_served && !self.selectors.is_empty()).then_some(Verdict::AttestationNotServed)
        };
        let verdicts = verdicts(&children, self.selectors, &absent);
        let mut chosen = Chosen {
            descriptor: index.clone(),
            platforms: Vec::new(),
            left_out: Vec::new(),
            matched: BTreeSet::new(),
        };
        // What becomes of each child: itself, another index, or nothing.
        let mut replaced: Vec<Option<PlainDescriptor>> = Vec::with_capacity(children.len());
        for (child, verdict) in children.iter().zip(verdicts) {
            replaced.push(self.child(&mut chosen, child, verdict, depth)?);
        }
        if replaced.iter().all(Option::is_none) && !children.is_empty() {
            return Ok(None);
        }
        let same = children
            .iter()
            .zip(&replaced)
            .all(|(child, now)| now.as_ref() == Some(&child.descriptor));
        if !same {
            chosen.descriptor = new_index(self.known, index, &replaced)?;
        }
        Ok(Some(chosen))
    }

    fn child(
        &mut self,
        chosen: &mut Chosen,
        child: &Child,
        verdict: Verdict,
        depth: usize,
    ) -> Result<Option<PlainDescriptor>, ResolveError> {
        match verdict {
            Verdict::Keep => {
                keep_child(chosen, child, self.selectors);
                Ok(Some(child.descriptor.clone()))
            }
            Verdict::Descend => {
                let below = self.index(&child.descriptor, depth + 1)?;
                if below.is_none() {
                    chosen.leave_out(child, Verdict::OtherPlatform);
                }
                Ok(below.map(|below| chosen.take(below)))
            }
            verdict => {
                chosen.leave_out(child, verdict);
                Ok(None)
            }
        }
    }
}

fn keep_child(chosen: &mut Chosen, child: &Child, selectors: &[PlatformSelector]) {
    if child.attests.is_some() {
        return;
    }
    if let Some(platform) = &child.platform {
        chosen.matched.extend(matched(platform, selectors));
    }
    chosen.platforms.push(entry(child));
}

impl Chosen {
    /// Attestations that the registry lists and does not have.
    pub(crate) fn not_served(&self) -> impl Iterator<Item = &PlatformEntry> {
        let missing = self.left_out.iter();
        missing
            .filter(|(_, verdict)| *verdict == Verdict::AttestationNotServed)
            .map(|(entry, _)| entry)
    }

    fn leave_out(&mut self, child: &Child, verdict: Verdict) {
        self.left_out.push((entry(child), verdict));
    }

    /// Takes in what was chosen from an index below.
    fn take(&mut self, below: Self) -> PlainDescriptor {
        self.platforms.extend(below.platforms);
        self.left_out.extend(below.left_out);
        self.matched.extend(below.matched);
        below.descriptor
    }
}

fn entry(child: &Child) -> PlatformEntry {
    PlatformEntry {
        platform: child.platform.clone(),
        digest: child.descriptor.digest,
    }
}

/// An index of chosen children.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewIndex<'a> {
    schema_version: u8,
    media_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_type: Option<&'a str>,
    manifests: Vec<Descriptor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a Descriptor>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a BTreeMap<String, String>,
}

/// Makes the index of what is left of `index`: the same type and annotations, the children in the same
/// order with all that their descriptors say. The same choice gives the same bytes every time.
fn new_index(
    known: &mut Known<'_>,
    index: &PlainDescriptor,
    replaced: &[Option<PlainDescriptor>],
) -> Result<PlainDescriptor, ResolveError> {
    let bytes = known
        .spool
        .get(&index.digest)
        .map_err(|error| ResolveError::Scratch(Arc::new(error)))?
        .ok_or_else(|| missing(known, index))?;
    let own = |error| ResolveError::Child {
        pointer: Box::new(Pointer {
            parent: index.digest,
            child: index.digest,
        }),
        error: Box::new(error),
    };
    let original = Manifest::parse_for(bytes, &Descriptor::from(index)).map_err(own)?;
    let manifests = original.children().iter().zip(replaced);
    let manifests = manifests.filter_map(|(child, now)| {
        let now = now.as_ref()?;
        Some(Descriptor {
            digest: now.digest,
            size: now.size,
            ..child.clone()
        })
    });
    let new = NewIndex {
        schema_version: 2,
        media_type: original.media_type(),
        artifact_type: original.artifact_type(),
        manifests: manifests.collect(),
        subject: original.subject(),
        annotations: original.annotations(),
    };
    let bytes = serde_json::to_vec(&new).expect("an index has no map with other keys than text");
    let made = Manifest::parse(bytes, Some(original.media_type())).map_err(own)?;
    keep(known.spool, &made)?;
    let node = Node::of(&made);
    let descriptor = node.descriptor.clone();
    known.made.insert(descriptor.digest);
    known.add(node)?;
    Ok(descriptor)
}

fn missing(known: &Known<'_>, index: &PlainDescriptor) -> ResolveError {
    let failed = known.failed.get(index).cloned();
    failed.unwrap_or(TOO_DEEP)
}

/// The platforms that an index and the indexes below it list.
fn there(known: &Known<'_>, root: &PlainDescriptor) -> Vec<String> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    let mut open = vec![root.digest];
    while let Some(digest) = open.pop() {
        let Some(node) = known.graph.get(&digest).filter(|_| seen.insert(digest)) else {
            continue;
        };
        for child in &node.children {
            match &child.platform {
                Some(platform) if child.attests.is_none() => found.push(platform.to_string()),
                None => open.push(child.descriptor.digest),
                _ => {}
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// Platforms in words; what names none is left out.
pub(crate) fn names(entries: &[PlatformEntry]) -> Vec<String> {
    let named = entries.iter().filter_map(|entry| entry.platform.as_ref());
    named.map(Platform::to_string).collect()
}

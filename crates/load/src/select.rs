//! What of a bundle is loaded: patterns choose images and files, referrers follow what they refer to.

use std::collections::{BTreeMap, BTreeSet};

use sealift_archive::{
    Bundle, DestinationManifest, Destinations, PlainDescriptor, Record, RecordEntry,
    all_destinations,
};
use sealift_oci::{Digest, Reference};

use crate::error::LoadError;
use crate::graph::Loaded;
use crate::request::{PublisherIndex, Request};

/// Everything that the bundle puts at a destination, by the index that each image gets.
pub(crate) struct Places {
    /// The publisher's index where it may be used.
    pub(crate) all: Destinations,
    /// By the repository and the publisher's index: the new index that is used if the registry refuses that.
    pub(crate) stand_ins: BTreeMap<(String, Digest), PlainDescriptor>,
}

/// Every place that the bundle has content for. `has_new` says whether a tag stands for a new index already,
/// which stays then.
pub(crate) fn places(
    bundle: &Bundle,
    request: &Request,
    has_new: &dyn Fn(&DestinationManifest) -> Result<bool, LoadError>,
) -> Result<Places, LoadError> {
    let record = bundle.record();
    let all = all_destinations(record, &request.naming, &request.destination)?;
    let mut stand_ins = BTreeMap::new();
    let mut missing = Vec::new();
    let mut list = Vec::new();
    for mut placement in all.iter().cloned() {
        if let RecordEntry::Image(n) = placement.of
            && let image = &record.images[n]
            && let Some(original) = &image.original
        {
            let use_original = match request.publisher_index {
                PublisherIndex::Never => false,
                PublisherIndex::Required => {
                    if bundle.publisher_index(image).is_none() {
                        missing.push(image.reference.to_string());
                    }
                    true
                }
                PublisherIndex::IfAccepted => {
                    bundle.publisher_index(image).is_some() && !has_new(&placement)?
                }
            };
            if use_original {
                let new = std::mem::replace(&mut placement.descriptor, original.clone());
                if request.publisher_index == PublisherIndex::IfAccepted {
                    let place = (placement.repository.clone(), original.digest);
                    stand_ins.insert(place, new);
                }
            }
        }
        list.push(placement);
    }
    if !missing.is_empty() {
        return Err(LoadError::NoOriginal(missing));
    }
    let uncovered = uncovered(record, &list);
    let mut list = list.into_iter();
    let all = all.filter_map(|_| {
        let placement = list.next()?;
        (!uncovered.contains(&placement.of)).then_some(placement)
    });
    Ok(Places { all, stand_ins })
}

/// The referrers of publishers' indexes that no image gets, and what refers to those in turn.
fn uncovered(record: &Record, list: &[DestinationManifest]) -> BTreeSet<RecordEntry> {
    let mut used: BTreeSet<(String, Digest)> = BTreeSet::new();
    for placement in list {
        used.extend(match placement.of {
            RecordEntry::Image(n) => Some((
                record.images[n].reference.name(),
                placement.descriptor.digest,
            )),
            _ => None,
        });
    }
    let originals = record.images.iter().filter_map(|image| {
        let original = image.original.as_ref()?;
        Some((image.reference.name(), original.digest))
    });
    let carried: BTreeSet<Digest> = record.manifests.iter().map(|one| one.digest).collect();
    let open =
        originals.filter(|original| !used.contains(original) && !carried.contains(&original.1));
    referring(record, open.collect())
}

/// The referrers of `subjects`, which are manifests of source repositories, and what refers to those in turn.
fn referring(record: &Record, mut subjects: Vec<(String, Digest)>) -> BTreeSet<RecordEntry> {
    let mut by_subject = by_subject(record);
    let mut found = BTreeSet::new();
    while let Some(subject) = subjects.pop() {
        // Taken out: each referrer is followed once.
        for n in by_subject.remove(&subject).unwrap_or_default() {
            found.insert(RecordEntry::Referrer(n));
            subjects.push((subject.0.clone(), record.referrers[n].descriptor.digest));
        }
    }
    found
}

/// The positions of referrers, by what they belong to.
fn by_subject(record: &Record) -> BTreeMap<(String, Digest), Vec<usize>> {
    let mut by_subject: BTreeMap<(String, Digest), Vec<usize>> = BTreeMap::new();
    for (n, referrer) in record.referrers.iter().enumerate() {
        let subject = (referrer.repository.clone(), referrer.subject);
        by_subject.entry(subject).or_default().push(n);
    }
    by_subject
}

/// Those of `placements` that the request asks for, without collisions.
pub(crate) fn select(
    record: &Record,
    graph: &Loaded,
    placements: Destinations,
    request: &Request,
) -> Result<Destinations, LoadError> {
    let references = record.images.iter().map(|image| &image.reference);
    let references = references.chain(record.files.iter().map(|file| &file.reference));
    if let Some(map) = request.naming.unused_map(references) {
        return Err(LoadError::UnusedMap { map: map.clone() });
    }
    let all = request.only.is_empty() && request.skip.is_empty();
    let placements = if all {
        placements
    } else {
        let chosen = choose(record, request)?;
        let referrers = follow(record, graph, &placements, &chosen);
        placements.filter_map(|placement| {
            (chosen.contains(&placement.of) || referrers.contains(&placement.of))
                .then_some(placement)
        })
    };
    Ok(placements.without_collisions(record)?)
}

/// The images and files that the patterns choose.
fn choose(record: &Record, request: &Request) -> Result<BTreeSet<RecordEntry>, LoadError> {
    let images = record.images.iter().enumerate();
    let images = images.map(|(n, image)| (RecordEntry::Image(n), names(&image.reference, None)));
    let files = record.files.iter().enumerate();
    let files = files.map(|(n, file)| {
        (
            RecordEntry::File(n),
            names(&file.reference, Some(&file.name)),
        )
    });
    let named: Vec<(RecordEntry, Vec<String>)> = images.chain(files).collect();
    let matching = |pattern: &String| -> Result<BTreeSet<RecordEntry>, LoadError> {
        let found: BTreeSet<RecordEntry> = named
            .iter()
            .filter(|(_, names)| names.iter().any(|name| matches(pattern, name)))
            .map(|(of, _)| *of)
            .collect();
        if found.is_empty() {
            return Err(LoadError::NoMatch {
                pattern: pattern.clone(),
            });
        }
        Ok(found)
    };
    let mut chosen: BTreeSet<RecordEntry> = BTreeSet::new();
    if request.only.is_empty() {
        chosen.extend(named.iter().map(|(of, _)| *of));
    }
    for pattern in &request.only {
        chosen.extend(matching(pattern)?);
    }
    for pattern in &request.skip {
        chosen = &chosen - &matching(pattern)?;
    }
    if chosen.is_empty() {
        return Err(LoadError::NothingSelected);
    }
    Ok(chosen)
}

/// What a pattern is compared with.
fn names(reference: &Reference, file: Option<&str>) -> Vec<String> {
    let tag = reference.storage_tag();
    let repository = reference.repository();
    let mut names = vec![
        reference.to_string(),
        format!("{}:{tag}", reference.name()),
        reference.name(),
        format!("{repository}:{tag}"),
        repository.to_owned(),
    ];
    names.extend(file.map(str::to_owned));
    names
}

/// The referrers of what was chosen, and theirs. A referrer belongs to its subject in the repository
/// that it was found in.
fn follow(
    record: &Record,
    graph: &Loaded,
    placements: &Destinations,
    chosen: &BTreeSet<RecordEntry>,
) -> BTreeSet<RecordEntry> {
    let mut by_subject = by_subject(record);
    let chosen = placements.iter().filter(|p| chosen.contains(&p.of));
    let mut open: Vec<(String, Digest)> = chosen.flat_map(|p| sources(record, p)).collect();
    let mut reached: BTreeSet<(String, Digest)> = open.iter().cloned().collect();
    let mut followed = BTreeSet::new();
    while let Some((repository, digest)) = open.pop() {
        let children = graph.find(&digest).into_iter();
        let children = children.flat_map(|node| &graph.nodes[node].children);
        let mut next: Vec<Digest> = children
            .map(|child| graph.nodes[*child].descriptor.digest)
            .collect();
        // Taken out: each referrer is followed once.
        for n in by_subject
            .remove(&(repository.clone(), digest))
            .unwrap_or_default()
        {
            followed.insert(RecordEntry::Referrer(n));
            next.push(record.referrers[n].descriptor.digest);
        }
        for digest in next {
            if reached.insert((repository.clone(), digest)) {
                open.push((repository.clone(), digest));
            }
        }
    }
    followed
}

/// The source repository and digests that referrers of a placement name.
fn sources(record: &Record, placement: &DestinationManifest) -> Vec<(String, Digest)> {
    let digest = placement.descriptor.digest;
    match placement.of {
        RecordEntry::Image(n) => {
            let image = &record.images[n];
            let original = image.original.as_ref().map(|original| original.digest);
            [Some(digest), Some(image.descriptor.digest), original]
                .into_iter()
                .flatten()
                .map(|digest| (image.reference.name(), digest))
                .collect()
        }
        RecordEntry::File(n) => vec![(record.files[n].reference.name(), digest)],
        RecordEntry::Referrer(_) => Vec::new(),
    }
}

/// Whether `text` has the form of `pattern`, in which `*` stands for any characters and `?` for one.
/// Takes time in proportion to the product of both lengths at most.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut from) = (0, 0);
    // Where the last `*` stands, and how much of the text it has taken.
    let mut star: Option<(usize, usize)> = None;
    while from < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(c) if *c == '?' || *c == text[from] => {
                at += 1;
                from += 1;
            }
            _ => {
                let Some((position, taken)) = star else {
                    return false;
                };
                star = Some((position, taken + 1));
                (at, from) = (position + 1, taken + 1);
            }
        }
    }
    pattern[at..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_characters_and_question_marks_for_one() {
        for (pattern, text) in [
            ("*", ""),
            ("*", "docker.io/a/b:1"),
            ("docker.io/calico/*", "docker.io/calico/node:v1"),
            ("*/node", "docker.io/calico/node"),
            ("*node*", "docker.io/calico/node:v1"),
            ("a?c", "abc"),
            ("*a*b*c", "xxaxxbxxbc"),
            ("exact", "exact"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("", "a"),
            ("a?", "a"),
            ("*/node", "docker.io/calico/node:v1"),
            ("a*b", "abc"),
            ("A", "a"),
        ] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn a_hostile_pattern_takes_no_exponential_time() {
        let text = "a".repeat(2000);
        assert!(!matches(&format!("{}b", "a*".repeat(500)), &text));
    }

    #[test]
    fn an_image_has_its_names_with_and_without_registry_and_tag() {
        let names = names(&"calico/node:v1".parse().unwrap(), None);
        for name in [
            "docker.io/calico/node:v1",
            "docker.io/calico/node",
            "calico/node:v1",
            "calico/node",
        ] {
            assert!(names.iter().any(|n| n == name), "{name}");
        }
    }
}

//! What of a bundle is loaded: patterns choose images and files, referrers follow what they refer to.

use std::collections::{BTreeMap, BTreeSet};

use sealift_archive::{
    Bundle, DestinationManifest, Destinations, Record, RecordEntry, all_destinations,
};
use sealift_oci::{Digest, Reference};

use crate::error::LoadError;
use crate::graph::Loaded;
use crate::request::Request;

/// Every place that the bundle has content for, the publisher's indexes in place of the chosen ones
/// where that was asked for.
pub(crate) fn places(bundle: &Bundle, request: &Request) -> Result<Destinations, LoadError> {
    let record = bundle.record();
    let placements = all_destinations(record, &request.naming, &request.destination)?;
    if !request.sparse {
        return Ok(placements);
    }
    let mut missing = Vec::new();
    let placements = placements.filter_map(|mut placement| {
        if let RecordEntry::Image(n) = placement.of
            && let Some(original) = &record.images[n].original
        {
            if bundle.size(&original.digest).is_none() {
                missing.push(record.images[n].reference.to_string());
            }
            placement.descriptor = original.clone();
        }
        Some(placement)
    });
    if missing.is_empty() {
        Ok(placements)
    } else {
        Err(LoadError::NoOriginal(missing))
    }
}

/// Those of `placements` that the request asks for, without collisions.
pub(crate) fn select(
    record: &Record,
    graph: &Loaded,
    placements: Destinations,
    request: &Request,
) -> Result<Destinations, LoadError> {
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
    let mut by_subject: BTreeMap<(String, Digest), Vec<usize>> = BTreeMap::new();
    for (n, referrer) in record.referrers.iter().enumerate() {
        let subject = (referrer.repository.clone(), referrer.subject);
        by_subject.entry(subject).or_default().push(n);
    }
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

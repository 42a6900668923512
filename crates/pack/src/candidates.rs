//! Which files of bases a content may be stored against: the one with its path in the base that is nearest to its
//! blob, then those that share samples with it; and the source of a compiled Python module.

use std::collections::{BTreeSet, HashMap};
use std::io;

use crate::bases::{Base, Nearness};
use crate::class::Class;
use crate::open::Content;
use crate::options::Effort;
use crate::python;
use crate::sketch::{Likeness, limit_each};
use crate::summary::{FileEntry, path_hashes};

/// What a content may be stored against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Candidate {
    /// A file of a base.
    Old(Place),
    /// An earlier content, by its position.
    Own(usize),
    /// The same; it is the source of the content, a compiled Python module.
    Source(usize),
}

/// A file of a base.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place {
    /// The base, by its position in the plan.
    pub(crate) base: usize,
    /// The entry of its summary.
    pub(crate) entry: usize,
}

impl Place {
    pub(crate) fn file(self, bases: &[Base]) -> Option<&FileEntry> {
        bases[self.base].summary().entries[self.entry].file.as_ref()
    }
}

/// How many bases a content has at most.
fn max_bases(effort: Effort) -> usize {
    match effort {
        Effort::Fast => 1,
        Effort::Default => 3,
        Effort::Best => 6,
    }
}

/// Shorter contents are not worth an entry for their old version.
const MIN_LEN: u64 = 256;

/// Samples that are remembered at once; each takes about 50 bytes of memory.
const MAX_SAMPLES: usize = 8 << 20;

/// The candidates of each content, the best first. The contents are in the order in which they are stored.
pub(crate) fn choose(
    contents: &[&Content],
    bases: &[Base],
    nearness: &Nearness,
    effort: Effort,
) -> io::Result<Vec<Vec<Candidate>>> {
    let sources = python::sources(contents)?;
    let old = Old::of(contents, bases);
    let old_sketch = |place: &Place| place.file(bases)?.sketch.as_deref();
    let sketches = contents.iter().filter(|content| content.class.relates());
    let sketches = sketches.map(|content| &content.sketch);
    let sketches = sketches.chain(old.sketched.iter().filter_map(old_sketch));
    let samples = limit_each(sketches, MAX_SAMPLES);
    let mut likeness = Likeness::default();
    for (number, place) in old.sketched.iter().enumerate() {
        if let Some(sketch) = old_sketch(place) {
            likeness.add(id(number), sketch.first(samples));
        }
    }
    let mut chosen = Vec::with_capacity(contents.len());
    for (number, content) in contents.iter().enumerate() {
        let predecessor = old.predecessor(content, &nearness.ranks[content.blob]);
        let predecessor = predecessor.filter(|place| may_share(content, place.file(bases)));
        let mut candidates: Vec<Candidate> = predecessor.map(Candidate::Old).into_iter().collect();
        if candidates.is_empty()
            && let Some(&source) = sources.get(&number)
        {
            chosen.push(vec![Candidate::Source(source)]);
            continue;
        }
        if content.class.relates() && !content.sketch.samples().is_empty() {
            let known = predecessor.and_then(|place| old.sketched.binary_search(&place).ok());
            let known: Vec<u32> = known.map(id).into_iter().collect();
            let most = max_bases(effort) - known.len();
            let sketch = content.sketch.first(samples);
            let least = (sketch.len() / 32).max(3);
            let nearest = likeness.nearest(sketch, &known, most, least);
            candidates.extend(nearest.into_iter().map(|found| old.candidate(found)));
            likeness.add(id(old.sketched.len() + number), sketch);
        }
        candidates.truncate(max_bases(effort));
        chosen.push(candidates);
    }
    Ok(chosen)
}

/// Content that is compressed or encrypted mostly shares nothing with its old version, which samples show.
fn may_share(content: &Content, old: Option<&FileEntry>) -> bool {
    let old = old.and_then(|file| file.sketch.as_ref());
    match old.filter(|_| content.class == Class::Dense) {
        Some(old) => content.sketch.shares(old) || content.sketch.samples().is_empty(),
        None => true,
    }
}

fn id(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The files of bases that have bytes.
struct Old {
    /// Those that have the path of a new content; and those that have it but for numbers.
    exact: HashMap<u64, Vec<Place>>,
    loose: HashMap<u64, Vec<Place>>,
    /// Those with sketches, sorted.
    sketched: Vec<Place>,
}

/// More files than so many with one path are not looked at.
const MAX_PLACES: usize = 64;

impl Old {
    fn of(contents: &[&Content], bases: &[Base]) -> Self {
        let hashes = contents.iter().map(|content| path_hashes(&content.name));
        let (exact, loose): (BTreeSet<u64>, BTreeSet<u64>) = hashes.unzip();
        let mut old = Self {
            exact: HashMap::new(),
            loose: HashMap::new(),
            sketched: Vec::new(),
        };
        for (base, known) in bases
            .iter()
            .enumerate()
            .filter(|(_, base)| base.has_bytes())
        {
            for (entry, file) in known.summary().entries.iter().enumerate() {
                let Some(file) = &file.file else { continue };
                let place = Place { base, entry };
                note(&mut old.exact, &exact, file.path, place);
                note(&mut old.loose, &loose, file.loose, place);
                if file.sketch.is_some() {
                    old.sketched.push(place);
                }
            }
        }
        old
    }

    /// The old version of a content, by its path.
    fn predecessor(&self, content: &Content, rank: &[usize]) -> Option<Place> {
        if content.bytes.len() < MIN_LEN {
            return None;
        }
        let (exact, loose) = path_hashes(&content.name);
        let places = self.exact.get(&exact).or_else(|| self.loose.get(&loose))?;
        let near = |place: &&Place| {
            let rank = rank.iter().position(|&base| base == place.base);
            (rank.unwrap_or(usize::MAX), **place)
        };
        places.iter().min_by_key(near).copied()
    }

    /// What the number of a sketch stands for.
    fn candidate(&self, number: u32) -> Candidate {
        let number = number as usize;
        match self.sketched.get(number) {
            Some(&place) => Candidate::Old(place),
            None => Candidate::Own(number - self.sketched.len()),
        }
    }
}

fn note(places: &mut HashMap<u64, Vec<Place>>, wanted: &BTreeSet<u64>, hash: u64, place: Place) {
    if hash != 0 && wanted.contains(&hash) {
        let places = places.entry(hash).or_default();
        if places.len() < MAX_PLACES {
            places.push(place);
        }
    }
}
